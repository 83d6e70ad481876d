//! This instance among others: its lease, the turns of those that are no more, and its own that nobody knows of.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use hitesh_domain::{End, ErrorCode, IncompleteReason, Outcome, Transcript, TurnId, TurnInfo};
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;

use super::{
    partition::{Freed, Shared},
    rows::{self, Ending, NewRow},
    scripts,
};
use crate::{Orphan, StoreError};

/// Open turns that are ended in one go.
const BATCH: usize = 100;

/// How long a turn whose begin got no answer is looked for: what a server had in its sockets when it stood still it does as
/// soon as it goes on.
const DOUBT: Duration = Duration::from_secs(60);

/// A turn whose begin got no answer, and how it ended for its caller.
#[derive(Debug, Clone)]
pub(super) struct Doubtful {
    turn: TurnId,
    ending: Arc<Ending>,
    since: Instant,
}

/// An open turn of an instance that is no more: id, info, what came so far.
type OpenRow = (String, String, Option<String>);

/// How long after one sign of life the next one is given.
pub(super) fn between_signs(lease: Duration) -> Duration {
    lease / 5
}

/// Gives signs of life until the store is closed, the first one in a time of `first`.
pub(super) async fn keep_lease(shared: Arc<Shared>, first: Duration) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + first, between_signs(shared.lease));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // The link says when the server is away and when it is back; until then there is nothing to renew.
        if shared.renew().await.is_ok() {
            settle_doubts(&shared).await;
        }
    }
}

/// Remembers turns whose begin got no answer: they may be in the store, or come into it yet, and their callers were told that
/// they are not.
pub(super) fn doubt(shared: &Shared, rows: &[&NewRow]) {
    let now = Instant::now();
    let end = End::Failed(ErrorCode::StoreUnavailable);
    let doubtful = rows.iter().filter_map(|row| {
        let ending = Ending::try_from(&unfinished(&row.info, end, Transcript::default())).ok()?;
        Some(Doubtful { turn: row.info.turn, ending: Arc::new(ending), since: now })
    });
    shared.doubtful.lock().extend(doubtful);
}

/// Ends what of them is there, as their callers were told.
async fn settle_doubts(shared: &Shared) {
    let doubtful = shared.doubtful.lock().clone();
    for Doubtful { turn, ending, since } in doubtful {
        match shared.finish(turn, &ending, &shared.instance).await {
            Ok(told) if told == "none" && since.elapsed() < DOUBT => {}
            Err(StoreError::Unavailable { .. }) => return,
            Ok(_) | Err(StoreError::Invalid { .. }) => {
                shared.doubtful.lock().retain(|other| other.turn != turn);
            }
        }
    }
}

/// Ends the turns of the instances whose lease is over, and forgets those; how many turns, and the keys whose turns they never
/// began.
pub(super) async fn end_all(shared: &Shared) -> Result<(u64, Freed), StoreError> {
    let (mut ended, mut freed) = (0, Freed::new());
    for instance in &gone(shared).await? {
        loop {
            let mut open = shared.script(&scripts::OPEN);
            open.arg(instance).arg(BATCH);
            let left = shared.link.script::<Vec<OpenRow>>(&open).await?;
            let last = left.len() < BATCH;
            let before = ended;
            for row in left {
                ended += u64::from(end_crashed(shared, instance, row).await?);
            }
            // It lives after all, or others are at it.
            if last || ended == before {
                break;
            }
        }
        freed.extend(bury(shared, instance).await?);
    }
    Ok((ended, freed))
}

/// Forgets an instance that is no more, unless it has open turns; the keys whose turns it never began.
async fn bury(shared: &Shared, instance: &str) -> Result<Freed, StoreError> {
    let mut bury = shared.script(&scripts::BURY);
    bury.arg(instance);
    shared.run(&bury).await
}

/// The instances whose lease is over.
pub(super) async fn gone(shared: &Shared) -> Result<Vec<String>, StoreError> {
    Ok(shared.link.script(&shared.script(&scripts::GONE)).await?)
}

/// Since when each instance has been missing, as this one saw it.
pub(super) fn missing(before: &HashMap<String, Instant>, gone: Vec<String>) -> HashMap<String, Instant> {
    let since = |instance: &String| before.get(instance).copied().unwrap_or_else(Instant::now);
    gone.into_iter().map(|instance| (instance.clone(), since(&instance))).collect()
}

async fn end_crashed(shared: &Shared, instance: &str, row: OpenRow) -> Result<bool, StoreError> {
    let Orphan { info, partial, .. } = orphan(instance, row)?;
    let outcome = unfinished(&info, End::Incomplete(IncompleteReason::Crashed), partial);
    let told = shared.finish(info.turn, &Ending::try_from(&outcome)?, instance).await?;
    Ok(told == "ok")
}

/// Open turns of instances that `is_gone` says are no more; those that have none left are forgotten, and the keys whose turns
/// these never began are free.
pub(super) async fn orphans(
    shared: &Shared,
    mut is_gone: impl FnMut(&str) -> bool,
) -> Result<(Vec<Orphan>, Freed), StoreError> {
    let (mut orphans, mut freed) = (Vec::new(), Freed::new());
    for instance in gone(shared).await?.iter().filter(|instance| is_gone(instance)) {
        let mut open = shared.script(&scripts::OPEN);
        open.arg(instance).arg(BATCH);
        let left = shared.link.script::<Vec<OpenRow>>(&open).await?;
        if left.is_empty() {
            freed.extend(bury(shared, instance).await?);
        }
        for row in left {
            orphans.push(orphan(instance, row)?);
        }
    }
    Ok((orphans, freed))
}

fn orphan(instance: &str, row: OpenRow) -> Result<Orphan, StoreError> {
    let (_, info, partial) = row;
    Ok(Orphan {
        info: rows::parsed("info", &info)?,
        partial: rows::partial_or_none(partial.as_deref()),
        process: instance.to_owned(),
    })
}

fn unfinished(info: &TurnInfo, end: End, transcript: Transcript) -> Outcome {
    Outcome {
        end,
        transcript,
        source: info.source,
        provider: info.provider.clone(),
        model: info.model.clone(),
        ended_at: OffsetDateTime::now_utc(),
    }
}
