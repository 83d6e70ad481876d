//! What the provider does wrong before its first token becomes the contract's status and code, and tells nothing
//! of the upstream.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Gate, Script, Server, ServerBuilder, UPSTREAM_SECRET, Upstream};
use serde_json::{Value, json};

const QUESTION: &str = "Mera raaz-sawaal 4711: Docker kya hai?";

/// Asks by `send` and by `stream`, expects the same error of both, and that nothing leaks or is cached.
async fn expect_failure(server: &Server, status: u16, code: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    for path in ["/api/chat/send", "/api/chat/stream"] {
        let reply = server.client().post(path, &json!({"content": QUESTION, "session_id": "s"})).await;
        let body = reply.expect_error(status, code);
        for secret in [UPSTREAM_SECRET, "test-key-0123456789", "raaz-sawaal", "scripted", "chai-loving", "You are"] {
            assert!(!reply.text().contains(secret), "{secret:?} is in {}", reply.text());
        }
        if status == 503 {
            assert!(reply.retry_after() >= 1);
        }
        bodies.push(body);
    }
    assert_eq!(server.client().cache_size().await, 0);
    server.expect_no_secret_in_log(&["raaz-sawaal", "You are Hitesh AI"]);
    let messages = server.client().history("s").await;
    assert!(messages.iter().all(|message| message["status"] != "completed"), "{messages:?}");
    bodies
}

#[tokio::test]
async fn a_refused_key_is_the_operators_to_mend() {
    for status in [401, 403] {
        let upstream = Upstream::playing(Script::error(status)).await;
        let server = ServerBuilder::asking(&upstream).env("LOG_LEVEL", "trace").start().await;
        expect_failure(&server, 502, "provider_unauthorized").await;
        assert_eq!(upstream.count(), 2, "a refused key is not tried again");
    }
}

#[tokio::test]
async fn a_refused_request_is_not_tried_again() {
    let upstream = Upstream::playing(Script::error(400)).await;
    let server = ServerBuilder::asking(&upstream).env("LOG_LEVEL", "trace").env("DEBUG", "true").start().await;
    expect_failure(&server, 502, "provider_rejected").await;
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_provider_that_is_away_or_overrun_is_unavailable() {
    for status in [429, 500, 502, 503] {
        let upstream = Upstream::playing(Script::error(status)).await;
        let server = ServerBuilder::asking(&upstream).env("LOG_LEVEL", "debug").start().await;
        expect_failure(&server, 503, "provider_unavailable").await;
    }
}

#[tokio::test]
async fn a_provider_that_asks_for_an_hour_is_not_waited_for() {
    let upstream = Upstream::playing(Script::error(429).with_header("retry-after", "3600")).await;
    let server = Server::start(&upstream).await;
    let begun = std::time::Instant::now();
    expect_failure(&server, 503, "provider_unavailable").await;
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let upstream = Upstream::numbered().await;
    let builder = ServerBuilder::asking(&upstream);
    drop(upstream);
    expect_failure(&builder.start().await, 503, "provider_unavailable").await;
}

#[tokio::test]
async fn a_connection_closed_without_a_word_is_unavailable() {
    let upstream = Upstream::playing(Script::hang_up()).await;
    expect_failure(&Server::start(&upstream).await, 503, "provider_unavailable").await;
}

#[tokio::test]
async fn a_first_token_that_does_not_come_is_a_timeout() {
    let deadline = "[providers.deadlines]\nfirst_token_seconds = 0.4";
    let gate = Gate::new();
    for script in [Script::silence(), Script::error(500).behind(&gate)] {
        let upstream = Upstream::playing(script).await;
        let server = ServerBuilder::listing(&upstream, deadline).start().await;
        expect_failure(&server, 504, "provider_timeout").await;
        upstream.abandoned(2).await;
    }
}

#[tokio::test]
async fn keep_alives_from_upstream_are_no_first_token() {
    let upstream = Upstream::playing(Script::stream(": OPENROUTER PROCESSING\n\n").stalling()).await;
    let deadline = "[providers.deadlines]\nfirst_token_seconds = 0.4";
    let server = ServerBuilder::listing(&upstream, deadline).start().await;
    expect_failure(&server, 504, "provider_timeout").await;
}

#[tokio::test]
async fn a_slow_start_is_a_stream_with_an_error_event() {
    // After two seconds the status is sent, whatever comes; here the failure comes later than that.
    let gate = Gate::new();
    let upstream = Upstream::playing(Script::error(400).behind(&gate)).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().stream(&json!({"content": QUESTION, "session_id": "s"})).await;
    gate.open();
    let end = stream.next().await.unwrap();
    assert!(end.is_end());
    assert_eq!(end.json()["step"], "error");
    assert_eq!(end.json()["error"], "provider_rejected");
    assert!(end.json()["content"].as_str().unwrap().contains(' '));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn the_next_provider_answers_when_the_first_can_not() {
    for status in [401, 429, 500] {
        let broken = Upstream::playing(Script::error(status)).await;
        let answer = Answer::about("second");
        let healthy = Upstream::answering(answer.clone()).await;
        let server = ServerBuilder::bare().listed("first", &broken, "").listed("second", &healthy, "").start().await;
        let reply = server.client().ask("s", QUESTION).await;
        assert_eq!(reply["provider"], "second");
        assert_eq!(reply["message"]["content"], answer.output.as_str());
    }
}
