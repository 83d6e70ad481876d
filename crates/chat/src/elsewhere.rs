use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use hitesh_domain::{End, ErrorCode, Owner, TurnEvent};
use hitesh_sessions::SessionStore;
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};

use crate::turn::Snapshot;

/// How often the store is asked. The process that runs the turn tells it something new each second.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long one answer of the store is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a store may be away before a reader is let go.
const STORE_PATIENCE: Duration = Duration::from_secs(30);

/// A turn that runs in another process: what is known of it is what the store tells. It ends there, or, should its process
/// die, by the store's [`take_over`](SessionStore::take_over).
#[derive(Debug)]
pub(crate) struct Elsewhere {
    store: Arc<dyn SessionStore>,
    owner: Owner,
    pub(crate) seen: Snapshot,
}

/// What a look at the store says.
enum Look {
    Seen(Box<Snapshot>),
    /// It was erased.
    Gone,
    /// The store does not answer, and has not for too long.
    Blind,
}

impl Elsewhere {
    pub(crate) fn new(store: Arc<dyn SessionStore>, owner: Owner, seen: Snapshot) -> Self {
        Self { store, owner, seen }
    }

    /// Waits for its end. One that was erased meanwhile was stopped.
    pub(crate) async fn ended(&self) -> Snapshot {
        loop {
            let end = match self.look().await {
                Look::Seen(snapshot) if snapshot.end.is_some() => return *snapshot,
                Look::Seen(_) => continue,
                Look::Gone => End::Stopped,
                Look::Blind => End::Failed(ErrorCode::StoreUnavailable),
            };
            return Snapshot { end: Some(end), ended_at: Some(OffsetDateTime::now_utc()), ..self.seen.clone() };
        }
    }

    /// Its events from number `from` on, as far as they were stored by each look, to the end. Without one if it was erased,
    /// or the store is away for too long: whoever reads may come back.
    pub(crate) fn events(self: Arc<Self>, from: u64) -> BoxStream<'static, (u64, TurnEvent)> {
        let ahead: VecDeque<_> = self.seen.events_from(from).into();
        let over = self.seen.end.is_some();
        stream::unfold((self, ahead, from, over), |(turn, mut ahead, mut next, mut over)| async move {
            loop {
                if let Some((number, event)) = ahead.pop_front() {
                    next = number.saturating_add(1);
                    return Some(((number, event), (turn, ahead, next, over)));
                }
                if over {
                    return None;
                }
                let Look::Seen(snapshot) = turn.look().await else { return None };
                over = snapshot.end.is_some();
                ahead = snapshot.events_from(next).into();
            }
        })
        .boxed()
    }

    async fn look(&self) -> Look {
        let started = Instant::now();
        loop {
            sleep(LOOK_EVERY).await;
            match timeout(PATIENCE, self.store.turn(&self.owner, self.seen.info.turn)).await {
                Ok(Ok(Some(turn))) => return Look::Seen(Box::new(Snapshot::of_stored(turn))),
                Ok(Ok(None)) => return Look::Gone,
                Ok(Err(_)) | Err(_) if started.elapsed() > STORE_PATIENCE => return Look::Blind,
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}
