//! Reads: a few connections on threads of their own, so that a slow disk holds up no async worker.

use std::{
    fmt, io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use hitesh_domain::{Owner, SessionId, TurnId};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Params, params};
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::Failure,
    rows::{self, STORED_TURN},
};
use crate::{Context, Page, StoreError, StoredTurn};

/// A read and its caller; it is given a connection, or why there is none.
pub(super) type Read = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// Reads that may wait for a thread; further callers wait for a place.
const QUEUE: usize = 1024;

/// A read of `query`, and where its result comes.
pub(super) fn read<T: Send + 'static>(
    query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
) -> (Read, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, result) = oneshot::channel();
    let read = Box::new(move |db: Result<&Connection, StoreError>| {
        // Nobody waits any more: a caller that went away shall not keep the disk busy.
        if !reply.is_closed() {
            drop(reply.send(db.and_then(|db| query(db).map_err(StoreError::from))));
        }
    });
    (read, result)
}

/// What a reading thread can be asked for.
pub(super) enum Command {
    Read(Read),
    /// Take nothing more and do what is queued.
    Close,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read(_) => "Read",
            Self::Close => "Close",
        })
    }
}

/// Starts a thread for each connection; they share one queue.
pub(super) fn start(connections: Vec<Connection>) -> io::Result<(mpsc::Sender<Command>, Vec<JoinHandle<()>>)> {
    let (sender, queue) = mpsc::channel(QUEUE);
    let queue = Arc::new(Mutex::new(queue));
    let threads = connections
        .into_iter()
        .map(|db| {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name("sessions-reader".to_owned()).spawn(move || run(&db, &queue))
        })
        .collect::<io::Result<_>>()?;
    Ok((sender, threads))
}

fn run(db: &Connection, queue: &Mutex<mpsc::Receiver<Command>>) {
    loop {
        let next = next(&mut queue.lock());
        match next {
            Some(Command::Read(read)) => read(Ok(db)),
            Some(Command::Close) => {}
            None => break,
        }
    }
}

/// One thread waits for the next command while it holds the lock; the others wait for the lock. So it has to close
/// the queue before it lets go: the next one would wait for ever.
fn next(queue: &mut mpsc::Receiver<Command>) -> Option<Command> {
    let next = queue.blocking_recv();
    if matches!(next, Some(Command::Close)) {
        queue.close();
    }
    next
}

pub(super) fn context(db: &Connection, owner: &Owner, session: &SessionId, turns: usize) -> Result<Context, Failure> {
    let mut newest_first = db
        .prepare_cached(
            "SELECT persona, question, notes, outcome FROM turns
             WHERE session = (SELECT id FROM sessions WHERE owner = ? AND session = ?)
                 AND has_output AND outcome IS NOT NULL
             ORDER BY seq DESC LIMIT ?",
        )?
        .query_and_then(params![owner.as_str(), session.as_str(), limit(turns)], rows::context_turn)?
        .collect::<Result<Vec<_>, _>>()?;
    newest_first.reverse();
    Ok(Context { turns: newest_first })
}

pub(super) fn turn(db: &Connection, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, Failure> {
    let sql = format!(
        "SELECT {STORED_TURN} FROM turns JOIN sessions ON sessions.id = turns.session
         WHERE turns.turn = ? AND sessions.owner = ?"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(params![turn.as_bytes(), owner.as_str()])?;
    found.next()?.map(rows::stored_turn).transpose()
}

pub(super) fn history(
    db: &Connection,
    owner: &Owner,
    session: &SessionId,
    page: Page,
) -> Result<Vec<StoredTurn>, Failure> {
    let Some(session) = super::statements::session_id(db, owner, session)? else { return Ok(Vec::new()) };
    // Without a turn of that id in this session the comparison is with null, which nothing passes.
    let before = match page.before {
        Some(_) => "AND seq < (SELECT seq FROM turns WHERE turn = ?2 AND session = ?1)",
        None => "AND ?2 IS NULL",
    };
    let sql = format!(
        "SELECT {STORED_TURN} FROM turns JOIN sessions ON sessions.id = turns.session
         WHERE turns.session = ?1 {before} ORDER BY seq DESC LIMIT ?3"
    );
    let before = page.before.as_ref().map(TurnId::as_bytes);
    let mut newest_first = collect(db, &sql, params![session, before, limit(page.limit)])?;
    newest_first.reverse();
    Ok(newest_first)
}

fn collect(db: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<StoredTurn>, Failure> {
    db.prepare_cached(sql)?.query_and_then(parameters, rows::stored_turn)?.collect()
}

/// Fails when the file can't be read.
pub(super) fn reachable(db: &Connection) -> Result<(), Failure> {
    db.prepare_cached("SELECT 1 FROM turns ORDER BY seq DESC LIMIT 1")?.query_row([], |_| Ok(())).optional()?;
    Ok(())
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
