//! What the writer does to the file, one function each. They run inside a savepoint: an error takes back all of it.

use hitesh_domain::{End, IncompleteReason, Outcome, Owner, ProviderId, SessionId, TurnId};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use time::{Duration, OffsetDateTime};

use super::{
    failure::Failure,
    rows::{self, Ending, NewRow},
};
use crate::{Claim, StoreError};

/// How long an idempotency key is bound.
pub(super) const CLAIM_LIFE: Duration = Duration::hours(24);

/// Rows that one step of a sweep takes: about 7 ms for turns of 4 kB, so that nobody waits long behind it.
const SWEEP_ROWS: u32 = 100;

/// What statements changed in the figures, counted only once it is on disk.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) sessions: i64,
    pub(super) turns: i64,
    /// Something was erased that should soon leave the write-ahead log too.
    pub(super) erased: bool,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.turns = self.turns.saturating_add(other.turns);
        self.erased |= other.erased;
    }

    fn forget(&mut self, sessions: usize, turns: usize) {
        self.sessions = self.sessions.saturating_sub_unsigned(sessions as u64);
        self.turns = self.turns.saturating_sub_unsigned(turns as u64);
    }
}

/// What one step of a sweep did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swept {
    pub(super) turns: u64,
    /// There may be more.
    pub(super) more: bool,
}

pub(super) fn begin(db: &Connection, tally: &mut Tally, row: &NewRow) -> Result<(), Failure> {
    insert(db, tally, row, None)
}

pub(super) fn record(db: &Connection, tally: &mut Tally, row: &NewRow, ending: &Ending) -> Result<(), Failure> {
    insert(db, tally, row, Some(ending))
}

fn insert(db: &Connection, tally: &mut Tally, row: &NewRow, ending: Option<&Ending>) -> Result<(), Failure> {
    let info = &row.info;
    let known = session_id(db, &row.owner, &info.session)?;
    let place = info.replaces.map(|replaces| place_of(db, known, replaces.turn)).transpose()?;
    let session = match known {
        Some(session) => session,
        None => {
            db.prepare_cached("INSERT INTO sessions (owner, session) VALUES (?, ?)")?
                .execute([row.owner.as_str(), info.session.as_str()])?;
            tally.sessions = tally.sessions.saturating_add(1);
            db.last_insert_rowid()
        }
    };
    db.prepare_cached(
        "INSERT INTO turns (turn, session, persona, provider, model, source, started_at, question, notes, has_output,
             outcome, replaces, with_followers, taken_place)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        info.turn.as_bytes(),
        session,
        info.persona.as_str(),
        info.provider.as_str(),
        info.model,
        info.source.as_str(),
        row.started_at,
        row.question.as_str(),
        row.notes,
        ending.is_some_and(|ending| ending.has_output),
        ending.map(|ending| &ending.outcome),
        info.replaces.as_ref().map(|replaces| replaces.turn.as_bytes()),
        info.replaces.is_some_and(|replaces| replaces.with_followers),
        place,
    ])
    .map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Failure::invalid("there is a turn of this id already"),
        _ => error.into(),
    })?;
    tally.turns = tally.turns.saturating_add(1);
    ending.map_or(Ok(()), |ending| decide(db, info.turn, ending.has_output))
}

fn place_of(db: &Connection, session: Option<i64>, turn: TurnId) -> Result<i64, Failure> {
    db.prepare_cached("SELECT place FROM turns WHERE turn = ? AND session = ?")?
        .query_row(params![turn.as_bytes(), session], |row| row.get("place"))
        .optional()?
        .ok_or_else(|| Failure::invalid("the session has no such turn to replace"))
}

