//! What one partition knows of turns that are in another: where a turn is whose id points elsewhere, and idempotency keys, which
//! are in the partition of their own names.

use std::{collections::BTreeMap, time::Duration};

use hitesh_domain::{Owner, TurnId};

use super::{
    RedisSessions, millis,
    partition::{Freed, Partition, id_or_none},
    places::Places,
    rows, scripts,
};
use crate::{Claim, StoreError};

/// How long an idempotency key is bound.
const CLAIM_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

impl RedisSessions {
    /// The partition of a turn that is not where its id points to, if there is such a turn.
    pub(super) async fn elsewhere(&self, turn: TurnId) -> Result<Option<&Partition>, StoreError> {
        if self.places == Places::One {
            return Ok(None);
        }
        let shared = self.at(self.places.of_turn(turn)).shared();
        let mut script = shared.script(&scripts::POINTED);
        script.arg(turn.to_string());
        let place: Option<usize> = shared.run(&script).await?;
        Ok(place.and_then(|place| self.partitions.get(place)))
    }

    /// Makes turns that are to be in the partition `at` found by their ids. Whether none of these is another turn's.
    pub(super) async fn point(&self, turns: impl IntoIterator<Item = TurnId>, at: usize) -> Result<bool, StoreError> {
        for (home, turns) in by_place(turns, |turn| self.places.of_turn(*turn)) {
            if home == at {
                continue;
            }
            let shared = self.at(home).shared();
            let mut script = shared.script(&scripts::POINT);
            script.arg(at);
            for turn in &turns {
                script.arg(turn.to_string());
            }
            if !shared.acknowledged::<bool>(&script).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes away what turns that were forgotten in the partition `at` left in others. What can't be reached now is a number that
    /// nobody asks for, or a key that is free after its day.
    pub(super) async fn tidy(&self, at: usize, freed: Freed, turns: &[String]) {
        if self.places == Places::One {
            return;
        }
        let mut freed = freed;
        let turns = turns.iter().filter_map(|id| id.parse::<TurnId>().ok());
        for (home, turns) in by_place(turns, |turn| self.places.of_turn(*turn)) {
            if home == at {
                continue;
            }
            let shared = self.at(home).shared();
            let mut script = shared.script(&scripts::UNPOINT);
            for turn in &turns {
                script.arg(turn.to_string());
            }
            freed.extend(shared.run::<Freed>(&script).await.unwrap_or_default());
        }
        for (place, freed) in by_place(freed, |(name, _)| self.places.of_name(name)) {
            let shared = self.at(place).shared();
            let mut script = shared.script(&scripts::UNBIND);
            for (name, turn) in &freed {
                script.arg(name).arg(turn);
            }
            let _ = shared.run::<()>(&script).await;
        }
    }

    pub(super) async fn bind(&self, owner: &Owner, claim: Claim, from: Option<TurnId>) -> Result<Claim, StoreError> {
        let name = format!("{owner}/{}", claim.key.as_str());
        let (turn, place, home) = (claim.turn, self.places.of_name(&name), self.places.of_turn(claim.turn));
        let shared = self.at(place).shared();
        let mut script = shared.script(&scripts::CLAIM);
        script.arg(shared.lease_ms()).arg(millis(CLAIM_LIFE)).arg(&name).arg(rows::hex(&claim.digest));
        script.arg(turn.to_string()).arg(id_or_none(from)).arg(rows::flag(place == home));
        let bound: String = shared.acknowledged(&script).await?;
        let bound = rows::bound_claim(claim, &bound)?;
        if place != home && bound.turn == turn {
            self.claimed(home, &name, turn, CLAIM_LIFE).await?;
        }
        Ok(bound)
    }

    /// Tells the partition that a turn's id points to that the turn has a key, which is bound in another one.
    pub(super) async fn claimed(
        &self,
        home: usize,
        name: &str,
        turn: TurnId,
        life: Duration,
    ) -> Result<(), StoreError> {
        let shared = self.at(home).shared();
        let mut script = shared.script(&scripts::CLAIMED);
        script.arg(shared.lease_ms()).arg(millis(life).max(1)).arg(name).arg(turn.to_string());
        Ok(shared.acknowledged(&script).await?)
    }
}

/// The items of each place together.
pub(super) fn by_place<T>(items: impl IntoIterator<Item = T>, place: impl Fn(&T) -> usize) -> BTreeMap<usize, Vec<T>> {
    let mut by_place: BTreeMap<usize, Vec<T>> = BTreeMap::new();
    for item in items {
        by_place.entry(place(&item)).or_default().push(item);
    }
    by_place
}
