use std::time::Duration;

use serde::Deserialize;

use super::values;

/// The response cache.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// How long an answer is kept.
    #[serde(rename = "ttl_seconds", deserialize_with = "values::seconds::<_, 1_000, 31_536_000_000>")]
    pub ttl: Duration,
    /// How much of it, keys and overhead included.
    #[serde(deserialize_with = "values::within::<_, _, 65_536, 1_099_511_627_776>")]
    pub max_bytes: u64,
}
