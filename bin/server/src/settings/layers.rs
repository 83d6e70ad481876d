//! Lays the sources of settings over each other: built-in defaults, file, `.env`, environment.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    error::{Mistake, Mistakes},
    origin::Origin,
    tree::{Node, Value},
    vars::Vars,
};

/// Every setting that is not simply absent by default, with its default.
const DEFAULTS: &str = include_str!("../../default.toml");

/// The file that is read when none is named.
const USUAL_FILE: &str = "hitesh.toml";

/// The variable that names the file.
const FILE_VARIABLE: &str = "HITESH_CONFIG";

/// Settings that had a variable of their own in the original. The `OPENAI_*` ones are no settings: they choose a
/// provider when no list does.
const ORIGINAL_NAMES: [(&str, [&str; 2]); 7] = [
    ("DEBUG", ["server", "debug"]),
    ("LOG_LEVEL", ["log", "level"]),
    ("HOST", ["server", "host"]),
    ("PORT", ["server", "port"]),
    ("REDIS_URL", ["redis", "url"]),
    ("ALLOWED_ORIGINS", ["cors", "allowed_origins"]),
    ("ALLOWED_HOSTS", ["server", "allowed_hosts"]),
];

/// The defaults alone.
pub(super) fn defaults(mistakes: &mut Mistakes) -> Node {
    Node::parse(DEFAULTS, None, mistakes)
}

/// All of them, as they were written.
pub(super) fn merged(
    defaults: &Node,
    named: Option<&Path>,
    directory: &Path,
    vars: &Vars,
    mistakes: &mut Mistakes,
) -> Node {
    let mut tree = defaults.clone();
    if let Some((path, text)) = read_file(named, directory, vars, mistakes) {
        tree.merge(Node::parse(&text, Some(&path), mistakes));
    }
    for layer in vars.layers() {
        // The names of ours come second: in one and the same layer they say it more exactly.
        for (name, value, origin) in &layer {
            if let Some((_, keys)) = ORIGINAL_NAMES.iter().find(|(original, _)| original == name) {
                set(&mut tree, keys, value, origin, mistakes);
            }
        }
        for (name, value, origin) in &layer {
            let Some(rest) = name.strip_prefix("HITESH_") else { continue };
            let rest = rest.to_ascii_lowercase();
            let keys: Vec<&str> = rest.split("__").collect();
            if *name == FILE_VARIABLE || is_of_kubernetes(name, value) {
                continue;
            }
            if keys.len() < 2 || keys.iter().any(|key| key.is_empty()) {
                mistakes.push(Mistake {
                    key: (*name).to_owned(),
                    origin: Some(origin.clone()),
                    problem: "there is no such variable: settings are HITESH_SECTION__KEY, with two underscores"
                        .to_owned(),
                });
                continue;
            }
            set(&mut tree, &keys, value, origin, mistakes);
        }
    }
    tree
}

fn set(tree: &mut Node, keys: &[&str], value: &str, origin: &Origin, mistakes: &mut Mistakes) {
    if !tree.set(keys, Node { value: Value::Text(value.to_owned()), origin: origin.clone() }) {
        mistakes.push(Mistake {
            key: keys.join("."),
            origin: Some(origin.clone()),
            problem: "no variable reaches there: only the settings of a section have variables".to_owned(),
        });
    }
}

/// Kubernetes gives every container variables like `HITESH_AI_SERVICE_HOST` and `HITESH_AI_PORT_8000_TCP_ADDR` for
/// a service named `hitesh-ai`: they are meant for nobody.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let ports = ["tcp://", "udp://", "sctp://"];
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT") && ports.into_iter().any(|scheme| value.starts_with(scheme))
        || ["_TCP", "_UDP", "_SCTP"].into_iter().any(|protocol| {
            name.split_once(protocol).is_some_and(|(before, _)| {
                before.rsplit_once("_PORT_").is_some_and(|(_, port)| port.parse::<u16>().is_ok())
            })
        })
}

/// The settings file: the named one, which has to be there, or the usual one, which need not.
fn read_file(
    named: Option<&Path>,
    directory: &Path,
    vars: &Vars,
    mistakes: &mut Mistakes,
) -> Option<(Arc<Path>, String)> {
    let by_variable = || vars.get(FILE_VARIABLE).map(PathBuf::from);
    let (path, must_exist) = match named.map(Path::to_owned).or_else(by_variable) {
        Some(path) => (directory.join(path), true),
        None => (directory.join(USUAL_FILE), false),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Some((path.into(), text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => None,
        Err(error) => {
            let problem = match named {
                Some(_) => format!("cannot read the file that --config names: {error}"),
                None if must_exist => format!("cannot read the file that {FILE_VARIABLE} names: {error}"),
                None => format!("cannot read the file: {error}"),
            };
            mistakes.add_about(path.display().to_string(), problem);
            None
        }
    }
}
