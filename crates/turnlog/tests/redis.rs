//! The log in Redis keeps every promise.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hitesh_domain::LogId;
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer},
};
use hitesh_turnlog::{Batch, LogError, LogTimes, RedisTurnLog, TurnLog, conformance::SHORT};
use tokio::runtime::Handle;

fn log_on(servers: impl Into<Servers>, times: LogTimes) -> Arc<dyn TurnLog> {
    log_under("test", servers, times)
}

fn log_under(prefix: &str, servers: impl Into<Servers>, times: LogTimes) -> Arc<dyn TurnLog> {
    // As much time as a busy machine may take: these are no tests of deadlines.
    let settings = LinkSettings::new(servers, Duration::from_secs(10));
    let link = Link::new(settings, Handle::current()).unwrap();
    Arc::new(RedisTurnLog::new(Arc::new(link), prefix, times))
}

hitesh_turnlog::conformance_tests!(async {
    let server = RedisServer::start();
    (log_on(server.address(), SHORT), server)
});

mod on_a_cluster {
    use super::*;

    hitesh_turnlog::conformance_tests!(in one world RedisCluster::start(), |cluster: &RedisCluster, prefix| {
        log_under(prefix, cluster.link(), SHORT)
    });
}

async fn add(log: &dyn TurnLog, id: LogId, from: usize, ending: Option<&Bytes>) -> Result<(), LogError> {
    let text = Bytes::from_static(b"x");
    let entries = [text.clone()];
    log.append(id, Batch { from, entries: &entries, about: &text, ending, complete: true }).await
}

#[tokio::test]
async fn nothing_of_a_log_stays_for_ever() {
    let server = RedisServer::start();
    let times = LogTimes { open: Duration::from_secs(1), ended: Duration::from_secs(1), ..SHORT };
    let log = log_on(server.address(), times);
    let [open, ended, follower] = std::array::from_fn(|_| LogId::of_flight(&[1; 32]));
    log.lease(ended).await.unwrap();
    log.lease(follower).await.unwrap();
    log.read_from(follower, 0, true).await.unwrap();
    add(log.as_ref(), ended, 0, Some(&"over".into())).await.unwrap();
    add(log.as_ref(), LogId::alone(), 0, None).await.unwrap();
    log.lease(open).await.unwrap();
    log.seal(LogId::alone()).await.unwrap();
    for _ in 0..1000 {
        if server.ask(&["DBSIZE"]) == ":0\r\n" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("these have no end: {}", server.ask(&["KEYS", "*"]));
}

#[tokio::test]
async fn a_log_that_the_server_has_forgotten_takes_nothing_more() {
    let server = RedisServer::start();
    let log = log_on(server.address(), LogTimes::default());
    let id = LogId::alone();
    add(log.as_ref(), id, 0, None).await.unwrap();
    server.ask(&["FLUSHALL"]);
    assert!(matches!(add(log.as_ref(), id, 1, None).await, Err(LogError::Sealed)));
}
