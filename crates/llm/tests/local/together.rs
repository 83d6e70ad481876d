//! Several questions at once, sessions that go on, prefixes that outlive a restart, openings.

use std::{fs, num::NonZeroUsize, os::unix::fs::symlink, time::Duration};

use hitesh_domain::{Message, Role, Scaffold, Step};
use hitesh_llm::{
    CompletionRequest, FinishReason, Provider,
    local::{LocalProvider, LocalSettings, StepTokens},
};

use crate::model::{Answer, ask, file, prefix, provider, question, read, settings};

/// The question after `earlier` in its session.
fn follow_up(earlier: &CompletionRequest, answer: &Answer, text: &str) -> CompletionRequest {
    let mut request = earlier.clone();
    request.messages.push(Message::new(Role::Assistant, answer.text.clone()));
    request.messages.push(Message::new(Role::User, text));
    request
}

#[tokio::test]
async fn questions_are_answered_side_by_side() {
    let caps = StepTokens { analyze: 200, think: 200, output: 400 };
    let provider = provider(LocalSettings { context_tokens: 2048, step_tokens: caps, ..settings() }).await;
    provider.warm_up(&prefix()).await.unwrap();
    let mut streams = Vec::new();
    for about in ["a map", "a set", "a list", "a tree"] {
        streams.push(provider.stream(question(&format!("Tell me a long story about {about}."))).await.unwrap());
    }
    let all_at_work = async {
        while provider.queue().answering < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_at_work).await.expect("four are answered at once");
    for stream in streams {
        assert!(read(stream).await.text.contains("</think><output>"));
    }
}

#[tokio::test]
async fn four_at_once_are_whole_and_each_reads_its_own() {
    let provider = provider(LocalSettings { queue: 8, ..settings() }).await;
    let texts =
        ["chai?", "What is a very long question about queues and stacks?", "Why?", "x", "☕ kya hai?", "Count."];
    let answers = futures::future::join_all(texts.iter().map(|text| ask(&provider, text))).await;
    for answer in answers {
        assert!(answer.text.starts_with("<analyze>") && answer.text.contains("</think><output>"), "{}", answer.text);
        assert!(answer.usage.completion_tokens < 120);
    }
}

#[tokio::test]
async fn each_session_goes_on_where_it_was_though_others_spoke_in_between() {
    let provider = provider(LocalSettings { context_tokens: 2048, ..settings() }).await;
    let mut sessions = Vec::new();
    for text in ["What is a map?", "What is a set?", "What is a list?"] {
        let request = question(text);
        let answer = read(provider.stream(request.clone()).await.unwrap()).await;
        sessions.push((request, answer));
    }
    for (request, answer) in sessions {
        let before = answer.usage.prompt_tokens + answer.usage.completion_tokens;
        let next = read(provider.stream(follow_up(&request, &answer, "And why?")).await.unwrap()).await;
        let fresh = next.usage.prompt_tokens - next.usage.cached_tokens;
        assert!(fresh < 24, "{fresh} new tokens, {:?} after {before}", next.usage);
    }
}

#[tokio::test]
async fn more_sessions_than_are_kept_and_less_room_than_they_want_are_served_all_the_same() {
    let kept = LocalSettings { context_tokens: 512, kept_sessions: 2, parallel: NonZeroUsize::MIN, ..settings() };
    let provider = provider(kept).await;
    for round in 0..12 {
        let answer = ask(&provider, &format!("Question number {round}, about something else each time?")).await;
        assert!(answer.text.contains("</analyze>"), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_next_start_finds_the_prefix_computed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    symlink(file(), &path).unwrap();
    let settings = LocalSettings { save_prefix: true, ..settings() };
    let start = || LocalProvider::start(&path, settings.clone(), "local".parse().unwrap()).unwrap();
    let saved = || -> Vec<_> {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "state")).collect()
    };

    let cold = start();
    cold.warm_up(&prefix()).await.unwrap();
    let first = ask(&cold, "What is a tuple?").await;
    drop(cold);
    let file = saved().pop().expect("a file beside the model");

    let warm = start();
    warm.warm_up(&prefix()).await.unwrap();
    let second = ask(&warm, "What is a tuple?").await;
    assert_eq!(second.text, first.text);
    assert_eq!(second.usage, first.usage);
    // It was read, not made again.
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    drop(warm);

    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let damaged = start();
    damaged.warm_up(&prefix()).await.unwrap();
    assert_eq!(ask(&damaged, "What is a tuple?").await.text, first.text);
    assert_eq!(saved(), std::slice::from_ref(&file), "a whole one took its place");
    assert!(fs::metadata(&file).unwrap().modified().unwrap() > written);
}

#[tokio::test]
async fn the_servers_words_stand_before_and_behind_the_models() {
    let provider = provider(settings()).await;
    let mut request = question("What is a loop?");
    let openings = vec![(Step::Think, "Chalo,".to_owned()), (Step::Output, "Haanji!".to_owned())];
    request.scaffold = Scaffold { openings, closing: Some("Aaj: ek loop likho.".to_owned()) };
    let answer = read(provider.stream(request.clone()).await.unwrap()).await;
    let (_, rest) = answer.text.split_once("<think>Chalo,").expect("the opening of think");
    let (think, rest) = rest.split_once("</think><output>Haanji!").expect("the opening of output");
    assert!(!think.trim().is_empty(), "the model's own words follow");
    match answer.finish {
        FinishReason::Stop => assert!(rest.ends_with("\n\nAaj: ek loop likho.</output>"), "{rest}"),
        _ => assert!(!rest.contains("Aaj:"), "nothing is put behind an answer that was cut: {rest}"),
    }
    assert!(!rest.starts_with("\n\nAaj:"), "the model's own words follow");
    let next = read(provider.stream(follow_up(&request, &answer, "And why?")).await.unwrap()).await;
    assert!(next.usage.prompt_tokens - next.usage.cached_tokens < 40, "{:?}", next.usage);
}
