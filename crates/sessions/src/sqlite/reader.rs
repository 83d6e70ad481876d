//! Reads: a few connections on threads of their own, so that a slow disk holds up no async worker.

use std::{
    fmt, io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use hitesh_domain::{Owner, SessionId, TurnId};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Params, params};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::Failure,
    rows::{self, STORED_TURN},
};
use crate::{Context, Page, StoreError, StoredTurn, transfer::SessionRecord};

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

pub(super) fn context(
    db: &Connection,
    owner: &Owner,
    session: &SessionId,
    turns: usize,
    before: Option<TurnId>,
) -> Result<Context, Failure> {
    let Some(session) = super::statements::session_id(db, owner, session)? else { return Ok(Context::default()) };
    let before = before.as_ref().map(TurnId::as_bytes);
    let mut last_first = db
        .prepare_cached(&context_query(before.is_some()))?
        .query_and_then(params![session, before, limit(turns)], rows::context_turn)?
        .collect::<Result<Vec<_>, _>>()?;
    last_first.reverse();
    // One process owns the file.
    Ok(Context { turns: last_first, open_elsewhere: 0 })
}

/// Of a session, the turn before whose place the context ends, and a limit.
fn context_query(bounded: bool) -> String {
    // Without a turn of that id in this session the comparison is with null, which nothing passes.
    let before = match bounded {
        true => "place < (SELECT place FROM turns WHERE turn = ?2 AND session = ?1)",
        false => "?2 IS NULL",
    };
    format!(
        "SELECT persona, question, notes, outcome FROM turns
         WHERE session = ?1 AND replaced_by IS NULL AND has_output AND outcome IS NOT NULL AND {before}
         ORDER BY place DESC, seq DESC LIMIT ?3"
    )
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
    let before = page.before.as_ref().map(TurnId::as_bytes);
    let mut last_first = collect(db, &history_query(page), params![session, before, limit(page.limit)])?;
    last_first.reverse();
    Ok(last_first)
}

/// Of a session, the turn before which the page ends, and a limit.
fn history_query(page: Page) -> String {
    // As for a context; one place may hold several turns.
    let before = match page.before {
        Some(_) => "(place, seq) < (SELECT place, seq FROM turns WHERE turn = ?2 AND session = ?1)",
        None => "?2 IS NULL",
    };
    let current = if page.replaced { "" } else { "AND replaced_by IS NULL" };
    format!(
        "SELECT {STORED_TURN} FROM turns JOIN sessions ON sessions.id = turns.session
         WHERE turns.session = ?1 {current} AND {before} ORDER BY place DESC, seq DESC LIMIT ?3"
    )
}

fn collect(db: &Connection, sql: &str, parameters: impl Params) -> Result<Vec<StoredTurn>, Failure> {
    db.prepare_cached(sql)?.query_and_then(parameters, rows::stored_turn)?.collect()
}

/// The session after that number, and its own.
pub(super) fn session_after(
    db: &Connection,
    number: i64,
    now: OffsetDateTime,
) -> Result<Option<(i64, SessionRecord)>, Failure> {
    let found = db
        .prepare_cached("SELECT id, owner, session FROM sessions WHERE id > ? ORDER BY id LIMIT 1")?
        .query_row([number], |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))
        .optional()?;
    let Some((id, owner, session)) = found else { return Ok(None) };
    let damaged = |_| Failure::invalid("a session's name can't be read");
    let (owner, session) = (Owner::try_from(owner).map_err(damaged)?, SessionId::try_from(session).map_err(damaged)?);
    let sql = format!(
        "SELECT {STORED_TURN}, turns.seq, turns.place FROM turns JOIN sessions ON sessions.id = turns.session
         WHERE turns.session = ? ORDER BY turns.place, turns.seq"
    );
    let turns = db
        .prepare_cached(&sql)?
        .query_and_then([id], |row| Ok::<_, Failure>((rows::stored_turn(row)?, row.get("seq")?, row.get("place")?)))?
        .collect::<Result<_, _>>()?;
    let claims = db
        .prepare_cached(
            "SELECT key, digest, turns.turn, created_at FROM claims JOIN turns ON turns.turn = claims.turn
             WHERE turns.session = ? AND claims.owner = ?",
        )?
        .query_and_then(params![id, owner.as_str()], |row| rows::claim_record(row, now))?
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    Ok(Some((id, SessionRecord::new(owner, session, turns, claims))))
}

/// Fails when the file can't be read.
pub(super) fn reachable(db: &Connection) -> Result<(), Failure> {
    db.prepare_cached("SELECT 1 FROM turns ORDER BY seq DESC LIMIT 1")?.query_row([], |_| Ok(())).optional()?;
    Ok(())
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    fn plan(query: &str) -> String {
        let mut db = Connection::open_in_memory().unwrap();
        schema::migrate(&mut db).unwrap();
        let mut explained = db.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let lines = explained.query_map(params![1, [0u8; 16], 5], |row| row.get::<_, String>("detail")).unwrap();
        lines.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("\n")
    }

    fn expect_index(query: &str, index: &str) {
        let plan = plan(query);
        assert!(plan.contains(&format!("USING INDEX {index} (session=?")), "{plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN turns"), "{plan}");
    }

    #[test]
    fn a_context_is_read_through_the_index_of_current_turns() {
        for bounded in [false, true] {
            expect_index(&context_query(bounded), "current_turns");
        }
    }

    #[test]
    fn a_page_of_a_history_is_read_through_an_index_in_its_order() {
        for before in [None, Some(TurnId::now())] {
            for (replaced, index) in [(false, "current_turns"), (true, "turns_of_session")] {
                expect_index(&history_query(Page { limit: 5, before, replaced }), index);
            }
        }
    }
}
