use hitesh_domain::StepFormat;

use crate::Sampling;

/// Under which name a server takes the longest answer. OpenAI's newer models refuse the old name, and other servers
/// (Mistral's, for one) the new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_completion_tokens`.
    MaxCompletionTokens,
    /// `max_tokens`.
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

/// OpenAI itself: strict schemas keep the order of their keys, which the steps depend on.
const OPENAI: Dialect = Dialect {
    step_format: StepFormat::JsonSchema,
    max_tokens_field: MaxTokensField::MaxCompletionTokens,
    stream_options: true,
    obfuscates: true,
};

/// A server that nothing is known about. `Tagged` asks nothing of it that plain text does not: a gateway
/// (OpenRouter) or a runner (Ollama, vLLM, llama.cpp) has any model behind it, Groq does not stream structured
/// outputs, and a server that ignores `response_format` or orders the keys by name would break the steps.
const UNKNOWN: Dialect = Dialect {
    step_format: StepFormat::Tagged,
    max_tokens_field: MaxTokensField::MaxTokens,
    stream_options: true,
    obfuscates: false,
};

/// Servers by the end of their host name.
const SERVERS: &[(&str, Dialect)] = &[
    ("api.openai.com", OPENAI),
    // Answers 422 `extra_forbidden` to `stream_options`, and sends the usage anyway.
    ("api.mistral.ai", Dialect { stream_options: false, ..UNKNOWN }),
];

/// OpenAI's models from before structured outputs.
const WITHOUT_SCHEMAS: &[&str] = &["gpt-3.5", "gpt-4-"];

/// OpenAI's models that reason first: they refuse a temperature, and their reasoning counts as completion.
const REASONING: &[&str] = &["o1", "o3", "o4", "gpt-5"];

impl Dialect {
    /// That of the server at `host`, for `model`.
    pub(super) fn of(host: &str, model: &str) -> Self {
        let known = SERVERS.iter().find(|(name, _)| is_within(host, name));
        let mut dialect = known.map_or(UNKNOWN, |(_, dialect)| *dialect);
        if dialect == OPENAI && (model == "gpt-4" || starts_with_any(model, WITHOUT_SCHEMAS)) {
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
pub(super) fn default_sampling(model: &str) -> Sampling {
    if reasons(model) {
        return Sampling { temperature: None, top_p: None, max_tokens: Some(8_000) };
    }
    Sampling { temperature: Some(0.7), top_p: None, max_tokens: Some(1_200) }
}

fn reasons(model: &str) -> bool {
    // A gateway writes the maker before the name.
    let name = model.rsplit('/').next().unwrap_or(model);
    starts_with_any(name, REASONING) && !name.contains("-chat")
}

fn is_within(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn starts_with_any(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openai_is_known_by_its_host_and_its_regions() {
        for host in ["api.openai.com", "eu.api.openai.com"] {
            assert_eq!(Dialect::of(host, "gpt-4o-mini"), OPENAI, "{host}");
        }
        for host in ["api.openai.com.example.org", "notapi.openai.com", "127.0.0.1", "localhost"] {
            assert_eq!(Dialect::of(host, "gpt-4o-mini"), UNKNOWN, "{host}");
        }
    }

    #[test]
    fn a_model_from_before_schemas_is_asked_for_tags() {
        for model in ["gpt-3.5-turbo", "gpt-4", "gpt-4-turbo"] {
            assert_eq!(Dialect::of("api.openai.com", model).step_format, StepFormat::Tagged, "{model}");
        }
        for model in ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5-mini", "o3"] {
            assert_eq!(Dialect::of("api.openai.com", model).step_format, StepFormat::JsonSchema, "{model}");
        }
    }

    #[test]
    fn a_model_that_reasons_is_sent_no_temperature() {
        for model in ["o3-mini", "gpt-5-mini", "openai/gpt-5"] {
            assert_eq!(default_sampling(model).temperature, None, "{model}");
        }
        for model in ["gpt-4o-mini", "gpt-5-chat-latest", "olmo", "qwen2.5"] {
            assert_eq!(default_sampling(model).temperature, Some(0.7), "{model}");
        }
    }
}
