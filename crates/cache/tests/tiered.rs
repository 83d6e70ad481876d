//! A cache in this process before one in Redis keeps every promise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::{sync::Arc, time::Duration};

use hitesh_cache::{Cache, CacheKey, FRONT_TTL, MokaCache, RedisCache, TieredCache};
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer},
};
use tokio::runtime::Handle;

const HOUR: Duration = Duration::from_secs(3600);

fn key(number: u8) -> CacheKey {
    CacheKey::new([number; 32])
}

/// As much time as a busy machine may take, where Redis is well and no deadline is tested.
const PATIENCE: Duration = Duration::from_secs(10);

fn cache_by(servers: impl Into<Servers>, prefix: &str, deadline: Duration) -> TieredCache {
    let settings = LinkSettings::new(servers, deadline);
    let behind = RedisCache::new(Link::new(settings, Handle::current()).unwrap(), prefix);
    TieredCache::new(MokaCache::new(32 * 1024 * 1024), behind)
}

fn cache_on(server: &RedisServer) -> TieredCache {
    cache_by(server.address(), "test", PATIENCE)
}

/// For tests in which Redis goes away.
fn quick(server: &RedisServer) -> TieredCache {
    cache_by(server.address(), "test", Duration::from_millis(250))
}

hitesh_cache::conformance_tests!(async {
    let server = RedisServer::start();
    (Arc::new(cache_on(&server)) as Arc<dyn Cache>, server)
});

mod on_a_cluster {
    use super::*;

    hitesh_cache::conformance_tests!(in one world RedisCluster::start(), |cluster: &RedisCluster, prefix| {
        Arc::new(cache_by(cluster.link(), prefix, PATIENCE)) as Arc<dyn Cache>
    });
}

#[tokio::test]
async fn on_a_cluster_each_part_is_cleared_for_others_at_their_next_look_behind_it() {
    let cluster = RedisCluster::start();
    let [a, b] = [(); 2].map(|()| cache_by(cluster.link(), "test", PATIENCE));
    for number in 0..64 {
        a.put(&key(number), "chai".into(), HOUR).await.unwrap();
        assert_eq!(b.get(&key(number)).await.unwrap().unwrap(), "chai");
    }
    assert_eq!(a.clear().await.unwrap(), 64);
    for number in 0..64 {
        assert_eq!(a.get(&key(number)).await.unwrap(), None);
        // Another key of the same part, that its front does not have.
        assert_eq!(b.get(&key(number + 64)).await.unwrap(), None);
        assert_eq!(b.get(&key(number)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_one_instance_put_the_other_finds() {
    let server = RedisServer::start();
    let [a, b] = [cache_on(&server), cache_on(&server)];
    a.put(&key(1), "chai".into(), HOUR).await.unwrap();
    assert_eq!(b.get(&key(1)).await.unwrap().unwrap(), "chai");
}

#[tokio::test]
async fn what_was_found_once_is_found_in_the_front_while_redis_is_away() {
    let mut server = RedisServer::start();
    let [a, b] = [quick(&server), quick(&server)];
    a.put(&key(1), "chai".into(), HOUR).await.unwrap();
    b.get(&key(1)).await.unwrap();
    server.kill();
    for cache in [&a, &b] {
        assert_eq!(cache.get(&key(1)).await.unwrap().unwrap(), "chai");
        assert_eq!(cache.get(&key(2)).await.unwrap(), None, "the rest is a miss, not a failure");
    }
}

#[tokio::test]
async fn a_clear_empties_the_fronts_of_others_at_their_next_look_behind() {
    let server = RedisServer::start();
    let [a, b] = [cache_on(&server), cache_on(&server)];
    a.put(&key(1), "chai".into(), HOUR).await.unwrap();
    b.get(&key(1)).await.unwrap();
    a.clear().await.unwrap();
    assert_eq!(a.get(&key(1)).await.unwrap(), None);
    assert_eq!(b.get(&key(2)).await.unwrap(), None);
    assert_eq!(b.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_clear_is_seen_by_others_when_their_entries_life_in_the_front_is_over() {
    let server = RedisServer::start();
    let [a, b] = [cache_on(&server), cache_on(&server)];
    a.put(&key(1), "chai".into(), HOUR).await.unwrap();
    b.get(&key(1)).await.unwrap();
    a.clear().await.unwrap();
    tokio::time::sleep(FRONT_TTL).await;
    assert_eq!(b.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_lives_no_longer_in_the_front_than_behind() {
    let server = RedisServer::start();
    let [a, b] = [cache_on(&server), cache_on(&server)];
    a.put(&key(1), "chai".into(), Duration::from_millis(300)).await.unwrap();
    b.get(&key(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((a.get(&key(1)).await.unwrap(), b.get(&key(1)).await.unwrap()), (None, None));
}

#[tokio::test]
async fn a_value_that_redis_did_not_take_still_replaces_the_older_one_here() {
    let mut server = RedisServer::start();
    let cache = quick(&server);
    cache.put(&key(1), "old".into(), HOUR).await.unwrap();
    server.kill();
    assert!(cache.put(&key(1), "new".into(), HOUR).await.is_err());
    assert_eq!(cache.get(&key(1)).await.unwrap().unwrap(), "new");
}
