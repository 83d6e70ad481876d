//! Sessions in a Redis server, or a cluster of them, that any number of instances share.

mod between;
mod instance;
mod moving;
mod partition;
mod places;
mod rows;
mod scripts;
mod writer;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{FutureExt, future};
use hitesh_domain::{Feedback, Outcome, Owner, SessionId, Transcript, TurnId};
use hitesh_redis::{Link, LinkError, Servers, cmd};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub use self::moving::Moved;
use self::{
    partition::{Partition, Shared},
    places::Places,
    rows::tag,
};
use crate::{Claim, Context, Durable, NewTurn, Orphan, Page, SessionStore, StoreError, StoreStats, StoredTurn};

/// Turns that one step of a sweep takes, so that nobody waits long behind it.
const SWEEP_TURNS: u64 = 100;

/// How long the figures of all partitions wait for one of them: whoever asks has little time, and wants those of the others.
const STATS_PATIENCE: Duration = Duration::from_millis(500);

/// How a [`RedisSessions`] is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSessionsSettings {
    /// What all its keys begin with. Instances with the same one share their sessions.
    pub prefix: String,
    /// How long an instance counts as alive after its last sign of life (4 s); it gives one five times as often.
    pub lease: Duration,
    /// How long another one waits beyond that (2 s): while Redis was away, nobody could give a sign.
    pub grace: Duration,
    /// Turns that may wait to begin (4096), in each partition; more are refused.
    pub queue: usize,
}

impl Default for RedisSessionsSettings {
    fn default() -> Self {
        Self { prefix: "hitesh".to_owned(), lease: Duration::from_secs(4), grace: Duration::from_secs(2), queue: 4096 }
    }
}

/// Sessions in Redis. Each call is one atomic script; what is acknowledged is as durable as that server is set up to be.
///
/// On a cluster sessions are spread over 16 partitions, each in one slot, which are far from each other: each shard has some
/// of them, and while one is away the sessions of the others go on.
///
/// Each store is an *instance*, with a random name and leases that tasks of it renew. A turn is open on the instance
/// that began it; when the lease is over, others [adopt](SessionStore::adopt) its turns, and whatever it still sends of
/// them changes nothing.
pub struct RedisSessions {
    partitions: Vec<Partition>,
    places: Places,
    /// What sessions would be under if they were spread otherwise.
    misplaced: Vec<String>,
    none_misplaced: AtomicBool,
    link: Arc<Link>,
    tasks: TaskTracker,
    closing: CancellationToken,
    _stop_at_drop: DropGuard,
}

impl RedisSessions {
    /// A store on the servers behind `link`, which may be away for now. Its tasks run on `runtime`.
    pub fn new(link: Link, settings: RedisSessionsSettings, runtime: &Handle) -> Self {
        let RedisSessionsSettings { prefix, lease, grace, queue } = settings;
        let (places, other) = match link.servers() {
            Servers::Cluster(_) => (Places::Spread, Places::One),
            Servers::Single(_) | Servers::Sentinel(_) => (Places::One, Places::Spread),
        };
        let link = Arc::new(link);
        // Random, and of now.
        let instance = TurnId::now().to_string();
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        let prefixes = places.prefixes(&prefix);
        let apart = instance::between_signs(lease) / u32::try_from(prefixes.len()).unwrap_or(u32::MAX).max(1);
        let partition = |(number, prefix)| {
            let shared = Arc::new(Shared {
                link: Arc::clone(&link),
                prefix,
                instance: instance.clone(),
                lease,
                grace,
                missing: Mutex::default(),
                begun: Mutex::default(),
                doubtful: Mutex::default(),
            });
            let (partition, queue) = Partition::new(Arc::clone(&shared), queue);
            tasks.spawn_on(writer::run(queue, Arc::clone(&shared)), runtime);
            let lease = instance::keep_lease(shared, apart * number);
            let until_closing = closing.clone();
            tasks.spawn_on(async move { until_closing.run_until_cancelled(lease).await }, runtime);
            partition
        };
        let partitions = (0..).zip(prefixes).map(partition).collect();
        let misplaced = other.prefixes(&prefix).iter().map(|prefix| format!("{prefix}counts")).collect();
        Self {
            partitions,
            places,
            misplaced,
            none_misplaced: AtomicBool::new(false),
            link,
            tasks,
            _stop_at_drop: closing.clone().drop_guard(),
            closing,
        }
    }

    #[expect(clippy::indexing_slicing, reason = "places are those of partitions that there are")]
    fn at(&self, place: usize) -> &Partition {
        &self.partitions[place]
    }

