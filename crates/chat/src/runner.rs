use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use hitesh_domain::{End, ErrorCode, IncompleteReason, Outcome};
use hitesh_sessions::{Durable, SessionStore, StoreError};
use time::OffsetDateTime;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::OnDisconnect,
    figures::Figures,
    flights::Wish,
    live::LiveTurn,
    registry::{Admission, Registry},
};

/// How often a store that is away is tried again.
const STORE_RETRY: Duration = Duration::from_millis(200);
/// The same, once its turn's reader has been told.
const STORE_LATER: Duration = Duration::from_secs(2);
/// How long an end waits for the store when the server is about to go.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// How much of an answer a crash may cost.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// One turn's task: shows its generation's events to the readers once the turn is durable, watches for the reasons to
/// end it early, stores the outcome, and only then publishes the end.
pub(crate) struct Runner {
    pub(crate) live: Arc<LiveTurn>,
    pub(crate) wish: Wish,
    pub(crate) admission: Admission,
    pub(crate) registry: Arc<Registry>,
    pub(crate) figures: Arc<Figures>,
    /// `None` for a turn that is not stored.
    pub(crate) store: Option<(Arc<dyn SessionStore>, Durable)>,
    /// The server takes no new turns.
    pub(crate) draining: CancellationToken,
    /// The turn is to end now.
    pub(crate) cut_off: CancellationToken,
    pub(crate) grace: Duration,
    pub(crate) on_disconnect: OnDisconnect,
    /// How long its begin and its end wait for a store that is away.
    pub(crate) patience: Duration,
}

impl Runner {
    pub(crate) async fn run(self) {
        let Self { live, wish, admission, registry, figures, store, draining, cut_off, grace, on_disconnect, patience } =
            self;
        let ending = Ending { live: &live, registry: &registry };
        let store = match store {
            None => {
                live.find_source().await;
                None
            }
            Some((store, durable)) => {
                // Both at once: neither needs the other.
                let (begun, ()) = tokio::join!(within(patience, durable), live.find_source());
                if let Err(error) = begun {
                    tracing::error!(turn = %live.info.turn, %error, "the turn could not be stored");
                    drop(wish);
                    let end = End::Failed(ErrorCode::StoreUnavailable);
                    let at = OffsetDateTime::now_utc();
                    // Should the store have taken the turn after all, it is not left open.
                    let outcome = live.outcome(end, 0, at);
                    let _ = timeout(STORE_RETRY, store.finish(live.info.turn, outcome)).await;
                    figures.turn_ended(&live, end);
                    return ending.publish(end, at);
                }
                Some(store)
            }
        };
        live.show(|shown| shown.begun = true);

        let alone_for = (on_disconnect == OnDisconnect::Stop).then_some(grace);
        let mut end = follow(&live, store.as_ref(), &cut_off, alone_for).await;
        drop(wish);
        let at = OffsetDateTime::now_utc();
        let outcome = live.outcome(end, live.shown.borrow().events, at);
        let mut unstored = None;
        if let Some(store) = &store
            && let Err(error) = finish(store.as_ref(), &live, outcome.clone(), patience, &cut_off).await
        {
            tracing::error!(turn = %live.info.turn, %error, "the end of the turn could not be stored");
            end = End::Failed(ErrorCode::StoreUnavailable);
            unstored = Some((store, Outcome { end, ..outcome }));
        }
        figures.turn_ended(&live, end);
        if let Some((store, outcome)) = unstored {
            live.show(|shown| shown.end = Some((end, at)));
            // Its place among the admitted stays taken: a store that is away holds no more turns than that.
            tokio::select! {
                () = draining.cancelled() => {}
                () = store_at_last(store.as_ref(), &live, outcome) => {}
            }
        }
        drop(admission);
        if store.is_none() {
            // Nobody can replay it from the store: it stays in memory for a reader that comes back.
            live.show(|shown| shown.end = Some((end, at)));
            tokio::select! { () = draining.cancelled() => {}, () = tokio::time::sleep(grace) => {} }
        }
        ending.publish(end, at);
    }
}

