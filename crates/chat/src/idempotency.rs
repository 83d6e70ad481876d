use std::{collections::HashMap, sync::Arc};

use hitesh_domain::{IdempotencyKey, Owner, Replaces};
use parking_lot::Mutex;

use crate::request::TurnRequest;

/// Held by the request that begins a turn under its key.
type Beginning = Arc<tokio::sync::Mutex<()>>;

/// Lets only one request with the same idempotency key begin at a time, so that the second one finds the first one's
/// turn.
#[derive(Debug, Default)]
pub(crate) struct Beginnings {
    locks: Mutex<HashMap<(Owner, IdempotencyKey), Beginning>>,
}

impl Beginnings {
    /// Runs `work` while no other request with this key does.
    pub(crate) async fn alone<T>(&self, owner: &Owner, key: &IdempotencyKey, work: impl Future<Output = T>) -> T {
        let place = (owner.clone(), key.clone());
        let lock = Arc::clone(self.locks.lock().entry(place.clone()).or_default());
        let result = {
            let _held = lock.lock().await;
            work.await
        };
        let mut locks = self.locks.lock();
        // Two owners: the map and this function.
        if Arc::strong_count(&lock) == 2 {
            locks.remove(&place);
        }
        result
    }
}

/// What makes two requests the same, under one key of one owner.
pub(crate) fn digest(request: &TurnRequest, replaces: Option<&Replaces>) -> [u8; 32] {
    let TurnRequest { owner: _, session, persona, content, cache, store, idempotency: _ } = request;
    let mut hasher = blake3::Hasher::new();
    for field in [
        session.as_ref().map_or("", |id| id.as_str()),
        persona.as_ref().map_or("", |id| id.as_str()),
        content.as_str(),
        cache.as_str(),
        if *store { "stored" } else { "not stored" },
    ] {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    if let Some(Replaces { turn, with_followers }) = replaces {
        hasher.update(turn.as_bytes());
        hasher.update(&[u8::from(*with_followers)]);
    }
    *hasher.finalize().as_bytes()
}
