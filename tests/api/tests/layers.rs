//! The crates know only what the design lets them know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::{collections::BTreeSet, process::Command};

/// Every crate below the server, and the crates of ours that it may use.
const EDGES: [(&str, &[&str]); 8] = [
    ("hitesh-domain", &[]),
    ("hitesh-persona", &["hitesh-domain"]),
    ("hitesh-llm", &["hitesh-domain", "hitesh-redis"]),
    ("hitesh-sessions", &["hitesh-domain", "hitesh-redis"]),
    ("hitesh-cache", &["hitesh-redis"]),
    ("hitesh-turnlog", &["hitesh-domain", "hitesh-redis"]),
    (
        "hitesh-chat",
        &["hitesh-domain", "hitesh-persona", "hitesh-llm", "hitesh-sessions", "hitesh-cache", "hitesh-turnlog"],
    ),
    ("hitesh-redis", &[]),
];

/// Backends' features, and what a crate must bring in only with them.
const BACKENDS: [(&str, &str, &[&str]); 9] = [
    ("hitesh-llm", "anthropic", &["reqwest"]),
    ("hitesh-llm", "openai", &["async-openai", "reqwest"]),
    ("hitesh-llm", "local", &["llama-cpp-2"]),
    ("hitesh-llm", "redis", &["hitesh-redis", "redis"]),
    ("hitesh-cache", "moka", &["moka"]),
    ("hitesh-cache", "redis", &["hitesh-redis", "redis"]),
    ("hitesh-sessions", "sqlite", &["rusqlite"]),
    ("hitesh-sessions", "redis", &["hitesh-redis", "redis"]),
    ("hitesh-turnlog", "redis", &["hitesh-redis", "redis"]),
];

/// The lines of `cargo tree` over normal dependencies: name and enabled features.
fn tree(package: &str, more: &[&str]) -> Vec<(String, BTreeSet<String>)> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["tree", "--offline", "-e", "normal", "--prefix", "none", "-f", "{p} [{f}]", "-p", package])
        .args(more);
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let line = |line: &str| {
        let name = line.split(' ').next()?.to_owned();
        let (_, features) = line.rsplit_once('[')?;
        let features = features.split_once(']')?.0.split(',').filter(|feature| !feature.is_empty());
        Some((name, features.map(str::to_owned).collect()))
    };
    text.lines().filter_map(line).collect()
}

fn names(tree: &[(String, BTreeSet<String>)]) -> BTreeSet<&str> {
    tree.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn each_crate_depends_on_those_below_it_only() {
    for (package, allowed) in EDGES {
        let tree = tree(package, &["--all-features", "--depth", "1"]);
        let ours: BTreeSet<_> =
            names(&tree).into_iter().filter(|name| name.starts_with("hitesh-") && *name != package).collect();
        let allowed: BTreeSet<_> = allowed.iter().copied().collect();
        assert!(ours.is_subset(&allowed), "{package} depends on {ours:?}, but may on {allowed:?}");
    }
}

#[test]
fn the_engine_uses_every_seam() {
    let tree = tree("hitesh-chat", &["--depth", "1"]);
    for (package, _) in &EDGES[..6] {
        assert!(names(&tree).contains(package), "hitesh-chat does not use {package}");
    }
}

#[test]
fn the_engine_names_no_backend() {
    let tree = tree("hitesh-chat", &[]);
    for (package, feature, brings) in BACKENDS {
        let on = tree.iter().any(|(name, features)| name == package && features.contains(feature));
        assert!(!on, "hitesh-chat turns on {package}/{feature}");
        for name in brings {
            assert!(!names(&tree).contains(name), "hitesh-chat brings in {name}");
        }
    }
}

#[test]
fn only_the_server_turns_backends_on() {
    let server = tree("hitesh-server", &[]);
    for (package, feature, _) in BACKENDS {
        let on = server.iter().any(|(name, features)| name == package && features.contains(feature));
        assert!(on, "the server does not turn on {package}/{feature}");
    }
    for (package, _) in EDGES {
        for (name, features) in tree(package, &[]) {
            let backends = BACKENDS.iter().filter(|(of, feature, _)| *of == name && features.contains(*feature));
            assert_eq!(backends.count(), 0, "{package} turns on a backend of {name}: {features:?}");
        }
    }
}

#[test]
fn the_slim_server_has_neither_a_local_model_nor_redis() {
    let tree = tree("hitesh-server", &["--no-default-features"]);
    let ours: Vec<_> =
        names(&tree).into_iter().filter(|name| name.starts_with("llama-cpp") || name.contains("redis")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn nothing_below_the_server_knows_http_servers() {
    for (package, _) in EDGES {
        let tree = tree(package, &["--all-features"]);
        let http: Vec<_> = names(&tree).into_iter().filter(|name| name.starts_with("actix")).collect();
        assert!(http.is_empty(), "{package} brings in {http:?}");
    }
}

#[test]
fn a_persona_needs_no_runtime_and_no_network() {
    for package in ["hitesh-domain", "hitesh-persona"] {
        let tree = tree(package, &["--all-features"]);
        for name in ["tokio", "reqwest", "hyper", "mio", "socket2", "rustls"] {
            assert!(!names(&tree).contains(name), "{package} brings in {name}");
        }
    }
}

#[test]
fn these_tests_know_the_service_by_its_contract_only() {
    let tree = tree("hitesh-tests-api", &[]);
    let ours: Vec<_> =
        names(&tree).into_iter().filter(|name| name.starts_with("hitesh-") && *name != "hitesh-tests-api").collect();
    assert!(ours.is_empty(), "{ours:?}");
}
