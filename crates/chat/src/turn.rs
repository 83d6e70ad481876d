use std::sync::Arc;

use hitesh_domain::{
    Content, End, Feedback, IncompleteReason, Outcome, ProviderId, Source, Transcript, TurnEvent, TurnId, TurnInfo,
};
use hitesh_sessions::{NewTurn, StoredTurn};
use time::OffsetDateTime;

use crate::{
    elsewhere::Elsewhere,
    figures::Figures,
    live::{Lease, LiveTurn},
    reader::Reader,
};

/// A turn, live or over. While a handle or a [`Reader`] of a live turn exists it has a reader; when the last one is
/// dropped, its grace time runs.
#[derive(Debug, Clone)]
pub struct Turn {
    pub(crate) state: State,
    pub(crate) figures: Arc<Figures>,
}

#[derive(Debug, Clone)]
pub(crate) enum State {
    Live(Lease),
    Over(Arc<Snapshot>),
    Elsewhere(Arc<Elsewhere>),
}

/// A turn at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Ids, persona and time.
    pub info: Arc<TurnInfo>,
    /// The learner's words.
    pub question: Content,
    /// What came so far.
    pub transcript: Transcript,
    /// How it ended; none while it runs.
    pub end: Option<End>,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// Where the answer comes from.
    pub source: Source,
    /// Who answers.
    pub provider: ProviderId,
    /// That provider's exact model.
    pub model: String,
    /// When it may be worth to ask again, if it failed in this process and an upstream said so.
    pub retry_after: Option<std::time::Duration>,
    /// The turn that took its place, as far as the store was asked: none while it runs.
    pub replaced_by: Option<TurnId>,
    /// What the learner thinks of it.
    pub feedback: Option<Feedback>,
}

impl Turn {
    pub(crate) fn live(live: Arc<LiveTurn>, figures: Arc<Figures>) -> Self {
        Self { state: State::Live(Lease::new(live)), figures }
    }

    pub(crate) fn over(snapshot: Snapshot, figures: Arc<Figures>) -> Self {
        Self { state: State::Over(Arc::new(snapshot)), figures }
    }

    pub(crate) fn elsewhere(elsewhere: Elsewhere, figures: Arc<Figures>) -> Self {
        Self { state: State::Elsewhere(Arc::new(elsewhere)), figures }
    }

    /// Ids, persona and time. Where the answer comes from is known from its first event on.
    pub fn info(&self) -> &TurnInfo {
        match &self.state {
            State::Live(lease) => lease.0.told(),
            State::Over(snapshot) => &snapshot.info,
            State::Elsewhere(elsewhere) => &elsewhere.seen.info,
        }
    }

    /// Its events from number `from` on: those that are there, then those that come, to the end.
    pub fn follow(&self, from: u64) -> Reader {
        Reader::new(&self.state, from, &self.figures)
    }

    /// What came so far.
    pub fn snapshot(&self) -> Snapshot {
        match &self.state {
            State::Live(lease) => lease.0.snapshot(),
            State::Over(snapshot) => Snapshot::clone(snapshot),
            State::Elsewhere(elsewhere) => elsewhere.seen.clone(),
        }
    }

    pub(crate) fn runs_elsewhere(&self) -> bool {
        matches!(self.state, State::Elsewhere(_))
    }

    /// Whether a request that is made again is answered with it: one that came to nothing is not.
    pub(crate) fn is_worth_repeating(&self) -> bool {
        matches!(self.snapshot().end, None | Some(End::Completed | End::Stopped))
    }

    /// Waits for its end.
    pub async fn ended(&self) -> Snapshot {
        match &self.state {
            State::Live(lease) => {
                // The sender lives as long as the turn: it can't be gone.
                let _ = lease.0.shown.subscribe().wait_for(|shown| shown.end.is_some()).await;
                self.snapshot()
            }
            State::Over(_) => self.snapshot(),
            State::Elsewhere(elsewhere) => elsewhere.ended().await,
        }
    }
}

impl Snapshot {
    pub(crate) fn of_record(turn: NewTurn, outcome: Outcome) -> Self {
        Self::with_outcome(turn.info, turn.question, outcome)
    }

    /// A turn that only the store knows. One that is open there runs in another process, or nowhere any more: its own died.
    pub(crate) fn of_stored(turn: StoredTurn) -> Self {
        let StoredTurn { replaced_by, feedback, alive, .. } = turn;
        match turn.outcome {
            Some(outcome) => Self { replaced_by, feedback, ..Self::with_outcome(turn.info, turn.question, outcome) },
            None => Self {
                question: turn.question,
                transcript: turn.partial.unwrap_or_default(),
                end: (!alive).then_some(End::Incomplete(IncompleteReason::Crashed)),
                ended_at: (!alive).then_some(turn.info.started_at),
                source: turn.info.source,
                provider: turn.info.provider.clone(),
                model: turn.info.model.clone(),
                retry_after: None,
                info: Arc::new(turn.info),
                replaced_by,
                feedback,
            },
        }
    }

    /// The answer is one that another process was being given.
    pub(crate) fn joined(&mut self) {
        self.source = Source::Joined;
        self.info = Arc::new(TurnInfo { source: Source::Joined, ..TurnInfo::clone(&self.info) });
    }

    /// Its events from number `from` on.
    pub(crate) fn events_from(&self, from: u64) -> Vec<(u64, TurnEvent)> {
        let events = std::iter::once(TurnEvent::Started(Arc::clone(&self.info)))
            .chain(self.transcript.events().into_iter().map(TurnEvent::Journal));
        let end = self.end.zip(self.ended_at).map(|(end, at)| TurnEvent::Ended(end, at));
        let numbered = (0..).zip(events).chain(self.end_number().zip(end));
        numbered.filter(|(number, _)| *number >= from).collect()
    }

    /// The number of its last event, `Ended`; none while it runs.
    pub fn end_number(&self) -> Option<u64> {
        self.end.map(|end| end.number(self.transcript.event_count()))
    }

    /// What became of it; none while it runs.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        Some(Outcome {
            end: self.end?,
            transcript: self.transcript,
            source: self.source,
            provider: self.provider,
            model: self.model,
            ended_at: self.ended_at?,
        })
    }

    /// Where the answer came from is told as it ended: when it began that may not have been known.
    fn with_outcome(info: TurnInfo, question: Content, outcome: Outcome) -> Self {
        let info = TurnInfo { source: outcome.source, ..info };
        Self {
            info: Arc::new(info),
            question,
            transcript: outcome.transcript,
            end: Some(outcome.end),
            ended_at: Some(outcome.ended_at),
            source: outcome.source,
            provider: outcome.provider,
            model: outcome.model,
            retry_after: None,
            replaced_by: None,
            feedback: None,
        }
    }
}
