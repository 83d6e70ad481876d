use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use super::{
    resolve::Resolve,
    values::{self, Secret},
};

/// The Redis that instances share.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is. May hold a user and a password.
    pub url: SecretString,
    /// What all keys there begin with: 1 to 64 characters of `A-Z a-z 0-9 _ - . :`.
    pub prefix: String,
    /// Connections at most, for the cache and for sessions each.
    pub connections: usize,
    /// How long a call of the session store may take.
    pub deadline: Duration,
    /// How long a call of the cache may take: what a Redis that is away adds to an answer, once.
    pub cache_deadline: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RedisForm {
    url: Option<Secret>,
    prefix: String,
    #[serde(deserialize_with = "values::within::<_, _, 1, 1_024>")]
    connections: usize,
    #[serde(rename = "deadline_seconds", deserialize_with = "values::seconds::<_, 50, 4_000>")]
    deadline: Duration,
    #[serde(rename = "cache_deadline_seconds", deserialize_with = "values::seconds::<_, 10, 4_000>")]
    cache_deadline: Duration,
}

impl RedisForm {
    /// None without an address, and in a build without Redis, with a warning.
    pub(super) fn resolve(self, at: &mut Resolve<'_>) -> Option<RedisSettings> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(fits) {
            at.mistake(&["redis", "prefix"], "expected 1 to 64 characters of A-Z a-z 0-9 _ - . :");
        }
        let Secret(url) = self.url?;
        if cfg!(not(feature = "redis")) {
            at.warnings.push("a Redis address is set, but this build has no Redis".to_owned());
            return None;
        }
        #[cfg(feature = "redis")]
        if let Err(error) = hitesh_redis::Address::parse(secrecy::ExposeSecret::expose_secret(&url)) {
            at.mistake(&["redis", "url"], error.to_string());
        }
        Some(RedisSettings {
            url,
            prefix: self.prefix,
            connections: self.connections,
            deadline: self.deadline,
            cache_deadline: self.cache_deadline,
        })
    }
}
