//! LLM providers behind one trait. This crate knows how to ask a model; it must not know personas or sessions.

#[cfg(feature = "local")]
pub mod local;
pub mod models;
#[cfg(feature = "openai")]
pub mod openai;
mod provider;
mod router;

pub use provider::{
    CompletionRequest, DeltaStream, FinishReason, Phase, PromptSize, Provider, ProviderError, ProviderEvent,
    ProviderState, Sampling,
};
pub use router::{Answering, Router};
