//! Whatever the upstream sends: a clear error or a truthful incomplete, never shown as whole, never cached.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use hitesh_tests_api::{
    Answer, Format, Frame, Script, Server, ServerBuilder, UPSTREAM_SECRET, Upstream, content_chunk, event, finish_chunk,
};
use serde_json::{Value, json};

const BOTH: [(Format, &str); 2] = [(Format::Json, "json_schema"), (Format::Tagged, "tagged")];

/// A server that asks for the steps in this format, and is not patient.
async fn impatient(upstream: &Upstream, format: &str) -> Server {
    let more = format!(
        "step_format = \"{format}\"\n[providers.deadlines]\nfirst_token_seconds = 2\nsilence_seconds = 0.5\ntotal_seconds = 5"
    );
    ServerBuilder::listing(upstream, &more).start().await
}

/// Asks in all three ways; gives the error codes, after making sure that nothing was shown as whole or cached.
async fn ask_in_vain(server: &Server, what: &str) -> Vec<String> {
    let mut codes = Vec::new();
    let send = server.client().send(&json!({"content": format!("{what} send"), "session_id": "s"})).await;
    let code = send.json()["error"]
        .as_str()
        .unwrap_or_else(|| panic!("{what} was shown as whole: {}", send.text()))
        .to_owned();
    send.expect_error(send.status, &code);
    assert!(!send.text().contains(UPSTREAM_SECRET));
    codes.push(code);
    for deltas in [false, true] {
        let body = json!({"content": format!("{what} stream {deltas}"), "session_id": "s", "deltas": deltas});
        let mut stream = server.client().try_stream(&body).await.unwrap();
        let frames = if stream.status == 200 { stream.rest().await } else { Vec::new() };
        codes.push(if frames.is_empty() {
            assert!(matches!(stream.status, 502..=504), "{what}: {}", stream.status);
            format!("status {}", stream.status)
        } else {
            let end = expect_one_end(what, &frames);
            assert_eq!(end["step"], "error", "{what} was shown as whole: {end}");
            end["error"].as_str().unwrap().to_owned()
        });
        assert!(!format!("{frames:?}").contains(UPSTREAM_SECRET));
    }
    assert_eq!(server.client().cache_size().await, 0, "{what} was cached");
    for message in server.client().history("s").await {
        assert_ne!(message["status"], "completed", "{what}: {message}");
    }
    server.expect_no_secret_in_log(&[]);
    assert!(!server.log().text().contains("panicked"), "{}", server.log().text());
    codes
}

/// Runs one case of a table; a failure is noted in `failures`, so that the table is always gone through whole.
async fn case(failures: &mut Vec<String>, what: &str, case: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(case).catch_unwind().await {
        let words = panic.downcast_ref::<String>().cloned();
        failures.push(format!(
            "{what}: {}",
            words.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
        ));
    }
}

fn expect_one_end(what: &str, frames: &[Frame]) -> Value {
    let ends: Vec<_> = frames.iter().filter(|frame| frame.is_end()).collect();
    assert_eq!(ends.len(), 1, "{what}: {frames:#?}");
    assert_eq!(Some(ends[0]), frames.last(), "{what}: something comes after the end");
    ends[0].json()
}

