//! The line in front of the model's thread. A deque of its own rather than a channel: each one that waits is told
//! its place whenever it changes, and one that gives up leaves at once.

use std::collections::VecDeque;

use hitesh_domain::{Message, Status};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{mpsc, oneshot};

use crate::{CompletionRequest, ProviderError, ProviderEvent};

/// What an answer's stream carries.
pub(super) type Item = Result<ProviderEvent, ProviderError>;

/// Who waits for the model and how many may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Questions that wait.
    pub waiting: usize,
    /// Questions that may wait; one more is refused.
    pub capacity: usize,
    /// Whether one is being answered.
    pub answering: bool,
}

/// What the thread is to do.
#[derive(Debug)]
pub(super) enum Job {
    Answer(Box<Question>),
    Warm { prefix: Vec<Message>, done: oneshot::Sender<Result<(), ProviderError>> },
}

/// A question that waits for its answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) request: CompletionRequest,
    /// Holds a whole answer, so that a slow reader never holds up the model. Closed when the reader has gone.
    pub(super) events: mpsc::Sender<Item>,
    ticket: u64,
    told: Option<u32>,
    /// It was told to wait, so it is told when that is over.
    waited: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Inner {
    warmings: VecDeque<Job>,
    waiting: VecDeque<Box<Question>>,
    tickets: u64,
    answering: bool,
    closed: Option<ProviderError>,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), capacity }
    }

    pub(super) fn depth(&self) -> QueueDepth {
        let inner = self.inner.lock();
        QueueDepth { waiting: inner.waiting.len(), capacity: self.capacity, answering: inner.answering }
    }

    /// Takes a place for `request`; the ticket gives it back with [`leave`](Self::leave). A free model answers the
    /// one that comes without a place, so that a capacity of 0 still serves one at a time.
    ///
    /// # Errors
    /// `Overloaded` when all places are taken; what the queue was closed with when it is closed.
    pub(super) fn enter(
        &self,
        request: CompletionRequest,
        events: mpsc::Sender<Item>,
        loading: bool,
    ) -> Result<u64, ProviderError> {
        let mut inner = self.inner.lock();
        if let Some(error) = &inner.closed {
            return Err(error.clone());
        }
        let free = usize::from(!inner.answering);
        if inner.waiting.len() >= self.capacity.saturating_add(free) {
            return Err(ProviderError::Overloaded);
        }
        if loading {
            // A full channel is impossible (see `Question::events`), a closed one is noticed later.
            let _ = events.try_send(Ok(ProviderEvent::Status(Status::Loading)));
        }
        let ticket = inner.tickets;
        inner.tickets += 1;
        inner.waiting.push_back(Box::new(Question { request, events, ticket, told: None, waited: loading }));
        inner.tell_places();
        drop(inner);
        self.changed.notify_one();
        Ok(ticket)
    }

    /// The reader of this ticket's answer has gone.
    pub(super) fn leave(&self, ticket: u64) {
        let mut inner = self.inner.lock();
        inner.waiting.retain(|question| question.ticket != ticket);
        inner.tell_places();
    }

    /// Asks for a prefix to be computed, before the next question.
    pub(super) fn warm(
        &self,
        prefix: Vec<Message>,
        done: oneshot::Sender<Result<(), ProviderError>>,
    ) -> Result<(), ProviderError> {
        let mut inner = self.inner.lock();
        if let Some(error) = &inner.closed {
            return Err(error.clone());
        }
        inner.warmings.push_back(Job::Warm { prefix, done });
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for something to do. `None` once the queue is closed.
    pub(super) fn next(&self) -> Option<Job> {
        let mut inner = self.inner.lock();
        inner.answering = false;
        loop {
            if inner.closed.is_some() {
                return None;
            }
            if let Some(job) = inner.warmings.pop_front() {
                return Some(job);
            }
            if let Some(question) = inner.waiting.pop_front() {
                if question.waited {
                    let _ = question.events.try_send(Ok(ProviderEvent::Status(Status::Working)));
                }
                inner.answering = true;
                inner.tell_places();
                return Some(Job::Answer(question));
            }
            self.changed.wait(&mut inner);
        }
    }

    /// Tells all who wait, and all who come, `error`.
    pub(super) fn close(&self, error: ProviderError) {
        let mut inner = self.inner.lock();
        for question in inner.waiting.drain(..) {
            let _ = question.events.try_send(Err(error.clone()));
        }
        for job in inner.warmings.drain(..) {
            if let Job::Warm { done, .. } = job {
                let _ = done.send(Err(error.clone()));
            }
        }
        inner.answering = false;
        inner.closed.get_or_insert(error);
        drop(inner);
        self.changed.notify_all();
    }
}

impl Inner {
    /// Tells those whose place has changed; the one that a free model is about to take has none.
    fn tell_places(&mut self) {
        let ahead = usize::from(self.answering);
        for (index, question) in self.waiting.iter_mut().enumerate() {
            let place = u32::try_from(index + ahead).unwrap_or(u32::MAX);
            if place > 0 && question.told != Some(place) {
                question.told = Some(place);
                question.waited = true;
                let _ = question.events.try_send(Ok(ProviderEvent::Status(Status::Queued { position: place })));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hitesh_domain::StepFormat;

    use super::*;

    fn request() -> CompletionRequest {
        CompletionRequest { messages: Vec::new(), stable: 0, step_format: StepFormat::Tagged }
    }

    fn place(events: &mut mpsc::Receiver<Item>) -> Option<u32> {
        match events.try_recv() {
            Ok(Ok(ProviderEvent::Status(Status::Queued { position }))) => Some(position),
            _ => None,
        }
    }

    #[test]
    fn each_one_knows_its_place_and_one_that_leaves_moves_the_others_up() {
        let queue = Queue::new(3);
        let mut readers = Vec::new();
        let enter = |readers: &mut Vec<_>| {
            let (sender, receiver) = mpsc::channel(8);
            readers.push(receiver);
            queue.enter(request(), sender, false)
        };
        enter(&mut readers).unwrap();
        assert!(matches!(queue.next(), Some(Job::Answer(_))));
        let second = enter(&mut readers).unwrap();
        enter(&mut readers).unwrap();
        enter(&mut readers).unwrap();
        assert!(matches!(enter(&mut readers), Err(ProviderError::Overloaded)));
        assert_eq!(queue.depth(), QueueDepth { waiting: 3, capacity: 3, answering: true });
        let places: Vec<_> = readers.iter_mut().map(place).collect();
        assert_eq!(places, [None, Some(1), Some(2), Some(3), None]);
        queue.leave(second);
        let places: Vec<_> = readers.iter_mut().map(place).collect();
        assert_eq!(places, [None, None, Some(1), Some(2), None]);
        enter(&mut readers).unwrap();
    }

    #[test]
    fn a_closed_queue_tells_everyone_why() {
        let queue = Queue::new(3);
        let (sender, mut receiver) = mpsc::channel(8);
        queue.enter(request(), sender.clone(), false).unwrap();
        queue.close(ProviderError::Unavailable { reason: "no model".into() });
        assert!(matches!(receiver.try_recv(), Ok(Err(ProviderError::Unavailable { .. }))));
        assert!(matches!(queue.enter(request(), sender, false), Err(ProviderError::Unavailable { .. })));
        assert!(queue.next().is_none());
    }
}
