//! The harness itself: that the upstream plays what the script says, so that a failure elsewhere is the server's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::time::Duration;

use hitesh_tests_api::{Answer, Client, Format, Gate, Script, Upstream};
use serde_json::{Value, json};

async fn complete(upstream: &Upstream) -> reqwest::Result<String> {
    let base = upstream.base_url();
    let headers = [("content-type", "application/json")];
    Client::new(&base).try_request("POST", "/chat/completions", &headers, "{}").await?.text().await
}

#[tokio::test]
async fn an_answers_chunks_join_to_its_text() {
    let answer = Answer::about("harness");
    for format in [Format::Json, Format::Tagged] {
        let upstream = Upstream::playing(Script::answer(&answer, format)).await;
        let body = complete(&upstream).await.unwrap();
        let events: Vec<_> = body.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
        assert_eq!(events.last(), Some(&"[DONE]"));
        let chunks = events[..events.len() - 1].iter().map(|data| serde_json::from_str::<Value>(data).unwrap());
        let text: String =
            chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
        assert_eq!(text, answer.text(format));
        assert_eq!(upstream.count(), 1);
    }
    let steps: Value = serde_json::from_str(&answer.text(Format::Json)).unwrap();
    assert_eq!(steps, json!({"analyze": answer.analyze, "think": answer.think, "output": answer.output}));
}

#[tokio::test]
async fn a_cut_body_ends_as_it_is_told_to() {
    let whole = Script::answer(&Answer::about("harness"), Format::Json);
    let orderly = Upstream::playing(whole.clone().cut_at(700)).await;
    assert_eq!(complete(&orderly).await.unwrap().len(), 700);
    let abrupt = Upstream::playing(whole.clone().cut_at(700).breaking_off()).await;
    assert!(complete(&abrupt).await.is_err());
    let bytes = Upstream::playing(whole.clone().byte_by_byte()).await;
    assert_eq!(complete(&bytes).await.unwrap().len(), whole.body_len());
    let nothing = Upstream::playing(Script::hang_up()).await;
    assert!(complete(&nothing).await.is_err());
}

#[tokio::test]
async fn a_gate_holds_until_it_is_released_and_a_caller_that_leaves_is_noticed() {
    let gate = Gate::new();
    let upstream = Upstream::playing(Script::gated(&Answer::about("harness"), Format::Json, 3, &gate)).await;
    tokio::select! {
        whole = complete(&upstream) => panic!("the gate let it through: {whole:?}"),
        () = gate.reached(1) => {}
    }
    upstream.abandoned(1).await;
    gate.release(1);
    assert!(complete(&upstream).await.is_ok());
    let waiting = tokio::time::timeout(Duration::from_millis(50), complete(&upstream)).await;
    assert!(waiting.is_err(), "one release lets one reply pass");
}
