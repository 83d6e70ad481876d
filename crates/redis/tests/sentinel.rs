//! A primary that Sentinels name, and its replicas.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::time::{Duration, Instant};

use hitesh_redis::{
    Link, LinkError, LinkSettings, Script, Servers, Wait, cmd,
    testing::{SentinelSet, ServerOptions},
};
use tokio::runtime::Handle;

const DEADLINE: Duration = Duration::from_millis(500);

fn link_to(servers: Servers) -> Link {
    Link::new(LinkSettings::new(servers, DEADLINE), Handle::current()).unwrap()
}

async fn set(link: &Link, value: &str) -> Result<(), LinkError> {
    link.command(cmd("SET").arg("k").arg(value)).await
}

async fn get(link: &Link) -> Result<Option<String>, LinkError> {
    link.command(cmd("GET").arg("k")).await
}

/// Writes until a write is done; the link tells nobody that its server is back.
async fn set_at_last(link: &Link, value: &str) {
    let started = Instant::now();
    while let Err(error) = set(link, value).await {
        assert!(started.elapsed() < Duration::from_secs(30), "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn why_not(link: &Link) -> String {
    link.ping().await.unwrap_err().to_string()
}

#[tokio::test]
async fn calls_are_done_by_the_primary() {
    let set_of_servers = SentinelSet::start();
    let link = link_to(set_of_servers.link());
    set(&link, "chai").await.unwrap();
    assert_eq!(get(&link).await.unwrap().as_deref(), Some("chai"));
    assert!(set_of_servers.servers[0].ask(&["GET", "k"]).contains("chai"));
}

#[tokio::test]
async fn one_living_sentinel_is_enough() {
    let mut set_of_servers = SentinelSet::start();
    set_of_servers.sentinels[0].kill();
    set_of_servers.sentinels[1].pause();
    set(&link_to(set_of_servers.link()), "chai").await.unwrap();
}

#[tokio::test]
async fn a_killed_primary_is_followed_by_the_promoted_replica() {
    let mut set_of_servers = SentinelSet::start();
    let replicas = Some(Wait { replicas: 2, timeout: Duration::from_secs(5) });
    let settings = LinkSettings { replicas, ..LinkSettings::new(set_of_servers.link(), DEADLINE) };
    let link = Link::new(settings, Handle::current()).unwrap();
    let script = Script::new("return redis.call('SET', KEYS[1], ARGV[1]).ok");
    let mut write = script.key("k");
    write.arg("before");
    assert_eq!(link.script_to_replicas::<String>(&write).await.unwrap(), ("OK".to_owned(), true));
    set_of_servers.servers[0].kill();
    assert!(matches!(get(&link).await, Err(LinkError::Unavailable { .. })));
    set_of_servers.wait_for_promotion();
    set_at_last(&link, "after").await;
    assert!(set_of_servers.servers[1..].iter().any(|server| server.ask(&["GET", "k"]).contains("after")));
}

#[tokio::test]
async fn a_script_is_known_to_the_promoted_replica_after_its_first_use() {
    let set_of_servers = SentinelSet::start();
    let link = link_to(set_of_servers.link());
    let script = Script::new("return 42");
    assert_eq!(link.script::<u64>(&script.key("k")).await.unwrap(), 42);
    set_of_servers.failover();
    set_at_last(&link, "after").await;
    assert_eq!(link.script::<u64>(&script.key("k")).await.unwrap(), 42);
}

#[tokio::test]
async fn a_paused_primary_is_followed_by_the_promoted_replica() {
    let set_of_servers = SentinelSet::start();
    let link = link_to(set_of_servers.link());
    set(&link, "before").await.unwrap();
    set_of_servers.servers[0].pause();
    assert!(matches!(get(&link).await, Err(LinkError::Unavailable { .. })));
    set_of_servers.wait_for_promotion();
    set_at_last(&link, "after").await;
    set_of_servers.servers[0].resume();
    assert_eq!(get(&link).await.unwrap().as_deref(), Some("after"));
}

#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let options = ServerOptions { password: Some("of-the-primary"), ..ServerOptions::default() };
    let set_of_servers = SentinelSet::start_with(&options, Some("of-the-sentinels"));
    link_to(set_of_servers.link()).ping().await.unwrap();

    let unknown = why_not(&link_to(set_of_servers.named("lassi"))).await;
    assert_eq!(unknown, "redis is unavailable: its Sentinels know no primary named lassi");

    let Servers::Sentinel(mut wrong) = set_of_servers.link() else { unreachable!() };
    wrong.access.password = Some("hunter2".to_owned());
    let wrong = why_not(&link_to(Servers::Sentinel(wrong))).await;
    assert!(
        wrong.contains("the primary at redis://") && wrong.ends_with("it refused the user or the password"),
        "{wrong}"
    );

    let Servers::Sentinel(mut wrong) = set_of_servers.link() else { unreachable!() };
    wrong.sentinels = set_of_servers.servers.iter().map(hitesh_redis::testing::RedisServer::address).collect();
    let wrong = why_not(&link_to(Servers::Sentinel(wrong))).await;
    assert!(wrong.contains("Sentinel redis://") && wrong.ends_with("it is no Sentinel"), "{wrong}");
}
