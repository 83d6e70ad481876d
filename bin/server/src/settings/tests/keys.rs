use super::*;

#[test]
fn can_be_written_in_a_variable_and_in_a_file() {
    let settings = Place::new()
        .toml(
            r#"
[auth]
admin_key_file = "admin.key"
[[auth.keys]]
id = "web"
key = "key-of-the-web"
[[auth.keys]]
id = "app"
key_env = "APP_KEY"
"#,
        )
        .file("admin.key", "  key-of-the-admin\n")
        .file(".env", "APP_KEY=key-of-the-app\n")
        .settings();
    let keys: Vec<_> = settings.auth.keys.iter().map(|key| (key.owner.as_str(), key.key.expose_secret())).collect();
    assert_eq!(keys, [("web", "key-of-the-web"), ("app", "key-of-the-app")]);
    assert_eq!(settings.auth.admin_key.unwrap().expose_secret(), "key-of-the-admin");
}

#[test]
fn are_checked_one_by_one() {
    let mistakes = Place::new()
        .toml(
            r#"
[auth]
admin_key = "short"
keys = [
{ id = "a", key = "hunter2" },
{ id = "public", key = "long-enough-1" },
{ id = "b c", key = "long-enough-2" },
{ key = "long-enough-3" },
{ id = "d" },
{ id = "e", key = "long-enough-4", key_env = "E" },
{ id = "f", key_env = "UNSET" },
{ id = "g", key = "long-enough-5" },
{ id = "g", key = "long-enough-6" },
{ id = "h", key = "long-enough-5" },
{ id = "i", key_file = "gone.key" },
"hunter2hunter2",
]
"#,
        )
        .mistakes();
    let expected = [
        "auth.keys[11] (hitesh.toml:16): expected a table, found text",
        "auth.keys[0].key (hitesh.toml:5): a key has at least 8 characters",
        "auth.keys[1].id (hitesh.toml:6): public is the owner of",
        "auth.keys[2].id (hitesh.toml:7): expected 1 to 128 characters",
        "auth.keys[3] (hitesh.toml:8): has no id",
        "auth.keys[4] (hitesh.toml:9): has no key",
        "auth.keys[5].key_env (hitesh.toml:10): give only one of key, key_env and key_file",
        "auth.keys[6].key_env (hitesh.toml:11): the variable UNSET is not set",
        "auth.keys[8].id (hitesh.toml:13): there is a key of this id already",
        "auth.keys[9].key (hitesh.toml:14): another id has the same key",
        "auth.keys[10].key_file (hitesh.toml:15): cannot read the file",
        "auth.admin_key (hitesh.toml:3): a key has at least 8 characters",
    ];
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(expected), "{mistake}\nis not\n{expected}");
    }
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    assert!(!mistakes.concat().contains("hunter2"));
}

#[test]
fn are_never_shown() {
    let settings = Place::new()
        .toml(
            r#"
auth.admin_key = "hunter2-admin"
auth.keys = [{ id = "a", key = "hunter2-caller" }]
providers = [{ name = "a", kind = "openai", api_key = "hunter2-provider" }]
"#,
        )
        .var("REDIS_URL", "redis://:hunter2@redis")
        .settings();
    assert!(!format!("{settings:?} {settings:#?}").contains("hunter2"));
}

#[test]
fn are_never_quoted_in_a_mistake() {
    let place = Place::new().toml(
        r#"
auth = "hunter2"
redis.url = ["hunter2"]
providers = ["hunter2", { name = "hunter2 hunter2", kind = "hunter2", api_key = ["hunter2"], base_url = "hunter2" }]
"#,
    );
    let error = place.load().map(|_| ()).unwrap_err();
    assert!(error.mistakes().len() >= 5, "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}
