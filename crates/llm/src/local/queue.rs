//! The line in front of the model's thread. A deque of its own rather than a channel: each one that waits is told
//! its place whenever it changes, and one that gives up leaves at once.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

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
    /// Questions that are being answered.
    pub answering: usize,
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

impl Question {
    /// Tells its reader that there will be no answer.
    pub(super) fn fail(&self, error: ProviderError) {
        let _ = self.events.try_send(Err(error));
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    capacity: usize,
    /// Questions that are answered at once.
    parallel: usize,
}

/// What [`Queue::next`] found.
#[derive(Debug)]
pub(super) enum Found {
    Job(Job),
    /// Nothing, and there is other work to go on with.
    Nothing,
    Closed,
}

#[derive(Debug, Default)]
struct Inner {
    warmings: VecDeque<Job>,
    waiting: VecDeque<Box<Question>>,
    tickets: u64,
    answering: usize,
    pace: Pace,
    closed: Option<ProviderError>,
}

/// How long answers take: what those who wait are told.
#[derive(Debug, Default)]
struct Pace {
    /// When the answers began that are being made, the oldest first.
    begun: VecDeque<Instant>,
    /// The mean of those that ended, the last ones counting most.
    mean: Option<Duration>,
}

impl Pace {
    fn begin(&mut self) {
        self.begun.push_back(Instant::now());
    }

    /// So many answers are left. Which of them ended is not known: taken for the oldest.
    fn left(&mut self, answering: usize) {
        while self.begun.len() > answering {
            let Some(took) = self.begun.pop_front().map(|begun| begun.elapsed()) else { return };
            self.mean = Some(self.mean.map_or(took, |mean| (mean * 3 + took) / 4));
        }
    }

    /// About how many seconds this place has to wait, when `parallel` are answered at once.
    fn wait_seconds(&self, place: u32, parallel: usize) -> Option<u32> {
        let parallel = u32::try_from(parallel).unwrap_or(u32::MAX).max(1);
        let wait = self.mean?.saturating_mul(place) / parallel;
        u32::try_from(wait.as_millis().div_ceil(1000)).ok()
    }
}

impl Queue {
    /// A line of `capacity` before a model that answers `parallel` at once.
    pub(super) fn new(capacity: usize, parallel: usize) -> Self {
        Self { inner: Mutex::default(), changed: Condvar::new(), capacity, parallel }
    }

    pub(super) fn depth(&self) -> QueueDepth {
        let inner = self.inner.lock();
        QueueDepth { waiting: inner.waiting.len(), capacity: self.capacity, answering: inner.answering }
    }

    /// Takes a place for `request`; the ticket gives it back with [`leave`](Self::leave). One that a model with a free
    /// hand is about to take needs no place, so that a capacity of 0 still serves.
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
        let free = self.parallel.saturating_sub(inner.answering);
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
        inner.tell_places(self.parallel);
        drop(inner);
        self.changed.notify_one();
        Ok(ticket)
    }

