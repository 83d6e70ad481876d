use std::time::Duration;

use serde::Deserialize;

use super::{
    resolve::Resolve,
    values::{self, Secret},
};

#[cfg(feature = "redis")]
mod servers;

/// The Redis that instances share.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where it is, and how it is spoken to.
    #[cfg(feature = "redis")]
    pub servers: hitesh_redis::Servers,
    /// What all keys there begin with: 1 to 64 characters of `A-Z a-z 0-9 _ - . :`.
    pub prefix: String,
    /// Connections at most, to each server, for the cache and for sessions each.
    pub connections: usize,
    /// How long a call of the session store may take.
    pub deadline: Duration,
    /// How long a call of the cache may take: what a Redis that is away adds to an answer, once.
    pub cache_deadline: Duration,
    /// How many replicas have to have what was acknowledged; 0 is that the primary is enough.
    pub wait_replicas: u32,
    /// How long they are waited for.
    pub wait_timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(feature = "redis"),
    expect(dead_code, reason = "without Redis they are read, and nothing comes of them")
)]
pub(super) struct RedisForm {
    url: Option<Secret>,
    #[serde(deserialize_with = "values::list")]
    sentinels: Vec<Secret>,
    primary: Option<String>,
    tls: Option<bool>,
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 0, 65_535>")]
    database: Option<u32>,
    #[serde(deserialize_with = "values::list")]
    cluster: Vec<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    password_env: Option<String>,
    password_file: Option<String>,
    sentinel_username: Option<String>,
    sentinel_password: Option<Secret>,
    sentinel_password_env: Option<String>,
    sentinel_password_file: Option<String>,
    ca_file: Option<String>,
    certificate_file: Option<String>,
    key_file: Option<String>,
    prefix: String,
    #[serde(deserialize_with = "values::within::<_, _, 1, 1_024>")]
    connections: usize,
    #[serde(rename = "deadline_seconds", deserialize_with = "values::seconds::<_, 50, 4_000>")]
    deadline: Duration,
    #[serde(rename = "cache_deadline_seconds", deserialize_with = "values::seconds::<_, 10, 4_000>")]
    cache_deadline: Duration,
    #[serde(deserialize_with = "values::within::<_, _, 0, 16>")]
    wait_replicas: u32,
    #[serde(rename = "wait_timeout_seconds", deserialize_with = "values::seconds::<_, 10, 2_000>")]
    wait_timeout: Duration,
}

impl RedisForm {
    /// Whether it names a server.
    pub(super) fn is_named(&self) -> bool {
        self.url.is_some() || !self.sentinels.is_empty() || !self.cluster.is_empty()
    }

    /// None without a server, and in a build without Redis, with a warning.
    pub(super) fn resolve(mut self, at: &mut Resolve<'_>) -> Option<RedisSettings> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(fits) {
            at.mistake(&["redis", "prefix"], "expected 1 to 64 characters of A-Z a-z 0-9 _ - . :");
        }
        if !self.is_named() {
            return None;
        }
        if cfg!(not(feature = "redis")) {
            at.warnings.push("a Redis address is set, but this build has no Redis".to_owned());
            return None;
        }
        Some(RedisSettings {
            #[cfg(feature = "redis")]
            servers: self.servers(at)?,
            prefix: std::mem::take(&mut self.prefix),
            connections: self.connections,
            deadline: self.deadline,
            cache_deadline: self.cache_deadline,
            wait_replicas: self.wait_replicas,
            wait_timeout: self.wait_timeout,
        })
    }
}
