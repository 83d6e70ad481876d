use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use hitesh_domain::{Content, End, Outcome, Owner, Source, TurnInfo};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{flights::Wish, generation::Generation, turn::Snapshot};

/// A turn that runs in this process: what its task shows, and what its readers ask of it.
#[derive(Debug)]
pub(crate) struct LiveTurn {
    /// As it began: where the answer comes from may not have been known yet.
    pub(crate) info: Arc<TurnInfo>,
    /// As it is told, once that is known.
    told: OnceLock<Arc<TurnInfo>>,
    pub(crate) owner: Owner,
    pub(crate) question: Content,
    generation: Arc<Generation>,
    /// What readers may see. Only the turn's task sends.
    pub(crate) shown: watch::Sender<Shown>,
    /// How many readers there are.
    pub(crate) readers: watch::Sender<usize>,
    /// Somebody asked to end it.
    pub(crate) stop: CancellationToken,
    pub(crate) started: Instant,
}

/// What readers of a turn may see.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Shown {
    /// The turn is durable: before that nothing is shown.
    pub(crate) begun: bool,
    /// How many events of the generation belong to the turn so far.
    pub(crate) events: usize,
    /// How it ended, once that is stored.
    pub(crate) end: Option<(End, OffsetDateTime)>,
}

impl LiveTurn {
    pub(crate) fn new(info: TurnInfo, owner: Owner, question: Content, wish: &Wish, started: Instant) -> Self {
        Self {
            info: Arc::new(info),
            told: OnceLock::new(),
            owner,
            question,
            generation: Arc::clone(wish.generation()),
            shown: watch::Sender::new(Shown::default()),
            readers: watch::Sender::new(0),
            stop: CancellationToken::new(),
            started,
        }
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// What readers are told of it.
    pub(crate) fn told(&self) -> &Arc<TurnInfo> {
        self.told.get().unwrap_or(&self.info)
    }

    /// Finds out where the answer comes from. For before it is shown.
    pub(crate) async fn find_source(&self) {
        let source = match self.info.source {
            Source::Joined => Source::Joined,
            Source::Model | Source::Cache => self.generation.source().await,
        };
        if source != self.info.source {
            self.told.get_or_init(|| Arc::new(TurnInfo { source, ..TurnInfo::clone(&self.info) }));
        }
    }

    pub(crate) fn show(&self, change: impl FnOnce(&mut Shown)) {
        self.shown.send_if_modified(|shown| {
            let before = *shown;
            change(shown);
            *shown != before
        });
    }

    /// What is stored when it ends now with its first `events` events.
    pub(crate) fn outcome(&self, end: End, events: usize, at: OffsetDateTime) -> Outcome {
        let answerer = self.generation.answerer();
        Outcome {
            end,
            transcript: self.generation.journal.transcript(events),
            source: self.told().source,
            provider: answerer.provider,
            model: answerer.model,
            ended_at: at,
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let shown = *self.shown.borrow();
        let answerer = self.generation.answerer();
        Snapshot {
            info: Arc::clone(self.told()),
            question: self.question.clone(),
            transcript: self.generation.journal.transcript(shown.events),
            end: shown.end.map(|(end, _)| end),
            ended_at: shown.end.map(|(_, at)| at),
            source: self.told().source,
            provider: answerer.provider,
            model: answerer.model,
            retry_after: self.generation.retry_after(),
            replaced_by: None,
            feedback: None,
        }
    }
}

/// A reader's presence. When the last one has gone, the turn's grace time runs.
#[derive(Debug)]
pub(crate) struct Lease(pub(crate) Arc<LiveTurn>);

impl Lease {
    pub(crate) fn new(live: Arc<LiveTurn>) -> Self {
        live.readers.send_modify(|readers| *readers += 1);
        Self(live)
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.readers.send_modify(|readers| *readers -= 1);
    }
}
