//! What models reason before they answer: no reader sees it unless the persona shows it, and no model is told it again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::fs;

use hitesh_tests_api::{Answer, Format, Script, Server, ServerBuilder, Upstream, event, finish_chunk};
use serde_json::{Value, json};

/// Stands at both ends of everything that a model reasons here.
const SECRET: &str = "SECRETREASONING";

/// How an upstream gives its model's reasoning away.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// In a field of the wire.
    Field(&'static str),
    /// In the text, between these marks.
    Text(&'static str, &'static str),
}

const KINDS: [Kind; 6] = [
    Kind::Field("reasoning_content"),
    Kind::Field("reasoning"),
    Kind::Text("<think>", "</think>\n\n"),
    Kind::Text("<thinking>\n", "\n</thinking>\n"),
    Kind::Text("[THINK]", "[/THINK]"),
    // The server took the mark that opens it.
    Kind::Text("", "\n</think>\n\n"),
];

/// The answer after `kind` of reasoning, each character of the text in an event of its own.
fn script(kind: Kind, format: Format, answer: &str) -> Script {
    let chunk = |field: &str, text: &str| {
        let choice = json!({"index": 0, "delta": {(field): text}, "finish_reason": null});
        event(&json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}))
    };
    let reasoning =
        format!("{SECRET}: I write <analyze>, then `<think>`. {}{SECRET}", "It is a long story. ".repeat(30));
    let answer = Answer::short("A", "T", answer).text(format);
    let (field, text) = match kind {
        Kind::Field(field) => (Some(field), answer),
        Kind::Text(open, close) => (None, format!("{open}{reasoning}{close}{answer}")),
    };
    let in_field = field.into_iter().flat_map(|field| [chunk(field, &reasoning[..9]), chunk(field, &reasoning[9..])]);
    let in_text = text.chars().map(|c| chunk("content", &c.to_string()));
    let end = [event(&finish_chunk("stop")), "data: [DONE]\n\n".to_owned()];
    Script::events(in_field.chain(in_text).chain(end))
}