    fn of_session(&self, owner: &Owner, session: &SessionId) -> usize {
        self.places.of_name(&tag(owner, session))
    }

    /// The partition in which this instance has a turn open, or else the one that its id points to.
    fn of_turn(&self, turn: TurnId) -> usize {
        let open = self.partitions.iter().position(|partition| partition.has_open(turn));
        open.unwrap_or_else(|| self.places.of_turn(turn))
    }

    async fn counts(&self, partition: &Partition) -> Result<(u64, u64), StoreError> {
        match self.places {
            Places::One => partition.counts().await,
            Places::Spread => tokio::time::timeout(STATS_PATIENCE, partition.counts()).await.unwrap_or_else(|_| {
                let reason = format!("a part of the sessions gave no answer within {STATS_PATIENCE:?}");
                Err(StoreError::Unavailable { reason })
            }),
        }
    }

    async fn sweep_partition(
        &self,
        at: usize,
        partition: &Partition,
        older_than: OffsetDateTime,
    ) -> Result<u64, StoreError> {
        let mut turns = 0u64;
        loop {
            let (swept, freed, ids) = partition.sweep(older_than, SWEEP_TURNS).await?;
            self.tidy(at, freed, &ids).await;
            turns = turns.saturating_add(swept);
            if swept < SWEEP_TURNS {
                return Ok(turns);
            }
        }
    }

    /// Sessions that are spread otherwise would be none: a server that became a cluster, or the other way round.
    async fn check_places(&self) -> Result<(), StoreError> {
        if self.none_misplaced.load(Relaxed) {
            return Ok(());
        }
        let mut exists = cmd("EXISTS");
        exists.arg(&self.misplaced);
        match self.link.command::<u64>(&exists).await {
            Ok(1..) => {
                let reason = match self.places {
                    Places::One => "there are sessions under this prefix as a cluster has them",
                    Places::Spread => {
                        "there are sessions under this prefix as one server has them, or an older version"
                    }
                };
                Err(StoreError::Invalid { reason: reason.to_owned() })
            }
            // Later: what is there of the store is there all the same.
            Err(LinkError::Unavailable { .. }) => Ok(()),
            // One node of a cluster that is spoken to as one server does not take keys of several slots, and has none of those.
            Ok(0) | Err(LinkError::Invalid { .. }) => {
                self.none_misplaced.store(true, Relaxed);
                Ok(())
            }
        }
    }
}

