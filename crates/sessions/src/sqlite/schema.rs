//! What the file holds, and how an older file becomes a current one.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::open::OpenError;

/// `HTAI`: marks the file as ours in its header, so that nobody else's database is ever changed.
pub(super) const APPLICATION_ID: i64 = 0x4854_4149;

/// Step `n` makes a file of schema `n` one of schema `n + 1`. Steps that were released never change.
const MIGRATIONS: &[&str] = &[
    // A session's name is kept once, so that its turns are found through an index of integers. `seq` is the order
    // of the turns of all sessions; an open turn has no outcome.
    "CREATE TABLE sessions (
        id INTEGER PRIMARY KEY,
        owner TEXT NOT NULL,
        session TEXT NOT NULL,
        UNIQUE (owner, session)
    ) STRICT;
    CREATE TABLE turns (
        seq INTEGER PRIMARY KEY,
        turn BLOB NOT NULL UNIQUE,
        session INTEGER NOT NULL REFERENCES sessions (id),
        persona TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        source TEXT NOT NULL,
        started_at INTEGER NOT NULL, -- nanoseconds since 1970
        question TEXT NOT NULL,
        notes TEXT NOT NULL,         -- JSON: array of note ids
        has_output INTEGER NOT NULL DEFAULT 0,
        partial TEXT,                -- JSON: Transcript of the last checkpoint of an open turn
        outcome TEXT                 -- JSON: Outcome of an ended turn
    ) STRICT;
    CREATE INDEX turns_of_session ON turns (session, seq);
    CREATE INDEX turns_by_time ON turns (started_at);
    CREATE INDEX open_turns ON turns (seq) WHERE outcome IS NULL;
    CREATE TABLE claims (
        owner TEXT NOT NULL,
        key TEXT NOT NULL,
        digest BLOB NOT NULL,
        turn BLOB NOT NULL,
        created_at INTEGER NOT NULL, -- nanoseconds since 1970
        PRIMARY KEY (owner, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX claims_of_turn ON claims (turn);
    CREATE INDEX claims_by_time ON claims (created_at);
    -- Empty: health checks write to it and take it back.
    CREATE TABLE probe (filler BLOB NOT NULL) STRICT;",
    // Turns that replace others. `place` orders a session's turns; it is computed, so that no row had to be written anew.
    // The current turns have an index of their own: it serves contexts and histories without a look at the others.
    "ALTER TABLE turns ADD COLUMN replaces BLOB;      -- the turn whose place it was asked to take
    ALTER TABLE turns ADD COLUMN with_followers INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE turns ADD COLUMN taken_place INTEGER; -- null: its own, which is seq
    ALTER TABLE turns ADD COLUMN place INTEGER GENERATED ALWAYS AS (coalesce(taken_place, seq)) VIRTUAL;
    ALTER TABLE turns ADD COLUMN replaced_by BLOB;    -- null: it is current
    ALTER TABLE turns ADD COLUMN feedback TEXT;       -- JSON: Feedback
    DROP INDEX turns_of_session;
    CREATE INDEX turns_of_session ON turns (session, place, seq);
    CREATE INDEX current_turns ON turns (session, place, seq) WHERE replaced_by IS NULL;",
];

/// The schema that this version writes.
pub(super) fn current_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Says whether the file is one that this version may write to; changes nothing.
pub(super) fn identify(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_sqlite(path, error);
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(|error| match &error {
            rusqlite::Error::SqliteFailure(cause, _) if cause.code == ErrorCode::NotADatabase => {
                OpenError::NotADatabase { path: path.to_owned() }
            }
            _ => OpenError::from_sqlite(path, error),
        })?;
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    // Without a mark and without tables it is a new file, or one whose very first transaction was cut.
    if application != APPLICATION_ID && (application != 0 || objects != 0) {
        return Err(OpenError::OtherApplication { path: path.to_owned() });
    }
    let found = version(connection).map_err(failed)?;
    let known = current_version();
    if found > known {
        return Err(OpenError::NewerVersion { path: path.to_owned(), found, known });
    }
    Ok(())
}

/// Brings the file to the current schema. Each step is one transaction, so a crash leaves a file of some version.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let from = version(connection)?;
    for (sql, to) in MIGRATIONS.iter().zip(1i64..).filter(|(_, to)| *to > from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
