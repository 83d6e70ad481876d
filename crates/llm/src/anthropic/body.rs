use hitesh_domain::{Message, Role};
use serde::Serialize;

use super::AnthropicSettings;
use crate::{CompletionRequest, Sampling};

/// The body of a messages request.
#[derive(Serialize)]
pub(super) struct MessagesBody<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<TextBlock<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'static str,
    content: [TextBlock<'a>; 1],
}

#[derive(Serialize)]
struct TextBlock<'a> {
    r#type: &'static str,
    text: &'a str,
    /// Marks the end of a prefix that is worth keeping: everything before it is kept with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct CacheControl {
    r#type: &'static str,
}

impl<'a> MessagesBody<'a> {
    pub(super) fn new(model: &'a str, sampling: &Sampling, request: &'a CompletionRequest) -> Self {
        let leading = request.messages.iter().take_while(|message| message.role == Role::System).count();
        let stable = request.stable.min(request.messages.len());
        // The system's part is marked for itself: it is the same though the examples should change.
        let is_end = |index: usize| index + 1 == stable || index + 1 == stable.min(leading);
        let mut system = Vec::new();
        let mut messages = Vec::new();
        for (index, message) in request.messages.iter().enumerate() {
            let block = TextBlock::new(&message.content, is_end(index));
            if index < leading {
                system.push(block);
            } else {
                messages.push(Turn { role: role(message), content: [block] });
            }
        }
        Self {
            model,
            max_tokens: sampling.max_tokens.unwrap_or(AnthropicSettings::DEFAULT_MAX_TOKENS),
            stream: true,
            system,
            messages,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
        }
    }
}

/// The system speaks only at the beginning; later it can only be heard as the user.
fn role(message: &Message) -> &'static str {
    match message.role {
        Role::Assistant => "assistant",
        Role::System | Role::User => "user",
    }
}

impl<'a> TextBlock<'a> {
    fn new(text: &'a str, is_kept: bool) -> Self {
        Self { r#type: "text", text, cache_control: is_kept.then_some(CacheControl { r#type: "ephemeral" }) }
    }
}

#[cfg(test)]
mod tests {
    use hitesh_domain::StepFormat;

    use super::*;

    fn json(stable: usize, sampling: Sampling) -> String {
        let messages = vec![
            Message::new(Role::System, "rules"),
            Message::new(Role::User, "tea?"),
            Message::new(Role::Assistant, "haanji"),
            Message::new(Role::User, "chai?"),
        ];
        let request = CompletionRequest {
            messages,
            stable,
            step_format: StepFormat::Tagged,
            scaffold: hitesh_domain::Scaffold::default(),
        };
        serde_json::to_string(&MessagesBody::new("claude-haiku-4-5", &sampling, &request)).unwrap()
    }

    /// The texts of a body that are marked.
    fn marked(stable: usize) -> Vec<String> {
        let body = json(stable, Sampling::default());
        let parts: Vec<_> = body.split(r#"","cache_control":{"type":"ephemeral"}"#).collect();
        let before = &parts[..parts.len() - 1];
        before.iter().filter_map(|part| part.rsplit('"').next()).map(str::to_owned).collect()
    }

    #[test]
    fn the_body_is_what_the_api_describes() {
        let sampling = Sampling { temperature: Some(0.5), top_p: None, max_tokens: Some(700) };
        assert_eq!(
            json(0, sampling),
            concat!(
                r#"{"model":"claude-haiku-4-5","max_tokens":700,"stream":true,"system":[{"type":"text","text":"rules"}],"#,
                r#""messages":[{"role":"user","content":[{"type":"text","text":"tea?"}]},"#,
                r#"{"role":"assistant","content":[{"type":"text","text":"haanji"}]},"#,
                r#"{"role":"user","content":[{"type":"text","text":"chai?"}]}],"temperature":0.5}"#
            )
        );
    }

    #[test]
    fn the_longest_answer_is_always_said() {
        assert!(json(0, Sampling::default()).contains(r#""max_tokens":1200"#));
    }

    #[test]
    fn the_ends_of_what_is_the_same_for_every_question_are_marked() {
        let rows: [(usize, &[&str]); 5] =
            [(0, &[]), (1, &["rules"]), (2, &["rules", "tea?"]), (3, &["rules", "haanji"]), (9, &["rules", "chai?"])];
        for (stable, expected) in rows {
            assert_eq!(marked(stable), expected, "{stable}");
        }
    }
}
