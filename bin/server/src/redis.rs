//! The Redis that instances share, as backends.

use std::{sync::Arc, time::Duration};

use hitesh_cache::{Cache, MokaCache, RedisCache, TieredCache};
use hitesh_redis::{Link, LinkSettings, Wait};
use hitesh_sessions::{RedisSessions, RedisSessionsSettings, SessionStore};
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

/// Reaches the servers; where they are, without user and password, and why they do not answer.
pub(crate) async fn reach(settings: &RedisSettings) -> Result<(String, Result<(), String>), BackendError> {
    let link = link(settings, settings.deadline)?;
    Ok((link.servers().to_string(), link.ping().await.map_err(|error| error.to_string())))
}

fn link(settings: &RedisSettings, deadline: Duration) -> Result<Link, BackendError> {
    let wait = Wait { replicas: settings.wait_replicas, timeout: settings.wait_timeout };
    let link = LinkSettings {
        servers: settings.servers.clone(),
        connections: settings.connections,
        deadline,
        replicas: (wait.replicas > 0).then_some(wait),
    };
    Link::new(link, Handle::current()).map_err(|error| BackendError::Redis(error.to_string()))
}
