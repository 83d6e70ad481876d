use hitesh_domain::Usage;
use serde::Deserialize;
use serde_json::Value;

use crate::http::lenient::{if_it_fits, null_as_default};

/// One event of a stream, or a whole message, as servers really send it: any field may be missing or `null`, unknown
/// ones and events of another type are passed over. Only text that is not text is refused.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type", default, deserialize_with = "null_as_default")]
    pub(super) kind: String,
    /// Of `message_start`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) message: Message,
    /// Of `content_block_start`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) content_block: Block,
    /// Of `content_block_delta` and `message_delta`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) delta: Block,
    /// Of `message_delta`, and of a whole message.
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) usage: Option<WireUsage>,
    /// Of a whole message.
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) content: Vec<Block>,
    /// Of a whole message.
    pub(super) stop_reason: Option<String>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Message {
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) usage: Option<WireUsage>,
}

/// A block of content or a part of one: what it is says which field it has.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Block {
    pub(super) text: Option<String>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) thinking: Option<String>,
    /// Only in a `message_delta`.
    pub(super) stop_reason: Option<String>,
}

/// Counts so far. What an event does not say, an earlier one said.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
pub(super) struct WireUsage {
    input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl WireUsage {
    /// These counts, and those of `earlier` for the rest.
    pub(super) fn over(self, earlier: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.or(earlier.input_tokens),
            cache_read_input_tokens: self.cache_read_input_tokens.or(earlier.cache_read_input_tokens),
            cache_creation_input_tokens: self.cache_creation_input_tokens.or(earlier.cache_creation_input_tokens),
            output_tokens: self.output_tokens.or(earlier.output_tokens),
        }
    }
}

/// Anthropic counts what it read from a cache, and what it wrote there, beside the input.
impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let cached_tokens = usage.cache_read_input_tokens.unwrap_or_default();
        let written = usage.cache_creation_input_tokens.unwrap_or_default();
        Self {
            prompt_tokens: usage.input_tokens.unwrap_or_default().saturating_add(cached_tokens).saturating_add(written),
            completion_tokens: usage.output_tokens.unwrap_or_default(),
            cached_tokens,
        }
    }
}
