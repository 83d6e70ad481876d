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
fn patient(servers: Servers, prefix: &str) -> RedisCache {
    cache_by(servers, prefix, Duration::from_secs(10))
}

fn shared(cache: RedisCache) -> Arc<dyn Cache> {
    Arc::new(cache)
}

hitesh_cache::conformance_tests!(async {
    let server = RedisServer::start();
    (shared(patient(server.address().into(), "test")), server)
});

mod on_a_cluster {
    use super::*;

    hitesh_cache::conformance_tests!(in one world RedisCluster::start(), |cluster: &RedisCluster, prefix| {
        shared(patient(cluster.link(), prefix))
    });
}

mod by_sentinels {
    use super::*;

    hitesh_cache::conformance_tests!(in one world SentinelSet::start(), |set: &SentinelSet, prefix| {
        shared(patient(set.link(), prefix))
    });
}

#[tokio::test]
async fn instances_with_one_prefix_share_it_and_others_see_nothing() {
    let server = RedisServer::start();
    let [a, b, other] = ["hitesh", "hitesh", "other"].map(|prefix| patient(server.address().into(), prefix));
    a.put(&KEY, "chai".into(), HOUR).await.unwrap();
    assert_eq!(b.get(&KEY).await.unwrap().unwrap(), "chai");
    assert_eq!(other.get(&KEY).await.unwrap(), None);
    b.clear().await.unwrap();
    assert_eq!(a.get(&KEY).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_stopped_costs_a_quarter_of_a_second_once() {
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
    // Its deadline is 250 ms; the rest is room for a machine that is busy.
    assert!(took[0] < Duration::from_secs(1), "{took:?}");
    took.sort();
    assert!(took[5] < Duration::from_millis(5) && took[8] < Duration::from_millis(100), "{took:?}");
}

#[tokio::test]
async fn what_an_eviction_took_of_its_generation_never_comes_back() {
    let server = RedisServer::start();
    let cache = patient(server.address().into(), "hitesh");
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

/// Keys whose entries are spread over everything that there is.
fn keys() -> impl Iterator<Item = CacheKey> {
    (0..64).map(|number| CacheKey::new([number; 32]))
}

/// Of three primaries, how many entries each has.
fn entries(cluster: &RedisCluster) -> Vec<usize> {
    let of =
        |node: &RedisServer| node.ask(&["KEYS", "*:entry:*"]).lines().filter(|line| line.contains("entry")).count();
    cluster.nodes[..3].iter().map(of).collect()
}

#[tokio::test]
async fn each_shard_of_a_cluster_has_its_share() {
    let cluster = RedisCluster::start();
    let cache = patient(cluster.link(), "hitesh");
    for key in keys() {
        cache.put(&key, "chai".into(), HOUR).await.unwrap();
    }
    let entries = entries(&cluster);
    assert!(entries.iter().sum::<usize>() == 64 && entries.iter().all(|count| *count >= 16), "{entries:?}");
    let stats = cache.stats().await;
    assert_eq!((stats.entries, stats.away, stats.partly_away), (64, None, None));
    assert!((64 * 260..64 * 400).contains(&stats.bytes), "{}", stats.bytes);
    assert_eq!(cache.clear().await.unwrap(), 64);
    for key in keys() {
        assert_eq!(cache.get(&key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn while_a_shard_is_away_what_the_others_have_is_found_and_can_be_cleared() {
    let mut cluster = RedisCluster::start();
    let cache = cache_by(cluster.link(), "hitesh", Duration::from_millis(500));
    for key in keys() {
        cache.put(&key, "chai".into(), HOUR).await.unwrap();
    }
    let [one, _, other] = entries(&cluster)[..] else { unreachable!() };
    // Its replica first, or that takes its place.
    cluster.nodes[4].kill();
    cluster.nodes[1].kill();
    let (mut found, mut away) = (0, 0);
    for key in keys() {
        match cache.get(&key).await {
            Ok(value) => found += usize::from(value.unwrap() == "chai"),
            Err(CacheError::Unavailable { .. }) => away += 1,
        }
    }
    assert_eq!((found, away), (one + other, 64 - one - other));
    let stats = cache.stats().await;
    assert_eq!((stats.entries, stats.away), (u64::try_from(found).unwrap(), None));
    assert!(stats.partly_away.unwrap().contains("redis is unavailable"));
    assert!(cache.clear().await.is_err(), "a part of it is as it was");
    for key in keys() {
        assert!(!matches!(cache.get(&key).await, Ok(Some(_))));
    }
}
