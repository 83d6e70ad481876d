//! What is kept of a turn, and the types that it stands for.

use hitesh_domain::{Content, Outcome, Owner, SessionId, Transcript, TurnId, TurnInfo};
use hitesh_redis::ScriptInvocation;
use serde::{Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use crate::{Claim, ContextTurn, NewTurn, StoreError, StoredTurn, transfer::TurnRecord};

/// A turn as `stored` of the scripts gives it: info, question, notes, outcome, partial, replaced_by, feedback, and
/// whether another instance has it open.
pub(super) type Row = (String, String, String, Option<String>, Option<String>, Option<String>, Option<String>, u8);

/// Of a turn in a context: info, question, notes, outcome.
pub(super) type ContextRow = (String, String, String, String);

/// A session's name in the keys: neither an owner nor a session id has a slash.
pub(super) fn tag(owner: &Owner, session: &SessionId) -> String {
    format!("{owner}/{session}")
}

/// A new turn in the form that `insert` of the scripts takes.
#[derive(Debug)]
pub(super) struct NewRow {
    tag: String,
    pub(super) info: TurnInfo,
    stored_info: String,
    question: Content,
    notes: String,
    started_us: i64,
    replaces: String,
    with_followers: bool,
    ending: Option<Ending>,
}

/// An [`Outcome`] in its stored form.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) outcome: String,
    pub(super) has_output: bool,
}

impl NewRow {
    pub(super) fn new(turn: NewTurn, outcome: Option<&Outcome>) -> Result<Self, StoreError> {
        let NewTurn { owner, info, question, notes } = turn;
        Ok(Self {
            tag: tag(&owner, &info.session),
            question,
            notes: json(&notes)?,
            started_us: micros(info.started_at)?,
            replaces: info.replaces.map(|replaces| replaces.turn.to_string()).unwrap_or_default(),
            with_followers: info.replaces.is_some_and(|replaces| replaces.with_followers),
            stored_info: json(&info)?,
            info,
            ending: outcome.map(Ending::try_from).transpose()?,
        })
    }

    pub(super) fn add_to(&self, script: &mut ScriptInvocation<'_>) {
        script
            .arg(&self.tag)
            .arg(self.info.turn.to_string())
            .arg(&self.stored_info)
            .arg(self.question.as_str())
            .arg(&self.notes);
        script.arg(self.started_us).arg(&self.replaces).arg(flag(self.with_followers));
        let (outcome, output) = self.ending.as_ref().map_or(("", ""), |end| (&*end.outcome, flag(end.has_output)));
        script.arg(outcome).arg(output);
    }
}

/// A turn of another store in the form that `import` of the scripts takes.
#[derive(Debug)]
pub(super) struct ArrivingRow {
    id: String,
    info: String,
    question: Content,
    notes: String,
    started_us: i64,
    order: u64,
    place: u64,
    replaces: String,
    with_followers: bool,
    ending: Ending,
    replaced_by: String,
    feedback: String,
}

impl ArrivingRow {
    pub(super) fn new(record: &TurnRecord) -> Result<Self, StoreError> {
        let TurnRecord { turn, order, place } = record;
        let open = || StoreError::Invalid { reason: "a turn that has not ended can't be moved".to_owned() };
        Ok(Self {
            id: turn.info.turn.to_string(),
            info: json(&turn.info)?,
            question: turn.question.clone(),
            notes: json(&turn.notes)?,
            started_us: micros(turn.info.started_at)?,
            order: *order,
            place: *place,
            replaces: turn.info.replaces.map(|replaces| replaces.turn.to_string()).unwrap_or_default(),
            with_followers: turn.info.replaces.is_some_and(|replaces| replaces.with_followers),
            ending: Ending::try_from(turn.outcome.as_ref().ok_or_else(open)?)?,
            replaced_by: turn.replaced_by.map(|turn| turn.to_string()).unwrap_or_default(),
            feedback: turn.feedback.as_ref().map(json).transpose()?.unwrap_or_default(),
        })
    }