/// A server with a model that is known to reason by its name, and a persona `open` that shows it.
async fn server(upstream: &Upstream, format: &str) -> Server {
    let more = format!("model = \"deepseek-r1:8b\"\nstep_format = \"{format}\"");
    let place = ServerBuilder::listing(upstream, &more).settings("[persona]\npacks_directory = \"packs\"");
    let made = ["persona", "new", "packs/open"].iter().fold(place.clone(), |place, word| place.argument(word));
    assert!(made.run_to_end().await.status.success());
    let file = place.dir().join("packs/open/persona.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("show_reasoning = false", "show_reasoning = true")).unwrap();
    place.start().await
}

/// One that reasons in each kind for two questions, and calls their answers first and second.
async fn upstream() -> Upstream {
    Upstream::start(|request| {
        let answer = ["first", "second"][request.number % 2];
        script(KINDS[request.number / 2 % KINDS.len()], request.format(), answer)
    })
    .await
}

/// The steps of a reply of `send`: (name, content).
fn steps(reply: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = reply["processing_steps"].as_array().unwrap();
    steps.iter().map(|step| (text(&step["step"]), text(&step["content"]))).collect()
}

#[tokio::test]
async fn reasoning_is_neither_shown_nor_told_to_a_model_again() {
    for format in ["tagged", "json_schema"] {
        let upstream = upstream().await;
        let server = server(&upstream, format).await;
        let client = server.client();
        for (number, kind) in KINDS.into_iter().enumerate() {
            let session = format!("s{number}");
            let sent = client.ask(&session, &format!("pehla sawaal {number}")).await;
            assert!(!sent.to_string().contains(SECRET), "{format} {kind:?}: {sent}");
            let expected = [("analyze", "A"), ("think", "T"), ("output", "first")];
            assert_eq!(steps(&sent), expected.map(|(step, text)| (step.to_owned(), text.to_owned())), "{kind:?}");

            let frames = client.deltas(&session, "doosra sawaal").await.rest().await;
            let raw: String = frames.iter().map(|frame| frame.raw.as_str()).collect();
            assert!(!raw.contains(SECRET), "{format} {kind:?}: {raw}");
            assert!(frames.last().unwrap().is_end() && frames.last().unwrap().json()["content"] == "second", "{raw}");
            let told = upstream.requests().pop().unwrap().prompt();
            assert!(told.contains("pehla sawaal") && !told.contains(SECRET), "{format} {kind:?}: {told}");
        }
        server.expect_no_secret_in_log(&[SECRET]);
    }
}

#[tokio::test]
async fn a_persona_may_show_it_in_think_and_no_model_is_told_it_again() {
    for format in ["tagged", "json_schema"] {
        let upstream = upstream().await;
        let server = server(&upstream, format).await;
        let client = server.client();
        for (number, kind) in KINDS.into_iter().enumerate() {
            let session = format!("s{number}");
            let body = |content: &str| json!({"content": content, "session_id": session, "persona": "open"});
            let sent = client.send(&body(&format!("pehla sawaal {number}"))).await.json();
            let steps = steps(&sent);
            let think = &steps[1];
            assert!(think.0 == "think" && think.1.starts_with(SECRET), "{format} {kind:?}: {sent}");
            assert!(think.1.ends_with(&format!("{SECRET}\n\nT")), "{format} {kind:?}: {sent}");
            assert!(!steps[0].1.contains(SECRET) && steps[2].1 == "first", "{format} {kind:?}: {sent}");

            let mut ask = body("doosra sawaal");
            ask["deltas"] = json!(true);
            let frames = client.stream(&ask).await.rest().await;
            let deltas = frames.iter().filter(|frame| frame.name() == "delta").map(|frame| frame.json());
            let deltas: Vec<_> = deltas.collect();
            for delta in &deltas {
                let holds_it = delta["delta"].as_str().unwrap().contains(SECRET);
                assert!(!holds_it || delta["step"] == "think", "{format} {kind:?}: {delta}");
            }
            let joined: String =
                deltas.iter().filter(|delta| delta["step"] == "think").filter_map(|d| d["delta"].as_str()).collect();
            let whole = frames.iter().find(|frame| frame.name().is_empty() && frame.json()["step"] == "think").unwrap();
            assert_eq!(whole.json()["content"], joined, "{format} {kind:?}");
            assert_eq!(joined, think.1, "{format} {kind:?}");
            let told = upstream.requests().pop().unwrap().prompt();
            assert!(told.contains("pehla sawaal") && !told.contains(SECRET), "{format} {kind:?}: {told}");

            let turn = sent["turn_id"].as_str().unwrap();
            let kept = client.get(&format!("/api/chat/turns/{turn}")).await.json();
            assert!(kept.to_string().contains(SECRET), "what was shown is kept: {kept}");
        }
    }
}

#[tokio::test]
async fn a_reader_is_told_once_that_the_model_reasons() {
    for kind in [Kind::Field("reasoning_content"), Kind::Text("<think>", "</think>")] {
        let upstream = Upstream::start(move |request| script(kind, request.format(), "first")).await;
        let server = server(&upstream, "tagged").await;
        let frames = server.client().deltas("s", "sawaal").await.rest().await;
        let reasons = frames.iter().filter(|frame| frame.name() == "status").map(|frame| frame.json());
        let reasons: Vec<_> = reasons.filter(|status| status["state"] == "reasoning").collect();
        assert_eq!(reasons, [json!({"state": "reasoning"})], "{kind:?}");
    }
}

#[tokio::test]
async fn reasoning_without_an_answer_is_an_answer_that_broke_off() {
    let alone = |_: &_| {
        let thought = format!("<think>{SECRET} and so on");
        Script::pieces(&[thought.as_str()], Some("stop"))
    };
    let upstream = Upstream::start(alone).await;
    let server = server(&upstream, "tagged").await;
    let reply = server.client().send(&json!({"content": "sawaal", "persona": "open"})).await;
    let error = reply.expect_error(502, "incomplete");
    assert!(!error.to_string().contains(SECRET), "{error}");
}
