//! A recorded upstream stream, cut at every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use futures::{StreamExt, stream};
use hitesh_tests_api::{Answer, Format, Script, Server, ServerBuilder, Upstream};
use serde_json::{Value, json};

/// The recorded stream: small envelopes, as a compatible server sends them.
fn recording(answer: &Answer, format: Format) -> (String, usize) {
    let chunk = |delta: Value, finish: Value| {
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let text = answer.text(format);
    let characters: Vec<char> = text.chars().collect();
    let mut body = chunk(json!({"role": "assistant"}), Value::Null);
    for piece in characters.chunks(9) {
        body.push_str(&chunk(json!({"content": piece.iter().collect::<String>()}), Value::Null));
    }
    body.push_str(&chunk(json!({}), json!("stop")));
    let finished = body.len();
    body.push_str(
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9,\"total_tokens\":18}}\n\n",
    );
    body.push_str("data: [DONE]\n\n");
    (body, finished)
}

/// What one cut may look like, found in the question.
fn cut_of(question: &str) -> (usize, bool) {
    let (_, rest) = question.split_once("cut-").expect("every question names its cut");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (digits.parse().unwrap(), rest[digits.len()..].starts_with("-abrupt"))
}

/// The end of the answer to one cut: whether it was whole, and what its output was.
async fn ask(server: &Server, cut: usize, abrupt: bool) -> (bool, String) {
    let content = format!("Sawaal cut-{cut}-{}", if abrupt { "abrupt" } else { "orderly" });
    let body = json!({"content": content, "deltas": cut.is_multiple_of(2)});
    let mut stream = server.client().try_stream(&body).await.expect("a reply");
    if stream.status != 200 {
        assert!(matches!(stream.status, 502 | 503), "cut at {cut}: {}", stream.status);
        return (false, String::new());
    }
    let frames = stream.rest().await;
    assert!(!stream.is_broken(), "cut at {cut}");
    let ends: Vec<_> = frames.iter().filter(|frame| frame.is_end()).collect();
    assert_eq!(ends.len(), 1, "cut at {cut}: {frames:#?}");
    assert_eq!(Some(ends[0]), frames.last(), "cut at {cut}");
    let end = ends[0].json();
    match end["step"].as_str() {
        Some("output") => (true, end["content"].as_str().unwrap().to_owned()),
        Some("error") => {
            assert_eq!(end["error"], "incomplete", "cut at {cut}");
            (false, String::new())
        }
        other => panic!("cut at {cut}: an end of step {other:?}"),
    }
}

async fn cut_everywhere(format: Format, name: &str) {
    let answer = Answer::short("a🫖", "b\"\n", "chai ☕ \\ चाय");
    let (body, finished) = recording(&answer, format);
    let length = body.len();
    let upstream = Upstream::start(move |request| {
        let (cut, abrupt) = cut_of(&request.question());
        let script = Script::stream(body.clone()).cut_at(cut);
        if abrupt { script.breaking_off() } else { script }
    })
    .await;
    let server = ServerBuilder::listing(&upstream, &format!("step_format = \"{name}\"\nbreaker = false"))
        .env("HITESH_LIMITS__MAX_IN_FLIGHT", 10_000)
        .start()
        .await;
    let cuts = |from: usize, to: usize| (from..to).flat_map(|cut| [(cut, false), (cut, true)]);

    // The event that says why the answer ended is whole with its line; its empty line may be cut.
    let before = stream::iter(cuts(0, finished - 2)).map(|(cut, abrupt)| {
        let server = &server;
        async move {
            let (whole, _) = ask(server, cut, abrupt).await;
            assert!(!whole, "cut at {cut} of {length}, it is shown as whole");
        }
    });
    before.buffer_unordered(48).collect::<Vec<()>>().await;
    assert_eq!(server.client().cache_size().await, 0);

    let after = stream::iter(cuts(finished - 2, length + 1)).map(|(cut, abrupt)| {
        let (server, output) = (&server, answer.output.as_str());
        async move {
            let (whole, content) = ask(server, cut, abrupt).await;
            assert!(!whole || content == output, "cut at {cut}, the output is {content:?}");
            assert!(whole || cut < finished || abrupt, "cut at {cut} of {length}, all of the answer had come");
        }
    });
    after.buffer_unordered(48).collect::<Vec<()>>().await;
    assert!(ask(&server, length, false).await.0, "the uncut stream is whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_stream_cut_at_any_byte_is_never_shown_as_whole_nor_cached() {
    cut_everywhere(Format::Json, "json_schema").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tagged_stream_cut_at_any_byte_is_never_shown_as_whole_nor_cached() {
    cut_everywhere(Format::Tagged, "tagged").await;
}
