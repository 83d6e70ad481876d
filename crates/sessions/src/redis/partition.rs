//! Sessions that are all in one slot of a cluster, so that a script can touch any of them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use hitesh_domain::{Feedback, Outcome, Owner, SessionId, Transcript, TurnId};
use hitesh_redis::{FromRedisValue, Link, LinkError, Script, ScriptInvocation};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{
    instance::{self, Doubtful},
    millis,
    rows::{self, ContextRow, Ending, NewRow, Row, tag},
    scripts,
    writer::{self, Begin},
};
use crate::{Context, Durable, NewTurn, Orphan, Page, StoreError, StoredTurn};

/// The most turns that a script is asked for.
const MOST: usize = 1 << 31;

/// An idempotency key, as owner and key, and the turn that it was bound to.
pub(super) type Freed = Vec<(String, String)>;

/// What a script that forgets turns says: of how many sessions or turns, the keys that were bound to them, and they
/// themselves.
pub(super) type Forgotten = (u64, Freed, Vec<String>);

#[derive(Debug)]
pub(super) struct Partition {
    shared: Arc<Shared>,
    /// None once it is closed: the writer ends when it has done what was queued.
    begins: Mutex<Option<mpsc::Sender<Begin>>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: Arc<Link>,
    pub(super) prefix: String,
    pub(super) instance: String,
    pub(super) lease: Duration,
    pub(super) grace: Duration,
    pub(super) missing: Mutex<HashMap<String, Instant>>,
    /// Turns that were acknowledged and have not ended: a server that does not know them has lost them.
    pub(super) begun: Mutex<HashSet<TurnId>>,
    pub(super) doubtful: Mutex<Vec<Doubtful>>,
}

impl Partition {
    /// It, and what its writer has to do.
    pub(super) fn new(shared: Arc<Shared>, queue: usize) -> (Self, mpsc::Receiver<Begin>) {
        let (begins, queue) = mpsc::channel(queue.max(1));
        (Self { shared, begins: Mutex::new(Some(begins)) }, queue)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether this instance has the turn open here.
    pub(super) fn has_open(&self, turn: TurnId) -> bool {
        self.shared.begun.lock().contains(&turn)
    }

    pub(super) async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError> {
        let mut script = self.shared.script(&scripts::CONTEXT);
        script.arg(tag(owner, session)).arg(turns.min(MOST)).arg(id_or_none(before));
        let (open_elsewhere, last_first): (usize, Vec<ContextRow>) = self.shared.run(&script).await?;
        let turns = last_first.into_iter().rev().map(rows::context_turn).collect::<Result<_, _>>()?;
        Ok(Context { turns, open_elsewhere })
    }

    pub(super) fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError> {
        let (done, begun) = oneshot::channel();
        let begin = Begin { row: NewRow::new(turn, None)?, done };
        self.begins.lock().as_ref().ok_or_else(closed)?.try_send(begin).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Unavailable { reason: "too many turns wait for Redis".to_owned() },
            TrySendError::Closed(_) => closed(),
        })?;
        Ok(async move { begun.await.unwrap_or_else(|_| Err(closed())) }.boxed())
    }

    pub(super) async fn checkpoint(&self, turn: TurnId, partial: &Transcript) -> Result<(), StoreError> {
        let mut script = self.shared.script(&scripts::CHECKPOINT);
        script.arg(turn.to_string()).arg(rows::json(partial)?);
        self.shared.run(&script).await
    }

    pub(super) async fn finish(&self, turn: TurnId, outcome: &Outcome) -> Result<(), StoreError> {
        let told = self.shared.finish(turn, &Ending::try_from(outcome)?, &self.shared.instance).await?;
        let told = match told.as_str() {
            "none" if self.has_open(turn) => {
                Err(StoreError::Invalid { reason: "the server no longer has the turn".to_owned() })
            }
            "ok" | "ended" | "erased" | "none" => Ok(()),
            _ => Err(StoreError::Invalid { reason: "another instance has ended the turn".to_owned() }),
        };
        self.shared.begun.lock().remove(&turn);
        told
    }

    pub(super) async fn record(&self, turn: NewTurn, outcome: &Outcome) -> Result<(), StoreError> {
        let row = NewRow::new(turn, Some(outcome))?;
        writer::insert(&self.shared, &[&row]).await?.pop().unwrap_or(Ok(()))
    }

    pub(super) async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError> {
        let mut script = self.shared.script(&scripts::TURN);
        script.arg(owner.as_str()).arg(turn.to_string());
        let mut found: Vec<Row> = self.shared.run(&script).await?;
        found.pop().map(rows::stored_turn).transpose()
    }

    pub(super) async fn history(
        &self,
        owner: &Owner,
        session: &SessionId,
        page: Page,
    ) -> Result<Vec<StoredTurn>, StoreError> {
        let mut script = self.shared.script(&scripts::HISTORY);
        script.arg(tag(owner, session)).arg(page.limit.min(MOST)).arg(id_or_none(page.before));
        script.arg(rows::flag(page.replaced));
        let found: Vec<Row> = self.shared.run(&script).await?;
        found.into_iter().map(rows::stored_turn).collect()
    }

    pub(super) async fn feedback(
        &self,
        owner: &Owner,
        turn: TurnId,
        feedback: Option<&Feedback>,
    ) -> Result<bool, StoreError> {
        let mut script = self.shared.script(&scripts::FEEDBACK);
        let feedback = feedback.map(rows::json).transpose()?;
        script.arg(owner.as_str()).arg(turn.to_string()).arg(feedback.unwrap_or_default());
        Ok(self.shared.acknowledged(&script).await?)
    }

    pub(super) async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<Forgotten, StoreError> {
        let mut script = self.shared.script(&scripts::ERASE);
        script.arg(tag(owner, session));
        Ok(self.shared.acknowledged(&script).await?)
    }

    pub(super) async fn sweep(&self, older_than: OffsetDateTime, at_most: u64) -> Result<Forgotten, StoreError> {
        let mut script = self.shared.script(&scripts::SWEEP);
        script.arg(rows::micros(older_than)?).arg(at_most);
        self.shared.run(&script).await
    }

    /// Orphans that this instance has seen missing for long enough, and the keys whose turns their instances never began.
    pub(super) async fn orphans(&self) -> Result<(Vec<Orphan>, Freed), StoreError> {
        let gone = instance::gone(&self.shared).await;
        let since = {
            let mut missing = self.shared.missing.lock();
            // After a time without Redis every instance counts as just seen.
            *missing = instance::missing(&missing, gone.clone().unwrap_or_default());
            missing.clone()
        };
        if gone?.is_empty() {
            return Ok(Default::default());
        }
        let is_gone = |instance: &str| since.get(instance).is_some_and(|since| since.elapsed() >= self.shared.grace);
        instance::orphans(&self.shared, is_gone).await
    }

    /// Whether it was still open, on `process`, which is no more.
    pub(super) async fn adopt(&self, turn: TurnId, process: &str, outcome: &Outcome) -> Result<bool, StoreError> {
        let told = self.shared.finish(turn, &Ending::try_from(outcome)?, process).await?;
        Ok(told == "ok")
    }

    pub(super) async fn ask_to_stop(&self, owner: &Owner, turn: TurnId) -> Result<bool, StoreError> {
        let mut script = self.shared.script(&scripts::STOP);
        script.arg(owner.as_str()).arg(turn.to_string());
        self.shared.run(&script).await
    }

    pub(super) async fn asked_to_stop(&self) -> Result<Vec<TurnId>, StoreError> {
        // Only what is open here can be wished to stop.
        if self.shared.begun.lock().is_empty() {
            return Ok(Vec::new());
        }
        let turns: Vec<String> = self.shared.run(&self.shared.script(&scripts::STOPS)).await?;
        turns.iter().map(|turn| rows::turn_id("stops", turn)).collect()
    }

    /// Takes no more turns; what was queued is still begun.
    pub(super) fn close(&self) {
        self.begins.lock().take();
    }

    pub(super) async fn leave(&self) {
        // Its failure means that the lease ends by itself.
        let _ = self.shared.run::<()>(&self.shared.script(&scripts::LEAVE)).await;
    }

    /// How many sessions and turns it has.
    pub(super) async fn counts(&self) -> Result<(u64, u64), StoreError> {
        let stats = self.shared.script(&scripts::STATS);
        let (sessions, turns): (Option<u64>, Option<u64>) = self.shared.run(&stats).await?;
        Ok((sessions.unwrap_or(0), turns.unwrap_or(0)))
    }
}