/// Shows the generation's events as they come, until there is a reason to end. To be without a reader for as long as
/// `alone_for` is one, if there is such a limit.
async fn follow(
    live: &Arc<LiveTurn>,
    store: Option<&Arc<dyn SessionStore>>,
    cut_off: &CancellationToken,
    alone_for: Option<Duration>,
) -> End {
    let mut upstream = live.generation().journal.watch();
    let mut abandoned = pin!(abandoned(live.readers.subscribe(), alone_for));
    let mut ticks = interval(CHECKPOINT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let mut saved = 0;
    let mut saving = futures::future::Fuse::<BoxFuture<'_, Result<(), StoreError>>>::terminated();
    loop {
        let progress = *upstream.borrow_and_update();
        live.show(|shown| shown.events = progress.len);
        if let Some(end) = progress.end {
            return end.into();
        }
        tokio::select! {
            biased;
            () = live.stop.cancelled() => return End::Stopped,
            () = cut_off.cancelled() => return End::Incomplete(IncompleteReason::Drained),
            changed = upstream.changed() => if changed.is_err() {
                return End::Failed(ErrorCode::Internal);
            },
            () = &mut abandoned => return End::Incomplete(IncompleteReason::ReaderLeft),
            result = &mut saving => if let Err(error) = result {
                tracing::warn!(turn = %live.info.turn, %error, "a checkpoint was not stored");
            },
            // What other processes can read in the log, whoever ends the turn of a dead one reads there too.
            _ = ticks.tick() => if let Some(store) = store && progress.len > saved && !live.generation().is_logged() {
                saved = progress.len;
                let partial = live.generation().journal.transcript(progress.len);
                saving = store.checkpoint(live.info.turn, partial).boxed().fuse();
            },
        }
    }
}

/// Resolves when there has been no reader for the whole grace time; never without one.
async fn abandoned(mut readers: watch::Receiver<usize>, grace: Option<Duration>) {
    let Some(grace) = grace else { return std::future::pending().await };
    loop {
        if readers.wait_for(|count| *count == 0).await.is_err() {
            return;
        }
        if timeout(grace, readers.wait_for(|count| *count > 0)).await.is_err() {
            return;
        }
    }
}

/// Tries until the store takes it, or for good refuses it.
async fn store_at_last(store: &dyn SessionStore, live: &LiveTurn, outcome: Outcome) {
    loop {
        tokio::time::sleep(STORE_LATER).await;
        match within(STORE_LATER, store.finish(live.info.turn, outcome.clone())).await {
            Err(StoreError::Unavailable { .. }) => {}
            Err(error) => return tracing::error!(turn = %live.info.turn, %error, "the end of the turn is lost"),
            Ok(()) => return,
        }
    }
}

async fn finish(
    store: &dyn SessionStore,
    live: &LiveTurn,
    outcome: Outcome,
    patience: Duration,
    cut_off: &CancellationToken,
) -> Result<(), StoreError> {
    let tries = async {
        loop {
            match store.finish(live.info.turn, outcome.clone()).await {
                Err(StoreError::Unavailable { .. }) => tokio::time::sleep(STORE_RETRY).await,
                result => return result,
            }
        }
    };
    let last_call = async {
        cut_off.cancelled().await;
        tokio::time::sleep(LAST_PATIENCE).await;
    };
    tokio::select! {
        biased;
        result = tries => result,
        () = tokio::time::sleep(patience) => Err(late(patience)),
        () = last_call => Err(late(LAST_PATIENCE)),
    }
}

async fn within(limit: Duration, work: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(late(limit)))
}

fn late(limit: Duration) -> StoreError {
    StoreError::Unavailable { reason: format!("no answer within {limit:?}") }
}

/// Publishes the end of a turn exactly once, also when its task panics.
struct Ending<'a> {
    live: &'a LiveTurn,
    registry: &'a Registry,
}

impl Ending<'_> {
    fn publish(self, end: End, at: OffsetDateTime) {
        self.live.show(|shown| {
            shown.end.get_or_insert((end, at));
        });
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.live.show(|shown| {
            shown.end.get_or_insert((End::Failed(ErrorCode::Internal), OffsetDateTime::now_utc()));
        });
        self.registry.remove(self.live.info.turn);
    }
}