/// The first part of an answer, up to the middle of its output.
fn beginning(format: Format) -> Script {
    let events = Answer::about("fault").events(format);
    let enough = events.len() * 3 / 4;
    Script::events(events.into_iter().take(enough))
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_from_the_start_is_an_error() {
    let mut failures = Vec::new();
    let four_megabytes = format!("data: {}", "x".repeat(4 << 20));
    for (what, script) in [
        ("html", Script::plain(200, "text/html", format!("<html><body>{UPSTREAM_SECRET}</body></html>"))),
        ("html posing as a stream", Script::stream(format!("<html>\n\n{UPSTREAM_SECRET}\n\n</html>\n\n"))),
        ("nothing", Script::stream("")),
        ("nothing but the end", Script::stream("data: [DONE]\n\n")),
        ("data that is no JSON", Script::stream(format!("data: {UPSTREAM_SECRET}\n\ndata: [DONE]\n\n"))),
        ("an error object", Script::stream(event(&json!({"error": {"message": UPSTREAM_SECRET, "code": 500}})))),
        ("no choices", Script::stream(event(&json!({"choices": []})).repeat(3) + "data: [DONE]\n\n")),
        ("choices of another type", Script::stream(event(&json!({"choices": "none"})))),
        (
            "content of another type",
            Script::stream(event(&json!({"choices": [{"index": 0, "delta": {"content": 5}}]}))),
        ),
        ("a tool call", Script::pieces(&[], Some("tool_calls"))),
        ("bytes that are no text", Script::stream(vec![0xff, 0xfe, 0x00, 0x80, b'\n', b'\n'])),
        ("a line of 4 MB", Script::stream(four_megabytes.clone() + "\n\n")),
        ("a line of 4 MB without an end", Script::stream(four_megabytes).breaking_off()),
        ("a stop without a word", Script::pieces(&[], Some("stop"))),
    ] {
        case(&mut failures, what, async {
            let upstream = Upstream::playing(script).await;
            let server = impatient(&upstream, "json_schema").await;
            for code in ask_in_vain(&server, what).await {
                let known = ["incomplete", "provider_unavailable", "provider_rejected", "status 502", "status 503"];
                assert!(known.contains(&code.as_str()), "{code}");
            }
        })
        .await;
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_incomplete() {
    let mut failures = Vec::new();
    for (format, name) in BOTH {
        let mut invalid_utf8 = event(&content_chunk("MARK")).into_bytes();
        let mark = invalid_utf8.windows(4).position(|window| window == b"MARK").unwrap();
        invalid_utf8.splice(mark..mark + 4, [0xf0, 0x9f, 0xff]);
        for (what, script) in [
            ("the end of the body", beginning(format)),
            ("a broken connection", beginning(format).breaking_off()),
            ("done without a finish reason", beginning(format).then_bytes("data: [DONE]\n\n")),
            ("garbage in the middle", beginning(format).then_bytes(format!("data: {UPSTREAM_SECRET}\n\n"))),
            ("html in the middle", beginning(format).then_bytes("<html>502 Bad Gateway</html>\n\n")),
            ("an error object", beginning(format).then_event(&json!({"error": {"message": UPSTREAM_SECRET}}))),
            ("the length limit", beginning(format).then_event(&finish_chunk("length"))),
            ("a filter", beginning(format).then_event(&finish_chunk("content_filter"))),
            ("a finish reason nobody knows", beginning(format).then_event(&finish_chunk("network_error"))),
            ("invalid UTF-8", beginning(format).then_bytes(invalid_utf8).then_event(&finish_chunk("stop"))),
            ("a chunk of 4 MB", beginning(format).then_event(&content_chunk(&"x".repeat(4 << 20)))),
        ] {
            case(&mut failures, &format!("{what}, {name}"), async {
                let upstream = Upstream::playing(script).await;
                let server = impatient(&upstream, name).await;
                assert_eq!(ask_in_vain(&server, what).await, ["incomplete"; 3]);
                assert_eq!(upstream.count(), 3, "after a visible token nothing is tried again");
            })
            .await;
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn a_stop_in_the_middle_of_the_json_is_incomplete() {
    let upstream = Upstream::playing(beginning(Format::Json).then_event(&finish_chunk("stop"))).await;
    let server = impatient(&upstream, "json_schema").await;
    assert_eq!(ask_in_vain(&server, "a stop in the middle").await, ["incomplete"; 3]);
}

#[tokio::test]
async fn what_came_of_an_incomplete_answer_is_kept_and_told() {
    let upstream = Upstream::playing(beginning(Format::Json)).await;
    let server = impatient(&upstream, "json_schema").await;
    let reply = server.client().send(&json!({"content": "Kya hua?", "session_id": "s"})).await;
    let body = reply.expect_error(502, "incomplete");
    let answer = Answer::about("fault");
    let steps = body["processing_steps"].as_array().expect("what came is there");
    assert_eq!(steps[0]["content"], answer.analyze.as_str());
    assert_eq!(steps[1]["content"], answer.think.as_str());
    let history = server.client().history("s").await;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["status"], "incomplete");
    let kept = history[1]["content"].as_str().unwrap();
    assert!(!kept.is_empty() && answer.output.starts_with(kept) && kept != answer.output, "{kept:?}");
}

#[tokio::test]
async fn silence_in_the_middle_is_a_timeout_and_ends_the_call() {
    for (format, name) in BOTH {
        let upstream = Upstream::playing(beginning(format).stalling()).await;
        let server = impatient(&upstream, name).await;
        assert_eq!(ask_in_vain(&server, "silence").await, ["provider_timeout"; 3]);
        upstream.abandoned(3).await;
    }
}

#[tokio::test]
async fn wrong_keys_are_no_answer() {
    let mut failures = Vec::new();
    for text in ["{\"antwort\": \"chai\"}", "{}", "{\"analyze\": \"a\", \"think\": \"b\"}", "{\"output\": {\"a\": 1}}"]
    {
        case(&mut failures, text, async {
            let upstream = Upstream::playing(Script::pieces(&[text], Some("stop"))).await;
            let server = impatient(&upstream, "json_schema").await;
            for code in ask_in_vain(&server, text).await {
                assert!(code == "incomplete" || code == "status 502", "{code}");
            }
        })
        .await;
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn an_answer_in_an_unusual_but_honest_form_is_whole() {
    let answer = Answer::about("unusual");
    for (format, name) in BOTH {
        let events = answer.events(format);
        let noisy = events.iter().flat_map(|e| [": ping\n\n".to_owned(), event(&json!({"choices": []})), e.clone()]);
        let other_choice = events.iter().flat_map(|e| {
            let other = json!({"choices": [{"index": 1, "delta": {"content": "LEAK"}, "finish_reason": null}]});
            [event(&other), e.clone()]
        });
        let reasoning = |key: &str| {
            let chunk =
                json!({"choices": [{"index": 0, "delta": {"role": "assistant", key: "LEAK"}, "finish_reason": null}]});
            Script::events(std::iter::repeat_n(event(&chunk), 3).chain(events.clone()))
        };
        let bare: Vec<_> = answer
            .pieces(format)
            .into_iter()
            .map(|piece| event(&json!({"choices": [{"delta": {"content": piece}}]})))
            .chain([event(&json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}))])
            .collect();
        for (what, script) in [
            ("byte by byte, characters split", Script::answer(&answer, format).byte_by_byte()),
            ("all at once", Script::stream(events.concat())),
            ("CR LF", Script::stream(events.concat().replace('\n', "\r\n"))),
            ("no space after the colon", Script::stream(events.concat().replace("data: ", "data:"))),
            ("keep-alives and empty choices between", Script::events(noisy)),
            ("another choice between", Script::events(other_choice)),
            ("reasoning_content", reasoning("reasoning_content")),
            ("reasoning", reasoning("reasoning")),
            ("chunks without id, model or index, no DONE", Script::events(bare)),
        ] {
            let upstream = Upstream::playing(script).await;
            let server = impatient(&upstream, name).await;
            let reply = server.client().send(&json!({"content": what})).await;
            assert_eq!(reply.status, 200, "{what}, {name}: {}", reply.text());
            let steps = reply.json()["processing_steps"].clone();
            for (step, (_, content)) in steps.as_array().unwrap().iter().zip(answer.steps()) {
                assert_eq!(step["content"], content, "{what}, {name}");
            }
            assert!(!reply.text().contains("LEAK"), "{what}");
            assert_eq!(server.client().cache_size().await, 1, "{what}");
        }
    }
}

#[tokio::test]
async fn a_leading_think_block_never_leaks() {
    let answer = Answer::about("deep");
    for (format, name) in BOTH {
        let text = format!("<think>\nLEAK \"{{ok}}\" hmm\n</think>\n\n{}", answer.text(format));
        let pieces: Vec<String> = text.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let upstream = Upstream::playing(Script::pieces(&pieces, Some("stop"))).await;
        let server = impatient(&upstream, name).await;
        let reply = server.client().ask("s", "Kya hua?").await;
        assert_eq!(reply["message"]["content"], answer.output.as_str());
        assert!(!reply["message"].to_string().contains("LEAK"));
    }
}

#[tokio::test]
async fn a_refusal_is_an_output_that_is_not_cached() {
    let refusal =
        event(&json!({"choices": [{"index": 0, "delta": {"refusal": "Nahi bhai, yeh nahi."}, "finish_reason": null}]}));
    let script = Script::stream(refusal).then_event(&finish_chunk("stop")).then_bytes("data: [DONE]\n\n");
    let upstream = Upstream::playing(script).await;
    let server = impatient(&upstream, "json_schema").await;
    for _ in 0..2 {
        let reply = server.client().ask("s", "Kuch galat batao").await;
        assert_eq!(reply["message"]["content"], "Nahi bhai, yeh nahi.");
        assert_eq!(reply["source"], "model");
    }
    assert_eq!(server.client().cache_size().await, 0);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn text_without_marks_is_an_output() {
    let upstream = Upstream::playing(Script::pieces(&["Seedha ", "jawab: ", "chai ☕"], Some("stop"))).await;
    let server = impatient(&upstream, "tagged").await;
    let reply = server.client().ask("s", "Kya hua?").await;
    assert_eq!(reply["message"]["content"], "Seedha jawab: chai ☕");
    assert_eq!(reply["processing_steps"].as_array().unwrap().len(), 1);
}
