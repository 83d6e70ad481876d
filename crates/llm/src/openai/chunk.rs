use hitesh_domain::Usage;
use serde::Deserialize;
use serde_json::Value;

use crate::http::lenient::{if_it_fits, null_as_default};

/// One event of a stream, or a whole completion, as servers really send it: any field may be missing or `null`,
/// unknown ones are passed over. Only text that is not text is refused.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) choices: Vec<Choice>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) usage: Option<WireUsage>,
    pub(super) error: Option<Value>,
    /// `"error"`: the chunk as such is the error (older vLLM).
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) object: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) index: u32,
    /// In a completion that was not streamed it is called `message`.
    #[serde(default, alias = "message", deserialize_with = "null_as_default")]
    pub(super) delta: Delta,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    pub(super) content: Option<String>,
    pub(super) refusal: Option<String>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) reasoning: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, deserialize_with = "null_as_default")]
    prompt_tokens: u64,
    #[serde(default, deserialize_with = "null_as_default")]
    completion_tokens: u64,
    #[serde(default, deserialize_with = "null_as_default")]
    prompt_tokens_details: PromptTokensDetails,
}

#[derive(Debug, Default, Deserialize)]
struct PromptTokensDetails {
    #[serde(default, deserialize_with = "null_as_default")]
    cached_tokens: u64,
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: usage.prompt_tokens_details.cached_tokens,
        }
    }
}
