//! `AnthropicProvider` against an upstream that can do what no HTTP library would: a socket and a script.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "this is test code as a whole")]

#[path = "../upstream/mod.rs"]
mod upstream;

use std::time::Duration;

use futures::StreamExt;
use hitesh_domain::{Message, ProviderId, Role, StepFormat};
use hitesh_llm::{
    CompletionRequest, Provider, ProviderError, ProviderEvent,
    anthropic::{AnthropicProvider, AnthropicSettings, SecretString},
};
use serde_json::json;

use crate::upstream::{Act, Told, Upstream, WORDS, gate, head, sse, status, write};

const KEY: &str = "sk-ant-the-key-of-this-test";
const RULES: &str = "the rules of this test";
const PROMPT: &str = "the prompt of this test";

fn provider(base_url: String) -> AnthropicProvider {
    let mut settings = AnthropicSettings::new(ProviderId::try_from("scripted").unwrap(), base_url, "claude-haiku-4-5");
    settings.api_key = Some(SecretString::from(KEY));
    settings.connect_timeout = Duration::from_millis(500);
    AnthropicProvider::new(settings).unwrap()
}

fn question() -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::new(Role::System, RULES), Message::new(Role::User, PROMPT)],
        stable: 1,
        step_format: StepFormat::Tagged,
        scaffold: hitesh_domain::Scaffold::default(),
    }
}

/// Everything that came of a question, in short.
async fn told(provider: &dyn Provider) -> String {
    let mut stream = match provider.stream(question()).await {
        Ok(stream) => stream,
        Err(error) => return format!("refused: {}", named(&error)),
    };
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
    told.join(" ")
}

/// An error by its words, which never hold a secret.
fn named(error: &ProviderError) -> String {
    let words = format!("{error}");
    for secret in [KEY, RULES, PROMPT, WORDS, "127.0.0.1", "http"] {
        assert!(!format!("{words} {error:?}").contains(secret), "{words} holds {secret}");
    }
    words
}

fn event(kind: &str, mut data: serde_json::Value) -> String {
    data["type"] = json!(kind);
    format!("event: {kind}\ndata: {data}\n\n")
}

fn start() -> String {
    let usage = json!({"input_tokens": 4, "cache_read_input_tokens": 5, "output_tokens": 1});
    event("message_start", json!({"message": {"id": "msg_1", "role": "assistant", "content": [], "usage": usage}}))
        + &event("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}}))
        + &event("ping", json!({}))
}

fn delta(text: &str) -> String {
    event("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": text}}))
}

fn finish(reason: &str) -> String {
    event("content_block_stop", json!({"index": 0}))
        + &event("message_delta", json!({"delta": {"stop_reason": reason}, "usage": {"output_tokens": 2}}))
}

fn stop() -> String {
    event("message_stop", json!({}))
}

#[tokio::test]
async fn a_piece_is_passed_on_while_the_upstream_holds_the_rest() {
    let (open, gate) = gate();
    let script = vec![write(sse(delta("first"))), gate, write(finish("end_turn") + &stop()), Act::Hold];
    let upstream = Upstream::new([script]);
    let mut stream = provider(upstream.base_url()).stream(question()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), ProviderEvent::Delta("first".into()));
    open.send(()).unwrap();
    assert!(stream.next().await.unwrap().is_ok());
}

