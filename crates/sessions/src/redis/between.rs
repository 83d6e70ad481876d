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
        let mut by_home: BTreeMap<usize, Vec<TurnId>> = BTreeMap::new();
        for turn in turns {
            by_home.entry(self.places.of_turn(turn)).or_default().push(turn);
        }
        by_home.remove(&at);
        for (home, turns) in by_home {
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
        let mut freed: Vec<_> = freed.into_iter().map(|free| (at, free)).collect();
        let mut by_home: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
        for id in turns {
            if let Ok(turn) = id.parse() {
                by_home.entry(self.places.of_turn(turn)).or_default().push(id);
            }
        }
        by_home.remove(&at);
        for (home, turns) in by_home {
            let shared = self.at(home).shared();
            let mut script = shared.script(&scripts::UNPOINT);
            for turn in turns {
                script.arg(turn);
            }
            let more: Freed = shared.run(&script).await.unwrap_or_default();
            freed.extend(more.into_iter().map(|free| (home, free)));
        }
        for (from, (name, turn)) in freed {
            let place = self.places.of_name(&name);
            if place != from {
                let shared = self.at(place).shared();
                let mut script = shared.script(&scripts::UNBIND);
                script.arg(name).arg(turn);
                let _ = shared.run::<()>(&script).await;
            }
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
