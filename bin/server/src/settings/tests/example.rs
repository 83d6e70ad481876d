//! The example that operators copy says everything, and says it right.

use std::collections::BTreeSet;

use super::*;

const EXAMPLE: &str = include_str!("../../../../../deploy/hitesh.example.toml");

/// The example with every setting switched on: those that are commented out begin with `#` and no space.
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => {
            setting.to_owned()
        }
        _ => line.to_owned(),
    };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The settings that a table has, as the refusal of one that it has not lists them.
fn known(place: &str, table: &str) -> Vec<String> {
    let mistakes = Place::new().toml(table).mistakes();
    let list = mistakes.iter().find_map(|mistake| mistake.split_once("there is no such setting here; there are: "));
    let (_, list) = list.unwrap_or_else(|| panic!("{place}: {mistakes:?}"));
    list.split(", ").map(|key| format!("{place}{key}")).collect()
}

/// The paths of all settings in a table, without numbers of list items.
fn written(table: &toml::Table, outer: &str, all: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = format!("{outer}{key}");
        match value {
            toml::Value::Table(inner) => written(inner, &format!("{path}."), all),
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                items.iter().filter_map(toml::Value::as_table).for_each(|item| written(item, &format!("{path}."), all));
            }
            _ => {}
        }
        all.insert(path);
    }
}

#[test]
fn as_it_is_it_changes_nothing() {
    let settings = Place::new().toml(EXAMPLE).settings();
    assert_eq!(format!("{settings:?}"), format!("{:?}", Place::new().settings()));
}

#[test]
fn it_names_every_setting() {
    let sections = known("", "zz = 1");
    let mut expected: BTreeSet<String> = sections.iter().cloned().collect();
    for section in sections.iter().filter(|section| *section != "providers") {
        expected.extend(known(&format!("{section}."), &format!("{section}.zz = 1")));
    }
    expected.extend(known("auth.keys.", "auth.keys = [{ zz = 1 }]"));
    expected.extend(known("providers.", "providers = [{ zz = 1 }]"));
    expected.extend(known("providers.deadlines.", "providers = [{ deadlines.zz = 1 }]"));
    expected.extend(known("providers.prices.", "providers = [{ prices.zz = 1 }]"));
    let mut found = BTreeSet::new();
    written(&toml::from_str(&uncommented()).unwrap(), "", &mut found);
    assert_eq!(found, expected);
}

#[test]
fn it_names_every_preset() {
    let names = hitesh_llm::openai::Preset::all().iter().map(|preset| preset.name.as_str());
    let missing: Vec<_> = names.filter(|name| !EXAMPLE.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The example with every setting switched on, but for those that begin with one of `others`: of two ways to say the same
/// only one can be taken.
fn one_way(others: &[&str]) -> Place {
    let ways = ["admin_key_env", "admin_key_file", "password_env", "password_file"];
    let more = ["sentinel_password_env", "sentinel_password_file", "ca_file", "certificate_file"];
    let left_out: Vec<_> = ways.iter().chain(&more).chain(others).map(|key| format!("{key} = ")).collect();
    // The settings of other sections have this name too.
    let is_client_key = |line: &str| line.starts_with("key_file = \"redis");
    let keep = |line: &&str| !is_client_key(line) && !left_out.iter().any(|key| line.starts_with(key));
    let text: Vec<_> = uncommented().lines().filter(keep).map(str::to_owned).collect();
    Place::new()
        .toml(&text.join("\n"))
        .file("mobile.key", "key-of-the-mobile-app")
        .file("gateway.key", "key-of-the-gateway")
        .var("GROQ_API_KEY", "key-of-groq")
        .var("WEB_KEY", "key-of-the-web-app")
        .var("OPENAI_API_KEY", "key-of-openai")
}

#[test]
fn every_setting_in_it_is_valid() {
    let of_sentinels = ["sentinels", "primary", "tls", "database", "sentinel_username", "sentinel_password"];
    let single = [&of_sentinels[..], &["cluster"]].concat();
    let cluster = [&of_sentinels[..], &["url"]].concat();
    for others in [&single[..], &cluster, &["url", "cluster"]] {
        let loaded = one_way(others).load().map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(loaded, Ok(()), "without {others:?}");
    }
}

#[test]
fn it_shows_the_defaults() {
    let example: toml::Table = toml::from_str(&uncommented()).unwrap();
    let defaults: toml::Table = toml::from_str(include_str!("../../../default.toml")).unwrap();
    for (section, table) in &defaults {
        for (key, value) in table.as_table().unwrap() {
            // Lists are shown with something in them.
            if !value.is_array() {
                assert_eq!(example[section].get(key), Some(value), "{section}.{key}");
            }
        }
    }
}

/// The settings inside the ConfigMap: what is indented under its key.
fn in_kubernetes() -> String {
    let manifest = include_str!("../../../../../deploy/kubernetes/configmap.yaml");
    let (_, settings) = manifest.split_once("  hitesh.toml: |\n").expect("the ConfigMap has them");
    settings.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_settings_for_kubernetes_are_right() {
    let place = Place::new()
        .toml(&in_kubernetes())
        .var("OPENAI_API_KEY", "sk-hunter2")
        .var("HITESH_AUTH__ADMIN_KEY", "a-long-word");
    let settings = place.settings();
    assert_eq!(settings.providers[0].name.as_str(), "openai");
    assert!(settings.auth.admin_key.is_some() && !settings.limits.trusted_proxies.is_empty());
    assert_eq!(settings.warnings(), [""; 0]);
}
