#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "moka")]
mod jitter;
#[cfg(feature = "moka")]
mod moka;
mod off;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod tiered;

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

#[cfg(feature = "moka")]
pub use crate::moka::MokaCache;
pub use crate::off::NoCache;
#[cfg(feature = "redis")]
pub use crate::redis::RedisCache;
#[cfg(feature = "redis")]
pub use crate::tiered::{FRONT_TTL, TieredCache};

/// Where answers are kept for a while. May lose anything at any time; must never give bytes that were not put
/// under that key.
#[async_trait]
pub trait Cache: Debug + Send + Sync + 'static {
    /// The value under `key`, unless it expired.
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError>;

    /// Keeps `value` for about `ttl` (jittered downwards by up to a tenth, so that entries made together do not
    /// expire together). Whatever was under `key` before is gone, also when `value` is one that is not kept.
    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError>;

    /// Empties it; how many entries it had.
    async fn clear(&self) -> Result<u64, CacheError>;

    /// Its figures since start.
    async fn stats(&self) -> CacheStats;
}

/// A key: 32 bytes that say everything an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// From a digest.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Figures of a cache. `hits` and `misses` count lookups since start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheStats {
    /// Its kind: `moka`, `moka+redis`, `none`, …
    pub backend: &'static str,
    /// Entries that have not expired. May count one for a moment (about a second) after it did.
    pub entries: u64,
    /// Bytes of keys, values and the estimated overhead.
    pub bytes: u64,
    /// Lookups that found something.
    pub hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
    /// Time that all lookups took together.
    pub lookup_time: Duration,
    /// Why it can't be reached, if it can't: entries and bytes are then not known, and zero.
    pub away: Option<String>,
    /// Why a part of it can't be reached, if that is so of a part only: entries and bytes are those of the others.
    pub partly_away: Option<String>,
}

/// Why a cache gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CacheError {
    /// It is away: go on without it.
    #[error("the cache is unavailable: {reason}")]
    Unavailable {
        /// In words of ours.
        reason: String,
    },
}
