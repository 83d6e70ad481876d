//! The model that the tests run, and how they ask it.

use std::{env, num::NonZeroUsize, path::PathBuf, time::Duration};

use futures::StreamExt;
use hitesh_domain::{Message, Role, StepFormat, Usage};
use hitesh_llm::{
    CompletionRequest, DeltaStream, FinishReason, Provider, ProviderEvent,
    local::{LocalProvider, LocalSettings, LocalState, StepTokens},
    models::{Catalog, ModelStore},
};

/// The file of the test model.
pub(crate) fn file() -> PathBuf {
    if let Some(path) = env::var_os("HITESH_TEST_MODEL").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let catalog = Catalog::builtin().unwrap();
    let entry = catalog.get("smollm2-135m-instruct").unwrap();
    ModelStore::default_dir(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
        .and_then(|dir| ModelStore::new(dir).path(entry))
        .expect("the test model is not here: run `hitesh-ai model pull smollm2-135m-instruct`")
}

/// Short steps, so that the tests are quick, and one thread: tests run side by side, and threads that wait for a
/// core hold up each other.
pub(crate) fn settings() -> LocalSettings {
    LocalSettings {
        context_tokens: 1024,
        threads: Some(NonZeroUsize::MIN),
        step_tokens: StepTokens { analyze: 12, think: 16, output: 40 },
        // The same sizes give the same sums.
        prefill_chunk: Some(16),
        // Each test begins cold.
        save_prefix: false,
        ..LocalSettings::default()
    }
}

/// A provider that has loaded the test model.
pub(crate) async fn provider(settings: LocalSettings) -> LocalProvider {
    let provider = LocalProvider::start(&file(), settings, "local".parse().unwrap()).unwrap();
    provider.probe().await.unwrap();
    assert_eq!(provider.local_state(), LocalState::Ready);
    provider
}

/// What every question begins with.
pub(crate) fn prefix() -> Vec<Message> {
    let rules = "You are a kind mentor who explains everything with a cup of chai. ".repeat(12);
    vec![
        Message::new(Role::System, rules),
        Message::new(Role::User, "What is a variable?"),
        Message::new(Role::Assistant, "<analyze>A</analyze><think>B</think><output>A cup with a name.</output>"),
    ]
}

pub(crate) fn question(text: &str) -> CompletionRequest {
    let mut messages = prefix();
    let stable = messages.len();
    messages.push(Message::new(Role::User, text));
    CompletionRequest {
        messages,
        stable,
        step_format: StepFormat::Tagged,
        scaffold: hitesh_domain::Scaffold::default(),
    }
}

/// An answer that came to its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) deltas: usize,
    pub(crate) usage: Usage,
    pub(crate) finish: FinishReason,
}

pub(crate) async fn read(mut stream: DeltaStream) -> Answer {
    let mut answer = Answer { text: String::new(), deltas: 0, usage: Usage::default(), finish: FinishReason::Refusal };
    let mut finishes = 0;
    while let Some(event) = next(&mut stream).await {
        match event {
            ProviderEvent::Delta(text) => {
                assert!(!text.is_empty());
                answer.text.push_str(&text);
                answer.deltas += 1;
            }
            ProviderEvent::Usage(usage) => answer.usage = usage,
            ProviderEvent::Finish(finish) => {
                answer.finish = finish;
                finishes += 1;
            }
            ProviderEvent::Status(_) | ProviderEvent::Reasoning(_) => {}
        }
    }
    assert_eq!(finishes, 1, "an honest end is exactly one");
    answer
}

pub(crate) async fn next(stream: &mut DeltaStream) -> Option<ProviderEvent> {
    let event = tokio::time::timeout(Duration::from_secs(120), stream.next()).await;
    event.expect("an event in time").map(|event| event.expect("no error"))
}

pub(crate) async fn ask(provider: &LocalProvider, text: &str) -> Answer {
    read(provider.stream(question(text)).await.unwrap()).await
}
