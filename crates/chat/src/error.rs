use std::time::Duration;

use hitesh_domain::ErrorCode;
use hitesh_llm::Failure;
use hitesh_sessions::StoreError;

use crate::generation::code_of;

/// Why a turn could not begin, or a question about turns not be answered. What happens to a turn after it began is
/// its `End`.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// There is no such persona.
    #[error("there is no such persona")]
    PersonaUnknown,
    /// The session has as many turns in flight as it may have.
    #[error("the session has {limit} turns in flight already")]
    SessionBusy {
        /// How many it may have.
        limit: usize,
    },
    /// The server has as many turns in flight as it may have.
    #[error("too many turns are in flight")]
    Overloaded {
        /// When it may be worth to ask again.
        retry_after: Duration,
    },
    /// The server is shutting down.
    #[error("the server is draining")]
    Draining,
    /// Nothing was stored; later.
    #[error("the session store is unavailable")]
    StoreUnavailable(#[source] StoreError),
    /// There is no provider to ask: all are unavailable, or failed too often lately.
    #[error("no provider can be asked: {}", .0.error)]
    NobodyToAsk(Failure),
    /// There is no such turn, or it is not stored.
    #[error("there is no such turn")]
    TurnNotFound,
    /// The turn has not ended: stop it first.
    #[error("the turn has not ended")]
    TurnRunning,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyConflict,
    /// The cache did not do what it was asked explicitly.
    #[error("the cache is unavailable")]
    CacheUnavailable,
    /// A bug.
    #[error("internal error")]
    Internal,
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        EngineError::StoreUnavailable(error)
    }
}

impl EngineError {
    /// The code of the contract that it has when it is about a provider.
    pub fn provider_code(&self) -> Option<ErrorCode> {
        match self {
            EngineError::NobodyToAsk(failure) => Some(code_of(&failure.error)),
            _ => None,
        }
    }
}
