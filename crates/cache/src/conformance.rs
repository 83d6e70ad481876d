//! What every cache promises, as one test each. A backend's tests call [`conformance_tests!`](crate::conformance_tests)
//! with a future that makes a new empty cache of at least 16 MiB, and something that has to live as long (a server);
//! it is evaluated once for each test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this module is tests: its functions' names say what they check, and a panic is how they fail"
)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;

use crate::{Cache, CacheKey};

const HOUR: Duration = Duration::from_secs(3600);

/// Makes a `#[tokio::test]` of each promise. `$make` is a future of `(Arc<dyn Cache>, T)`; the `T` is dropped after
/// the cache.
///
/// With `in one world` it makes one test of all: `$world` is what takes long to start, and `$make` gives an empty cache in it by
/// the name of a promise. Which promise was being checked stands in the test's output.
#[macro_export]
macro_rules! conformance_tests {
    (in one world $world:expr, $make:expr) => {
        #[tokio::test]
        async fn every_promise_is_kept() {
            let world = $world;
            $crate::conformance_tests! { @list @one_after_the_other (&world, $make) }
        }
    };
    ($make:expr) => {
        $crate::conformance_tests! { @list @each ($make) }
    };
    (@list @$how:ident $with:tt) => {
        $crate::conformance_tests! { @$how $with
            an_unknown_key_is_a_miss, a_value_is_found_under_its_key_only, any_bytes_come_back_as_they_were,
            a_large_value_comes_back_as_it_was, a_second_value_replaces_the_first, an_entry_expires,
            a_new_value_has_a_new_life, a_life_of_zero_is_none, clearing_counts_and_empties,
            a_value_put_after_clearing_is_found, every_lookup_is_counted, concurrent_callers_never_get_each_others_values,
        }
    };
    (@one_after_the_other ($world:expr, $make:expr) $($promise:ident),+ $(,)?) => {
        $(
            eprintln!("{}", stringify!($promise));
            $crate::conformance::$promise($make($world, stringify!($promise))).await;
        )+
    };
    (@each ($make:expr) $($promise:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let (cache, _world) = $make.await;
                $crate::conformance::$promise(cache).await;
            }
        )+
    };
}

fn key(number: u64) -> CacheKey {
    let mut digest = [0xA5; 32];
    digest[..8].copy_from_slice(&number.to_le_bytes());
    CacheKey::new(digest)
}

async fn found(cache: &Arc<dyn Cache>, number: u64) -> Option<Bytes> {
    cache.get(&key(number)).await.unwrap()
}

async fn put(cache: &Arc<dyn Cache>, number: u64, value: impl Into<Bytes>, ttl: Duration) {
    cache.put(&key(number), value.into(), ttl).await.unwrap();
}

/// Asks until the entry is gone. Only the cache knows when it expires, so there is no event to wait for.
async fn gone(cache: &Arc<dyn Cache>, number: u64) {
    let started = Instant::now();
    while found(cache, number).await.is_some() {
        assert!(started.elapsed() < Duration::from_secs(10), "the entry does not expire");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub async fn an_unknown_key_is_a_miss(cache: Arc<dyn Cache>) {
    assert_eq!(found(&cache, 1).await, None);
}

pub async fn a_value_is_found_under_its_key_only(cache: Arc<dyn Cache>) {
    put(&cache, 1, "chai", HOUR).await;
    assert_eq!(found(&cache, 1).await.unwrap(), "chai");
    assert_eq!(found(&cache, 2).await, None);
}

pub async fn any_bytes_come_back_as_they_were(cache: Arc<dyn Cache>) {
    let all: Vec<u8> = (0..=255).collect();
    put(&cache, 1, all.clone(), HOUR).await;
    put(&cache, 2, Bytes::new(), HOUR).await;
    assert_eq!(found(&cache, 1).await.unwrap(), all);
    assert_eq!(found(&cache, 2).await.unwrap(), Bytes::new());
}

pub async fn a_large_value_comes_back_as_it_was(cache: Arc<dyn Cache>) {
    let large: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
    put(&cache, 1, large.clone(), HOUR).await;
    assert_eq!(found(&cache, 1).await.unwrap(), large);
}

pub async fn a_second_value_replaces_the_first(cache: Arc<dyn Cache>) {
    put(&cache, 1, "first", HOUR).await;
    put(&cache, 1, "second", HOUR).await;
    assert_eq!(found(&cache, 1).await.unwrap(), "second");
    assert_eq!(cache.stats().await.entries, 1);
}

pub async fn an_entry_expires(cache: Arc<dyn Cache>) {
    put(&cache, 1, "chai", Duration::from_millis(100)).await;
    put(&cache, 2, "stays", HOUR).await;
    gone(&cache, 1).await;
    assert_eq!(found(&cache, 2).await.unwrap(), "stays");
}

pub async fn a_new_value_has_a_new_life(cache: Arc<dyn Cache>) {
    put(&cache, 1, "long", HOUR).await;
    put(&cache, 1, "short", Duration::from_millis(50)).await;
    gone(&cache, 1).await;
    put(&cache, 2, "short", Duration::from_millis(50)).await;
    put(&cache, 2, "long", HOUR).await;
    put(&cache, 3, "short", Duration::from_millis(100)).await;
    gone(&cache, 3).await;
    assert_eq!(found(&cache, 2).await.unwrap(), "long");
}

pub async fn a_life_of_zero_is_none(cache: Arc<dyn Cache>) {
    put(&cache, 1, "older", HOUR).await;
    put(&cache, 1, "chai", Duration::ZERO).await;
    assert_eq!(found(&cache, 1).await, None);
}

pub async fn clearing_counts_and_empties(cache: Arc<dyn Cache>) {
    for number in 0..100 {
        put(&cache, number, "chai", HOUR).await;
    }
    assert_eq!(cache.clear().await.unwrap(), 100);
    for number in 0..100 {
        assert_eq!(found(&cache, number).await, None);
    }
    assert_eq!(cache.stats().await.entries, 0);
    assert_eq!(cache.clear().await.unwrap(), 0);
}

pub async fn a_value_put_after_clearing_is_found(cache: Arc<dyn Cache>) {
    put(&cache, 1, "old", HOUR).await;
    cache.clear().await.unwrap();
    put(&cache, 1, "new", HOUR).await;
    assert_eq!(found(&cache, 1).await.unwrap(), "new");
}

pub async fn every_lookup_is_counted(cache: Arc<dyn Cache>) {
    put(&cache, 1, "chai", HOUR).await;
    for _ in 0..3 {
        found(&cache, 1).await;
    }
    for _ in 0..2 {
        found(&cache, 2).await;
    }
    let stats = cache.stats().await;
    assert_eq!((stats.hits, stats.misses, stats.entries), (3, 2, 1));
    assert!(stats.bytes >= 4);
    assert!(stats.lookup_time > Duration::ZERO);
}

pub async fn concurrent_callers_never_get_each_others_values(cache: Arc<dyn Cache>) {
    let callers = (0..64u64).map(|number| {
        let cache = &cache;
        async move {
            for round in 0..50u64 {
                let value = format!("{number}:{round}");
                put(cache, number, value.clone(), HOUR).await;
                if let Some(bytes) = found(cache, number).await {
                    assert_eq!(bytes, value);
                }
                tokio::task::yield_now().await;
            }
        }
    });
    join_all(callers).await;
}
