use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Cache, CacheError, CacheKey, CacheStats};

/// A cache that is switched off. Its figures stay zero: nothing is looked up.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

#[async_trait]
impl Cache for NoCache {
    async fn get(&self, _: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        Ok(None)
    }

    async fn put(&self, _: &CacheKey, _: Bytes, _: Duration) -> Result<(), CacheError> {
        Ok(())
    }

    async fn clear(&self) -> Result<u64, CacheError> {
        Ok(0)
    }

    async fn stats(&self) -> CacheStats {
        let lookup_time = Duration::ZERO;
        CacheStats {
            backend: "none",
            entries: 0,
            bytes: 0,
            hits: 0,
            misses: 0,
            lookup_time,
            away: None,
            partly_away: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cache_that_is_off_keeps_nothing() {
        let key = CacheKey::new([1; 32]);
        NoCache.put(&key, "chai".into(), Duration::from_secs(60)).await.unwrap();
        assert_eq!(NoCache.get(&key).await.unwrap(), None);
        assert_eq!(NoCache.clear().await.unwrap(), 0);
        assert_eq!(NoCache.stats().await.backend, "none");
    }
}
