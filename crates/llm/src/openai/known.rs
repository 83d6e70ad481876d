use hitesh_domain::StepFormat;
use serde::Deserialize;

use super::Preset;
use crate::Sampling;

/// Under which name a server takes the longest answer. OpenAI's newer models refuse the old name, and other servers
/// (Mistral's, for one) the new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// `max_completion_tokens`.
    MaxCompletionTokens,
    /// `max_tokens`.
    #[default]
    MaxTokens,
}

/// What a server is known to understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) step_format: StepFormat,
    pub(super) max_tokens_field: MaxTokensField,
    /// Whether it takes `stream_options.include_usage`.
    pub(super) stream_options: bool,
    /// Whether it pads its events unless it is told not to.
    pub(super) obfuscates: bool,
}

/// A server that nothing is known about: nothing is asked of it that plain text does not.
const UNKNOWN: Dialect = Dialect {
    step_format: StepFormat::Tagged,
    max_tokens_field: MaxTokensField::MaxTokens,
    stream_options: true,
    obfuscates: false,
};

/// OpenAI's models from before structured outputs.
const WITHOUT_SCHEMAS: &[&str] = &["gpt-3.5", "gpt-4-"];

/// OpenAI's models that reason first: they refuse a temperature, and their reasoning counts as completion.
const REASONING: &[&str] = &["o1", "o3", "o4", "gpt-5"];

impl Dialect {
    /// That of a server, for `model`.
    pub(super) fn of(server: Option<&Preset>, model: &str) -> Self {
        let mut dialect = server.map_or(UNKNOWN, |preset| Dialect {
            step_format: preset.step_format,
            max_tokens_field: preset.max_tokens_field,
            stream_options: preset.stream_options,
            obfuscates: preset.obfuscates,
        });
        if model == "gpt-4" || starts_with_any(model, WITHOUT_SCHEMAS) {
            dialect.step_format = StepFormat::Tagged;
        }
        dialect
    }

    /// That of Azure. The name of a deployment says little of the model behind it, so it is asked for tags.
    pub(super) fn azure(deployment: &str) -> Self {
        let max_tokens_field =
            if reasons(deployment) { MaxTokensField::MaxCompletionTokens } else { MaxTokensField::MaxTokens };
        Dialect { max_tokens_field, ..UNKNOWN }
    }
}

/// The sampling that is used unless it is configured.
pub(super) fn default_sampling(server: Option<&Preset>, model: &str) -> Sampling {
    if reasons(model) {
        return Sampling { temperature: None, top_p: None, max_tokens: Some(8_000) };
    }
    let max_tokens = server.and_then(|preset| preset.max_tokens).unwrap_or(1_200);
    Sampling { temperature: Some(0.7), top_p: None, max_tokens: Some(max_tokens) }
}

fn reasons(model: &str) -> bool {
    // A gateway writes the maker before the name.
    let name = model.rsplit('/').next().unwrap_or(model);
    starts_with_any(name, REASONING) && !name.contains("-chat")
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, model: &str) -> Dialect {
        Dialect::of(Preset::at(host), model)
    }

    #[test]
    fn openai_is_known_by_its_host_and_its_regions() {
        for host in ["api.openai.com", "eu.api.openai.com"] {
            assert_eq!(at(host, "gpt-4o-mini").max_tokens_field, MaxTokensField::MaxCompletionTokens, "{host}");
        }
        for host in ["api.openai.com.example.org", "notapi.openai.com", "127.0.0.1", "localhost"] {
            assert_eq!(at(host, "gpt-4o-mini"), UNKNOWN, "{host}");
        }
    }

    #[test]
    fn a_model_from_before_schemas_is_asked_for_tags() {
        for model in ["gpt-3.5-turbo", "gpt-4", "gpt-4-turbo"] {
            assert_eq!(at("api.openai.com", model).step_format, StepFormat::Tagged, "{model}");
        }
        for model in ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5-mini", "o3"] {
            assert_eq!(at("api.openai.com", model).step_format, StepFormat::JsonSchema, "{model}");
        }
    }

    #[test]
    fn a_model_that_reasons_is_sent_no_temperature() {
        for model in ["o3-mini", "gpt-5-mini", "openai/gpt-5"] {
            assert_eq!(default_sampling(None, model).temperature, None, "{model}");
        }
        for model in ["gpt-4o-mini", "gpt-5-chat-latest", "olmo", "qwen2.5"] {
            assert_eq!(default_sampling(None, model).temperature, Some(0.7), "{model}");
        }
    }

    #[test]
    fn where_reasoning_counts_there_is_room_for_it() {
        assert_eq!(default_sampling(Preset::find("gemini"), "gemini-flash").max_tokens, Some(8_000));
        assert_eq!(default_sampling(Preset::find("groq"), "llama").max_tokens, Some(1_200));
    }

    #[test]
    fn azure_is_told_the_longest_answer_as_its_model_takes_it() {
        let fields = ["my-4o", "gpt-5-mini"].map(|deployment| Dialect::azure(deployment).max_tokens_field);
        assert_eq!(fields, [MaxTokensField::MaxTokens, MaxTokensField::MaxCompletionTokens]);
    }
}
