//! LLM providers behind one trait. This crate knows how to ask a model; it must not know personas or sessions.
#![cfg_attr(feature = "openai", doc = "", doc = include_str!("../README.md"))]

mod absent;
#[cfg(feature = "anthropic")]
pub mod anthropic;
#[cfg(feature = "redis")]
mod board;
mod deadlines;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "local")]
pub mod local;
#[cfg(feature = "models")]
pub mod models;
#[cfg(feature = "openai")]
pub mod openai;
mod prices;
mod provider;
mod router;

pub use absent::AbsentProvider;
#[cfg(feature = "redis")]
pub use board::RedisBreakerBoard;
pub use deadlines::{DeadlineSettings, Deadlines};
#[cfg(feature = "http")]
pub use http::{RemoteSettingsError, SecretString, check_proxy, http_client};
pub use prices::Prices;
pub use provider::{
    CompletionRequest, DeltaStream, FinishReason, Phase, PromptSize, Provider, ProviderError, ProviderEvent,
    ProviderState, Sampling,
};
pub use router::{
    BoardError, BreakerBoard, BreakerState, Call, CallEvent, Failure, Hint, History, Listed, Notice, ProviderStatus,
    Router,
};
