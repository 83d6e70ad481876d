use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use hitesh_domain::{Owner, SessionId, TurnId};
use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{error::EngineError, live::LiveTurn, turn::Snapshot};

/// How long a question waits for a place: the HTTP status of a stream has to be decided by then.
const QUEUE_PATIENCE: Duration = Duration::from_secs(2);
/// When it may be worth to come back after that.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The turns of this process: who may begin one, and where a live one is found.
#[derive(Debug)]
pub(crate) struct Registry {
    limits: Limits,
    places: Arc<Semaphore>,
    queued: AtomicUsize,
    turns: Mutex<Turns>,
}

/// How many turns there may be at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) in_flight: usize,
    pub(crate) per_session: usize,
    /// How many may wait for a place.
    pub(crate) queue: usize,
}

#[derive(Debug, Default)]
struct Turns {
    by_session: HashMap<(Owner, SessionId), usize>,
    live: HashMap<TurnId, Arc<LiveTurn>>,
    /// Turns that are over and not stored, for the readers that come back.
    kept: HashMap<TurnId, (Owner, Arc<Snapshot>)>,
}

/// A turn's place among the admitted; dropped when it has ended.
#[derive(Debug)]
pub(crate) struct Admission {
    registry: Arc<Registry>,
    session: (Owner, SessionId),
    place: Option<OwnedSemaphorePermit>,
}

/// A question that waits for a place is counted.
struct Queued<'r>(&'r AtomicUsize);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Registry {
    pub(crate) fn new(limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.in_flight.min(Semaphore::MAX_PERMITS)));
        Self { limits, places, queued: AtomicUsize::new(0), turns: Mutex::default() }
    }

    /// Whether a session has more turns than it may, this process's and those that others have.
    ///
    /// # Errors
    /// `SessionBusy`
    pub(crate) fn check_session(&self, admission: &Admission, elsewhere: usize) -> Result<(), EngineError> {
        let limit = self.limits.per_session;
        let here = self.turns.lock().by_session.get(&admission.session).copied().unwrap_or_default();
        if here.saturating_add(elsewhere) > limit { Err(EngineError::SessionBusy { limit }) } else { Ok(()) }
    }

    /// Takes a place for one more turn in this session; waits a little for one, if not too many do.
    ///
    /// # Errors
    /// `SessionBusy` or `Overloaded`.
    pub(crate) async fn admit(self: &Arc<Self>, owner: &Owner, session: &SessionId) -> Result<Admission, EngineError> {
        let mut admission = self.admit_to_session(owner, session)?;
        admission.place = Some(self.place().await?);
        Ok(admission)
    }

    fn admit_to_session(self: &Arc<Self>, owner: &Owner, session: &SessionId) -> Result<Admission, EngineError> {
        let mut turns = self.turns.lock();
        let session = (owner.clone(), session.clone());
        let count = turns.by_session.get(&session).copied().unwrap_or_default();
        if count >= self.limits.per_session {
            return Err(EngineError::SessionBusy { limit: self.limits.per_session });
        }
        turns.by_session.insert(session.clone(), count + 1);
        Ok(Admission { registry: Arc::clone(self), session, place: None })
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, EngineError> {
        let overloaded = || EngineError::Overloaded { retry_after: RETRY_AFTER };
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let before = self.queued.fetch_add(1, Relaxed);
        let _queued = Queued(&self.queued);
        if before >= self.limits.queue {
            return Err(overloaded());
        }
        let place = timeout(QUEUE_PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        place.map_err(|_| overloaded())?.map_err(|_| EngineError::Internal)
    }

    pub(crate) fn insert(&self, live: Arc<LiveTurn>) {
        self.turns.lock().live.insert(live.info.turn, live);
    }

    pub(crate) fn remove(&self, turn: TurnId) {
        self.turns.lock().live.remove(&turn);
    }

    /// A live turn of this owner.
    pub(crate) fn get(&self, owner: &Owner, turn: TurnId) -> Option<Arc<LiveTurn>> {
        self.turns.lock().live.get(&turn).filter(|live| live.owner == *owner).cloned()
    }

    /// Stops a live turn, whoever's it is.
    pub(crate) fn stop(&self, turn: TurnId) {
        if let Some(live) = self.turns.lock().live.get(&turn) {
            live.stop.cancel();
        }
    }

    /// Keeps a turn that is over and not stored, until [`forget`](Self::forget).
    pub(crate) fn keep(&self, owner: Owner, snapshot: Snapshot) {
        self.turns.lock().kept.insert(snapshot.info.turn, (owner, Arc::new(snapshot)));
    }

    pub(crate) fn forget(&self, turn: TurnId) {
        self.turns.lock().kept.remove(&turn);
    }

    /// A turn of this owner that is over and not stored.
    pub(crate) fn kept(&self, owner: &Owner, turn: TurnId) -> Option<Arc<Snapshot>> {
        let turns = self.turns.lock();
        turns.kept.get(&turn).filter(|(whose, _)| whose == owner).map(|(_, snapshot)| Arc::clone(snapshot))
    }

    /// The live turns of a session.
    pub(crate) fn of_session(&self, owner: &Owner, session: &SessionId) -> Vec<Arc<LiveTurn>> {
        let turns = self.turns.lock();
        turns.live.values().filter(|live| live.owner == *owner && live.info.session == *session).cloned().collect()
    }

    /// Turns that run.
    pub(crate) fn in_flight(&self) -> usize {
        self.turns.lock().live.len()
    }

    /// Questions that wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.queued.load(Relaxed)
    }

    /// Sessions that have a turn in flight.
    pub(crate) fn active_sessions(&self) -> usize {
        self.turns.lock().by_session.len()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut turns = self.registry.turns.lock();
        if let Some(count) = turns.by_session.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                turns.by_session.remove(&self.session);
            }
        }
    }
}
