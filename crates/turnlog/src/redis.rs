//! Logs as Redis Streams.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hitesh_domain::LogId;
use hitesh_redis::{FromRedisValue, Link, LinkError, Script, ScriptInvocation};

use crate::{Batch, Ending, Lease, LogError, LogTimes, Tail, TurnLog};

/// The most entries that one look is given.
const LOOK: usize = 4096;
/// A written ending begins with it, so that it is no other's.
const WRITTEN: u8 = b'=';
const SEALED: &[u8] = b"sealed";

static LEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/scripts/lease.lua")));
static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/scripts/append.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/scripts/read.lua")));
static SEAL: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/scripts/seal.lua")));
static WANTED: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("redis/scripts/wanted.lua")));

/// Logs in a Redis server, for all who name the same prefix. Each call is one script, and all of its keys share the flight's
/// hash tag.
pub struct RedisTurnLog {
    link: Arc<Link>,
    prefix: String,
    times: LogTimes,
}

impl RedisTurnLog {
    /// Logs on the server behind `link`, which may be away for now.
    pub fn new(link: Arc<Link>, prefix: &str, times: LogTimes) -> Self {
        // The number is that of the stored form: another form is another log.
        Self { link, prefix: format!("{prefix}:log:1:"), times }
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, LogError> {
        Ok(self.link.script(script).await?)
    }

    fn script<'s>(&self, script: &'s Script, log: LogId) -> ScriptInvocation<'s> {
        let base = format!("{}{{{}}}:", self.prefix, log.flight());
        let mut call = script.key(format!("{base}flight"));
        call.arg(base).arg(log.own());
        call
    }
}

#[async_trait]
impl TurnLog for RedisTurnLog {
    async fn lease(&self, log: LogId) -> Result<Lease, LogError> {
        let mut call = self.script(&LEASE, log);
        call.arg(millis(self.times.lease)).arg(millis(self.times.open)).arg(millis(self.times.wanted));
        match self.run::<String>(&call).await?.as_str() {
            "follows" => Ok(Lease::Follows),
            told => Ok(Lease::Leads { landed: told == "landed" }),
        }
    }

    async fn append(&self, log: LogId, batch: Batch<'_>) -> Result<(), LogError> {
        let mut call = self.script(&APPEND, log);
        call.arg(millis(self.times.lease)).arg(millis(self.times.open)).arg(millis(self.times.ended));
        call.arg(life_if(batch.complete, self.times.landed));
        call.arg(batch.from).arg(batch.about.as_ref());
        call.arg(batch.ending.map(|ending| [&[WRITTEN], ending.as_ref()].concat()).unwrap_or_default());
        for entry in batch.entries {
            call.arg(entry.as_ref());
        }
        match self.run(&call).await? {
            true => Ok(()),
            false => Err(LogError::Sealed),
        }
    }

    async fn read_from(&self, log: LogId, from: usize, wanted: bool) -> Result<Tail, LogError> {
        let mut call = self.script(&READ, log);
        call.arg(from).arg(LOOK);
        call.arg(life_if(wanted, self.times.wanted));
        type Reply = (bool, bool, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Vec<u8>>);
        let (alive, follows, about, ending, entries) = self.run::<Reply>(&call).await?;
        Ok(Tail {
            entries: entries.into_iter().map(Bytes::from).collect(),
            about: about.map(Bytes::from),
            ending: ending.map(ending_of).transpose()?,
            alive,
            follows,
        })
    }

    async fn is_wanted(&self, log: LogId) -> Result<bool, LogError> {
        self.run(&self.script(&WANTED, log)).await
    }

    async fn seal(&self, log: LogId) -> Result<bool, LogError> {
        let mut call = self.script(&SEAL, log);
        call.arg(millis(self.times.open));
        self.run(&call).await
    }
}

fn ending_of(stored: Vec<u8>) -> Result<Ending, LogError> {
    match stored.split_first() {
        Some((&WRITTEN, _)) => Ok(Ending::Written(Bytes::from(stored).slice(1..))),
        _ if stored == SEALED => Ok(Ending::Sealed),
        _ => Err(LogError::Invalid { reason: "no ending of a log".to_owned() }),
    }
}

/// Empty for what does not come to life.
fn life_if(is_so: bool, life: Duration) -> String {
    if is_so { millis(life).to_string() } else { String::new() }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<LinkError> for LogError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unavailable { reason, .. } => Self::Unavailable { reason },
            LinkError::Invalid { reason } => Self::Invalid { reason },
        }
    }
}

impl fmt::Debug for RedisTurnLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTurnLog").field("link", &self.link).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
