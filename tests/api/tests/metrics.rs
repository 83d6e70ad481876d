//! The figures for monitoring systems, and the dashboard that is made of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};

use hitesh_tests_api::{Answer, Gate, Script, Server, ServerBuilder, Upstream, eventually};
use serde_json::{Value, json};

/// Series by name and labels as they are written.
#[derive(Debug)]
struct Exposition {
    kinds: BTreeMap<String, String>,
    series: BTreeMap<String, f64>,
}

impl Exposition {
    /// Reads the text, and checks what its grammar promises.
    fn parse(text: &str) -> Self {
        let (mut kinds, mut helped) = (BTreeMap::new(), BTreeSet::new());
        let mut series = BTreeMap::new();
        assert!(text.ends_with("# EOF\n"), "it is whole");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                match (words.next(), words.next(), words.next()) {
                    (Some("HELP"), Some(name), Some(help)) => {
                        assert!(helped.insert(name.to_owned()) && !help.is_empty())
                    }
                    (Some("TYPE"), Some(name), Some(kind)) => {
                        assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has one type");
                    }
                    (Some("UNIT" | "EOF"), ..) => {}
                    other => panic!("{other:?}"),
                }
                continue;
            }
            let (name, value) = line.rsplit_once(' ').expect("a series and its value");
            let bare = name.split('{').next().unwrap();
            assert!(bare.starts_with("hitesh_") && bare.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert!(series.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{name} is there once");
        }
        let this = Self { kinds, series };
        assert_eq!(this.kinds.keys().cloned().collect::<BTreeSet<_>>(), helped);
        this.series.keys().for_each(|name| assert!(this.family(name).is_some(), "{name} has a type"));
        this.check_histograms();
        this
    }

    /// The family that a series belongs to.
    fn family(&self, series: &str) -> Option<&str> {
        let bare = series.split('{').next()?;
        let suffixes = [
            ("", "gauge"),
            ("_total", "counter"),
            ("_bucket", "histogram"),
            ("_sum", "histogram"),
            ("_count", "histogram"),
        ];
        suffixes.iter().find_map(|(suffix, kind)| {
            let family = bare.strip_suffix(suffix)?;
            let (family, found) = self.kinds.get_key_value(family)?;
            (found == kind).then_some(family.as_str())
        })
    }

    fn check_histograms(&self) {
        for family in self.kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(family, _)| family) {
            let mut by_labels: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for (name, value) in &self.series {
                let Some(labels) = name.strip_prefix(&format!("{family}_bucket{{le=\"")) else { continue };
                let (bound, rest) = labels.split_once('"').unwrap();
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                by_labels.entry(rest.trim_start_matches(',').to_owned()).or_default().push((bound, *value));
            }
            assert!(!by_labels.is_empty(), "{family} has buckets");
            for (labels, mut buckets) in by_labels {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{family} {labels} is cumulative");
                let labels = if labels == "}" { String::new() } else { format!("{{{labels}") };
                assert_eq!(Some(&buckets.last().unwrap().1), self.series.get(&format!("{family}_count{labels}")));
            }
        }
    }

    fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("{series} is not among {:#?}", self.series.keys()))
    }
}

async fn metrics(server: &Server) -> Exposition {
    let reply = server.client().get("/metrics").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    Exposition::parse(&reply.text())
}

