//! Sessions in a Redis server that any number of instances share.

mod instance;
mod moving;
mod rows;
mod scripts;
mod writer;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::FutureExt;
use hitesh_domain::{Feedback, Outcome, Owner, SessionId, Transcript, TurnId};
use hitesh_redis::{Link, LinkError, Script, ScriptInvocation};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::{
    runtime::Handle,
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub use self::moving::Moved;
use self::{
    instance::Doubtful,
    rows::{ContextRow, Ending, NewRow, Row, tag},
    writer::Begin,
};
use crate::{Claim, Context, Durable, NewTurn, Orphan, Page, SessionStore, StoreError, StoreStats, StoredTurn};

/// How long an idempotency key is bound.
const CLAIM_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Turns that one step of a sweep takes, so that nobody waits long behind it.
const SWEEP_TURNS: u64 = 100;
/// The most turns that a script is asked for.
const MOST: usize = 1 << 31;

/// How a [`RedisSessions`] is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSessionsSettings {
    /// What all its keys begin with. Instances with the same one share their sessions.
    pub prefix: String,
    /// How long an instance counts as alive after its last sign of life (4 s); it gives one five times as often.
    pub lease: Duration,
    /// How long another one waits beyond that (2 s): while Redis was away, nobody could give a sign.
    pub grace: Duration,
    /// Turns that may wait to begin (4096); more are refused.
    pub queue: usize,
}

impl Default for RedisSessionsSettings {
    fn default() -> Self {
        Self { prefix: "hitesh".to_owned(), lease: Duration::from_secs(4), grace: Duration::from_secs(2), queue: 4096 }
    }
}

/// Sessions in Redis. Each call is one atomic script; what is acknowledged is as durable as that server is set up to be.
///
/// Each store is an *instance*, with a random name and a lease that a task of it renews. A turn is open on the instance
/// that began it; when the lease is over, others [adopt](SessionStore::adopt) its turns, and whatever it still sends of
/// them changes nothing.
pub struct RedisSessions {
    shared: Arc<Shared>,
    /// None once it is closed: the writer ends when it has done what was queued.
    begins: Mutex<Option<mpsc::Sender<Begin>>>,
    tasks: TaskTracker,
    closing: CancellationToken,
    _stop_at_drop: DropGuard,
}

struct Shared {
    link: Link,
    prefix: String,
    instance: String,
    lease: Duration,
    grace: Duration,
    missing: Mutex<HashMap<String, Instant>>,
    /// Turns that were acknowledged and have not ended: a server that does not know them has lost them.
    begun: Mutex<HashSet<TurnId>>,
    doubtful: Mutex<Vec<Doubtful>>,
}

impl RedisSessions {
    /// A store on the server behind `link`, which may be away for now. Its tasks run on `runtime`.
    pub fn new(link: Link, settings: RedisSessionsSettings, runtime: &Handle) -> Self {
        let RedisSessionsSettings { prefix, lease, grace, queue } = settings;
        let shared = Arc::new(Shared {
            link,
            // The number is that of the stored form. What a script touches has to be in one slot of a cluster, and several
            // touch what belongs to no session: all share a hash tag.
            prefix: format!("{{{prefix}:sessions:2}}:"),
            // Random, and of now.
            instance: TurnId::now().to_string(),
            lease,
            grace,
            missing: Mutex::default(),
            begun: Mutex::default(),
            doubtful: Mutex::default(),
        });
        let (begins, queue) = mpsc::channel(queue.max(1));
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn_on(writer::run(queue, Arc::clone(&shared)), runtime);
        let lease = instance::keep_lease(Arc::clone(&shared));
        let until_closing = closing.clone();
        tasks.spawn_on(async move { until_closing.run_until_cancelled(lease).await }, runtime);
        let begins = Mutex::new(Some(begins));
        Self { shared, begins, tasks, _stop_at_drop: closing.clone().drop_guard(), closing }
    }

    async fn bind(&self, owner: &Owner, claim: Claim, from: Option<TurnId>) -> Result<Claim, StoreError> {
        let mut script = self.shared.script(&scripts::CLAIM);
        let name = format!("{owner}/{}", claim.key.as_str());
        script.arg(self.shared.lease_ms()).arg(millis(CLAIM_LIFE)).arg(name).arg(rows::hex(&claim.digest));
        script.arg(claim.turn.to_string()).arg(id_or_none(from));
        let bound: String = self.shared.acknowledged(&script).await?;
        rows::bound_claim(claim, &bound)
    }
}

