//! Sessions in one SQLite file that one process owns.

mod failure;
mod open;
mod reader;
mod rows;
mod schema;
mod statements;
mod writer;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use futures::FutureExt;
use hitesh_domain::{Feedback, Outcome, Owner, SessionId, Transcript, TurnId};
use rusqlite::Connection;
use time::OffsetDateTime;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

pub use self::open::OpenError;
use self::{
    failure::{Failure, answer, closed},
    rows::{Ending, NewRow},
    statements::Tally,
    writer::{Shared, Writer},
};
use crate::{
    Claim, Context, Durable, NewTurn, Page, SessionStore, StoreError, StoreStats, StoredTurn, transfer::SessionRecord,
};

/// Where the sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlitePath {
    /// In this file; it and its folder are made if they are missing, for this user only. Beside it lie `-wal` and
    /// `-shm` while it is open, and `.lock` for ever.
    File(PathBuf),
    /// In memory, until the store is dropped. For tests and for a chat in a terminal.
    Memory,
}

/// How a [`SqliteSessions`] is opened. The default is in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    /// Where the sessions are kept.
    pub path: SqlitePath,
    /// The largest size of the file; none: the disk's. A full file is as a full disk: [`StoreError::Unavailable`]
    /// until something is erased or swept.
    pub max_bytes: Option<u64>,
    /// Writes that may wait for the disk (4096). Beyond them `begin` is refused at once, and others wait.
    pub queue: usize,
    /// Threads that read (2). In memory there are none.
    pub readers: usize,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self { path: SqlitePath::Memory, max_bytes: None, queue: 4096, readers: 2 }
    }
}

/// Sessions in SQLite: one thread writes, in transactions of whatever is queued (group commit), a few read.
///
/// Dropping it writes what is queued and waits for that; [`close`](SessionStore::close) does so without blocking the
/// thread.
#[derive(Debug)]
pub struct SqliteSessions {
    /// None once it is being dropped.
    queue: Option<mpsc::Sender<writer::Command>>,
    /// None in memory: the writer's connection is the only one.
    reads: Option<mpsc::Sender<reader::Command>>,
    /// Ends after the readers.
    writer: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl SqliteSessions {
    /// Opens the file, brings it to the current schema and starts the threads. Blocks for that long.
    ///
    /// # Errors
    /// See [`OpenError`]; the file is left as it was, unless it was ours.
    pub fn open(settings: SqliteSettings) -> Result<Self, OpenError> {
        let open::Owned { writer: db, readers, lock } = open::open(&settings)?;
        let shared = Shared::default();
        let path = match &settings.path {
            SqlitePath::File(path) => path.clone(),
            SqlitePath::Memory => PathBuf::from(":memory:"),
        };
        let count = |sql| db.query_row(sql, [], |row| row.get(0)).map_err(|error| OpenError::from_sqlite(&path, error));
        shared.sessions.store(count("SELECT count(*) FROM sessions")?, Relaxed);
        shared.turns.store(count("SELECT count(*) FROM turns")?, Relaxed);
        let shared = Arc::new(shared);

        let no_thread = |source| OpenError::Thread { source };
        let (reads, readers) = if readers.is_empty() {
            (None, Vec::new())
        } else {
            let (reads, threads) = reader::start(readers).map_err(no_thread)?;
            (Some(reads), threads)
        };
        let (queue, commands) = mpsc::channel(settings.queue.max(1));
        let writer = Writer { db, lock, readers, queue: commands, shared: Arc::clone(&shared) };
        let writer = thread::Builder::new().name("sessions-writer".to_owned()).spawn(move || writer.run());
        Ok(Self { queue: Some(queue), reads, writer: Some(writer.map_err(no_thread)?), shared })
    }

    /// The session after the one of this number, in an order that stays, with its own number. None after the last.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be read.
    pub async fn export_after(&self, number: i64) -> Result<Option<(i64, SessionRecord)>, StoreError> {
        let now = OffsetDateTime::now_utc();
        self.read(move |db| reader::session_after(db, number, now)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        statement: impl Fn(&Connection, &mut Tally) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (write, done) = writer::write(statement);
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(writer::Command::Write(write)).await.map_err(|_| closed())?;
        answer(done).await
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (read, found) = reader::read(query);
        match (&self.reads, &self.queue) {
            (Some(reads), _) => reads.send(reader::Command::Read(read)).await.map_err(|_| closed())?,
            (None, Some(queue)) => queue.send(writer::Command::Read(read)).await.map_err(|_| closed())?,
            (None, None) => return Err(closed()),
        }
        answer(found).await
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError> {
        let (owner, session) = (owner.clone(), session.clone());
        self.read(move |db| reader::context(db, &owner, &session, turns, before)).await
    }

    async fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError> {
        let row = NewRow::try_from(turn)?;
        let (write, done) = writer::write(move |db, tally| statements::begin(db, tally, &row));
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.try_send(writer::Command::Write(write)).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Unavailable { reason: "too many writes wait for the disk".to_owned() },
            TrySendError::Closed(_) => closed(),
        })?;
        Ok(answer(done).boxed())
    }

    async fn checkpoint(&self, turn: TurnId, partial: Transcript) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        // The last eighth of the queue is for what somebody waits for.
        if queue.capacity() <= queue.max_capacity() / 8 && !queue.is_closed() {
            return Ok(());
        }
        let command = writer::Command::Checkpoint { turn, partial: rows::json(&partial)? };
        match queue.try_send(command) {
            Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(closed()),
        }
    }

