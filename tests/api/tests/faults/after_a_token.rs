use std::time::Duration;

use hitesh_tests_api::{Answer, Recorded, Script, UPSTREAM_SECRET, content_chunk, event, finish_chunk};
use serde_json::json;

use crate::row::{
    Becomes::{self, Partial},
    Deadline, Row, row,
};

const CUT: Becomes = Partial(502, "incomplete");
const LATE: Becomes = Partial(504, "provider_timeout");

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("the end of the body", beginning, CUT),
        row("closed", |request| beginning(request).breaking_off(), CUT),
        row("closed within a character", within_a_character, CUT),
        row("reset", |request| beginning(request).resetting(), CUT),
        row("half closed", |request| beginning(request).half_closing(), CUT),
        row("half closed, no end announced", |request| beginning(request).until_close().half_closing(), CUT),
        row("an announced length that is too short", too_short, CUT),
        row("an announced length that is too long", |request| beginning(request).announcing(1 << 20), CUT),
        row("silence", |request| beginning(request).stalling(), LATE).ended_by(Deadline::Silence),
        row("silence but for comments", with_comments, LATE).ended_by(Deadline::Silence),
        row("silence within an event", within_an_event, LATE).ended_by(Deadline::Silence),
        row("one token at a time", dripping, LATE).ended_by(Deadline::Total),
        row("data that is no JSON", |request| beginning(request).then_bytes(bad_data()), CUT),
        row("a web page", |request| beginning(request).then_bytes("<html>502 Bad Gateway</html>\n\n"), CUT),
        row("bytes that are no text", invalid_utf8, CUT),
        row("a line of 4 MB", |request| beginning(request).then_event(&content_chunk(&"x".repeat(4 << 20))), CUT),
        row("an error", |request| told(request, "scripted"), CUT),
        row("a server error", |request| told(request, "server_error"), CUT),
        row("a rate limit", |request| told(request, "rate_limit_exceeded"), CUT),
        row("a refused key", |request| told(request, "invalid_api_key"), CUT),
        row("no finish", |request| beginning(request).then_bytes("data: [DONE]\n\n"), CUT),
        row("the length limit", |request| finished(request, "length"), CUT),
        row("a filter", |request| finished(request, "content_filter"), CUT),
        row("a finish that nobody knows", |request| finished(request, "network_error"), CUT),
    ]
}

/// The first part of an answer, up to the middle of its output.
fn beginning(request: &Recorded) -> Script {
    let events = Answer::about("fault").events(request.format());
    let enough = events.len() * 3 / 4;
    Script::events(events.into_iter().take(enough))
}

fn within_a_character(request: &Recorded) -> Script {
    let mut bytes = event(&content_chunk("MARK")).into_bytes();
    let mark = bytes.windows(4).position(|window| window == b"MARK").unwrap();
    bytes.truncate(mark);
    bytes.extend_from_slice(&"🫖".as_bytes()[..2]);
    beginning(request).then_bytes(bytes).breaking_off()
}

fn too_short(request: &Recorded) -> Script {
    let (part, whole) = (beginning(request).body_len(), Script::answer(&Answer::about("fault"), request.format()));
    whole.announcing(part)
}

fn with_comments(request: &Recorded) -> Script {
    let mut script = beginning(request);
    for _ in 0..100 {
        script = script.then_bytes(": PROCESSING\n\n").then_pause(Duration::from_millis(50));
    }
    script
}

fn within_an_event(request: &Recorded) -> Script {
    beginning(request).then_bytes("data: {\"choices\":[{\"index\":0,").stalling()
}

/// Slow, but never silent for so long that it would be noticed.
fn dripping(request: &Recorded) -> Script {
    let events = Answer::about("fault").events(request.format());
    let rest = events[events.len() * 3 / 4..].iter();
    rest.fold(beginning(request), |script, event| {
        script.then_pause(Duration::from_millis(300)).then_bytes(event.as_bytes())
    })
}

fn bad_data() -> String {
    format!("data: {UPSTREAM_SECRET}\n\n")
}

fn invalid_utf8(request: &Recorded) -> Script {
    let mut bytes = event(&content_chunk("MARK")).into_bytes();
    let mark = bytes.windows(4).position(|window| window == b"MARK").unwrap();
    bytes.splice(mark..mark + 4, [0xf0, 0x9f, 0xff]);
    beginning(request).then_bytes(bytes).then_event(&finish_chunk("stop"))
}

fn told(request: &Recorded, code: &str) -> Script {
    beginning(request).then_event(&json!({"error": {"message": UPSTREAM_SECRET, "type": "scripted", "code": code}}))
}

fn finished(request: &Recorded, reason: &str) -> Script {
    beginning(request).then_event(&finish_chunk(reason)).then_bytes("data: [DONE]\n\n")
}