    /// The reader of this ticket's answer has gone.
    pub(super) fn leave(&self, ticket: u64) {
        let mut inner = self.inner.lock();
        inner.waiting.retain(|question| question.ticket != ticket);
        inner.tell_places(self.parallel);
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

    /// The next thing to do, while `answering` questions are being answered: waits for one if there are none.
    pub(super) fn next(&self, answering: usize) -> Found {
        let mut inner = self.inner.lock();
        inner.pace.left(answering);
        if std::mem::replace(&mut inner.answering, answering) != answering {
            inner.tell_places(self.parallel);
        }
        loop {
            if inner.closed.is_some() {
                return Found::Closed;
            }
            if let Some(job) = inner.warmings.pop_front() {
                return Found::Job(job);
            }
            if answering < self.parallel
                && let Some(question) = inner.waiting.pop_front()
            {
                if question.waited {
                    let _ = question.events.try_send(Ok(ProviderEvent::Status(Status::Working)));
                }
                inner.answering += 1;
                inner.pace.begin();
                inner.tell_places(self.parallel);
                return Found::Job(Job::Answer(question));
            }
            if answering > 0 {
                return Found::Nothing;
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
        inner.answering = 0;
        inner.closed.get_or_insert(error);
        drop(inner);
        self.changed.notify_all();
    }
}

impl Inner {
    /// Tells those whose place has changed; those that a model with a free hand is about to take have none.
    fn tell_places(&mut self, parallel: usize) {
        let free = parallel.saturating_sub(self.answering);
        for (index, question) in self.waiting.iter_mut().enumerate() {
            let place = u32::try_from((index + 1).saturating_sub(free)).unwrap_or(u32::MAX);
            if place > 0 && question.told != Some(place) {
                question.told = Some(place);
                question.waited = true;
                let wait_seconds = self.pace.wait_seconds(place, parallel);
                let status = Status::Queued { position: place, wait_seconds };
                let _ = question.events.try_send(Ok(ProviderEvent::Status(status)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hitesh_domain::StepFormat;

    use super::*;

    fn request() -> CompletionRequest {
        CompletionRequest {
            messages: Vec::new(),
            stable: 0,
            step_format: StepFormat::Tagged,
            scaffold: hitesh_domain::Scaffold::default(),
        }
    }

    fn place(events: &mut mpsc::Receiver<Item>) -> Option<u32> {
        match events.try_recv() {
            Ok(Ok(ProviderEvent::Status(Status::Queued { position, .. }))) => Some(position),
            _ => None,
        }
    }

    #[test]
    fn each_one_knows_its_place_and_one_that_leaves_moves_the_others_up() {
        let queue = Queue::new(3, 1);
        let mut readers = Vec::new();
        let enter = |readers: &mut Vec<_>| {
            let (sender, receiver) = mpsc::channel(8);
            readers.push(receiver);
            queue.enter(request(), sender, false)
        };
        enter(&mut readers).unwrap();
        assert!(matches!(queue.next(0), Found::Job(Job::Answer(_))));
        let second = enter(&mut readers).unwrap();
        enter(&mut readers).unwrap();
        enter(&mut readers).unwrap();
        assert!(matches!(enter(&mut readers), Err(ProviderError::Overloaded)));
        assert_eq!(queue.depth(), QueueDepth { waiting: 3, capacity: 3, answering: 1 });
        let places: Vec<_> = readers.iter_mut().map(place).collect();
        assert_eq!(places, [None, Some(1), Some(2), Some(3), None]);
        queue.leave(second);
        let places: Vec<_> = readers.iter_mut().map(place).collect();
        assert_eq!(places, [None, None, Some(1), Some(2), None]);
        enter(&mut readers).unwrap();
    }

    #[test]
    fn the_wait_is_told_once_answers_have_ended() {
        let mut pace = Pace::default();
        assert_eq!(pace.wait_seconds(1, 1), None);
        pace.begun.extend([Instant::now() - Duration::from_millis(8_500), Instant::now()]);
        pace.left(1);
        assert_eq!((pace.wait_seconds(1, 1), pace.wait_seconds(3, 2)), (Some(9), Some(13)));
        pace.left(0);
        assert_eq!(pace.wait_seconds(1, 1), Some(7), "a short one brings the mean down");
    }

    #[test]
    fn a_closed_queue_tells_everyone_why() {
        let queue = Queue::new(3, 1);
        let (sender, mut receiver) = mpsc::channel(8);
        queue.enter(request(), sender.clone(), false).unwrap();
        queue.close(ProviderError::Unavailable { reason: "no model".into() });
        assert!(matches!(receiver.try_recv(), Ok(Err(ProviderError::Unavailable { .. }))));
        assert!(matches!(queue.enter(request(), sender, false), Err(ProviderError::Unavailable { .. })));
        assert!(matches!(queue.next(0), Found::Closed));
    }

    #[test]
    fn as_many_are_taken_as_are_answered_at_once() {
        let queue = Queue::new(1, 2);
        let (sender, mut receiver) = mpsc::channel(8);
        for _ in 0..3 {
            queue.enter(request(), sender.clone(), false).unwrap();
        }
        assert!(matches!(queue.enter(request(), sender.clone(), false), Err(ProviderError::Overloaded)));
        assert!(matches!(queue.next(0), Found::Job(Job::Answer(_))));
        assert!(matches!(queue.next(1), Found::Job(Job::Answer(_))));
        assert!(matches!(queue.next(2), Found::Nothing));
        assert_eq!(queue.depth(), QueueDepth { waiting: 1, capacity: 1, answering: 2 });
        assert_eq!(place(&mut receiver), Some(1));
        assert!(matches!(queue.next(1), Found::Job(Job::Answer(_))), "one is over");
    }
}
