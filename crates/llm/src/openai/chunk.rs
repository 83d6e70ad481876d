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
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) content: Content,
    pub(super) refusal: Option<String>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) reasoning: Option<String>,
    #[serde(default, deserialize_with = "if_it_fits")]
    pub(super) thinking: Option<String>,
    /// The same as `reasoning`, in parts; read only without it (OpenRouter sends both).
    #[serde(default, deserialize_with = "if_it_fits")]
    reasoning_details: Option<Vec<ReasoningDetail>>,
}

impl Delta {
    /// The model's own reasoning under whichever names the server has for it, each said once.
    pub(super) fn take_reasoning(&mut self) -> String {
        let named = [self.reasoning_content.take(), self.reasoning.take(), self.thinking.take()];
        let details = self.reasoning_details.take().unwrap_or_default();
        let said = named.into_iter().flatten().find(|text| !text.is_empty());
        said.unwrap_or_else(|| details.into_iter().filter_map(|detail| detail.text.or(detail.summary)).collect())
            + &std::mem::take(&mut self.content.thinking)
    }
}

#[derive(Debug, Deserialize)]
struct ReasoningDetail {
    text: Option<String>,
    summary: Option<String>,
}

/// A piece of the answer: text, or (Mistral) a list of parts, some of which are what the model thinks.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "WireContent")]
pub(super) struct Content {
    pub(super) text: String,
    thinking: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireContent {
    Text(String),
    Parts(Vec<Part>),
}

/// Parts of another type (references, images) have neither field; text of a part that is none is not the answer's.
#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type", default, deserialize_with = "if_it_fits")]
    kind: Option<String>,
    text: Option<String>,
    thinking: Option<Thinking>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Thinking {
    Text(String),
    Parts(Vec<ThinkingPart>),
}

#[derive(Deserialize)]
struct ThinkingPart {
    text: Option<String>,
}

impl From<WireContent> for Content {
    fn from(content: WireContent) -> Self {
        let parts = match content {
            WireContent::Text(text) => return Self { text, thinking: String::new() },
            WireContent::Parts(parts) => parts,
        };
        let mut content = Self::default();
        for part in parts {
            let is_answer = part.kind.is_none_or(|kind| kind.ends_with("text"));
            let place = if is_answer { &mut content.text } else { &mut content.thinking };
            place.extend(part.text);
            match part.thinking {
                Some(Thinking::Text(text)) => content.thinking.push_str(&text),
                Some(Thinking::Parts(parts)) => {
                    content.thinking.extend(parts.into_iter().filter_map(|part| part.text));
                }
                None => {}
            }
        }
        content
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, deserialize_with = "null_as_default")]
    prompt_tokens: u64,
    #[serde(default, deserialize_with = "null_as_default")]
    completion_tokens: u64,
    #[serde(default, deserialize_with = "null_as_default")]
    prompt_tokens_details: PromptTokensDetails,
    /// DeepSeek's name for the cached ones.
    #[serde(default, deserialize_with = "null_as_default")]
    prompt_cache_hit_tokens: u64,
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
            cached_tokens: usage.prompt_tokens_details.cached_tokens.max(usage.prompt_cache_hit_tokens),
        }
    }
}
