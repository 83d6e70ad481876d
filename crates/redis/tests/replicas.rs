//! Writes that wait for replicas.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::time::{Duration, Instant};

use hitesh_redis::{Link, LinkError, LinkSettings, Script, Wait, testing::RedisServer};
use tokio::runtime::Handle;

const DEADLINE: Duration = Duration::from_secs(1);

fn link_to(server: &RedisServer, replicas: Option<Wait>) -> Link {
    let settings = LinkSettings { replicas, ..LinkSettings::new(server.address(), DEADLINE) };
    Link::new(settings, Handle::current()).unwrap()
}

fn one() -> Option<Wait> {
    Some(Wait { replicas: 1, timeout: Duration::from_millis(300) })
}

async fn count(link: &Link) -> Result<(u64, bool), LinkError> {
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    link.script_to_replicas(&script.key("n")).await
}

/// A primary and its replica, which has all that was written so far.
async fn pair() -> (RedisServer, RedisServer) {
    let (primary, replica) = (RedisServer::start(), RedisServer::start());
    let port = primary.address().to_string().rsplit_once(':').unwrap().1.to_owned();
    replica.ask(&["REPLICAOF", "127.0.0.1", &port]);
    let link = link_to(&primary, one());
    let started = Instant::now();
    while !count(&link).await.unwrap().1 {
        assert!(started.elapsed() < Duration::from_secs(20), "the replica does not follow");
    }
    (primary, replica)
}

#[tokio::test]
async fn a_write_that_replicas_have_is_told_to_have_reached_them() {
    let (primary, replica) = pair().await;
    let (counted, reached) = count(&link_to(&primary, one())).await.unwrap();
    let there = replica.ask(&["GET", "n"]);
    assert!(reached && there.contains(&format!("\r\n{counted}\r\n")), "{reached} {there}");
}

#[tokio::test]
async fn a_write_that_no_replica_has_in_time_is_done_and_told_not_to_have_reached_them() {
    let (primary, replica) = pair().await;
    replica.pause();
    let link = link_to(&primary, one());
    let (before, reached) = count(&link).await.unwrap();
    assert!(!reached);
    assert_eq!(count(&link).await.unwrap(), (before + 1, false));
    replica.resume();
}

#[tokio::test]
async fn without_a_wish_for_replicas_nothing_is_waited_for() {
    let server = RedisServer::start();
    assert_eq!(count(&link_to(&server, None)).await.unwrap(), (1, true));
    assert!(!server.ask(&["INFO", "commandstats"]).contains("cmdstat_wait:"));
}

#[tokio::test]
async fn a_script_that_the_server_has_forgotten_waits_for_replicas_all_the_same() {
    let (primary, _replica) = pair().await;
    let link = link_to(&primary, one());
    primary.ask(&["SCRIPT", "FLUSH"]);
    assert!(count(&link).await.unwrap().1);
}

#[tokio::test]
async fn a_script_that_fails_is_an_error_whatever_replicas_have() {
    let (primary, _replica) = pair().await;
    let link = link_to(&primary, one());
    let script = Script::new("return redis.call('LPUSH', KEYS[1], 'x')");
    let result = link.script_to_replicas::<u64>(&script.key("n")).await;
    assert!(matches!(result, Err(LinkError::Unavailable { in_doubt: false, .. })), "{result:?}");
}

#[tokio::test]
async fn a_user_who_may_not_wait_leaves_what_was_written_in_doubt() {
    let server = RedisServer::start();
    server.ask(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-wait"]);
    let address = server.address().or_user(Some("app"), Some("secret"));
    let settings = LinkSettings { replicas: one(), ..LinkSettings::new(address, DEADLINE) };
    let result = count(&Link::new(settings, Handle::current()).unwrap()).await;
    assert!(matches!(&result, Err(LinkError::Unavailable { in_doubt: true, .. })), "{result:?}");
    let expected = "redis is unavailable: replicas can't be waited for: the user has no right to do that there";
    assert_eq!(result.unwrap_err().to_string(), expected);
}
