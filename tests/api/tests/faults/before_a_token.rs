use std::time::Duration;

use hitesh_tests_api::{Answer, Recorded, Script, UPSTREAM_SECRET, event, finish_chunk};
use serde_json::{Value, json};

use crate::row::{
    Becomes::{self, PassedOn, Refused, TriedAgain},
    Deadline, Row, row,
};

const CUT: Becomes = TriedAgain(502, "incomplete");
const LATE: Becomes = PassedOn(504, "provider_timeout");

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = connections();
    rows.extend(contents());
    rows.extend(errors());
    rows
}

/// The connection is at fault.
fn connections() -> Vec<Row> {
    vec![
        row("closed", |_| Script::stream([]).breaking_off(), CUT),
        row("closed after the role", |request| opening(request).breaking_off(), CUT),
        row("closed after reasoning", |_| reasoning().breaking_off(), CUT),
        row("closed within the first event", within_an_event, CUT),
        row("reset", |_| Script::stream([]).resetting(), CUT),
        row("reset after the role", |request| opening(request).resetting(), CUT),
        row("half closed", |_| Script::stream([]).half_closing(), CUT),
        row("half closed, no end announced", |_| Script::stream([]).until_close().half_closing(), CUT),
        row("an announced length of nothing", |_| Script::stream([]).announcing(0), CUT),
        row("an announced length that is too short", |request| opening(request).announcing(40), CUT),
        row("an announced length that is too long", |request| opening(request).announcing(1 << 20), CUT),
        row("silence", |_| Script::silence(), LATE).ended_by(Deadline::FirstToken),
        row("silence after the role", |request| opening(request).stalling(), LATE).ended_by(Deadline::FirstToken),
        row("silence within an announced length", |_| Script::silence().announcing(9), LATE)
            .ended_by(Deadline::FirstToken),
        row("a first event that drips", dripping_event, LATE).ended_by(Deadline::FirstToken),
        row("nothing but comments", comments, LATE).ended_by(Deadline::FirstToken),
    ]
}

/// What is said makes no sense.
fn contents() -> Vec<Row> {
    let misconfigured = PassedOn(503, "provider_unavailable");
    vec![
        row("a web page", |_| Script::plain(200, "text/html; charset=utf-8", PAGE), misconfigured),
        row("a web page posing as a stream", |_| Script::stream(PAGE), CUT),
        row("a web page posing as JSON", |_| Script::plain(200, "application/json", PAGE), CUT),
        row("nothing", |_| Script::stream([]), CUT),
        row("no body of JSON", |_| Script::plain(200, "application/json", []), CUT),
        row("JSON that breaks off", |_| Script::plain(200, "application/json", "{\"choices\":[{\"mess"), CUT),
        row("nothing but the end", |_| Script::stream("data: [DONE]\n\n"), CUT),
        row("a stop without a word", |_| Script::pieces(&[], Some("stop")), CUT),
        row("data that is no JSON", |_| data(UPSTREAM_SECRET), CUT),
        row("data of another type", |_| data("[1, 2]"), CUT),
        row("choices of another type", |_| said(&json!({"choices": "none"})), CUT),
        row("no choices", |_| said(&json!({"choices": []})), CUT),
        row("bytes that are no text", |_| Script::stream([0xff, 0xfe, 0, 0x80, b'\n', b'\n']), CUT),
        row("bytes that are compressed", |_| Script::stream(GZIP).with_header("content-encoding", "gzip"), CUT),
        row("a line of 4 MB", |_| data(&"x".repeat(4 << 20)), CUT),
        row("a line of 4 MB without an end", |_| Script::stream("x".repeat(4 << 20)).stalling(), CUT),
    ]
}

/// The error is told within the stream.
fn errors() -> Vec<Row> {
    let unavailable = (503, "provider_unavailable");
    vec![
        row("an error", |_| said(&json!({"error": {"message": UPSTREAM_SECRET}})), CUT),
        row("an error in a sentence", |_| said(&json!({"error": UPSTREAM_SECRET})), CUT),
        row("a server error", |_| error("server_error"), TriedAgain(unavailable.0, unavailable.1)),
        row("a rate limit", |_| error("rate_limit_exceeded"), PassedOn(unavailable.0, unavailable.1)),
        row("a refused key", |_| error("invalid_api_key"), PassedOn(502, "provider_unauthorized")),
        row("a context that is too long", |_| error("context_length_exceeded"), Refused(502, "provider_rejected")),
        row(
            "a status within the stream",
            |_| said(&json!({"error": {"code": 400}})),
            Refused(502, "provider_rejected"),
        ),
    ]
}

const PAGE: &str = "<html>\n\n<body>Anmeldung nötig</body>\n\n</html>\n\n";
const GZIP: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0x49, 0x2c, 0x49, 4, 0, 0x63, 0xf3, 0xf3, 0xad];

/// What a stream begins with, before anything of the answer.
fn opening(request: &Recorded) -> Script {
    Script::events(Answer::about("fault").events(request.format()).into_iter().take(1))
}

fn reasoning() -> Script {
    let chunk = json!({"choices": [{"index": 0, "delta": {"reasoning_content": "Hmm."}, "finish_reason": null}]});
    Script::stream(event(&chunk).repeat(3))
}

fn within_an_event(request: &Recorded) -> Script {
    let script = Script::answer(&Answer::about("fault"), request.format());
    script.cut_at(40).breaking_off()
}

fn dripping_event(request: &Recorded) -> Script {
    Script::answer(&Answer::about("fault"), request.format()).byte_by_byte().dripping(Duration::from_millis(50))
}

fn comments(_: &Recorded) -> Script {
    Script::events(std::iter::repeat_n(": PROCESSING\n\n".to_owned(), 1000)).dripping(Duration::from_millis(50))
}

fn said(data: &Value) -> Script {
    Script::stream(event(data))
}

fn data(text: &str) -> Script {
    Script::stream(format!("data: {text}\n\n")).then_event(&finish_chunk("stop")).then_bytes("data: [DONE]\n\n")
}

fn error(code: &str) -> Script {
    said(&json!({"error": {"message": UPSTREAM_SECRET, "type": "scripted", "code": code}}))
}
