//! What the server does besides answering: warming the models up, forgetting what is old, reloading.

use std::{sync::Arc, time::Duration};

use hitesh_chat::Engine;
use hitesh_llm::BreakerBoard;
use tokio::{runtime::Handle, time::MissedTickBehavior};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::settings::{SessionsPlace, Settings};

/// How often old turns and idempotency keys are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often instances that died are looked for.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(1);
/// How often instances tell each other how providers do.
const SHARE_EVERY: Duration = Duration::from_secs(1);
/// How often the wishes of other instances are looked for.
const HEED_EVERY: Duration = Duration::from_millis(300);

/// Starts all of it in the background, until `stop`.
pub(crate) fn start(
    settings: &Settings,
    engine: &Engine,
    board: Option<Arc<dyn BreakerBoard>>,
    sampling: impl Future<Output = ()> + Send + 'static,
    reloading: impl Future<Output = ()> + Send + 'static,
    stop: &CancellationToken,
) {
    let tasks = TaskTracker::new();
    let runtime = Handle::current();
    let warm = warm_up(engine.clone());
    let sweep = sweep(engine.clone(), settings.sessions.retention);
    let (until_warm, until_swept, until_stopped) = (stop.clone(), stop.clone(), stop.clone());
    if settings.sessions.place == SessionsPlace::Redis {
        let (take_over, until_taken_over) = (take_over(engine.clone()), stop.clone());
        tasks.spawn_on(async move { until_taken_over.run_until_cancelled(take_over).await }, &runtime);
        let (heed_stops, until_heeded) = (heed_stops(engine.clone()), stop.clone());
        tasks.spawn_on(async move { until_heeded.run_until_cancelled(heed_stops).await }, &runtime);
    }
    if let Some(board) = board {
        let (share, until_shared) = (share_breakers(engine.clone(), board), stop.clone());
        tasks.spawn_on(async move { until_shared.run_until_cancelled(share).await }, &runtime);
    }
    let until_sampled = stop.clone();
    tasks.spawn_on(async move { until_sampled.run_until_cancelled(sampling).await }, &runtime);
    tasks.spawn_on(async move { until_stopped.run_until_cancelled(reloading).await }, &runtime);
    tasks.spawn_on(async move { until_warm.run_until_cancelled(warm).await }, &runtime);
    tasks.spawn_on(async move { until_swept.run_until_cancelled(sweep).await }, &runtime);
}

async fn warm_up(engine: Engine) {
    for (provider, error) in engine.warm_up().await {
        tracing::warn!(%provider, %error, "the provider could not be warmed up");
    }
}

async fn sweep(engine: Engine, retention: Option<Duration>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match engine.sweep(retention).await {
            Ok(0) => {}
            Ok(turns) => tracing::info!(turns, "old turns were forgotten"),
            Err(error) => tracing::warn!(%error, "old turns could not be forgotten"),
        }
    }
}

async fn take_over(engine: Engine) {
    let mut ticks = tokio::time::interval(TAKE_OVER_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A store that is away says so by itself.
        if let Ok(turns @ 1..) = engine.take_over().await {
            tracing::warn!(turns, "turns of an instance that died were ended");
        }
    }
}

async fn share_breakers(engine: Engine, board: Arc<dyn BreakerBoard>) {
    let mut ticks = tokio::time::interval(SHARE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A Redis that is away says so by itself.
        let _ = engine.share_breakers(board.as_ref()).await;
    }
}

async fn heed_stops(engine: Engine) {
    let mut ticks = tokio::time::interval(HEED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A store that is away says so by itself.
        let _ = engine.heed_stops().await;
    }
}
