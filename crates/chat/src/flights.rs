use std::{collections::HashMap, sync::Arc};

use hitesh_cache::CacheKey;
use parking_lot::Mutex;

use crate::generation::Generation;

/// The generations that equal questions may join (single-flight), and the count of turns that want each one.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    by_key: Mutex<HashMap<CacheKey, Flight>>,
}

#[derive(Debug)]
struct Flight {
    generation: Arc<Generation>,
    wanted_by: usize,
}

/// A turn's wish for its generation. When the last wish is gone, the upstream call is stopped.
#[derive(Debug)]
pub(crate) struct Wish {
    generation: Arc<Generation>,
    /// `None`: the generation is this turn's alone.
    shared: Option<(Arc<Flights>, CacheKey)>,
}

impl Flights {
    /// Joins the generation under `key`, or begins one with `make`. The second value is true if it was joined.
    pub(crate) fn join_or_begin(
        self: &Arc<Self>,
        key: CacheKey,
        make: impl FnOnce() -> Arc<Generation>,
    ) -> (Wish, bool) {
        let mut by_key = self.by_key.lock();
        let mut joined = true;
        let flight = by_key.entry(key).or_insert_with(|| {
            joined = false;
            Flight { generation: make(), wanted_by: 0 }
        });
        flight.wanted_by += 1;
        let generation = Arc::clone(&flight.generation);
        (Wish { generation, shared: Some((Arc::clone(self), key)) }, joined)
    }

    /// Nobody joins this generation any more: it has ended.
    pub(crate) fn land(&self, key: CacheKey, generation: &Arc<Generation>) {
        let mut by_key = self.by_key.lock();
        if by_key.get(&key).is_some_and(|flight| Arc::ptr_eq(&flight.generation, generation)) {
            by_key.remove(&key);
        }
    }
}

impl Wish {
    /// For a generation that nobody else may join.
    pub(crate) fn alone(generation: Arc<Generation>) -> Self {
        Self { generation, shared: None }
    }

    pub(crate) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }
}

impl Drop for Wish {
    fn drop(&mut self) {
        let Some((flights, key)) = &self.shared else {
            self.generation.cancel();
            return;
        };
        let mut by_key = flights.by_key.lock();
        // A generation that has landed ends by itself; another one may stand under its key by now.
        let Some(flight) = by_key.get_mut(key).filter(|flight| Arc::ptr_eq(&flight.generation, &self.generation))
        else {
            return;
        };
        flight.wanted_by -= 1;
        // One that has ended lands when its answer is in the cache: until then others may still join it.
        if flight.wanted_by == 0 && !self.generation.journal.has_ended() {
            by_key.remove(key);
            self.generation.cancel();
        }
    }
}