#[tokio::test]
async fn dropping_the_stream_closes_the_socket() {
    let upstream = Upstream::new([vec![write(sse(delta("first"))), Act::Hold]]);
    let mut stream = provider(upstream.base_url()).stream(question()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    upstream.request();
    drop(stream);
    assert_eq!(tokio::task::spawn_blocking(move || upstream.next()).await.unwrap(), Told::Closed);
}

#[tokio::test]
async fn an_answer_ends_with_the_mark_of_its_end_though_the_socket_stays_open() {
    let body = start() + &delta("chai ☕") + &finish("end_turn") + &stop();
    let upstream = Upstream::new([vec![write(sse(body)), Act::Hold]]);
    assert_eq!(told(&provider(upstream.base_url())).await, "9+1 «chai ☕» Finish(Stop) 9+2");
}

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_ends_only_if_it_had_told_its_end() {
    let before = start() + &delta("<output>chai ☕</output>");
    let end = finish("end_turn");
    let stream = format!("{before}{end}{}", stop());
    let whole_from = before.len() + end.len();
    for cut in 0..=stream.len() {
        let upstream = Upstream::new([vec![write(sse(&stream.as_bytes()[..cut]))]]);
        let told = told(&provider(upstream.base_url())).await;
        assert_eq!(told.contains("Finish(Stop)"), cut >= whole_from, "cut at {cut}: {told}");
        assert_eq!(told.contains("broke off"), cut < whole_from, "cut at {cut}: {told}");
    }
}

#[tokio::test]
async fn an_error_inside_the_stream_comes_after_what_was_said() {
    let body =
        start() + &delta("hi") + &event("error", json!({"error": {"type": "overloaded_error", "message": WORDS}}));
    let upstream = Upstream::answering(sse(body));
    let expected = "9+1 «hi» the provider is unavailable: it answers with a server error";
    assert_eq!(told(&provider(upstream.base_url())).await, expected);
}

#[tokio::test]
async fn what_is_no_answer_is_told_in_words_of_ours() {
    let error = |kind: &str, words: &str| {
        json!({"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_1"}).to_string()
    };
    let misconfigured = |why: &str| format!("refused: the provider can't be used as configured: {why}");
    let rows = [
        (
            format!("{}<html>log in</html>", head("text/html")),
            misconfigured("it answers with a web page (check base_url)"),
        ),
        (
            status("401 Unauthorized", "", &error("authentication_error", WORDS)),
            "refused: the provider refused the credentials".to_owned(),
        ),
        (
            status("404 Not Found", "", &error("not_found_error", WORDS)),
            misconfigured("it knows no such model or path (check model and base_url)"),
        ),
        (
            status("400 Bad Request", "", &error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum")),
            "refused: the prompt does not fit the model's context window".to_owned(),
        ),
        (
            status("400 Bad Request", "", &error("invalid_request_error", WORDS)),
            "refused: the provider refused the request (status 400)".to_owned(),
        ),
        (
            status("429 Slow", "retry-after: 7\r\n", &error("rate_limit_error", WORDS)),
            "refused: the provider asked to slow down".to_owned(),
        ),
        (
            status("529 Overloaded", "", WORDS),
            "refused: the provider is unavailable: it answers with status 529".to_owned(),
        ),
    ];
    for (response, expected) in rows {
        let upstream = Upstream::answering(response);
        assert_eq!(told(&provider(upstream.base_url())).await, expected);
    }
}

#[tokio::test]
async fn the_request_is_what_the_api_describes_and_the_key_is_in_its_header_only() {
    let upstream = Upstream::answering(status("500 Oops", "", ""));
    told(&provider(upstream.base_url())).await;
    let request = upstream.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nx-api-key: {KEY}")), "{head}");
    assert!(head.contains("\r\nanthropic-version: 2023-06-01"), "{head}");
    assert_eq!(request.matches(KEY).count(), 1);
    assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["system"], json!([{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral"}}]));
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]));
    assert_eq!((&body["stream"], &body["max_tokens"]), (&json!(true), &json!(1200)));
}

#[tokio::test]
async fn a_probe_asks_about_the_model_and_the_path_and_asks_no_question() {
    let reply = |line: &str, body: &str| vec![write(status(line, "connection: close\r\n", body))];
    let list = || reply("200 OK", r#"{"data":[{"type":"model","id":"claude-other"}],"has_more":true}"#);
    let error = |line: &str, kind: &str, words: &str| {
        reply(line, &json!({"type": "error", "error": {"type": kind, "message": words}}).to_string())
    };
    let rows = [
        (
            vec![reply("404 Not Found", "{}"), error("400 No", "invalid_request_error", "messages: Field required")],
            "ok",
        ),
        (vec![list(), reply("200 OK", "{}")], "ok"),
        (
            vec![list(), error("404 Not Found", "not_found_error", "model: claude-haiku-4-5")],
            "the provider can't be used as configured: it has no such model (check model)",
        ),
        (vec![error("401 No", "authentication_error", "invalid x-api-key")], "the provider refused the credentials"),
    ];
    for (scripts, expected) in rows {
        let count = scripts.len();
        let upstream = Upstream::new(scripts);
        let probed = provider(upstream.base_url()).probe().await;
        assert_eq!(probed.map_or_else(|error| named(&error), |()| "ok".to_owned()), expected);
        for _ in 0..count {
            assert!(!upstream.request().contains("\"messages\""));
        }
        assert_eq!(upstream.next(), Told::Over);
    }
}