#[tokio::test]
async fn what_was_done_is_counted_exactly() {
    let gate = Gate::new();
    let (script_gate, answer) = (gate.clone(), Answer::about("metrics"));
    let upstream = Upstream::start(move |request| match request.question().contains("Ruko") {
        true => Script::gated(&answer, request.format(), 5, &script_gate),
        false => Script::answer(&answer, request.format()),
    })
    .await;
    let server = Server::start(&upstream).await;
    for (session, source) in [("a", "model"), ("b", "cache"), ("c", "cache")] {
        assert_eq!(server.client().ask(session, "Docker kya hai?").await["source"], source);
    }
    server.client().get("/api/chat/turns/no-id").await;
    let mut running = server.client().deltas("d", "Ruko").await;
    gate.reached(1).await;
    let seen = metrics(&server).await;
    for (series, expected) in [
        ("hitesh_turns_total{status=\"completed\",source=\"model\"}", 1.0),
        ("hitesh_turns_total{status=\"completed\",source=\"cache\"}", 2.0),
        ("hitesh_turn_duration_seconds_count", 3.0),
        ("hitesh_turn_first_token_seconds_count", 3.0),
        ("hitesh_turns_in_flight", 1.0),
        ("hitesh_open_streams", 1.0),
        ("hitesh_active_sessions", 1.0),
        ("hitesh_cache_lookups_total{result=\"hit\"}", 2.0),
        ("hitesh_cache_lookups_total{result=\"miss\"}", 2.0),
        ("hitesh_provider_calls_total{provider=\"openai\"}", 1.0),
        ("hitesh_provider_call_failures_total{provider=\"openai\"}", 0.0),
        ("hitesh_provider_in_flight{provider=\"openai\"}", 1.0),
        ("hitesh_provider_breaker{provider=\"openai\",state=\"closed\"}", 1.0),
        ("hitesh_provider_breaker{provider=\"openai\",state=\"open\"}", 0.0),
        ("hitesh_dependency_up{dependency=\"sessions\"}", 1.0),
        ("hitesh_stored_sessions", 4.0),
        ("hitesh_stored_turns", 4.0),
        ("hitesh_draining", 0.0),
        ("hitesh_http_requests_total{route=\"/api/chat/send\",method=\"POST\",status=\"200\"}", 3.0),
        ("hitesh_http_request_duration_seconds_count{route=\"/api/chat/send\"}", 3.0),
    ] {
        assert_eq!(seen.value(series), expected, "{series}");
    }
    assert!(seen.value("hitesh_provider_tokens_total{provider=\"openai\",kind=\"prompt\"}") > 0.0);
    assert!(seen.value("hitesh_process_resident_memory_bytes") > 1e6);
    gate.open();
    running.rest().await;
    eventually("nothing to run any more", || async {
        (metrics(&server).await.value("hitesh_turns_in_flight") == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_that_callers_choose_makes_a_series() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    let ask = async |number: usize| {
        server.client().ask(&format!("session-{number}"), &format!("Sawaal {number}?")).await;
        for path in [format!("/nowhere/{number}"), format!("/api/chat/turns/{number}"), format!("/static/{number}/x")] {
            server.client().get(&path).await;
        }
        server.client().request(&format!("M{number}"), "/api", &[], "").await;
    };
    ask(0).await;
    let before: BTreeSet<_> = metrics(&server).await.series.into_keys().collect();
    // The first look counts itself afterwards.
    let before: BTreeSet<_> = before.into_iter().chain(metrics(&server).await.series.into_keys()).collect();
    for number in 1..40 {
        ask(number).await;
    }
    let after: BTreeSet<_> = metrics(&server).await.series.into_keys().collect();
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn figures_are_the_admins() {
    let upstream = Upstream::numbered().await;
    let how = ServerBuilder::asking(&upstream).settings(
        "[auth]\nkeys = [{ id = \"web\", key = \"a-users-key-of-length\" }]\nadmin_key = \"the-operators-own-key\"",
    );
    let server = how.start().await;
    for path in ["/metrics", "/api/dashboard"] {
        server.client().get(path).await.expect_error(403, "forbidden");
        let user = server.client().with_header("authorization", "Bearer a-users-key-of-length");
        user.get(path).await.expect_error(403, "forbidden");
        let admin = server.client().with_header("authorization", "Bearer the-operators-own-key");
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    let page = server.client().get("/dashboard").await;
    assert_eq!(page.status, 200, "it holds no figure, and asks for the key");
}

#[tokio::test]
async fn the_dashboards_figures_are_those_of_the_server() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.client().ask("s", "Docker kya hai?").await;
    let dashboard = server.client().get("/api/dashboard").await.json();
    assert_eq!((&dashboard["total_turns"], &dashboard["health"]["status"]), (&json!(1), &json!("healthy")));
    let columns = dashboard["samples"].as_object().unwrap();
    let lengths: BTreeSet<_> = columns.values().map(|column| column.as_array().unwrap().len()).collect();
    assert_eq!(lengths.len(), 1, "every column has a value for each sample: {columns:?}");
    assert_eq!(dashboard["providers"][0]["calls"], 1);
}

/// Names of metrics and labels in a PromQL expression.
fn metric_names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("hitesh_")).map(str::to_owned).collect()
}

/// The metrics of an expression and all their labels. Each of them exists, and so does each label that it selects by.
fn asked_for(expression: &str, seen: &Exposition) -> (BTreeSet<String>, BTreeSet<String>) {
    let names = metric_names(expression);
    let there: BTreeSet<_> = seen.series.keys().map(|name| name.split('{').next().unwrap().to_owned()).collect();
    assert!(!names.is_empty() && names.is_subset(&there), "{expression}: {:?}", names.difference(&there));
    let labels_of = |metric: &String| -> BTreeSet<String> {
        let named = seen.series.keys().filter(|name| name.split('{').next() == Some(metric));
        named
            .flat_map(|name| name.split(['{', ',']).filter_map(|part| Some(part.split_once("=\"")?.0.to_owned())))
            .collect()
    };
    let known: BTreeSet<_> = names.iter().flat_map(labels_of).collect();
    // Those in braces, but for the one that the monitoring system adds.
    for selected in expression.split('{').skip(1).filter_map(|part| part.split('}').next()) {
        for label in selected.split(',').filter_map(|part| Some(part.split_once(['=', '!'])?.0.trim())) {
            assert!(label == "instance" || known.contains(label), "{expression}: nothing has the label {label}");
        }
    }
    (names, known)
}

#[tokio::test]
async fn the_alerts_ask_for_what_there_is() {
    let rules = include_str!("../../../deploy/grafana/alerts.yml");
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.client().ask("s", "Docker kya hai?").await;
    metrics(&server).await;
    let seen = metrics(&server).await;
    let expressions = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    // `up` is the monitoring system's own.
    let of_the_server: Vec<_> = expressions.filter(|expression| !expression.starts_with("up{")).collect();
    assert_eq!(of_the_server.len() + 1, rules.matches("- alert:").count());
    of_the_server.iter().for_each(|expression| drop(asked_for(expression, &seen)));
}

#[tokio::test]
async fn the_grafana_dashboard_asks_for_what_there_is() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/grafana/hitesh.json");
    let board: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.client().ask("s", "Docker kya hai?").await;
    metrics(&server).await;
    let seen = metrics(&server).await;
    let (mut ids, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{} has an id of its own", panel["title"]);
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let (names, known) = asked_for(expression, &seen);
            let legend = target["legendFormat"].as_str().unwrap();
            for label in legend.split("{{").filter_map(|part| Some(part.split_once("}}")?.0)) {
                assert!(label == "instance" || known.contains(label), "{legend}");
            }
            asked.extend(names);
        }
    }
    let families: BTreeSet<_> = asked.iter().filter_map(|name| seen.family(name)).collect();
    let all: BTreeSet<_> = seen.kinds.keys().map(String::as_str).filter(|name| *name != "hitesh_build_info").collect();
    assert_eq!(all.difference(&families).collect::<Vec<_>>(), Vec::<&&str>::new(), "each is shown somewhere");
}
