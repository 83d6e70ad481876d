use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{resolve::Resolve, values};

/// Where sessions are kept, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsSettings {
    /// The place.
    pub place: SessionsPlace,
    /// The SQLite file that they would be in without Redis, if one is known: where `migrate` takes them from.
    pub file: Option<PathBuf>,
    /// The age at which turns are forgotten; none: never.
    pub retention: Option<Duration>,
}

/// Where sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionsPlace {
    /// In this SQLite file; its folder may have to be made.
    File(PathBuf),
    /// In memory, until the process ends.
    Memory,
    /// In the Redis of the settings, with other instances.
    Redis,
}

/// The name of the file where no path says another.
const FILE: &str = "sessions.db";

/// What keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Backend {
    /// Redis if there is an address of one, else SQLite.
    Auto,
    Sqlite,
    Redis,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionsForm {
    backend: Backend,
    path: Option<String>,
    #[serde(deserialize_with = "values::within::<_, _, 0, 36_500>")]
    retention_days: u64,
}

impl SessionsForm {
    /// `redis` is whether there is one.
    pub(super) fn resolve(self, redis: bool, at: &mut Resolve<'_>) -> SessionsSettings {
        let file = match self.path.as_deref().map(str::trim) {
            Some(":memory:" | "") => None,
            Some(path) => Some(at.path(path)),
            None => at.user_folder("XDG_DATA_HOME", ".local/share").map(|folder| folder.join(FILE)),
        };
        let place = match self.backend {
            Backend::Redis if !redis => {
                at.mistake(
                    &["sessions", "backend"],
                    "needs redis.url (or REDIS_URL), redis.sentinels or redis.cluster, and a build with Redis",
                );
                SessionsPlace::Redis
            }
            Backend::Redis => SessionsPlace::Redis,
            Backend::Auto if redis => SessionsPlace::Redis,
            Backend::Auto | Backend::Sqlite => sqlite_place(self.path.as_deref(), file.clone(), at),
        };
        let retention = Some(self.retention_days).filter(|days| *days > 0);
        SessionsSettings { place, file, retention: retention.map(|days| Duration::from_secs(days * 24 * 60 * 60)) }
    }
}

fn sqlite_place(path: Option<&str>, file: Option<PathBuf>, at: &mut Resolve<'_>) -> SessionsPlace {
    match (path.map(str::trim), file) {
        (_, Some(file)) => SessionsPlace::File(file),
        (Some(":memory:"), None) => SessionsPlace::Memory,
        (Some(_), None) => {
            at.mistake(&["sessions", "path"], "expected a file, or :memory:");
            SessionsPlace::Memory
        }
        (None, None) => {
            at.mistake(&["sessions", "path"], "is needed, since neither XDG_DATA_HOME nor HOME is set");
            SessionsPlace::Memory
        }
    }
}
