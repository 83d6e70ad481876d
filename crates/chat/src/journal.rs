use hitesh_domain::{End, ErrorCode, IncompleteReason, JournalEvent, Transcript};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// An append-only list of events with one writer and any number of readers, each of which holds a cursor only.
#[derive(Debug)]
pub(crate) struct Journal {
    events: Mutex<Vec<JournalEvent>>,
    progress: watch::Sender<Progress>,
}

/// How far a journal has come.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Progress {
    /// Events so far.
    pub(crate) len: usize,
    /// How it ended; nothing is appended after that.
    pub(crate) end: Option<GenerationEnd>,
}

/// How a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GenerationEnd {
    Complete,
    Incomplete(IncompleteReason),
    Failed(ErrorCode),
}

impl From<GenerationEnd> for End {
    fn from(end: GenerationEnd) -> Self {
        match end {
            GenerationEnd::Complete => End::Completed,
            GenerationEnd::Incomplete(reason) => End::Incomplete(reason),
            GenerationEnd::Failed(code) => End::Failed(code),
        }
    }
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { events: Mutex::new(Vec::new()), progress: watch::Sender::new(Progress::default()) }
    }

    /// Appends and tells the readers. After the end it does nothing.
    pub(crate) fn append(&self, new: impl IntoIterator<Item = JournalEvent>) {
        if self.has_ended() {
            return;
        }
        let len = {
            let mut events = self.events.lock();
            events.extend(new);
            events.len()
        };
        self.progress.send_if_modified(|progress| {
            let grown = progress.len != len;
            progress.len = len;
            grown
        });
    }

    /// Ends it. The first end counts.
    pub(crate) fn end(&self, end: GenerationEnd) {
        self.progress.send_if_modified(|progress| {
            let open = progress.end.is_none();
            progress.end.get_or_insert(end);
            open
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.progress.borrow().end.is_some()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The events from `from` to before `to`, as far as there are any.
    pub(crate) fn slice(&self, from: usize, to: usize) -> Vec<JournalEvent> {
        self.events.lock().get(from..to).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// How long the texts of these events are together.
    pub(crate) fn text_bytes(&self, from: usize, to: usize) -> usize {
        let length = |event: &JournalEvent| match event {
            JournalEvent::StepDelta(_, text) | JournalEvent::ThinkReasoning(text) => text.len(),
            JournalEvent::Status(_)
            | JournalEvent::StepStarted(_)
            | JournalEvent::StepFinished(..)
            | JournalEvent::Usage(_) => 0,
        };
        self.events.lock().get(from..to).unwrap_or_default().iter().map(length).sum()
    }

    /// The first `len` events in their stored form.
    pub(crate) fn transcript(&self, len: usize) -> Transcript {
        let mut transcript = Transcript::default();
        self.events.lock().iter().take(len).for_each(|event| transcript.push(event));
        transcript
    }
}
