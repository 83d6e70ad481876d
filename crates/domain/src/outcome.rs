use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{ProviderId, Transcript, Usage};

/// Where a turn's answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// An upstream call of its own.
    Model,
    /// The response cache.
    Cache,
    /// A generation that another turn had begun.
    Joined,
}

impl Source {
    /// Its name on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Model => "model",
            Source::Cache => "cache",
            Source::Joined => "joined",
        }
    }
}

/// Why an answer is a part only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncompleteReason {
    /// The provider's stream broke off, or made no sense from some point on.
    Cut,
    /// The length limit was reached.
    Length,
    /// The model ended without an `output` step.
    NoOutput,
    /// A deadline passed in the middle.
    Timeout,
    /// Every reader had left, and none came back within the grace time.
    ReaderLeft,
    /// The server was shut down.
    Drained,
    /// The server process died; what the last checkpoint held was kept.
    Crashed,
    /// The instance that ran it died, and another one ended it; what came is kept.
    InstanceLost,
}

/// A stable error code of the contract's section 2 that can end a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No provider can answer now.
    ProviderUnavailable,
    /// The provider refused the credentials.
    ProviderUnauthorized,
    /// The provider refused the request.
    ProviderRejected,
    /// The provider was too slow.
    ProviderTimeout,
    /// The provider's answer broke off or made no sense.
    Incomplete,
    /// The session store is away.
    StoreUnavailable,
    /// The server is shutting down.
    Draining,
    /// The server or the provider's queue is full.
    Overloaded,
    /// The turn was stopped on request.
    Stopped,
    /// A bug.
    Internal,
}

impl ErrorCode {
    /// The code as the contract spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::ProviderUnavailable => "provider_unavailable",
            ErrorCode::ProviderUnauthorized => "provider_unauthorized",
            ErrorCode::ProviderRejected => "provider_rejected",
            ErrorCode::ProviderTimeout => "provider_timeout",
            ErrorCode::Incomplete => "incomplete",
            ErrorCode::StoreUnavailable => "store_unavailable",
            ErrorCode::Draining => "draining",
            ErrorCode::Overloaded => "overloaded",
            ErrorCode::Stopped => "stopped",
            ErrorCode::Internal => "internal",
        }
    }

    /// A sentence for people that says what to do. It names no key, prompt or upstream text.
    pub fn sentence(self) -> &'static str {
        match self {
            ErrorCode::ProviderUnavailable => "No language model can answer right now. Please try again in a moment.",
            ErrorCode::ProviderUnauthorized => {
                "The language model refused the server's credentials. The operator has to check the API key."
            }
            ErrorCode::ProviderRejected => "The language model refused this request. Try to ask it in another way.",
            ErrorCode::ProviderTimeout => "The language model took too long. Please try again.",
            ErrorCode::Incomplete => "The answer broke off before it was whole. What came is kept; please ask again.",
            ErrorCode::StoreUnavailable => "The session store is away. Please try again in a moment.",
            ErrorCode::Draining => "The server is shutting down. Please try again in a moment.",
            ErrorCode::Overloaded => "Too many questions at once. Please try again in a moment.",
            ErrorCode::Stopped => "The answer was stopped. What came is kept.",
            ErrorCode::Internal => "Something went wrong on the server. Please try again.",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a turn ended. Every turn ends with exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The answer is whole.
    Completed,
    /// A part came, and is kept.
    Incomplete(IncompleteReason),
    /// Somebody asked it to stop; what came is kept.
    Stopped,
    /// Nothing usable came.
    Failed(ErrorCode),
}

impl End {
    /// How far the end of a crashed turn is numbered beyond the place after its last kept event. Its process may have
    /// shown more events than the last checkpoint kept, yet never so many: a checkpoint is taken each second.
    pub const CRASH_GAP: u64 = 1 << 20;

    /// The number of this end, the last event of a turn that kept `events` entries of its journal. All numbers are
    /// contiguous but this one of a crashed turn, so that a reader who saw what was lost is known by its cursor: it
    /// lies between the last kept event and the end.
    pub fn number(self, events: usize) -> u64 {
        let next = events as u64 + 1;
        match self {
            End::Incomplete(IncompleteReason::Crashed | IncompleteReason::InstanceLost) => next + Self::CRASH_GAP,
            End::Completed | End::Incomplete(_) | End::Stopped | End::Failed(_) => next,
        }
    }

    /// The status of such a turn: `completed`, `incomplete`, `stopped` or `failed`.
    pub fn status(self) -> &'static str {
        match self {
            End::Completed => "completed",
            End::Incomplete(_) => "incomplete",
            End::Stopped => "stopped",
            End::Failed(_) => "failed",
        }
    }

    /// The error code that a caller is told; none for a whole answer.
    pub fn error(self) -> Option<ErrorCode> {
        match self {
            End::Completed => None,
            End::Incomplete(IncompleteReason::Timeout) => Some(ErrorCode::ProviderTimeout),
            End::Incomplete(IncompleteReason::Drained) => Some(ErrorCode::Draining),
            End::Incomplete(_) => Some(ErrorCode::Incomplete),
            End::Stopped => Some(ErrorCode::Stopped),
            End::Failed(code) => Some(code),
        }
    }
}

/// What became of a turn: all that is stored when it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Its journal, so that it can be replayed with its numbers.
    pub transcript: Transcript,
    /// Where the answer came from.
    pub source: Source,
    /// The provider that answered (or was asked).
    pub provider: ProviderId,
    /// That provider's exact model.
    pub model: String,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
}

impl Outcome {
    /// What the upstream call cost, if the provider told.
    pub fn usage(&self) -> Option<Usage> {
        self.transcript.usage
    }
}