impl Shared {
    pub(super) fn script<'s>(&self, script: &'s Script) -> ScriptInvocation<'s> {
        let mut call = script.key(&self.prefix);
        call.arg(&self.prefix).arg(&self.instance);
        call
    }

    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        Ok(self.link.script(script).await?)
    }

    /// Runs a script whose writes are acknowledged to somebody: with `WAIT`, if the link is set up so. What replicas did not
    /// confirm in time is in doubt, for the primary has it.
    pub(super) async fn acknowledged<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, LinkError> {
        match self.link.script_to_replicas(script).await? {
            (told, true) => Ok(told),
            (_, false) => Err(LinkError::Unavailable {
                reason: "too few replicas have what was written".to_owned(),
                in_doubt: true,
            }),
        }
    }

    pub(super) async fn renew(&self) -> Result<(), StoreError> {
        let mut script = self.script(&scripts::RENEW);
        script.arg(self.lease_ms());
        self.run(&script).await
    }

    /// What the script says of it: `ok`, or why nothing was changed.
    pub(super) async fn finish(&self, turn: TurnId, ending: &Ending, from: &str) -> Result<String, StoreError> {
        let mut script = self.script(&scripts::FINISH);
        script.arg(turn.to_string()).arg(&ending.outcome).arg(rows::flag(ending.has_output)).arg(from);
        Ok(self.acknowledged(&script).await?)
    }

    pub(super) fn lease_ms(&self) -> u64 {
        millis(self.lease)
    }
}

pub(super) fn id_or_none(turn: Option<TurnId>) -> String {
    turn.map(|turn| turn.to_string()).unwrap_or_default()
}

fn closed() -> StoreError {
    StoreError::Unavailable { reason: "it is closed".to_owned() }
}
