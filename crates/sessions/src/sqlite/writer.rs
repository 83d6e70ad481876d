//! The one thread that writes: what is queued becomes one transaction, and everyone is told after its commit.

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    slice,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    thread::JoinHandle,
};

use hitesh_domain::TurnId;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::{self, Failure},
    reader::Read,
    statements::{self, Tally},
};
use crate::StoreError;

/// Commands of one transaction: bounds how long the first one waits for the last.
const BATCH: usize = 256;

/// A write and its caller.
pub(super) trait Write: Send {
    /// Does it, inside an open transaction; an error has to be taken back. It is done again if that transaction was
    /// lost through another write.
    fn apply(&mut self, db: &Connection, tally: &mut Tally) -> Result<(), StoreError>;

    /// Tells its caller what came of it, once that is known for certain.
    fn settle(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Statement<F, T> {
    statement: F,
    /// What the last [`apply`](Write::apply) gave.
    done: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Write for Statement<F, T>
where
    F: Fn(&Connection, &mut Tally) -> Result<T, Failure> + Send,
    T: Send,
{
    fn apply(&mut self, db: &Connection, tally: &mut Tally) -> Result<(), StoreError> {
        match self.done.insert((self.statement)(db, tally).map_err(StoreError::from)) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }

    fn settle(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        // A caller that has gone needs no answer.
        let _ = reply.send(committed.and_then(|()| done.unwrap_or_else(|| Err(lost_transaction()))));
    }
}

/// What the writer can be asked for.
pub(super) enum Command {
    Write(Box<dyn Write>),
    /// Only the newest of a turn in a batch is written. Nobody waits for it.
    Checkpoint {
        turn: TurnId,
        partial: String,
    },
    /// For a store in memory, which has one connection.
    Read(Read),
    /// Take nothing more, do what is queued, let go of the file, then tell.
    Close(oneshot::Sender<()>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write(_) => "Write",
            Self::Checkpoint { .. } => "Checkpoint",
            Self::Read(_) => "Read",
            Self::Close(_) => "Close",
        })
    }
}

/// What the writer lets others see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) sessions: AtomicI64,
    pub(super) turns: AtomicI64,
    /// The last transaction (or a part of it) failed for the store's own reasons.
    pub(super) failing: AtomicBool,
}

/// A write of `statement`, and where its result comes once it is on disk.
pub(super) fn write<T: Send + 'static>(
    statement: impl Fn(&Connection, &mut Tally) -> Result<T, Failure> + Send + 'static,
) -> (Box<dyn Write>, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, result) = oneshot::channel();
    (Box::new(Statement { statement, done: None, reply }), result)
}

/// A transaction that did not come to its end.
#[derive(Clone)]
struct Lost {
    error: StoreError,
    /// A single write took the others with it; without it they may succeed.
    through_one: bool,
}

pub(super) struct Writer {
    /// They have been told to end when the queue is closed.
    pub(super) readers: Vec<JoinHandle<()>>,
    pub(super) db: Connection,
    pub(super) lock: Option<File>,
    pub(super) queue: mpsc::Receiver<Command>,
    pub(super) shared: Arc<Shared>,
}

impl Writer {
    /// Until the store is closed or dropped; whatever was queued by then is done.
    pub(super) fn run(mut self) {
        let mut inbox = Vec::new();
        let mut closing = Vec::new();
        let mut erased = false;
        while self.queue.blocking_recv_many(&mut inbox, BATCH) > 0 {
            let mut writes = Vec::new();
            let mut checkpoints = Vec::new();
            let mut reads = Vec::new();
            for command in inbox.drain(..) {
                match command {
                    Command::Write(write) => writes.push(write),
                    Command::Checkpoint { turn, partial } => checkpoints.push((turn, partial)),
                    Command::Read(read) => reads.push(read),
                    Command::Close(done) => {
                        self.queue.close();
                        closing.push(done);
                    }
                }
            }
            if !writes.is_empty() || !checkpoints.is_empty() {
                erased |= self.batch(writes, &newest(checkpoints));
            }
            reads.into_iter().for_each(|read| read(Ok(&self.db)));
            if erased && self.queue.is_empty() {
                erased = false;
                self.truncate_log();
            }
        }
        // The last connection to close folds the log into the file, which those that only read can't. Only then may
        // somebody else have it.
        for reader in self.readers {
            // One that panicked has let go as well.
            let _ = reader.join();
        }
        drop(self.db);
        drop(self.lock);
        for done in closing {
            // A caller that has gone needs no answer.
            let _ = done.send(());
        }
    }

