use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    Cache, CacheError, CacheKey, CacheStats, MokaCache, RedisCache,
    jitter::jittered,
    redis::{Found, Generation},
};

/// How long an entry is found in the front without a look at what is behind: so long a clear on another instance may go
/// unnoticed.
pub const FRONT_TTL: Duration = Duration::from_secs(5);

/// A cache in this process before one that all instances share. What is found in the front costs no round trip.
///
/// A clear on any instance is seen by each other one with its next look behind its front, and at the latest when its entries'
/// life in the front is over. While Redis is away the front goes on alone, and what is not in it is a miss.
#[derive(Debug)]
pub struct TieredCache {
    front: MokaCache,
    behind: RedisCache,
    /// As far as was heard; the front's keys depend on it, so entries of another generation are not found.
    generation: Mutex<Option<Generation>>,
    hits: AtomicU64,
    misses: AtomicU64,
    lookup_nanos: AtomicU64,
}

impl TieredCache {
    /// `front` before `behind`; both may hold something already.
    pub fn new(front: MokaCache, behind: RedisCache) -> Self {
        Self {
            front,
            behind,
            generation: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            lookup_nanos: AtomicU64::new(0),
        }
    }

    async fn look(&self, key: &CacheKey) -> Option<Bytes> {
        let heard = *self.generation.lock();
        if let Some(heard) = heard
            && let Ok(Some(value)) = self.front.get(&in_generation(key, heard)).await
        {
            return Some(value);
        }
        // The link has said that it is away, once; a lookup goes on without it.
        let Found { generation, entry } = self.behind.find(key).await.ok()?;
        if !self.hear(heard, generation).await {
            return entry.map(|(value, _)| value);
        }
        let (value, left) = entry?;
        self.put_in_front(key, value.clone(), left, generation?).await;
        Some(value)
    }

    /// Takes the generation of a reply, unless another one was heard since the question: which of the two is newer, nobody
    /// knows. Whether it was taken.
    async fn hear(&self, asked_in: Option<Generation>, generation: Option<Generation>) -> bool {
        {
            let mut heard = self.generation.lock();
            if *heard != asked_in {
                return *heard == generation;
            }
            *heard = generation;
        }
        if asked_in.is_some() && asked_in != generation {
            self.empty_front().await;
        }
        true
    }

    /// What it holds is of another generation: no longer found, it would only take room.
    async fn empty_front(&self) {
        // In memory: it does not fail.
        let _ = self.front.clear().await;
    }

    async fn put_in_front(&self, key: &CacheKey, value: Bytes, left: Duration, generation: Generation) {
        let _ = self.front.put(&in_generation(key, generation), value, left.min(FRONT_TTL)).await;
    }
}

/// The front's key for it: one that only this generation asks for.
fn in_generation(key: &CacheKey, generation: Generation) -> CacheKey {
    let mut digest = *key.as_bytes();
    for (byte, mark) in digest.iter_mut().zip(generation.0) {
        *byte ^= mark;
    }
    CacheKey::new(digest)
}

#[async_trait]
impl Cache for TieredCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let started = Instant::now();
        let found = self.look(key).await;
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.lookup_nanos.fetch_add(nanos, Relaxed);
        if found.is_some() { &self.hits } else { &self.misses }.fetch_add(1, Relaxed);
        Ok(found)
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        let ttl = jittered(ttl);
        let heard = *self.generation.lock();
        // Whatever becomes of the write behind, the older value is gone here.
        if let Some(heard) = heard {
            self.put_in_front(key, value.clone(), ttl, heard).await;
        }
        let put_in = self.behind.keep(key, &value, ttl).await?;
        if heard != Some(put_in) && self.hear(heard, Some(put_in)).await {
            self.put_in_front(key, value, ttl, put_in).await;
        }
        Ok(())
    }

    async fn clear(&self) -> Result<u64, CacheError> {
        let (generation, had) = self.behind.begin_anew().await?;
        *self.generation.lock() = Some(generation);
        self.empty_front().await;
        Ok(had)
    }

    async fn stats(&self) -> CacheStats {
        CacheStats {
            backend: "moka+redis",
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            lookup_time: Duration::from_nanos(self.lookup_nanos.load(Relaxed)),
            ..self.behind.stats().await
        }
    }
}
