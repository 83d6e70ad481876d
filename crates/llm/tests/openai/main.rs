//! `OpenAiProvider` against an upstream that can do what no HTTP library would: a socket and a script.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this is test code as a whole")]

mod chunks;
mod conduct;
mod cut;
mod faults;
mod probes;
#[path = "../upstream/mod.rs"]
mod upstream;

use std::time::Duration;

use futures::StreamExt;
use hitesh_domain::{Message, ProviderId, Role, StepFormat};
use hitesh_llm::{
    CompletionRequest, DeltaStream, Provider, ProviderError, ProviderEvent,
    openai::{OpenAiProvider, OpenAiSettings, SecretString},
};

const KEY: &str = "sk-the-key-of-this-test";
const PROMPT: &str = "the prompt of this test";

fn settings(base_url: String) -> OpenAiSettings {
    let mut settings = OpenAiSettings::new(ProviderId::try_from("scripted").unwrap(), base_url, "gpt-4o-mini");
    settings.api_key = Some(SecretString::from(KEY));
    settings.connect_timeout = Duration::from_millis(500);
    settings
}

fn provider(base_url: String) -> OpenAiProvider {
    OpenAiProvider::new(settings(base_url)).unwrap()
}

fn question() -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::new(Role::User, PROMPT)],
        stable: 0,
        step_format: StepFormat::Tagged,
        scaffold: hitesh_domain::Scaffold::default(),
    }
}

/// Everything that came of a question: the pieces joined by `|`, then what else came, in short.
async fn told(provider: &dyn Provider) -> String {
    match provider.stream(question()).await {
        Ok(stream) => rest(stream).await.join(" "),
        Err(error) => format!("refused: {}", named(&error)),
    }
}

async fn rest(mut stream: DeltaStream) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(event) = stream.next().await {
        told.push(match event {
            Ok(ProviderEvent::Delta(text)) => format!("«{text}»"),
            Ok(ProviderEvent::Reasoning(text)) => format!("({text})"),
            Ok(ProviderEvent::Usage(usage)) => format!("{}+{}", usage.prompt_tokens, usage.completion_tokens),
            Ok(other) => format!("{other:?}"),
            Err(error) => named(&error),
        });
    }
    assert!(stream.next().await.is_none(), "nothing comes after the end");
    told
}

/// An error by its words, which never hold a secret.
fn named(error: &ProviderError) -> String {
    let words = format!("{error}");
    for secret in [KEY, PROMPT, upstream::WORDS, "127.0.0.1", "http"] {
        assert!(!format!("{words} {error:?}").contains(secret), "{words} holds {secret}");
    }
    words
}
