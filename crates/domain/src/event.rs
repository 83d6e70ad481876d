use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{End, LogId, PersonaId, ProviderId, Replaces, SessionId, Source, Step, TurnId, Usage};

/// What an answer waits for, before its first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// The provider's queue; `position` 1 is next.
    Queued {
        /// Place in the queue, from 1.
        position: u32,
        /// About how long that will take, if it can be told from the answers before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait_seconds: Option<u32>,
    },
    /// The model is being loaded or warmed.
    Loading,
    /// The wait is over: the model works on this answer.
    Working,
    /// A provider failed before its first visible token, and it or another one is asked now.
    Retrying {
        /// Which one; older records do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<ProviderId>,
    },
    /// The model reasons: tokens come, and none of them is a part of a step yet.
    Reasoning,
}

/// One entry of a generation's journal. It carries no ids: it is the same for every turn that follows.
///
/// The order is always: statuses, then for each step `StepStarted`, its deltas and `StepFinished` (which is
/// missing for a step that was cut), then at most one `Usage`. Reasoning that is shown comes before the deltas of `think`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalEvent {
    /// What the answer waits for.
    Status(Status),
    /// A step begins.
    StepStarted(Step),
    /// A piece of a step's text, never empty.
    StepDelta(Step, Arc<str>),
    /// A piece of the model's own reasoning, never empty. Readers see it as the beginning of `think`; no model is ever
    /// told it again.
    ThinkReasoning(Arc<str>),
    /// A step is whole, since this time.
    StepFinished(Step, #[serde(with = "time::serde::rfc3339")] OffsetDateTime),
    /// What the upstream call cost.
    Usage(Usage),
}

/// Who a turn is: the content of its first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnInfo {
    /// The turn.
    pub turn: TurnId,
    /// Its session.
    pub session: SessionId,
    /// Who answers.
    pub persona: PersonaId,
    /// The provider that is asked first (or answered, when the answer existed).
    pub provider: ProviderId,
    /// That provider's exact model.
    pub model: String,
    /// Where the answer comes from.
    pub source: Source,
    /// When the turn began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// The turn whose place it is asked to take; none for an ordinary question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaces>,
    /// Where other processes can read the generation that it follows while it grows; none if there are no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogId>,
}

/// An event of a turn as its readers see it. Numbered from 0: `Started` is 0, entry `i` of the journal is
/// `i + 1`, and the one `Ended` is the last, with [`End::number`].
#[derive(Debug, Clone, PartialEq)]
pub enum TurnEvent {
    /// The turn exists and is durable.
    Started(Arc<TurnInfo>),
    /// An entry of the generation that it follows.
    Journal(JournalEvent),
    /// How it ended, and when; stored before it is told.
    Ended(End, OffsetDateTime),
}