    pub(super) fn add_to(&self, script: &mut ScriptInvocation<'_>) {
        script.arg(&self.id).arg(&self.info).arg(self.question.as_str()).arg(&self.notes).arg(self.started_us);
        script.arg(self.order).arg(self.place).arg(&self.replaces).arg(flag(self.with_followers));
        script.arg(&self.ending.outcome).arg(flag(self.ending.has_output)).arg(&self.replaced_by).arg(&self.feedback);
    }
}

impl TryFrom<&Outcome> for Ending {
    type Error = StoreError;

    fn try_from(outcome: &Outcome) -> Result<Self, StoreError> {
        Ok(Self { has_output: !outcome.transcript.output().is_empty(), outcome: json(outcome)? })
    }
}

/// How scripts are told yes and no.
pub(super) fn flag(yes: bool) -> &'static str {
    if yes { "1" } else { "" }
}

pub(super) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid { reason: "a value has no stored form".to_owned() })
}

/// Microseconds since 1970: what the score of a sorted set holds exactly, until 2255.
pub(super) fn micros(at: OffsetDateTime) -> Result<i64, StoreError> {
    let micros = i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).ok();
    let exact = micros.filter(|micros| micros.unsigned_abs() < 1 << 53);
    exact.ok_or_else(|| StoreError::Invalid { reason: "a time is out of range".to_owned() })
}

pub(super) fn stored_turn(row: Row) -> Result<StoredTurn, StoreError> {
    let (info, question, notes, outcome, partial, replaced_by, feedback, alive) = row;
    Ok(StoredTurn {
        info: parsed("info", &info)?,
        question: content(question)?,
        notes: parsed("notes", &notes)?,
        outcome: outcome.map(|text| parsed("outcome", &text)).transpose()?,
        partial: partial.map(|text| parsed("partial", &text)).transpose()?,
        replaced_by: replaced_by.map(|text| turn_id("replaced_by", &text)).transpose()?,
        feedback: feedback.map(|text| parsed("feedback", &text)).transpose()?,
        alive: alive == 1,
    })
}

pub(super) fn context_turn(row: ContextRow) -> Result<ContextTurn, StoreError> {
    let (info, question, notes, outcome) = row;
    Ok(ContextTurn {
        persona: parsed::<TurnInfo>("info", &info)?.persona,
        question: content(question)?,
        notes: parsed("notes", &notes)?,
        transcript: parsed::<Outcome>("outcome", &outcome)?.transcript,
    })
}

/// A checkpoint that can't be read counts as none: it is only what a crash may take anyway.
pub(super) fn partial_or_none(stored: Option<&str>) -> Transcript {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// A key's digest in hex, and the turn that it is bound to.
pub(super) fn bound_claim(claim: Claim, bound: &str) -> Result<Claim, StoreError> {
    let (digest, turn) = bound.split_at_checked(64).ok_or_else(|| damaged("claim"))?;
    let digest = from_hex(digest).ok_or_else(|| damaged("claim"))?;
    Ok(Claim { digest, turn: turn_id("claim", turn)?, ..claim })
}

pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

pub(super) fn turn_id(field: &'static str, text: &str) -> Result<TurnId, StoreError> {
    text.parse().map_err(|_| damaged(field))
}

fn content(text: String) -> Result<Content, StoreError> {
    Content::try_from(text).map_err(|_| damaged("question"))
}

pub(super) fn parsed<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| damaged(field))
}

fn damaged(field: &'static str) -> StoreError {
    StoreError::Invalid { reason: format!("the field {field} of a stored turn can't be read") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_its_hex_form() {
        let digest = std::array::from_fn(|index| u8::try_from(index * 8).unwrap());
        assert_eq!(from_hex(&hex(&digest)), Some(digest));
        assert_eq!(from_hex("+1"), None);
    }

    #[test]
    fn a_time_that_no_score_holds_exactly_is_refused() {
        assert!(micros(time::macros::datetime!(2255-01-01 0:00 UTC)).is_ok());
        assert!(matches!(micros(time::macros::datetime!(2256-01-01 0:00 UTC)), Err(StoreError::Invalid { .. })));
    }
}
