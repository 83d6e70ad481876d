//! One session as no backend owns it: how sessions move from one store to another.

use std::{collections::BTreeSet, time::Duration};

use hitesh_domain::{Owner, SessionId};
use serde::Serialize;

use crate::{Claim, StoreError, StoredTurn};

/// A session with all its turns, replaced ones too, in the order in which they began.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRecord {
    /// Whose it is.
    pub owner: Owner,
    /// Its id.
    pub session: SessionId,
    /// Its turns; all have ended.
    pub turns: Vec<TurnRecord>,
    /// Idempotency keys that are bound to one of them.
    pub claims: Vec<ClaimRecord>,
}

/// A turn and where it stands. Numbers are of this session, from 1, and only their order means something.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnRecord {
    /// The turn.
    pub turn: StoredTurn,
    /// When it began among the others.
    pub order: u64,
    /// Its place: the order of the first turn that stood there, which may be no more.
    pub place: u64,
}

/// An idempotency key.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRecord {
    /// The key, and what it is bound to.
    pub claim: Claim,
    /// For how long it still is.
    pub left: Duration,
}

impl SessionRecord {
    /// Of a store's own numbers: turns with order and place.
    pub(crate) fn new(
        owner: Owner,
        session: SessionId,
        turns: Vec<(StoredTurn, i64, i64)>,
        claims: Vec<ClaimRecord>,
    ) -> Self {
        let numbers: BTreeSet<i64> = turns.iter().flat_map(|(_, order, place)| [*order, *place]).collect();
        let rank = |number: i64| numbers.range(..=number).count() as u64;
        let mut turns: Vec<_> = turns
            .into_iter()
            .map(|(turn, order, place)| TurnRecord { turn, order: rank(order), place: rank(place) })
            .collect();
        turns.sort_by_key(|turn| turn.order);
        Self { owner, session, turns, claims }
    }

    /// The number after which new turns come.
    #[cfg(feature = "redis")]
    pub(crate) fn last_number(&self) -> u64 {
        self.turns.iter().flat_map(|turn| [turn.order, turn.place]).max().unwrap_or(0)
    }

    /// A digest of all that is promised to stay: everything but claims, whose time runs, and what is true of a process only.
    ///
    /// # Errors
    /// If a value has no stored form.
    pub fn digest(&self) -> Result<[u8; 32], StoreError> {
        let Self { owner, session, turns, claims: _ } = self;
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(owner.as_str().as_bytes());
        part(session.as_str().as_bytes());
        for TurnRecord { turn, order, place } in turns {
            let StoredTurn { info, question, notes, outcome, partial: _, alive: _, replaced_by, feedback } = turn;
            // Where its generation was logged means nothing any more.
            let info = hitesh_domain::TurnInfo { log: None, ..info.clone() };
            part(&json(&info)?);
            part(question.as_str().as_bytes());
            for value in [json(notes)?, json(outcome)?, json(replaced_by)?, json(feedback)?] {
                part(&value);
            }
            part(&order.to_le_bytes());
            part(&place.to_le_bytes());
        }
        Ok(hasher.finalize().into())
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|_| StoreError::Invalid { reason: "a value has no stored form".to_owned() })
}
