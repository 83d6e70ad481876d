//! Anthropic's Messages API.

mod answer;
mod body;
mod event;
mod provider;
mod settings;

pub use provider::AnthropicProvider;
pub use settings::AnthropicSettings;

pub use crate::http::SecretString;
