use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;
use hitesh_domain::{Message, ProviderId, Scaffold, Status, StepFormat, Usage};
use serde::{Deserialize, Serialize};

/// A model that answers: a remote server or one in this process.
#[async_trait]
pub trait Provider: Debug + Send + Sync + 'static {
    /// Its configured name; part of the cache key.
    fn id(&self) -> &ProviderId;

    /// The exact model; part of the cache key.
    fn model(&self) -> &str;

    /// Questions that wait in a line of its own.
    fn waiting(&self) -> usize {
        0
    }

    /// How the model behind it marks steps best.
    fn step_format(&self) -> StepFormat;

    /// How long a prompt suits it.
    fn prompt_size(&self) -> PromptSize {
        PromptSize::Full
    }

    /// The longest prompt, in tokens, that leaves room for an answer; `None`: no limit that matters here.
    fn prompt_window(&self) -> Option<usize> {
        None
    }

    /// How long a call may take in all, whoever is asked before; `None`: there is no such limit.
    fn total_deadline(&self) -> Option<Duration> {
        None
    }

    /// The sampling parameters that it was configured with; part of the cache key.
    fn sampling(&self) -> &Sampling;

    /// Whether it can be asked now. Cheap: it asks nobody.
    fn state(&self) -> ProviderState {
        ProviderState::Ready
    }

    /// Prepares for prompts that begin with `prefix`. A provider that gains nothing from it does nothing.
    async fn warm_up(&self, prefix: &[Message]) -> Result<(), ProviderError> {
        let _ = prefix;
        Ok(())
    }

    /// Reaches the upstream without asking a question, and says whether it would be heard. For `check`.
    async fn probe(&self) -> Result<(), ProviderError>;

    /// Asks. Resolves when the upstream has accepted (a provider with a queue of its own: when the request has a
    /// place in it). Dropping the future or the stream stops the upstream work.
    ///
    /// # Errors
    /// Before anything of the answer came; whether another provider may mend it says
    /// [`ProviderError::is_mendable_elsewhere`].
    async fn stream(&self, request: CompletionRequest) -> Result<DeltaStream, ProviderError>;
}

/// The answer as it is made. An honest end is exactly one [`ProviderEvent::Finish`], after which only `Usage` may
/// come; a stream that ends without it was cut. After an `Err` nothing comes.
pub type DeltaStream = BoxStream<'static, Result<ProviderEvent, ProviderError>>;

/// What a provider is asked.
#[derive(Debug, Clone)]
pub struct CompletionRequest {
    /// The whole prompt.
    pub messages: Vec<Message>,
    /// How many leading messages are the same for every question, so that a provider can keep them warm.
    pub stable: usize,
    /// How the steps are to be marked.
    pub step_format: StepFormat,
    /// What is not left to the model: for providers that write the steps' marks themselves.
    pub scaffold: Scaffold,
}

/// Sampling parameters; what is `None` is left to the provider.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Softmax temperature, 0 to 2.
    pub temperature: Option<f32>,
    /// Nucleus mass, 0 to 1.
    pub top_p: Option<f32>,
    /// The longest answer, all steps together, in tokens.
    pub max_tokens: Option<u32>,
}

/// One piece of an answer as the upstream sends it.
#[derive(Debug, Clone, PartialEq)]
pub enum ProviderEvent {
    /// What the answer waits for; only before the first `Delta`.
    Status(Status),
    /// A piece of the answer's text, with its step marks, never empty.
    Delta(String),
    /// A piece of the model's own reasoning. Never a part of the answer.
    Reasoning(String),
    /// What the call cost; the last one counts.
    Usage(Usage),
    /// The answer ended in an orderly way.
    Finish(FinishReason),
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had said all.
    Stop,
    /// The length limit was reached: the answer is cut.
    Length,
    /// The model refused; what came is the refusal.
    Refusal,
    /// A filter ended the answer, wherever it was.
    Filtered,
}

/// How long a prompt suits a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptSize {
    /// Whole notes.
    Full,
    /// One note's gist: for small models.
    Compact,
}

/// Whether a provider can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderState {
    /// Yes.
    Ready,
    /// Soon; a question waits for it.
    Loading,
    /// No, and why, in a sentence for the operator.
    Unavailable(String),
}

/// The phase of a call that a deadline ran out in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for a place.
    Queue,
    /// Opening the connection.
    Connect,
    /// Until the first token.
    FirstToken,
    /// Between two tokens.
    Silence,
    /// The whole call.
    Total,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Queue => "place in the queue",
            Phase::Connect => "connection",
            Phase::FirstToken => "first token",
            Phase::Silence => "further token",
            Phase::Total => "end of the answer",
        })
    }
}

/// Why a provider gave no answer, or only a part. Named after what the caller does about it; holds no prompt, key
/// or upstream body.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// Asked too much of it; later, or elsewhere.
    #[error("the provider asked to slow down")]
    RateLimited {
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// Its queue is full; later, or elsewhere.
    #[error("the provider's queue is full")]
    Overloaded,
    /// The credentials are wrong: the operator has to act.
    #[error("the provider refused the credentials")]
    Unauthorized,
    /// The request as such was refused.
    #[error("the provider refused the request{}", status.map(|s| format!(" (status {s})")).unwrap_or_default())]
    Rejected {
        /// The upstream's HTTP status.
        status: Option<u16>,
    },
    /// The prompt is longer than the model's window.
    #[error("the prompt does not fit the model's context window")]
    ContextTooLong,
    /// It can't be reached, or answers with a server error.
    #[error("the provider is unavailable: {reason}")]
    Unavailable {
        /// In words of ours.
        reason: String,
    },
    /// It answers, but not as this server is configured: the operator has to act. Elsewhere.
    #[error("the provider can't be used as configured: {reason}")]
    Misconfigured {
        /// In words of ours.
        reason: String,
    },
    /// A deadline ran out.
    #[error("no {phase} within {limit:?}")]
    Timeout {
        /// In which phase.
        phase: Phase,
        /// The deadline.
        limit: Duration,
    },
    /// The stream broke off or made no sense.
    #[error("the provider's stream broke off: {reason}")]
    Broken {
        /// In words of ours.
        reason: &'static str,
    },
}

impl ProviderError {
    /// Whether another provider may answer what this one could not.
    pub fn is_mendable_elsewhere(&self) -> bool {
        !matches!(self, ProviderError::Rejected { .. } | ProviderError::ContextTooLong)
    }
}
