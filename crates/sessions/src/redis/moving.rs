//! Sessions that come from another store.

use hitesh_domain::{Owner, SessionId};

use super::{
    RedisSessions,
    between::by_place,
    millis,
    rows::{self, ArrivingRow, Row, tag},
    scripts,
};
use crate::{
    SessionStore, StoreError,
    transfer::{ClaimRecord, SessionRecord},
};

/// Turns of one script: bounds how long it keeps the server from others.
const BATCH: usize = 100;

/// What became of a session that was to come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is here now, as it was there.
    Now,
    /// It was here already, as it is there.
    Before,
    /// There is another one of its name here, or a turn of one of its ids. Nothing was changed.
    Differs,
}

impl RedisSessions {
    /// Takes a session whose turns have all ended, unless it is here. One that was on its way when its process died is taken
    /// anew. When it returns, what is here was read back and has the digest of `record`.
    ///
    /// # Errors
    /// `Invalid` if what was written is not what is read, or a turn has not ended.
    pub async fn import(&self, record: &SessionRecord) -> Result<Moved, StoreError> {
        let expected = record.digest()?;
        let mut rows = Vec::with_capacity(record.turns.len());
        for turn in &record.turns {
            rows.push(ArrivingRow::new(turn)?);
        }
        let SessionRecord { owner, session, .. } = record;
        let (is_on_its_way, here) = self.export(owner, session).await?;
        let mut moved = Moved::Now;
        if is_on_its_way {
            self.erase(owner, session).await?;
        } else if !here.turns.is_empty() {
            if here.digest()? != expected {
                return Ok(Moved::Differs);
            }
            moved = Moved::Before;
        }
        if moved == Moved::Now {
            if !self.arrive(record, &rows).await? {
                return Ok(Moved::Differs);
            }
            let (_, here) = self.export(owner, session).await?;
            if here.digest()? != expected {
                return Err(StoreError::Invalid { reason: "a session is not read as it was written".to_owned() });
            }
        }
        self.bind_claims(record).await?;
        Ok(moved)
    }

    /// Whether it came in.
    async fn arrive(&self, record: &SessionRecord, rows: &[ArrivingRow]) -> Result<bool, StoreError> {
        let at = self.of_session(&record.owner, &record.session);
        let shared = self.at(at).shared();
        let turns: Vec<_> = record.turns.iter().map(|turn| turn.turn.info.turn).collect();
        for batch in turns.chunks(BATCH) {
            if !self.point(batch.iter().copied(), at).await? {
                return Ok(false);
            }
        }
        let batches = rows.len().div_ceil(BATCH);
        for (number, batch) in rows.chunks(BATCH).enumerate() {
            let mut script = shared.script(&scripts::IMPORT);
            script.arg(tag(&record.owner, &record.session)).arg(record.last_number());
            script.arg(rows::flag(number == 0)).arg(rows::flag(number + 1 == batches));
            batch.iter().for_each(|row| row.add_to(&mut script));
            let told: String = shared.acknowledged(&script).await?;
            if told != "ok" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn bind_claims(&self, record: &SessionRecord) -> Result<(), StoreError> {
        let named = record.claims.iter().map(|claim| (format!("{}/{}", record.owner, claim.claim.key.as_str()), claim));
        for (place, claims) in by_place(named, |(name, _)| self.places.of_name(name)) {
            let shared = self.at(place).shared();
            let mut script = shared.script(&scripts::IMPORT_CLAIMS);
            for (name, ClaimRecord { claim, left }) in &claims {
                script.arg(name).arg(rows::hex(&claim.digest)).arg(claim.turn.to_string());
                script.arg(millis(*left).max(1)).arg(rows::flag(self.places.of_turn(claim.turn) == place));
            }
            let bound: Vec<String> = shared.acknowledged(&script).await?;
            for (name, ClaimRecord { claim, left }) in &claims {
                let home = self.places.of_turn(claim.turn);
                if home != place && bound.contains(&claim.turn.to_string()) {
                    self.claimed(home, name, claim.turn, *left).await?;
                }
            }
        }
        Ok(())
    }

    /// A session as it is here, without claims, and whether it is only on its way in.
    async fn export(&self, owner: &Owner, session: &SessionId) -> Result<(bool, SessionRecord), StoreError> {
        let shared = self.at(self.of_session(owner, session)).shared();
        let mut script = shared.script(&scripts::EXPORT);
        script.arg(tag(owner, session));
        let (is_on_its_way, found): (bool, Vec<(Row, i64, i64)>) = shared.run(&script).await?;
        let turns = found.into_iter().map(|(row, order, place)| Ok((rows::stored_turn(row)?, order, place)));
        let turns = turns.collect::<Result<_, StoreError>>()?;
        Ok((is_on_its_way, SessionRecord::new(owner.clone(), session.clone(), turns, Vec::new())))
    }
}
