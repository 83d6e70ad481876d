use hitesh_tests_api::{Answer, Recorded, Script, UPSTREAM_SECRET, content_chunk, event, finish_chunk};
use serde_json::{Value, json};

use crate::row::{Becomes::Whole, Row, row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("closed after the finish", |request| finished(request).breaking_off(), Whole),
        row("reset after the finish", |request| finished(request).resetting(), Whole),
        row("half closed after the finish", |request| finished(request).half_closing(), Whole),
        row("silence after the finish", |request| finished(request).stalling(), Whole),
        row("silence after the usage", |request| whole(request).stalling(), Whole),
        row("no end announced", |request| whole(request).until_close(), Whole),
        row("an announced length that is too long", |request| whole(request).announcing(1 << 20), Whole),
        row("a second finish", |request| finished(request).then_event(&finish_chunk("length")), Whole),
        row("text after the finish", |request| finished(request).then_event(&content_chunk("LEAK")), Whole),
        row("no JSON after the finish", |request| finished(request).then_bytes("data: {\n\n"), Whole),
        row("an error after the finish", error_after_the_finish, Whole),
        row("bytes after the end", |request| whole(request).then_bytes([0xff, 0xfe, b'\n', b'\n']), Whole),
        row("no id", |request| rewritten(request, |chunk| remove(chunk, &["id", "model", "created", "object"])), Whole),
        row("a byte order mark", |request| bytes(request, |text| format!("\u{feff}{text}")), Whole),
        row("CR LF", |request| bytes(request, |text| text.replace('\n', "\r\n")), Whole),
        row("no space after the colon", |request| bytes(request, |text| text.replace("data: ", "data:")), Whole),
        row("comments", |request| bytes(request, |text| text.replace("data: ", ": PROCESSING\n\ndata: ")), Whole),
        row("a line of 200 kB", |request| rewritten(request, pad), Whole),
        row("a wrong content type", |request| whole(request).with_content_type("text/plain"), Whole),
    ]
}

fn answer(request: &Recorded) -> Vec<String> {
    Answer::about("fault").events(request.format())
}

fn whole(request: &Recorded) -> Script {
    Script::events(answer(request))
}

/// The answer up to its finish: without the usage and without `[DONE]`.
fn finished(request: &Recorded) -> Script {
    let events = answer(request);
    let enough = events.len() - 2;
    Script::events(events.into_iter().take(enough))
}

fn error_after_the_finish(request: &Recorded) -> Script {
    finished(request).then_event(&json!({"error": {"message": UPSTREAM_SECRET, "code": "server_error"}}))
}

fn bytes(request: &Recorded, change: fn(&str) -> String) -> Script {
    Script::stream(change(&answer(request).concat()))
}

fn rewritten(request: &Recorded, change: fn(&mut Value)) -> Script {
    Script::events(answer(request).into_iter().map(|frame| {
        let data = frame.trim_start_matches("data: ").trim_end();
        match serde_json::from_str(data) {
            Ok(mut chunk) => {
                change(&mut chunk);
                event(&chunk)
            }
            Err(_) => frame,
        }
    }))
}

fn remove(chunk: &mut Value, keys: &[&str]) {
    let chunk = chunk.as_object_mut().unwrap();
    keys.iter().for_each(|key| drop(chunk.remove(*key)));
}

fn pad(chunk: &mut Value) {
    chunk["padding"] = json!(if chunk["usage"].is_object() { "x".repeat(200_000) } else { String::new() });
}
