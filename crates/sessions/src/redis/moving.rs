//! Sessions that come from another store.

use hitesh_domain::{Owner, SessionId};

use super::{
    RedisSessions, millis,
    rows::{self, ArrivingRow, Row, tag},
    scripts,
};
use crate::{
    StoreError,
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
        let (is_on_its_way, here) = self.export(&record.owner, &record.session).await?;
        let mut moved = Moved::Now;
        if is_on_its_way {
            let mut erase = self.shared.script(&scripts::ERASE);
            erase.arg(tag(&record.owner, &record.session));
            self.shared.acknowledged::<bool>(&erase).await?;
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
            let (_, here) = self.export(&record.owner, &record.session).await?;
            if here.digest()? != expected {
                return Err(StoreError::Invalid { reason: "a session is not read as it was written".to_owned() });
            }
        }
        self.bind_claims(record).await?;
        Ok(moved)
    }

    /// Whether it came in.
    async fn arrive(&self, record: &SessionRecord, rows: &[ArrivingRow]) -> Result<bool, StoreError> {
        let batches = rows.len().div_ceil(BATCH);
        for (number, batch) in rows.chunks(BATCH).enumerate() {
            let mut script = self.shared.script(&scripts::IMPORT);
            script.arg(tag(&record.owner, &record.session)).arg(record.last_number());
            script.arg(rows::flag(number == 0)).arg(rows::flag(number + 1 == batches));
            batch.iter().for_each(|row| row.add_to(&mut script));
            let told: String = self.shared.acknowledged(&script).await?;
            if told != "ok" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn bind_claims(&self, record: &SessionRecord) -> Result<(), StoreError> {
        if record.claims.is_empty() {
            return Ok(());
        }
        let mut script = self.shared.script(&scripts::IMPORT_CLAIMS);
        for ClaimRecord { claim, left } in &record.claims {
            script.arg(format!("{}/{}", record.owner, claim.key.as_str())).arg(rows::hex(&claim.digest));
            script.arg(claim.turn.to_string()).arg(millis(*left).max(1));
        }
        self.shared.acknowledged::<u64>(&script).await?;
        Ok(())
    }

    /// A session as it is here, without claims, and whether it is only on its way in.
    async fn export(&self, owner: &Owner, session: &SessionId) -> Result<(bool, SessionRecord), StoreError> {
        let mut script = self.shared.script(&scripts::EXPORT);
        script.arg(tag(owner, session));
        let (is_on_its_way, found): (bool, Vec<(Row, i64, i64)>) = self.shared.run(&script).await?;
        let turns = found.into_iter().map(|(row, order, place)| Ok((rows::stored_turn(row)?, order, place)));
        let turns = turns.collect::<Result<_, StoreError>>()?;
        Ok((is_on_its_way, SessionRecord::new(owner.clone(), session.clone(), turns, Vec::new())))
    }
}
