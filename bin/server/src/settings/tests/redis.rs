//! How Redis servers are named, and how they are spoken to.

use hitesh_redis::Servers;

use super::*;

fn servers(text: &str) -> Servers {
    Place::new().toml(text).file("redis.key", "hunter2\n").settings().redis.unwrap().servers
}

#[test]
fn a_redis_address_is_checked_and_never_quoted() {
    let mistakes = Place::new().var("REDIS_URL", "http://:hunter2@redis").mistakes();
    assert!(mistakes[0].starts_with("redis.url (REDIS_URL in the environment): expected redis://"), "{mistakes:?}");
    assert!(!mistakes.concat().contains("hunter2"));
}

#[test]
fn sentinels_are_asked_by_one_user_and_the_primary_by_another() {
    let named = servers(
        r#"
[redis]
sentinels = ["redis://s1:26379", "redis://:of-its-own@s2:26379"]
primary = "mymaster"
tls = true
database = 3
username = "app"
password_file = "redis.key"
sentinel_password = "of-the-sentinels"
"#,
    );
    let Servers::Sentinel(named) = named else { panic!("{named:?}") };
    let passwords: Vec<_> = named.sentinels.iter().map(|sentinel| sentinel.access().password.as_deref()).collect();
    assert_eq!(passwords, [Some("of-the-sentinels"), Some("of-its-own")]);
    let access = &named.access;
    assert_eq!((access.username.as_deref(), access.password.as_deref()), (Some("app"), Some("hunter2")));
    assert_eq!((named.primary.as_str(), access.database, access.tls.is_some()), ("mymaster", 3, true));
}

#[test]
fn a_cluster_can_be_named_by_variables() {
    let place = Place::new().var("HITESH_REDIS__CLUSTER", "rediss://n1:7000,rediss://n2:7000");
    let settings = place.var("HITESH_REDIS__PASSWORD", "hunter2").settings();
    let Servers::Cluster(nodes) = settings.redis.unwrap().servers else { panic!("it is a cluster") };
    let shown: Vec<_> = nodes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["rediss://n1:7000", "rediss://n2:7000"]);
    assert!(nodes.iter().all(|node| node.access().password.as_deref() == Some("hunter2")));
}

#[test]
fn what_does_not_go_together_is_named() {
    for (text, mistake) in [
        (
            "redis.url = 'redis://r'\nredis.cluster = ['redis://n']",
            "redis.cluster (hitesh.toml:2): give only one of url (REDIS_URL), sentinels and cluster",
        ),
        (
            "redis.sentinels = ['redis://s']",
            "redis.primary (hitesh.toml:1): Sentinels have to be told the name of the primary",
        ),
        (
            "redis.url = 'redis://r'\nredis.tls = true",
            "redis.tls (hitesh.toml:2): is for redis.sentinels; for others rediss:// in the address says it",
        ),
        (
            "redis.url = 'redis://r'\nredis.sentinel_password = 'hunter2'",
            "redis.sentinel_password (hitesh.toml:2): is for redis.sentinels",
        ),
        ("redis.cluster = ['redis://n', 'n2']", "redis.cluster[1] (hitesh.toml:1): expected redis://host:port"),
        ("redis.cluster = ['redis://n/1']", "redis.cluster (hitesh.toml:1): a cluster has only database 0"),
        (
            "redis.cluster = ['redis://n', 'rediss://m']",
            "redis.cluster (hitesh.toml:1): its nodes have to have the same user, password and kind of address",
        ),
        (
            "redis.url = 'rediss://r'\nredis.key_file = 'redis.key'",
            "redis.key_file (hitesh.toml:2): a certificate and its key are given together, or neither",
        ),
        (
            "redis.url = 'rediss://r'\nredis.ca_file = 'redis.key'",
            "redis.ca_file (hitesh.toml:2): there is no certificate of an authority in it, in PEM",
        ),
        ("redis.url = 'rediss://r'\nredis.ca_file = 'none.pem'", "redis.ca_file (hitesh.toml:2): cannot read the file"),
        (
            "redis.url = 'redis://r'\nredis.password = 'hunter2'\nredis.password_file = 'redis.key'",
            "redis.password_file (hitesh.toml:3): give only one of password, password_env and password_file",
        ),
    ] {
        let mistakes = Place::new().toml(text).file("redis.key", "hunter2").mistakes();
        let told = mistakes.iter().any(|told| told.starts_with(mistake));
        assert!(told && !mistakes.concat().contains("hunter2"), "{text}\n{mistakes:#?}");
    }
}

#[test]
fn certificates_for_servers_without_tls_are_a_mistake() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let text = "redis.url = 'redis://r'\nredis.ca_file = 'ca.pem'";
    let mistakes = Place::new().toml(text).file("ca.pem", pem).mistakes();
    assert!(
        mistakes[0].starts_with("redis.ca_file (hitesh.toml:2): is for TLS, which no address asks for"),
        "{mistakes:?}"
    );
}

#[test]
fn passwords_of_redis_servers_are_never_shown() {
    let settings = Place::new()
        .toml("redis.cluster = ['redis://hunter2:hunter2@n']\nredis.username = 'hunter2'\nredis.password = 'hunter2'")
        .settings();
    assert!(!format!("{settings:?} {settings:#?}").contains("hunter2"));
}