    async fn finish(&self, turn: TurnId, outcome: Outcome) -> Result<(), StoreError> {
        let ending = Ending::try_from(&outcome)?;
        self.write(move |db, _| statements::finish(db, turn, &ending)).await
    }

    async fn record(&self, turn: NewTurn, outcome: Outcome) -> Result<(), StoreError> {
        let (row, ending) = (NewRow::try_from(turn)?, Ending::try_from(&outcome)?);
        self.write(move |db, tally| statements::record(db, tally, &row, &ending)).await
    }

    async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError> {
        let owner = owner.clone();
        self.read(move |db| reader::turn(db, &owner, turn)).await
    }

    async fn history(&self, owner: &Owner, session: &SessionId, page: Page) -> Result<Vec<StoredTurn>, StoreError> {
        let (owner, session) = (owner.clone(), session.clone());
        self.read(move |db| reader::history(db, &owner, &session, page)).await
    }

    async fn feedback(&self, owner: &Owner, turn: TurnId, feedback: Option<Feedback>) -> Result<bool, StoreError> {
        let owner = owner.clone();
        let feedback = feedback.as_ref().map(rows::json).transpose()?;
        self.write(move |db, _| statements::feedback(db, &owner, turn, feedback.as_deref())).await
    }

    async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, StoreError> {
        let (owner, session) = (owner.clone(), session.clone());
        self.write(move |db, tally| statements::erase(db, tally, &owner, &session)).await
    }

    async fn claim(&self, owner: &Owner, claim: Claim) -> Result<Claim, StoreError> {
        let (owner, now) = (owner.clone(), OffsetDateTime::now_utc());
        self.write(move |db, _| statements::claim(db, &owner, &claim, now)).await
    }

    async fn rebind(&self, owner: &Owner, claim: Claim, to: TurnId) -> Result<Claim, StoreError> {
        let (owner, now) = (owner.clone(), OffsetDateTime::now_utc());
        self.write(move |db, _| statements::rebind(db, &owner, claim.clone(), to, now)).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        let now = OffsetDateTime::now_utc();
        self.write(move |db, _| statements::recover(db, now)).await
    }

    async fn sweep(&self, older_than: OffsetDateTime) -> Result<u64, StoreError> {
        let now = OffsetDateTime::now_utc();
        let mut turns = 0u64;
        loop {
            let step = self.write(move |db, tally| statements::sweep(db, tally, older_than, now)).await?;
            turns = turns.saturating_add(step.turns);
            if !step.more {
                return Ok(turns);
            }
        }
    }

    async fn close(&self) {
        if let Some(reads) = &self.reads {
            // Closed before already, if that fails.
            let _ = reads.send(reader::Command::Close).await;
            reads.closed().await;
        }
        let (done, closed) = oneshot::channel();
        if let Some(queue) = &self.queue
            && queue.send(writer::Command::Close(done)).await.is_ok()
        {
            // An error means that the thread has gone, and the file with it.
            let _ = closed.await;
        }
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.read(reader::reachable).await?;
        // A store that could not write says so until it can: it is tried here too, since nobody else may come.
        if self.shared.failing.load(Relaxed) {
            self.write(|db, _| statements::probe(db)).await?;
        }
        Ok(StoreStats {
            backend: "sqlite",
            sessions: self.shared.sessions.load(Relaxed).try_into().unwrap_or(0),
            turns: self.shared.turns.load(Relaxed).try_into().unwrap_or(0),
            away: None,
        })
    }
}

impl Drop for SqliteSessions {
    fn drop(&mut self) {
        self.queue = None;
        self.reads = None;
        if let Some(thread) = self.writer.take() {
            // A thread that panicked has nothing left to write.
            let _ = thread.join();
        }
    }
}
