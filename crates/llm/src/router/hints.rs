//! What processes that ask the same providers tell each other.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Phase, Provider, ProviderError};

/// Where processes that ask the same providers tell each other which of them are to be left alone. It may lose anything: then
/// each finds out by itself.
#[async_trait]
pub trait BreakerBoard: Debug + Send + Sync + 'static {
    /// Leaves what this process has to tell, and gives what stands there of each of these providers after that, in their order. A hint is
    /// there until its wait is over, or somebody says that the provider answers; the longer one of two stays.
    async fn exchange(&self, notices: &[Notice<'_>]) -> Result<Vec<Option<Hint>>, BoardError>;
}

/// What one process has to tell of a provider.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// Its name on the board: equal for those who ask the same model in the same way.
    pub provider: &'a str,
    /// That it is to be left alone, or that it answers again. None: nothing new.
    pub told: Option<Result<(), &'a Hint>>,
}

/// A provider is to be left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    wait_ms: u64,
    why: Why,
}

/// What it failed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    RateLimited,
    Unavailable,
    Timeout { phase: Phase, limit_ms: u64 },
    Broken,
}

/// What was, or is to be, told of a breaker.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Told {
    /// It is open until then.
    Fails(Hint, Instant),
    /// It has closed.
    Answers,
    Nothing,
}

/// Why a board did not do it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("other instances can't be told how providers do: {reason}")]
pub struct BoardError {
    /// In words of ours.
    pub reason: String,
}

impl Told {
    pub(super) fn notice(&self) -> Option<Result<(), &Hint>> {
        match self {
            Told::Fails(hint, _) => Some(Err(hint)),
            Told::Answers => Some(Ok(())),
            Told::Nothing => None,
        }
    }
}

impl Hint {
    /// None for what may be this process's own fault, such as a wrong key: others may have a better one.
    pub(super) fn new(error: &ProviderError, wait: Duration) -> Option<Self> {
        let why = match error {
            ProviderError::RateLimited { .. } => Why::RateLimited,
            ProviderError::Unavailable { .. } => Why::Unavailable,
            ProviderError::Timeout { phase, limit } => Why::Timeout { phase: *phase, limit_ms: millis(*limit) },
            ProviderError::Broken { .. } => Why::Broken,
            ProviderError::Overloaded
            | ProviderError::Unauthorized
            | ProviderError::Rejected { .. }
            | ProviderError::ContextTooLong
            | ProviderError::Misconfigured { .. } => return None,
        };
        Some(Self { wait_ms: millis(wait), why })
    }

    /// For how long.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }

    /// The same for so long instead.
    #[must_use]
    pub fn for_another(self, wait: Duration) -> Self {
        Self { wait_ms: millis(wait), ..self }
    }

    /// The provider itself asked for it.
    pub(super) fn is_asked_for(&self) -> bool {
        self.why == Why::RateLimited
    }

    /// What the provider failed with, as it is told here.
    pub(super) fn error(&self) -> ProviderError {
        match self.why {
            Why::RateLimited => ProviderError::RateLimited { retry_after: Some(self.wait()) },
            Why::Unavailable => ProviderError::Unavailable { reason: "another instance has found it so".to_owned() },
            Why::Timeout { phase, limit_ms } => {
                ProviderError::Timeout { phase, limit: Duration::from_millis(limit_ms) }
            }
            Why::Broken => ProviderError::Broken { reason: "as another instance has found" },
        }
    }
}

/// A provider's name on the board.
pub(super) fn name(provider: &dyn Provider) -> String {
    format!("{}/{}", provider.id(), provider.model())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
