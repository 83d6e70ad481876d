use std::time::Duration;

use hitesh_tests_api::{Recorded, Script, UPSTREAM_SECRET};
use serde_json::json;

use crate::row::{
    Becomes::{PassedOn, Refused, TriedAgain},
    Deadline, Fault, Row, row,
};

const UNAVAILABLE: (u16, &str) = (503, "provider_unavailable");
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-padding: ................................";

/// The whole reply is an error of this status.
fn refusals() -> Vec<Row> {
    let (status, code) = UNAVAILABLE;
    vec![
        row("400", |_| Script::error(400), Refused(502, "provider_rejected")),
        row("422", |_| Script::error(422), Refused(502, "provider_rejected")),
        row("a context that is too long", context_too_long, Refused(502, "provider_rejected")),
        row("413", |_| Script::error(413), Refused(502, "provider_rejected")),
        row("401", |_| Script::error(401), PassedOn(502, "provider_unauthorized")),
        row("403", |_| Script::error(403), PassedOn(502, "provider_unauthorized")),
        row("402", |_| Script::error(402), PassedOn(status, code)),
        row("404", |_| Script::error(404), PassedOn(status, code)),
        row("408", |_| Script::error(408), TriedAgain(status, code)),
        row("409", |_| Script::error(409), TriedAgain(status, code)),
        row("425", |_| Script::error(425), TriedAgain(status, code)),
        row("429", |_| Script::error(429), PassedOn(status, code)),
        row("429 for a day", |_| slow_down("86400"), PassedOn(status, code)),
        row("429 until a date", |_| slow_down("Wed, 01 Jan 2098 00:00:00 GMT"), PassedOn(status, code)),
        row("429 for nobody knows how long", |_| slow_down("soon"), PassedOn(status, code)),
        row("500", |_| Script::error(500), TriedAgain(status, code)),
        row("502 of a proxy", |_| Script::plain(502, "text/html", PAGE), TriedAgain(status, code)),
        row("503", |_| Script::error(503), TriedAgain(status, code)),
        row("529", |_| Script::error(529), TriedAgain(status, code)),
        row("a redirect", redirect, PassedOn(status, code)),
        row("a redirect to itself", |_| Script::error(307).with_header("location", "/v1"), PassedOn(status, code)),
        row("an error cut short", |_| Script::error(500).cut_at(9).breaking_off(), TriedAgain(status, code)),
        row("an error that is reset", |_| Script::error(503).cut_at(9).resetting(), TriedAgain(status, code)),
        row("an error of no text", |_| Script::plain(500, "text/plain", [0xff, 0xfe, 0]), TriedAgain(status, code)),
    ]
}

const PAGE: &str = "<html><body>502 Bad Gateway</body></html>";

fn context_too_long(_: &Recorded) -> Script {
    let error = json!({"message": UPSTREAM_SECRET, "type": "invalid_request_error", "code": "context_length_exceeded"});
    Script::plain(400, "application/json", json!({"error": error}).to_string())
}

fn slow_down(wait: &str) -> Script {
    Script::error(429).with_header("retry-after", wait)
}

fn redirect(_: &Recorded) -> Script {
    Script::error(307).with_header("location", "http://127.0.0.1:1/elsewhere")
}

pub(crate) fn rows() -> Vec<Row> {
    let (status, code) = UNAVAILABLE;
    let late = PassedOn(504, "provider_timeout");
    let connecting = |what, fault, becomes| Row { what, fault, becomes, deadline: None };
    let mut rows = refusals();
    rows.extend([
        connecting("a refused connection", Fault::Refuses, TriedAgain(status, code)),
        connecting("no handshake", Fault::LeavesHandshakes, late).ended_by(Deadline::Connect),
        row("closed without a word", |_| Script::hang_up(), TriedAgain(status, code)),
        row("reset without a word", |_| Script::hang_up().resetting(), TriedAgain(status, code)),
        row("half closed without a word", |_| Script::hang_up().half_closing(), TriedAgain(status, code)),
        row("closed within the status", |_| Script::raw("HTTP/1."), TriedAgain(status, code)),
        row("closed within the head", |_| Script::raw(HEAD), TriedAgain(status, code)),
        row("reset within the head", |_| Script::raw(HEAD).resetting(), TriedAgain(status, code)),
        row("half closed within the head", |_| Script::raw(HEAD).half_closing(), TriedAgain(status, code)),
        row("another protocol", |_| Script::raw("SSH-2.0-OpenSSH_9.9\r\n\r\n"), TriedAgain(status, code)),
        row("bytes for a head", |_| Script::raw([0x16, 0x03, 0x01, 0, 0, 0xff]), TriedAgain(status, code)),
        row("silence", |_| Script::hang_up().stalling(), late).ended_by(Deadline::FirstToken),
        row("silence within the head", |_| Script::raw(HEAD).stalling(), late).ended_by(Deadline::FirstToken),
        row("a head that drips", dripping_head, late).ended_by(Deadline::FirstToken),
    ]);
    rows
}

fn dripping_head(_: &Recorded) -> Script {
    Script::raw(HEAD).byte_by_byte().dripping(Duration::from_millis(50))
}