/// What partitions gave, with their places; those that are away are left out, unless all are.
fn there<T>(given: Vec<Result<T, StoreError>>) -> Result<Vec<(usize, T)>, StoreError> {
    let (mut there, mut away) = (Vec::with_capacity(given.len()), None);
    for (at, given) in given.into_iter().enumerate() {
        match given {
            Ok(given) => there.push((at, given)),
            Err(error @ StoreError::Unavailable { .. }) => away = Some(error),
            Err(error) => return Err(error),
        }
    }
    match away {
        Some(error) if there.is_empty() => Err(error),
        _ => Ok(there),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl SessionStore for RedisSessions {
    fn new_turn(&self, owner: &Owner, session: &SessionId) -> TurnId {
        self.places.new_turn(self.of_session(owner, session))
    }

    async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError> {
        self.at(self.of_session(owner, session)).context(owner, session, turns, before).await
    }

    async fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError> {
        let at = self.of_session(&turn.owner, &turn.info.session);
        if !self.point([turn.info.turn], at).await? {
            return Ok(future::ready(Err(writer::taken())).boxed());
        }
        self.at(at).begin(turn)
    }

    async fn checkpoint(&self, turn: TurnId, partial: Transcript) -> Result<(), StoreError> {
        self.at(self.of_turn(turn)).checkpoint(turn, &partial).await
    }

    async fn finish(&self, turn: TurnId, outcome: Outcome) -> Result<(), StoreError> {
        self.at(self.of_turn(turn)).finish(turn, &outcome).await
    }

    async fn record(&self, turn: NewTurn, outcome: Outcome) -> Result<(), StoreError> {
        let at = self.of_session(&turn.owner, &turn.info.session);
        if !self.point([turn.info.turn], at).await? {
            return Err(writer::taken());
        }
        self.at(at).record(turn, &outcome).await
    }

    async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError> {
        let found = self.at(self.of_turn(turn)).turn(owner, turn).await?;
        match (found, self.places) {
            (None, Places::Spread) => match self.elsewhere(turn).await? {
                Some(partition) => partition.turn(owner, turn).await,
                None => Ok(None),
            },
            (found, _) => Ok(found),
        }
    }

    async fn history(&self, owner: &Owner, session: &SessionId, page: Page) -> Result<Vec<StoredTurn>, StoreError> {
        self.at(self.of_session(owner, session)).history(owner, session, page).await
    }

    async fn feedback(&self, owner: &Owner, turn: TurnId, feedback: Option<Feedback>) -> Result<bool, StoreError> {
        if self.at(self.of_turn(turn)).feedback(owner, turn, feedback.as_ref()).await? {
            return Ok(true);
        }
        match self.elsewhere(turn).await? {
            Some(partition) => partition.feedback(owner, turn, feedback.as_ref()).await,
            None => Ok(false),
        }
    }

    async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, StoreError> {
        let at = self.of_session(owner, session);
        let (sessions, freed, turns) = self.at(at).erase(owner, session).await?;
        self.tidy(at, freed, &turns).await;
        Ok(sessions > 0)
    }

    async fn claim(&self, owner: &Owner, claim: Claim) -> Result<Claim, StoreError> {
        self.bind(owner, claim, None).await
    }

    async fn rebind(&self, owner: &Owner, claim: Claim, to: TurnId) -> Result<Claim, StoreError> {
        let from = claim.turn;
        self.bind(owner, Claim { turn: to, ..claim }, Some(from)).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        let mut turns = 0u64;
        for (at, partition) in self.partitions.iter().enumerate() {
            let (ended, freed) = instance::end_all(partition.shared()).await?;
            self.tidy(at, freed, &[]).await;
            turns = turns.saturating_add(ended);
        }
        Ok(turns)
    }

    async fn orphans(&self) -> Result<Vec<Orphan>, StoreError> {
        let looked = future::join_all(self.partitions.iter().map(Partition::orphans)).await;
        let mut orphans = Vec::new();
        for (at, (found, freed)) in there(looked)? {
            self.tidy(at, freed, &[]).await;
            orphans.extend(found);
        }
        orphans.sort_by_key(|orphan| orphan.info.turn);
        Ok(orphans)
    }

    async fn adopt(&self, orphan: &Orphan, outcome: Outcome) -> Result<bool, StoreError> {
        let Orphan { info, process, .. } = orphan;
        if self.at(self.places.of_turn(info.turn)).adopt(info.turn, process, &outcome).await? {
            return Ok(true);
        }
        match self.elsewhere(info.turn).await? {
            Some(partition) => partition.adopt(info.turn, process, &outcome).await,
            None => Ok(false),
        }
    }

    async fn ask_to_stop(&self, owner: &Owner, turn: TurnId) -> Result<bool, StoreError> {
        if self.at(self.of_turn(turn)).ask_to_stop(owner, turn).await? {
            return Ok(true);
        }
        match self.elsewhere(turn).await? {
            Some(partition) => partition.ask_to_stop(owner, turn).await,
            None => Ok(false),
        }
    }

    async fn asked_to_stop(&self) -> Result<Vec<TurnId>, StoreError> {
        let asked = future::join_all(self.partitions.iter().map(Partition::asked_to_stop)).await;
        Ok(there(asked)?.into_iter().flat_map(|(_, turns)| turns).collect())
    }

    async fn sweep(&self, older_than: OffsetDateTime) -> Result<u64, StoreError> {
        let (mut turns, mut failed) = (0u64, None);
        // One that is away keeps no other from forgetting what is over.
        for (at, partition) in self.partitions.iter().enumerate() {
            match self.sweep_partition(at, partition, older_than).await {
                Ok(swept) => turns = turns.saturating_add(swept),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(turns), Err)
    }

    async fn close(&self) {
        self.partitions.iter().for_each(Partition::close);
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        future::join_all(self.partitions.iter().map(Partition::leave)).await;
        self.link.close();
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.check_places().await?;
        let mut stats = StoreStats { backend: "redis", sessions: 0, turns: 0, away: None };
        let counts = future::join_all(self.partitions.iter().map(|partition| self.counts(partition))).await;
        stats.away = counts.iter().find_map(|counted| match counted {
            Err(StoreError::Unavailable { reason }) => Some(reason.clone()),
            _ => None,
        });
        for (_, (sessions, turns)) in there(counts)? {
            stats.sessions = stats.sessions.saturating_add(sessions);
            stats.turns = stats.turns.saturating_add(turns);
        }
        Ok(stats)
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
        f.debug_struct("RedisSessions").field("link", &self.link).finish_non_exhaustive()
    }
}
