//! The Redis that instances share, as backends.

use std::{sync::Arc, time::Duration};

use hitesh_cache::{Cache, MokaCache, RedisCache, TieredCache};
use hitesh_redis::{Address, Link, LinkSettings};
use hitesh_sessions::{RedisSessions, RedisSessionsSettings, SessionStore};
use secrecy::ExposeSecret;
use tokio::runtime::Handle;

use crate::{backends::BackendError, settings::RedisSettings};

/// `own` before the cache that all instances share.
pub(crate) fn cache(own: MokaCache, settings: &RedisSettings) -> Result<Arc<dyn Cache>, BackendError> {
    let behind = RedisCache::new(link(settings, settings.cache_deadline)?, &settings.prefix);
    Ok(Arc::new(TieredCache::new(own, behind)))
}

/// The sessions that all instances share.
pub(crate) fn sessions(settings: &RedisSettings) -> Result<Arc<dyn SessionStore>, BackendError> {
    let sessions = RedisSessionsSettings { prefix: settings.prefix.clone(), ..RedisSessionsSettings::default() };
    Ok(Arc::new(RedisSessions::new(link(settings, settings.deadline)?, sessions, &Handle::current())))
}

/// Reaches the server; where it is, without user and password, and why it does not answer.
pub(crate) async fn reach(settings: &RedisSettings) -> Result<(String, Result<(), String>), BackendError> {
    let link = link(settings, settings.deadline)?;
    Ok((link.servers().to_string(), link.ping().await.map_err(|error| error.to_string())))
}

fn link(settings: &RedisSettings, deadline: Duration) -> Result<Link, BackendError> {
    let address = Address::parse(settings.url.expose_secret());
    let address = address.map_err(|error| BackendError::Redis(format!("redis.url: {error}")))?;
    let link = LinkSettings { connections: settings.connections, ..LinkSettings::new(address, deadline) };
    Link::new(link, Handle::current()).map_err(|error| BackendError::Redis(error.to_string()))
}
