use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, ChatCompletionStreamOptions, CreateChatCompletionRequest,
};
use hitesh_domain::{Message, Role, Step, StepFormat};
use serde::Serialize;

use super::known::{Dialect, MaxTokensField};
use crate::{CompletionRequest, Sampling};

/// The body of a chat completions request: async-openai's, but for the format, whose schema it keeps in a
/// `serde_json::Value`. That orders keys by name (`analyze`, `output`, `think`), and the model writes them in the
/// schema's order.
#[derive(Serialize)]
pub(super) struct CompletionBody {
    #[serde(flatten)]
    common: CreateChatCompletionRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
}

impl CompletionBody {
    pub(super) fn new(model: &str, sampling: &Sampling, dialect: &Dialect, request: &CompletionRequest) -> Self {
        let (max_completion_tokens, max_tokens) = match dialect.max_tokens_field {
            MaxTokensField::MaxCompletionTokens => (sampling.max_tokens, None),
            MaxTokensField::MaxTokens => (None, sampling.max_tokens),
        };
        let stream_options = dialect.stream_options.then(|| ChatCompletionStreamOptions {
            include_usage: Some(true),
            include_obfuscation: dialect.obfuscates.then_some(false),
        });
        #[expect(deprecated, reason = "servers other than OpenAI's know max_tokens only")]
        let common = CreateChatCompletionRequest {
            model: model.to_owned(),
            messages: request.messages.iter().map(message).collect(),
            stream: Some(true),
            stream_options,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            max_completion_tokens,
            max_tokens,
            ..Default::default()
        };
        Self { common, response_format: ResponseFormat::of(request.step_format) }
    }
}

fn message(message: &Message) -> ChatCompletionRequestMessage {
    let content = message.content.as_str();
    match message.role {
        Role::System => ChatCompletionRequestSystemMessage::from(content).into(),
        Role::User => ChatCompletionRequestUserMessage::from(content).into(),
        Role::Assistant => ChatCompletionRequestAssistantMessage::from(content).into(),
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat {
    JsonObject,
    JsonSchema { json_schema: NamedSchema },
}

impl ResponseFormat {
    fn of(format: StepFormat) -> Option<Self> {
        match format {
            StepFormat::JsonSchema => Some(Self::JsonSchema { json_schema: NamedSchema::of_steps() }),
            StepFormat::JsonObject => Some(Self::JsonObject),
            StepFormat::Tagged => None,
        }
    }
}

#[derive(Serialize)]
struct NamedSchema {
    name: &'static str,
    strict: bool,
    schema: Schema,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    r#type: &'static str,
    properties: Properties,
    required: [&'static str; 3],
    additional_properties: bool,
}

/// Fields are written in the order in which they are declared, which is that of [`Step::ALL`].
#[derive(Serialize)]
struct Properties {
    analyze: Text,
    think: Text,
    output: Text,
}

#[derive(Serialize)]
struct Text {
    r#type: &'static str,
}

impl NamedSchema {
    fn of_steps() -> Self {
        let text = || Text { r#type: "string" };
        let schema = Schema {
            r#type: "object",
            properties: Properties { analyze: text(), think: text(), output: text() },
            required: Step::ALL.map(Step::as_str),
            additional_properties: false,
        };
        Self { name: "answer", strict: true, schema }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openai::Preset;

    fn json(host: &str, step_format: StepFormat) -> String {
        let messages = vec![
            Message::new(Role::System, "rules"),
            Message::new(Role::User, "chai?"),
            Message::new(Role::Assistant, "haanji"),
        ];
        let request =
            CompletionRequest { messages, stable: 1, step_format, scaffold: hitesh_domain::Scaffold::default() };
        let sampling = Sampling { temperature: Some(0.7), top_p: None, max_tokens: Some(1200) };
        let body =
            CompletionBody::new("gpt-4o-mini", &sampling, &Dialect::of(Preset::at(host), "gpt-4o-mini"), &request);
        serde_json::to_string(&body).unwrap()
    }

    const MESSAGES: &str = r#"[{"role":"system","content":"rules"},{"role":"user","content":"chai?"},{"role":"assistant","content":"haanji"}]"#;

    #[test]
    fn openai_is_asked_for_a_strict_schema_in_the_order_of_the_steps() {
        let format = concat!(
            r#"{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object","#,
            r#""properties":{"analyze":{"type":"string"},"think":{"type":"string"},"output":{"type":"string"}},"#,
            r#""required":["analyze","think","output"],"additionalProperties":false}}}"#
        );
        assert_eq!(
            json("api.openai.com", StepFormat::JsonSchema),
            format!(
                r#"{{"messages":{MESSAGES},"model":"gpt-4o-mini","max_completion_tokens":1200,"stream":true,"stream_options":{{"include_usage":true,"include_obfuscation":false}},"temperature":0.7,"response_format":{format}}}"#
            )
        );
    }

    #[test]
    fn another_server_is_asked_for_nothing_that_it_may_not_know() {
        assert_eq!(
            json("127.0.0.1", StepFormat::Tagged),
            format!(
                r#"{{"messages":{MESSAGES},"model":"gpt-4o-mini","stream":true,"max_tokens":1200,"stream_options":{{"include_usage":true}},"temperature":0.7}}"#
            )
        );
    }

    #[test]
    fn mistral_is_not_asked_for_the_usage_that_it_sends_anyway() {
        assert!(!json("api.mistral.ai", StepFormat::Tagged).contains("stream_options"));
    }

    #[test]
    fn a_json_object_is_asked_for_without_a_schema() {
        assert!(json("127.0.0.1", StepFormat::JsonObject).ends_with(r#""response_format":{"type":"json_object"}}"#));
    }
}
