//! The Redis that instances share, as backends.

mod limit;

use std::{sync::Arc, time::Duration};

use hitesh_cache::{Cache, MokaCache, NoCache, RedisCache, TieredCache};
use hitesh_llm::{BreakerBoard, RedisBreakerBoard};
use hitesh_redis::{Link, LinkSettings, Wait};
use hitesh_sessions::{RedisSessions, RedisSessionsSettings, SessionStore};
use hitesh_turnlog::{LogTimes, RedisTurnLog, TurnLog};
use tokio::runtime::Handle;

use self::limit::RedisLimit;
use crate::{
    backends::{BackendError, Shared},
    http::SharedLimit,
    settings::{Rate, RedisSettings},
};

/// `own` before the cache that all instances share, how providers do, who asks how often, and, if they share sessions too, the logs of their
/// generations. All by one link: a Redis that is away costs an answer one deadline, not two.
pub(crate) fn shared(
    own: Option<MokaCache>,
    settings: &RedisSettings,
    with_sessions: bool,
    rate: Option<Rate>,
) -> Result<Shared, BackendError> {
    let link = Arc::new(link(settings, settings.cache_deadline)?);
    let log = with_sessions.then(|| {
        Arc::new(RedisTurnLog::new(Arc::clone(&link), &settings.prefix, LogTimes::default())) as Arc<dyn TurnLog>
    });
    let board: Arc<dyn BreakerBoard> = Arc::new(RedisBreakerBoard::new(Arc::clone(&link), &settings.prefix));
    let limit =
        rate.map(|rate| Arc::new(RedisLimit::new(Arc::clone(&link), &settings.prefix, rate)) as Arc<dyn SharedLimit>);
    let cache: Arc<dyn Cache> = match own {
        Some(own) => Arc::new(TieredCache::new(own, RedisCache::new(link, &settings.prefix))),
        None => Arc::new(NoCache),
    };
    Ok(Shared { cache, log, board: Some(board), limit })
}

/// The sessions that all instances share.
pub(crate) fn sessions(settings: &RedisSettings) -> Result<Arc<dyn SessionStore>, BackendError> {
    Ok(Arc::new(sessions_by(settings, settings.deadline)?))
}

/// The same, with another deadline for each call.
pub(crate) fn sessions_by(settings: &RedisSettings, deadline: Duration) -> Result<RedisSessions, BackendError> {
    let sessions = RedisSessionsSettings { prefix: settings.prefix.clone(), ..RedisSessionsSettings::default() };
    Ok(RedisSessions::new(link(settings, deadline)?, sessions, &Handle::current()))
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
