//! The one task that begins turns: in the order in which they were asked for, as many at once as are waiting.

use std::sync::Arc;

use hitesh_redis::LinkError;
use tokio::sync::{mpsc, oneshot};

use super::{instance, partition::Shared, rows::NewRow, scripts};
use crate::StoreError;

/// Turns of one script: bounds how long it keeps the server from others.
const BATCH: usize = 64;

/// A turn that is to begin, and who waits for it.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) row: NewRow,
    pub(super) done: oneshot::Sender<Result<(), StoreError>>,
}

/// Until the store is closed or dropped; whatever was queued by then is tried.
pub(super) async fn run(mut queue: mpsc::Receiver<Begin>, shared: Arc<Shared>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        let rows: Vec<_> = waiting.iter().map(|begin| &begin.row).collect();
        let results = insert(&shared, &rows).await;
        if let Err(LinkError::Unavailable { in_doubt: true, .. }) = &results {
            instance::doubt(&shared, &rows);
        }
        match results {
            Ok(results) => {
                for (begin, result) in waiting.drain(..).zip(results) {
                    if result.is_ok() {
                        shared.begun.lock().insert(begin.row.info.turn);
                    }
                    // A caller that has gone needs no answer.
                    let _ = begin.done.send(result);
                }
            }
            Err(error) => waiting.drain(..).for_each(|begin| drop(begin.done.send(Err(error.clone().into())))),
        }
    }
}

/// Puts turns into their sessions; what became of each.
pub(super) async fn insert(shared: &Shared, rows: &[&NewRow]) -> Result<Vec<Result<(), StoreError>>, LinkError> {
    let mut script = shared.script(&scripts::INSERT);
    script.arg(shared.lease_ms());
    rows.iter().for_each(|row| row.add_to(&mut script));
    let answers: Vec<String> = shared.acknowledged(&script).await?;
    if answers.len() != rows.len() {
        return Err(LinkError::Invalid { reason: "the script gave another number of answers".to_owned() });
    }
    let told = |answer: String| match answer.as_str() {
        "ok" => Ok(()),
        "taken" => Err(taken()),
        _ => Err(StoreError::Invalid { reason: "the session has no such turn to replace".to_owned() }),
    };
    Ok(answers.into_iter().map(told).collect())
}

pub(super) fn taken() -> StoreError {
    StoreError::Invalid { reason: "there is a turn of this id already".to_owned() }
}
