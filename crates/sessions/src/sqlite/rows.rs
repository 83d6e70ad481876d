//! Rows and the types that they stand for.

use std::time::Duration;

use hitesh_domain::{
    Content, Outcome, Owner, PersonaId, ProviderId, Replaces, SessionId, Source, Transcript, TurnId, TurnInfo,
};
use rusqlite::{Row, types::FromSql};
use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use super::failure::Failure;
use super::statements::CLAIM_LIFE;
use crate::{Claim, ContextTurn, NewTurn, StoreError, StoredTurn, transfer::ClaimRecord};

/// The columns that [`stored_turn`] reads, of `turns` joined with `sessions`.
pub(super) const STORED_TURN: &str = "turns.turn, sessions.session, persona, provider, model, source, started_at, \
                                      question, notes, outcome, partial, replaces, with_followers, replaced_by, feedback";

/// A [`NewTurn`] in its stored form, made on the caller's thread so that the one writer has less to do.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) owner: Owner,
    pub(super) info: TurnInfo,
    pub(super) started_at: i64,
    pub(super) question: Content,
    pub(super) notes: String,
}

impl TryFrom<NewTurn> for NewRow {
    type Error = StoreError;

    fn try_from(turn: NewTurn) -> Result<Self, StoreError> {
        let NewTurn { owner, info, question, notes } = turn;
        let started_at = nanos(info.started_at)?;
        Ok(Self { owner, started_at, question, notes: json(&notes)?, info })
    }
}

/// An [`Outcome`] in its stored form.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) outcome: String,
    pub(super) has_output: bool,
}

impl TryFrom<&Outcome> for Ending {
    type Error = StoreError;

    fn try_from(outcome: &Outcome) -> Result<Self, StoreError> {
        Ok(Self { has_output: !outcome.transcript.output().is_empty(), outcome: json(outcome)? })
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid { reason: "a value has no stored form".to_owned() })
}

/// Nanoseconds since 1970: exact, and in range until 2262.
pub(super) fn nanos(at: OffsetDateTime) -> Result<i64, StoreError> {
    i64::try_from(at.unix_timestamp_nanos())
        .map_err(|_| StoreError::Invalid { reason: "a time is out of range".to_owned() })
}

pub(super) fn stored_turn(row: &Row<'_>) -> Result<StoredTurn, Failure> {
    let info = turn_info(row)?;
    let outcome = row.get_ref("outcome")?.as_str_or_null().map_err(|_| damaged("outcome"))?;
    let partial = row.get_ref("partial")?.as_str_or_null().map_err(|_| damaged("partial"))?;
    let feedback = row.get_ref("feedback")?.as_str_or_null().map_err(|_| damaged("feedback"))?;
    Ok(StoredTurn {
        info,
        question: question(row)?,
        notes: notes(row)?,
        outcome: outcome.map(|text| parsed("outcome", text)).transpose()?,
        partial: partial.map(|text| parsed("partial", text)).transpose()?,
        alive: false,
        replaced_by: column::<Option<[u8; 16]>>(row, "replaced_by")?.map(TurnId::from_bytes),
        feedback: feedback.map(|text| parsed("feedback", text)).transpose()?,
    })
}

/// Of the columns `persona, question, notes, outcome`.
pub(super) fn context_turn(row: &Row<'_>) -> Result<ContextTurn, Failure> {
    let outcome: Outcome = parsed("outcome", text(row, "outcome")?)?;
    Ok(ContextTurn {
        persona: id(row, "persona")?,
        question: question(row)?,
        notes: notes(row)?,
        transcript: outcome.transcript,
    })
}

/// Of the columns `key, digest, turn, created_at`; none if it is bound no more.
pub(super) fn claim_record(row: &Row<'_>, now: OffsetDateTime) -> Result<Option<ClaimRecord>, Failure> {
    let created_at = i128::from(row.get::<_, i64>("created_at")?);
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(created_at).map_err(|_| damaged("created_at"))?;
    let Ok(left) = Duration::try_from(created_at + CLAIM_LIFE - now) else { return Ok(None) };
    let claim = Claim { key: id(row, "key")?, digest: column(row, "digest")?, turn: turn_id(row, "turn")? };
    Ok((!left.is_zero()).then_some(ClaimRecord { claim, left }))
}

fn turn_info(row: &Row<'_>) -> Result<TurnInfo, Failure> {
    let started_at = i128::from(row.get::<_, i64>("started_at")?);
    Ok(TurnInfo {
        turn: turn_id(row, "turn")?,
        session: id::<SessionId>(row, "session")?,
        persona: id::<PersonaId>(row, "persona")?,
        provider: id::<ProviderId>(row, "provider")?,
        model: text(row, "model")?.to_owned(),
        source: source(text(row, "source")?)?,
        started_at: OffsetDateTime::from_unix_timestamp_nanos(started_at).map_err(|_| damaged("started_at"))?,
        replaces: replaces(row)?,
        // One process has the file.
        log: None,
    })
}

/// Of the columns `replaces, with_followers`.
pub(super) fn replaces(row: &Row<'_>) -> Result<Option<Replaces>, Failure> {
    let Some(turn) = column::<Option<[u8; 16]>>(row, "replaces")? else { return Ok(None) };
    Ok(Some(Replaces { turn: TurnId::from_bytes(turn), with_followers: column(row, "with_followers")? }))
}

pub(super) fn turn_id(row: &Row<'_>, column: &'static str) -> Result<TurnId, Failure> {
    self::column(row, column).map(TurnId::from_bytes)
}

fn column<T: FromSql>(row: &Row<'_>, column: &'static str) -> Result<T, Failure> {
    row.get(column).map_err(|_| damaged(column))
}

/// A checkpoint that can't be read counts as none: it is only what a crash may take anyway.
pub(super) fn partial_or_none(stored: Option<&str>) -> Transcript {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

pub(super) fn source(text: &str) -> Result<Source, Failure> {
    [Source::Model, Source::Cache, Source::Joined]
        .into_iter()
        .find(|source| source.as_str() == text)
        .ok_or_else(|| damaged("source"))
}

fn question(row: &Row<'_>) -> Result<Content, Failure> {
    Content::try_from(text(row, "question")?).map_err(|_| damaged("question"))
}

fn notes(row: &Row<'_>) -> Result<Vec<String>, Failure> {
    parsed("notes", text(row, "notes")?)
}

pub(super) fn id<T: for<'t> TryFrom<&'t str>>(row: &Row<'_>, column: &'static str) -> Result<T, Failure> {
    T::try_from(text(row, column)?).map_err(|_| damaged(column))
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: &'static str) -> Result<&'r str, Failure> {
    row.get_ref(column)?.as_str().map_err(|_| damaged(column))
}

fn parsed<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|_| damaged(column))
}

fn damaged(column: &'static str) -> Failure {
    Failure::invalid(format!("the column {column} of a stored turn can't be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_nanoseconds() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_764_000_000_123_456_789).unwrap();
        assert_eq!(nanos(at).unwrap(), 1_764_000_000_123_456_789);
    }

    #[test]
    fn a_time_that_no_row_can_hold_is_refused() {
        assert!(matches!(nanos(time::macros::datetime!(9999-01-01 0:00 UTC)), Err(StoreError::Invalid { .. })));
    }

    #[test]
    fn every_source_is_read_as_it_was_written() {
        for written in [Source::Model, Source::Cache, Source::Joined] {
            assert_eq!(source(written.as_str()).unwrap(), written);
        }
        assert!(source("elsewhere").is_err());
    }
}
