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
    /// Of each part behind, as far as was heard; the front's keys depend on it, so entries of another generation are not
    /// found.
    generations: Mutex<Vec<Option<Generation>>>,
    hits: AtomicU64,
    misses: AtomicU64,
    lookup_nanos: AtomicU64,
}

impl TieredCache {
    /// `front` before `behind`; both may hold something already.
    pub fn new(front: MokaCache, behind: RedisCache) -> Self {
        Self {
            generations: Mutex::new(vec![None; behind.parts()]),
            front,
            behind,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            lookup_nanos: AtomicU64::new(0),
        }
    }

    /// The generation of a part, as far as was heard.
    fn heard(&self, part: usize) -> Option<Generation> {
        self.generations.lock().get(part).copied().flatten()
    }

    async fn look(&self, key: &CacheKey) -> Option<Bytes> {
        let part = self.behind.part_of(key);
        let heard = self.heard(part);
        if let Some(heard) = heard
            && let Ok(Some(value)) = self.front.get(&in_generation(key, heard)).await
        {
            return Some(value);
        }
        // The link has said that it is away, once; a lookup goes on without it.
        let Found { generation, entry } = self.behind.find(key).await.ok()?;
        if !self.hear(part, heard, generation).await {
            return entry.map(|(value, _)| value);
        }
        let (value, left) = entry?;
        self.put_in_front(key, value.clone(), left, generation?).await;
        Some(value)
    }

    /// Takes the generation of a reply, unless another one was heard since the question: which of the two is newer, nobody
    /// knows. Whether it was taken.
    async fn hear(&self, part: usize, asked_in: Option<Generation>, generation: Option<Generation>) -> bool {
        {
            let mut generations = self.generations.lock();
            let Some(heard) = generations.get_mut(part) else { return false };
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

    /// What it holds of another generation is no longer found and would only take room; what else it holds is found behind.
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
        let part = self.behind.part_of(key);
        let heard = self.heard(part);
        // Whatever becomes of the write behind, the older value is gone here.
        if let Some(heard) = heard {
            self.put_in_front(key, value.clone(), ttl, heard).await;
        }
        let put_in = self.behind.keep(key, &value, ttl).await?;
        if heard != Some(put_in) && self.hear(part, heard, Some(put_in)).await {
            self.put_in_front(key, value, ttl, put_in).await;
        }
        Ok(())
    }

    async fn clear(&self) -> Result<u64, CacheError> {
        let begun = self.behind.begin_anew().await;
        let mut failed = None;
        let mut had = 0u64;
        {
            let mut generations = self.generations.lock();
            for (heard, begun) in generations.iter_mut().zip(begun) {
                match begun {
                    Ok((generation, of_part)) => {
                        *heard = Some(generation);
                        had = had.saturating_add(of_part);
                    }
                    Err(error) => failed = Some(error),
                }
            }
        }
        self.empty_front().await;
        failed.map_or(Ok(had), |error| Err(error.into()))
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