    /// Everything in one transaction, or each alone if one of them spoils it; whether something was erased.
    fn batch(&self, mut writes: Vec<Box<dyn Write>>, checkpoints: &[(TurnId, String)]) -> bool {
        let mut trouble = None;
        let fate = self.transaction(&mut writes, checkpoints, &mut trouble);
        let spoilt = matches!(fate, Err(Lost { through_one: true, .. })) && writes.len() > 1;
        let fates: Vec<_> = if spoilt {
            writes.iter_mut().map(|write| self.transaction(slice::from_mut(write), &[], &mut trouble)).collect()
        } else {
            vec![fate; writes.len()]
        };
        // Before anyone is told, so that whoever asks for the store's health next hears the truth.
        self.tell_state(trouble.as_ref());
        let erased = fates.iter().flatten().any(|tally| tally.erased);
        for (write, fate) in writes.into_iter().zip(fates) {
            write.settle(fate.map(|_| ()).map_err(|lost| lost.error));
        }
        erased
    }

    /// One transaction: each write in a savepoint, so that one that fails does not fail the others.
    fn transaction(
        &self,
        writes: &mut [Box<dyn Write>],
        checkpoints: &[(TurnId, String)],
        trouble: &mut Option<StoreError>,
    ) -> Result<Tally, Lost> {
        let mut tally = Tally::default();
        let attempt = || {
            self.execute("BEGIN IMMEDIATE").map_err(|error| Lost { error, through_one: false })?;
            for write in writes {
                self.in_savepoint(&mut tally, trouble, |own| write.apply(&self.db, own))?;
            }
            for (turn, partial) in checkpoints {
                self.in_savepoint(&mut tally, trouble, |_| Ok(statements::checkpoint(&self.db, *turn, partial)?))?;
            }
            self.execute("COMMIT").map_err(|error| Lost { error, through_one: false })
        };
        let fate = attempt();
        if let Err(lost) = fate {
            if !self.db.is_autocommit() {
                // Nothing to do about its failure: the next BEGIN will say so.
                let _ = self.execute("ROLLBACK");
            }
            *trouble = Some(lost.error.clone());
            return Err(lost);
        }
        // Before anyone is told, so that whoever asks for the figures next finds them right.
        self.shared.sessions.fetch_add(tally.sessions, Relaxed);
        self.shared.turns.fetch_add(tally.turns, Relaxed);
        Ok(tally)
    }

    /// What fails inside is taken back alone. It is an error only if the whole transaction is lost: a full disk or an
    /// I/O error may take all of it.
    fn in_savepoint(
        &self,
        tally: &mut Tally,
        trouble: &mut Option<StoreError>,
        apply: impl FnOnce(&mut Tally) -> Result<(), StoreError>,
    ) -> Result<(), Lost> {
        let spoilt = |error| Lost { error, through_one: true };
        self.execute("SAVEPOINT one").map_err(spoilt)?;
        let mut own = Tally::default();
        match apply(&mut own) {
            Ok(()) => {
                self.execute("RELEASE one").map_err(spoilt)?;
                tally.add(own);
            }
            Err(error) => {
                if matches!(error, StoreError::Unavailable { .. }) {
                    *trouble = Some(error.clone());
                }
                if self.db.is_autocommit() {
                    return Err(spoilt(error));
                }
                self.execute("ROLLBACK TO one").and_then(|()| self.execute("RELEASE one")).map_err(spoilt)?;
            }
        }
        Ok(())
    }

    fn execute(&self, sql: &'static str) -> Result<(), StoreError> {
        let done = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(drop).map_err(|error| failure::from_sqlite(&error))
    }

    /// So that what was erased is not left in the log until it is overwritten. Not urgent, so a failure isn't either.
    fn truncate_log(&self) {
        if let Err(error) = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::debug!(code = ?error.sqlite_error_code(), "the write-ahead log could not be truncated");
        }
    }

    /// A failure is logged when it begins and when it is over, not for each of a thousand writes.
    fn tell_state(&self, trouble: Option<&StoreError>) {
        let was_failing = self.shared.failing.swap(trouble.is_some(), Relaxed);
        match trouble {
            Some(error) if !was_failing => tracing::error!(%error, "the session store can't write"),
            None if was_failing => tracing::info!("the session store can write again"),
            _ => {}
        }
    }
}

fn lost_transaction() -> StoreError {
    StoreError::Unavailable { reason: "a transaction was lost".to_owned() }
}

/// The last of each turn, in the order of their coming.
fn newest(checkpoints: Vec<(TurnId, String)>) -> Vec<(TurnId, String)> {
    let mut seen = HashSet::new();
    let mut newest: Vec<_> = checkpoints.into_iter().rev().filter(|(turn, _)| seen.insert(*turn)).collect();
    newest.reverse();
    newest
}