/// What the end of a turn means for those that it is to replace, if it is to replace any. One that was replaced while it
/// was open means nothing to them.
fn decide(db: &Connection, turn: TurnId, has_output: bool) -> Result<(), Failure> {
    let decided = match has_output {
        // An open turn at the same place is another replacement, whose own end decides about it.
        true => {
            "UPDATE turns SET replaced_by = new.turn
             FROM (SELECT turn, seq, session, place, with_followers FROM turns
                 WHERE turn = ? AND replaces IS NOT NULL AND replaced_by IS NULL) AS new
             WHERE turns.session = new.session AND turns.place >= new.place AND turns.replaced_by IS NULL
                 AND turns.seq <> new.seq
                 AND CASE turns.place WHEN new.place THEN turns.outcome IS NOT NULL
                     ELSE new.with_followers AND turns.seq < new.seq END"
        }
        false => {
            "UPDATE turns SET replaced_by = replaces WHERE turn = ? AND replaces IS NOT NULL AND replaced_by IS NULL"
        }
    };
    db.prepare_cached(decided)?.execute([turn.as_bytes()])?;
    Ok(())
}

/// Changes nothing if the turn ended before, or was erased.
pub(super) fn finish(db: &Connection, turn: TurnId, ending: &Ending) -> Result<(), Failure> {
    let ended = db
        .prepare_cached(
            "UPDATE turns SET outcome = ?2, has_output = ?3, partial = NULL WHERE turn = ?1 AND outcome IS NULL",
        )?
        .execute(params![turn.as_bytes(), ending.outcome, ending.has_output])?;
    if ended == 0 { Ok(()) } else { decide(db, turn, ending.has_output) }
}

/// False if there is no such ended turn.
pub(super) fn feedback(db: &Connection, owner: &Owner, turn: TurnId, feedback: Option<&str>) -> Result<bool, Failure> {
    let changed = db
        .prepare_cached(
            "UPDATE turns SET feedback = ?3 WHERE turn = ?2 AND outcome IS NOT NULL
                 AND session IN (SELECT id FROM sessions WHERE owner = ?1)",
        )?
        .execute(params![owner.as_str(), turn.as_bytes(), feedback])?;
    Ok(changed > 0)
}

/// Changes nothing if the turn ended before, or was erased.
pub(super) fn checkpoint(db: &Connection, turn: TurnId, partial: &str) -> Result<(), Failure> {
    db.prepare_cached("UPDATE turns SET partial = ?2 WHERE turn = ?1 AND outcome IS NULL")?
        .execute(params![turn.as_bytes(), partial])?;
    Ok(())
}

pub(super) fn erase(db: &Connection, tally: &mut Tally, owner: &Owner, session: &SessionId) -> Result<bool, Failure> {
    let Some(session) = session_id(db, owner, session)? else { return Ok(false) };
    db.prepare_cached("DELETE FROM claims WHERE turn IN (SELECT turn FROM turns WHERE session = ?)")?
        .execute([session])?;
    let turns = db.prepare_cached("DELETE FROM turns WHERE session = ?")?.execute([session])?;
    let sessions = db.prepare_cached("DELETE FROM sessions WHERE id = ?")?.execute([session])?;
    tally.forget(sessions, turns);
    tally.erased = true;
    Ok(true)
}

