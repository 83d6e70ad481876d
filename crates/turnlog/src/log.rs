use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use hitesh_domain::LogId;

/// Where the processes that serve the same sessions read each other's generations while they grow, and agree on who asks
/// the upstream when equal questions come at once.
///
/// A log has one writer, the process that made its id, and any number of readers. It is a list of entries, numbered from 0,
/// and at most one ending, after which nothing is added. Each write renews the writer's lease; a log whose lease is over may
/// be [sealed](Self::seal) by anybody: from then on its writer, should it only have slept, can't write it any more.
///
/// A log is kept for a while only, and may be lost: sessions are not.
#[async_trait]
pub trait TurnLog: Debug + Send + Sync + 'static {
    /// Takes the lease of `log`, and with it that of its flight, unless another log of the flight has that. In that case
    /// `log` is from now on another name of that one for readers, and the writer of that one is told that it is wanted.
    async fn lease(&self, log: LogId) -> Result<Lease, LogError>;

    /// Adds entries, or ends the log, or only renews the lease if there is nothing to add. Entries that the log has already
    /// are left as they are, so a call whose answer was lost can be made again.
    ///
    /// # Errors
    /// `Sealed`, also if entries before these are missing: the log is of no use any more.
    async fn append(&self, log: LogId, batch: Batch<'_>) -> Result<(), LogError>;

    /// The entries from number `from` on, at most some thousand, and how the log stands. With `wanted` its writer finds it
    /// [wanted](Self::is_wanted) for a while.
    async fn read_from(&self, log: LogId, from: usize, wanted: bool) -> Result<Tail, LogError>;

    /// Whether somebody reads it who wants the whole of it: its writer is not to give up only because nobody of its own
    /// does.
    async fn is_wanted(&self, log: LogId) -> Result<bool, LogError>;

    /// Ends a log whose lease is over, in its writer's place; one that has ended stays as it is. Whether it has an ending
    /// now: false if the writer lives, and for a name of a log that another one writes.
    async fn seal(&self, log: LogId) -> Result<bool, LogError>;
}

/// Who asks the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The caller. `landed`: an equal question's answer was complete only moments ago, and is likely to be in a cache that
    /// did not have it yet when the caller looked.
    Leads {
        /// See there.
        landed: bool,
    },
    /// Another process, whose log can be read under the caller's own id.
    Follows,
}

/// What is added to a log.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The number of its first entry.
    pub from: usize,
    /// The entries.
    pub entries: &'a [Bytes],
    /// What readers are told of the whole, beside the entries; the newest counts.
    pub about: &'a Bytes,
    /// How the log ends, if it does with these.
    pub ending: Option<&'a Bytes>,
    /// Whether the ending is that of a whole answer, which may be found in a cache.
    pub complete: bool,
}

/// The entries of a log from some number on, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    /// The entries.
    pub entries: Vec<Bytes>,
    /// What was said of the whole last; none if nothing was ever added.
    pub about: Option<Bytes>,
    /// How it ended, and no entry follows those that are here. None while it grows, or if it never was.
    pub ending: Option<Ending>,
    /// Whether its writer has the lease.
    pub alive: bool,
    /// Whether another process writes it: what was read is only a name of that one's log.
    pub follows: bool,
}

/// How a log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By its writer, in its words.
    Written(Bytes),
    /// By another, in place of its writer.
    Sealed,
}

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTimes {
    /// A writer that has given no sign of life for so long has lost its lease (4 s).
    pub lease: Duration,
    /// A log that nobody adds to is kept for so long (1 h): those who end a dead process's turns read it.
    pub open: Duration,
    /// A log that has ended is kept for so long (20 s): its readers come to the end, and
    /// so does a process whose turn it was, or whoever ends that in its place.
    pub ended: Duration,
    /// A reader's wish holds for so long (3 s).
    pub wanted: Duration,
    /// For so long after a complete answer, equal questions are told to look into the cache again (10 s).
    pub landed: Duration,
}

impl Default for LogTimes {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(4),
            open: Duration::from_secs(60 * 60),
            ended: Duration::from_secs(20),
            wanted: Duration::from_secs(3),
            landed: Duration::from_secs(10),
        }
    }
}

/// Why a log did not do it. Nothing depends on a log that can't be done without it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// It is away: later.
    #[error("the log is unavailable: {reason}")]
    Unavailable {
        /// In words of ours.
        reason: String,
    },
    /// The log was sealed, or has lost entries: its writer has nothing more to do with it.
    #[error("the log takes nothing more")]
    Sealed,
    /// What it holds makes no sense.
    #[error("the log holds something invalid: {reason}")]
    Invalid {
        /// In words of ours.
        reason: String,
    },
}
