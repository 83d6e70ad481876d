//! The cache in Redis keeps every promise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hitesh_cache::{Cache, CacheError, CacheKey, RedisCache};
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer, SentinelSet},
};
use tokio::runtime::Handle;

const HOUR: Duration = Duration::from_secs(3600);
const KEY: CacheKey = CacheKey::new([7; 32]);

fn cache_on(server: &RedisServer, prefix: &str) -> RedisCache {
    cache_by(server.address().into(), prefix, Duration::from_millis(250))
}

fn cache_by(servers: Servers, prefix: &str, deadline: Duration) -> RedisCache {
    RedisCache::new(Link::new(LinkSettings::new(servers, deadline), Handle::current()).unwrap(), prefix)
}

/// With as much time as a busy machine may take: this is for no tests of deadlines.
fn patient(servers: Servers, prefix: &str) -> Arc<dyn Cache> {
    Arc::new(cache_by(servers, prefix, Duration::from_secs(10)))
}

hitesh_cache::conformance_tests!(async {
    let server = RedisServer::start();
    (patient(server.address().into(), "test"), server)
});

mod on_a_cluster {
    use super::*;

    hitesh_cache::conformance_tests!(in one world RedisCluster::start(), |cluster: &RedisCluster, prefix| {
        patient(cluster.link(), prefix)
    });
}

mod by_sentinels {
    use super::*;

    hitesh_cache::conformance_tests!(in one world SentinelSet::start(), |set: &SentinelSet, prefix| {
        patient(set.link(), prefix)
    });
}

#[tokio::test]
async fn instances_with_one_prefix_share_it_and_others_see_nothing() {
    let server = RedisServer::start();
    let [a, b, other] = ["hitesh", "hitesh", "other"].map(|prefix| cache_on(&server, prefix));
    a.put(&KEY, "chai".into(), HOUR).await.unwrap();
    assert_eq!(b.get(&KEY).await.unwrap().unwrap(), "chai");
    assert_eq!(other.get(&KEY).await.unwrap(), None);
    b.clear().await.unwrap();
    assert_eq!(a.get(&KEY).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_stopped_costs_its_deadline_once() {
    let server = RedisServer::start();
    let cache = cache_on(&server, "hitesh");
    cache.put(&KEY, "chai".into(), HOUR).await.unwrap();
    server.pause();
    let mut took = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        assert!(matches!(cache.get(&KEY).await, Err(CacheError::Unavailable { .. })));
        took.push(started.elapsed());
    }
    server.resume();
    let first = took.remove(0);
    took.sort();
    assert!(took[4] * 20 < first, "{took:?} after {first:?}");
}

#[tokio::test]
async fn what_an_eviction_took_of_its_generation_never_comes_back() {
    let server = RedisServer::start();
    let cache = cache_on(&server, "hitesh");
    cache.put(&KEY, "old".into(), HOUR).await.unwrap();
    server.ask(&["DEL", "{hitesh:cache:1}:generation"]);
    assert_eq!(cache.get(&KEY).await.unwrap(), None);
    cache.put(&CacheKey::new([8; 32]), "new".into(), HOUR).await.unwrap();
    assert_eq!(cache.get(&KEY).await.unwrap(), None);
}

#[tokio::test]
async fn its_figures_say_that_it_is_away() {
    let mut server = RedisServer::start();
    let cache = cache_on(&server, "hitesh");
    assert_eq!(cache.stats().await.away, None);
    server.kill();
    assert!(cache.stats().await.away.unwrap().contains("redis is unavailable"));
}