pub(super) fn claim(db: &Connection, owner: &Owner, claim: &Claim, now: OffsetDateTime) -> Result<Claim, Failure> {
    let now = stored_time(now)?;
    let bound = db
        .prepare_cached("SELECT digest, turn FROM claims WHERE owner = ? AND key = ? AND created_at > ?")?
        .query_row(params![owner.as_str(), claim.key.as_str(), now.saturating_sub(claim_life())], |row| {
            Ok((row.get::<_, [u8; 32]>("digest")?, row.get::<_, [u8; 16]>("turn")?))
        })
        .optional()?;
    if let Some((digest, turn)) = bound {
        return Ok(Claim { key: claim.key.clone(), digest, turn: TurnId::from_bytes(turn) });
    }
    db.prepare_cached("INSERT OR REPLACE INTO claims (owner, key, digest, turn, created_at) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![owner.as_str(), claim.key.as_str(), claim.digest, claim.turn.as_bytes(), now])?;
    Ok(claim.clone())
}

pub(super) fn rebind(
    db: &Connection,
    owner: &Owner,
    bound: Claim,
    to: TurnId,
    now: OffsetDateTime,
) -> Result<Claim, Failure> {
    db.prepare_cached("DELETE FROM claims WHERE owner = ? AND key = ? AND turn = ?")?.execute(params![
        owner.as_str(),
        bound.key.as_str(),
        bound.turn.as_bytes()
    ])?;
    claim(db, owner, &Claim { turn: to, ..bound }, now)
}

pub(super) fn recover(db: &Connection, now: OffsetDateTime) -> Result<u64, Failure> {
    let mut ended = 0;
    let mut left =
        db.prepare("SELECT turn, provider, model, source, partial FROM turns WHERE outcome IS NULL ORDER BY seq")?;
    let mut open = left.query([])?;
    let mut endings = Vec::new();
    while let Some(row) = open.next()? {
        let outcome = Outcome {
            end: End::Incomplete(IncompleteReason::Crashed),
            transcript: rows::partial_or_none(row.get_ref("partial")?.as_str_or_null().ok().flatten()),
            source: rows::source(rows::text(row, "source")?)?,
            provider: rows::id::<ProviderId>(row, "provider")?,
            model: rows::text(row, "model")?.to_owned(),
            ended_at: now,
        };
        endings.push((rows::turn_id(row, "turn")?, Ending::try_from(&outcome).map_err(invalid)?));
    }
    for (turn, ending) in endings {
        finish(db, turn, &ending)?;
        ended += 1;
    }
    // A process died between `claim` and `begin`: nothing will ever answer for these.
    db.execute("DELETE FROM claims WHERE NOT EXISTS (SELECT 1 FROM turns WHERE turns.turn = claims.turn)", [])?;
    Ok(ended)
}

/// One step; the caller goes on while there is more, so that others get their turn in between.
pub(super) fn sweep(
    db: &Connection,
    tally: &mut Tally,
    older_than: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Swept, Failure> {
    let old = db
        .prepare_cached(
            "SELECT seq, session FROM turns WHERE started_at < ? AND outcome IS NOT NULL ORDER BY started_at LIMIT ?",
        )?
        .query_map(params![stored_time(older_than)?, SWEEP_ROWS], |row| {
            Ok((row.get::<_, i64>("seq")?, row.get::<_, i64>("session")?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut forget_claims =
        db.prepare_cached("DELETE FROM claims WHERE turn = (SELECT turn FROM turns WHERE seq = ?)")?;
    let mut forget_turn = db.prepare_cached("DELETE FROM turns WHERE seq = ?")?;
    let mut forget_session = db
        .prepare_cached("DELETE FROM sessions WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM turns WHERE session = ?1)")?;
    for (seq, session) in &old {
        forget_claims.execute([seq])?;
        let turns = forget_turn.execute([seq])?;
        let sessions = forget_session.execute([session])?;
        tally.forget(sessions, turns);
    }
    let claims = db
        .prepare_cached(
            "DELETE FROM claims WHERE (owner, key) IN (SELECT owner, key FROM claims WHERE created_at <= ? LIMIT ?)",
        )?
        .execute(params![stored_time(now)?.saturating_sub(claim_life()), SWEEP_ROWS])?;
    let full = |rows: usize| rows as u64 >= u64::from(SWEEP_ROWS);
    Ok(Swept { turns: old.len() as u64, more: full(old.len()) || full(claims) })
}

/// Needs a few free pages and a commit, as real work does, and leaves nothing behind.
pub(super) fn probe(db: &Connection) -> Result<(), Failure> {
    db.execute("INSERT INTO probe (filler) VALUES (zeroblob(65536))", [])?;
    db.execute("DELETE FROM probe", [])?;
    Ok(())
}

pub(super) fn session_id(db: &Connection, owner: &Owner, session: &SessionId) -> Result<Option<i64>, Failure> {
    Ok(db
        .prepare_cached("SELECT id FROM sessions WHERE owner = ? AND session = ?")?
        .query_row([owner.as_str(), session.as_str()], |row| row.get("id"))
        .optional()?)
}

fn stored_time(at: OffsetDateTime) -> Result<i64, Failure> {
    rows::nanos(at).map_err(invalid)
}

fn claim_life() -> i64 {
    i64::try_from(CLAIM_LIFE.whole_nanoseconds()).unwrap_or(i64::MAX)
}

fn invalid(error: StoreError) -> Failure {
    Failure::invalid(error.to_string())
}