impl Shared {
    fn script<'s>(&self, script: &'s Script) -> ScriptInvocation<'s> {
        let mut call = script.key(&self.prefix);
        call.arg(&self.prefix).arg(&self.instance);
        call
    }

    async fn run<T: hitesh_redis::FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        Ok(self.link.script(script).await?)
    }

    /// Runs a script whose writes are acknowledged to somebody: with `WAIT`, if the link is set up so. What replicas did not
    /// confirm in time is in doubt, for the primary has it.
    async fn acknowledged<T: hitesh_redis::FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, LinkError> {
        match self.link.script_to_replicas(script).await? {
            (told, true) => Ok(told),
            (_, false) => Err(LinkError::Unavailable {
                reason: "too few replicas have what was written".to_owned(),
                in_doubt: true,
            }),
        }
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let mut script = self.script(&scripts::RENEW);
        script.arg(self.lease_ms());
        self.run(&script).await
    }

    /// What the script says of it: `ok`, or why nothing was changed.
    async fn finish(&self, turn: TurnId, ending: &Ending, from: &str) -> Result<String, StoreError> {
        let mut script = self.script(&scripts::FINISH);
        script.arg(turn.to_string()).arg(&ending.outcome).arg(rows::flag(ending.has_output)).arg(from);
        Ok(self.acknowledged(&script).await?)
    }

    fn lease_ms(&self) -> u64 {
        millis(self.lease)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn id_or_none(turn: Option<TurnId>) -> String {
    turn.map(|turn| turn.to_string()).unwrap_or_default()
}

fn closed() -> StoreError {
    StoreError::Unavailable { reason: "it is closed".to_owned() }
}

#[async_trait]
impl SessionStore for RedisSessions {
    async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError> {
        let mut script = self.shared.script(&scripts::CONTEXT);
        script.arg(tag(owner, session)).arg(turns.min(MOST)).arg(id_or_none(before));
        let last_first: Vec<ContextRow> = self.shared.run(&script).await?;
        Ok(Context { turns: last_first.into_iter().rev().map(rows::context_turn).collect::<Result<_, _>>()? })
    }

    async fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError> {
        let (done, begun) = oneshot::channel();
        let begin = Begin { row: NewRow::new(turn, None)?, done };
        self.begins.lock().as_ref().ok_or_else(closed)?.try_send(begin).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Unavailable { reason: "too many turns wait for Redis".to_owned() },
            TrySendError::Closed(_) => closed(),
        })?;
        Ok(async move { begun.await.unwrap_or_else(|_| Err(closed())) }.boxed())
    }

    async fn checkpoint(&self, turn: TurnId, partial: Transcript) -> Result<(), StoreError> {
        let mut script = self.shared.script(&scripts::CHECKPOINT);
        script.arg(turn.to_string()).arg(rows::json(&partial)?);
        self.shared.run(&script).await
    }

    async fn finish(&self, turn: TurnId, outcome: Outcome) -> Result<(), StoreError> {
        let told = self.shared.finish(turn, &Ending::try_from(&outcome)?, &self.shared.instance).await?;
        let told = match told.as_str() {
            "none" if self.shared.begun.lock().contains(&turn) => {
                Err(StoreError::Invalid { reason: "the server no longer has the turn".to_owned() })
            }
            "ok" | "ended" | "erased" | "none" => Ok(()),
            _ => Err(StoreError::Invalid { reason: "another instance has ended the turn".to_owned() }),
        };
        self.shared.begun.lock().remove(&turn);
        told
    }

    async fn record(&self, turn: NewTurn, outcome: Outcome) -> Result<(), StoreError> {
        let row = NewRow::new(turn, Some(&outcome))?;
        writer::insert(&self.shared, &[&row]).await?.pop().unwrap_or(Ok(()))
    }

    async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError> {
        let mut script = self.shared.script(&scripts::TURN);
        script.arg(owner.as_str()).arg(turn.to_string());
        let mut found: Vec<Row> = self.shared.run(&script).await?;
        found.pop().map(rows::stored_turn).transpose()
    }

    async fn history(&self, owner: &Owner, session: &SessionId, page: Page) -> Result<Vec<StoredTurn>, StoreError> {
        let mut script = self.shared.script(&scripts::HISTORY);
        script.arg(tag(owner, session)).arg(page.limit.min(MOST)).arg(id_or_none(page.before));
        script.arg(rows::flag(page.replaced));
        let found: Vec<Row> = self.shared.run(&script).await?;
        found.into_iter().map(rows::stored_turn).collect()
    }

    async fn feedback(&self, owner: &Owner, turn: TurnId, feedback: Option<Feedback>) -> Result<bool, StoreError> {
        let mut script = self.shared.script(&scripts::FEEDBACK);
        let feedback = feedback.as_ref().map(rows::json).transpose()?;
        script.arg(owner.as_str()).arg(turn.to_string()).arg(feedback.unwrap_or_default());
        Ok(self.shared.acknowledged(&script).await?)
    }

    async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, StoreError> {
        let mut script = self.shared.script(&scripts::ERASE);
        script.arg(tag(owner, session));
        Ok(self.shared.acknowledged(&script).await?)
    }

    async fn claim(&self, owner: &Owner, claim: Claim) -> Result<Claim, StoreError> {
        self.bind(owner, claim, None).await
    }

    async fn rebind(&self, owner: &Owner, claim: Claim, to: TurnId) -> Result<Claim, StoreError> {
        let from = claim.turn;
        self.bind(owner, Claim { turn: to, ..claim }, Some(from)).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        instance::end_all(&self.shared).await
    }

    async fn orphans(&self) -> Result<Vec<Orphan>, StoreError> {
        let gone = instance::gone(&self.shared).await;
        let since = {
            let mut missing = self.shared.missing.lock();
            // After a time without Redis every instance counts as just seen.
            *missing = instance::missing(&missing, gone.clone().unwrap_or_default());
            missing.clone()
        };
        if gone?.is_empty() {
            return Ok(Vec::new());
        }
        let is_gone = |instance: &str| since.get(instance).is_some_and(|since| since.elapsed() >= self.shared.grace);
        instance::orphans(&self.shared, is_gone).await
    }

    async fn adopt(&self, orphan: &Orphan, outcome: Outcome) -> Result<bool, StoreError> {
        let told = self.shared.finish(orphan.info.turn, &Ending::try_from(&outcome)?, &orphan.process).await?;
        Ok(told == "ok")
    }

    async fn ask_to_stop(&self, owner: &Owner, turn: TurnId) -> Result<bool, StoreError> {
        let mut script = self.shared.script(&scripts::STOP);
        script.arg(owner.as_str()).arg(turn.to_string());
        self.shared.run(&script).await
    }

    async fn asked_to_stop(&self) -> Result<Vec<TurnId>, StoreError> {
        let turns: Vec<String> = self.shared.run(&self.shared.script(&scripts::STOPS)).await?;
        turns.iter().map(|turn| rows::turn_id("stops", turn)).collect()
    }

    async fn sweep(&self, older_than: OffsetDateTime) -> Result<u64, StoreError> {
        let mut turns = 0u64;
        loop {
            let mut script = self.shared.script(&scripts::SWEEP);
            script.arg(rows::micros(older_than)?).arg(SWEEP_TURNS);
            let swept: u64 = self.shared.run(&script).await?;
            turns = turns.saturating_add(swept);
            if swept < SWEEP_TURNS {
                return Ok(turns);
            }
        }
    }

    async fn close(&self) {
        self.begins.lock().take();
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // Its failure means that the lease ends by itself.
        let _ = self.shared.run::<()>(&self.shared.script(&scripts::LEAVE)).await;
        self.shared.link.close();
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let stats = self.shared.script(&scripts::STATS);
        let (sessions, turns): (Option<u64>, Option<u64>) = self.shared.run(&stats).await?;
        Ok(StoreStats { backend: "redis", sessions: sessions.unwrap_or(0), turns: turns.unwrap_or(0) })
    }
}

impl From<LinkError> for StoreError {
    fn from(error: LinkError) -> Self {
        let reason = error.to_string();
        match error {
            LinkError::Unavailable { .. } => Self::Unavailable { reason },
            LinkError::Invalid { .. } => Self::Invalid { reason },
        }
    }
}

impl fmt::Debug for RedisSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessions").field("link", &self.shared.link).finish_non_exhaustive()
    }
}
