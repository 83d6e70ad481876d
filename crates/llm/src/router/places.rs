use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many calls one provider answers at once, and how many may wait for a place: as many again.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    limit: usize,
    waiting: Arc<AtomicUsize>,
}

/// A call's place; dropped when it is over.
pub(super) type Place = OwnedSemaphorePermit;

/// A call that waits for a place.
#[derive(Debug)]
pub(super) struct Waiting {
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Its place in the queue when it came; 1 is next.
    pub(super) position: u32,
}

impl Places {
    /// `limit` calls at once; `None`: as many as come.
    pub(super) fn new(limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(Semaphore::MAX_PERMITS).clamp(1, Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(limit)), limit, waiting: Arc::default() }
    }

    pub(super) fn has_free(&self) -> bool {
        self.free.available_permits() > 0
    }

    /// Calls that have a place.
    pub(super) fn taken(&self) -> usize {
        self.limit.saturating_sub(self.free.available_permits())
    }

    /// Calls that wait for one.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    pub(super) fn try_take(&self) -> Option<Place> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Stands in the queue; `None` if that is full.
    pub(super) fn queue(&self) -> Option<Waiting> {
        let before = self.waiting.fetch_add(1, Relaxed);
        let position = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
        // Dropped if there is no room, which takes it off the count again.
        let waiting = Waiting { free: Arc::clone(&self.free), waiting: Arc::clone(&self.waiting), position };
        (before < self.limit).then_some(waiting)
    }
}

impl Waiting {
    /// Resolves, in the order of arrival, when there is a place.
    pub(super) async fn place(self) -> Option<Place> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_wait_as_are_answered() {
        let places = Places::new(Some(2));
        let (first, _second) = (places.try_take().unwrap(), places.try_take().unwrap());
        assert!(places.try_take().is_none() && !places.has_free());
        let (third, fourth) = (places.queue().unwrap(), places.queue().unwrap());
        assert_eq!((third.position, fourth.position), (1, 2));
        assert!(places.queue().is_none());
        drop(first);
        let _third = third.place().await.unwrap();
        assert_eq!(places.taken(), 2);
        assert_eq!(places.queue().unwrap().position, 2, "the queue has moved up");
    }
}
