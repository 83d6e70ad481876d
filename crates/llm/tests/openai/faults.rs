//! One row for each fault of an upstream, and what is told of it.

use crate::{
    chunks::{DONE, USAGE, delta, finish},
    provider, told,
    upstream::{Upstream, WORDS, head, sse, status, write},
};

const CUT: &str = "the provider's stream broke off: it ended before the answer did";
const LOST: &str = "the provider's stream broke off: the connection was lost";
const NO_CHUNK: &str = "the provider's stream broke off: it sent no completion chunk";
const TOO_LONG: &str = "the provider's stream broke off: it sent a line that is too long";
const NOT_TEXT: &str = "the provider's stream broke off: it sent what is not UTF-8";
const REPORTED: &str = "the provider's stream broke off: it reported an error within its stream";
const WEB_PAGE: &str = "refused: the provider can't be used as configured: it answers with a web page (check base_url)";
const NO_CREDIT: &str = "refused: the provider can't be used as configured: the account has no credit left";
const SERVER_ERROR: &str = "the provider is unavailable: it answers with a server error";

/// Asks an upstream for each row, and compares what is told.
async fn check(rows: Vec<(&str, Vec<u8>, String)>) {
    for (name, response, expected) in rows {
        let upstream = Upstream::answering(response);
        assert_eq!(told(&provider(upstream.base_url())).await, expected, "{name}");
    }
}

fn row(name: &'static str, body: impl AsRef<[u8]>, expected: impl AsRef<str>) -> (&'static str, Vec<u8>, String) {
    (name, sse(body), expected.as_ref().to_owned())
}

/// Adds the rest of a whole answer to the beginning of one.
fn whole(beginning: &str) -> String {
    format!("{beginning}{}{}{USAGE}{DONE}", delta("hi"), finish("stop"))
}

#[tokio::test]
async fn whole_answers_of_every_form_are_read() {
    let all = "«hi» Finish(Stop) 9+2";
    let crlf = whole("").replace('\n', "\r\n");
    let cr = whole("").replace('\n', "\r");
    let no_space = whole("").replace("data: ", "data:");
    let two_lines = "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    let at_once = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n";
    check(vec![
        row("as OpenAI sends it", whole(""), all),
        row("CRLF", crlf, all),
        row("CR", cr, all),
        row("BOM", whole("\u{feff}"), all),
        row("BOM and a comment", whole("\u{feff}: hello\n\n"), all),
        row("comments", whole(": OPENROUTER PROCESSING\n\n:\n\n"), all),
        row("no space after the colon", no_space, all),
        row("other fields", whole("event: message\nid: 7\nretry: 10\nx: y\n\n"), all),
        row("empty data", whole("data:\n\ndata\n\n"), all),
        row("no id, no object, two lines of data", format!("{two_lines}{DONE}"), "«hi» Finish(Stop)"),
        row("all in one chunk", at_once, all),
        row("no [DONE]", format!("{}{}", delta("hi"), finish("stop")), "«hi» Finish(Stop)"),
        row("role only", whole("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"), all),
        row("empty choices first (Azure)", whole("data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"), all),
        row("null everywhere", whole("data: {\"id\":null,\"choices\":[{\"delta\":{\"content\":null,\"refusal\":null},\"finish_reason\":null,\"logprobs\":null}],\"usage\":null,\"error\":null}\n\n"), all),
        row("duplicate finish", whole("").replace(USAGE, &finish("length")), "«hi» Finish(Stop)"),
        row("text after the end", whole("").replace(USAGE, &delta("more")), "«hi» Finish(Stop)"),
        row("garbage after the end", whole("").replace(USAGE, "data: <x>\n\n"), "«hi» Finish(Stop)"),
        row("garbage after [DONE]", format!("{}data: <x>\n\n", whole("")), all),
        row("cut by length", format!("{}{}", delta("hi"), finish("length")), "«hi» Finish(Length)"),
        row("filtered", format!("{}{}", delta("hi"), finish("content_filter")), "«hi» Finish(Filtered)"),
        row("a tool was called", format!("{}{}", delta("hi"), finish("tool_calls")), "«hi» Finish(Stop)"),
        row("refused", whole("data: {\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}\n\n"), "«no» «hi» Finish(Refusal) 9+2"),
        row("reasoning (vLLM, DeepSeek)", whole("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"), format!("(hm) {all}")),
        row("reasoning (OpenRouter, Ollama)", whole("data: {\"choices\":[{\"delta\":{\"content\":\"\",\"reasoning\":\"hm\"}}]}\n\n"), format!("(hm) {all}")),
    ])
    .await;
}

#[tokio::test]
async fn what_is_no_whole_answer_is_never_called_one() {
    let hi = delta("hi");
    let long_line = format!("data: {{\"x\":\"{}\"}}\n\n", "x".repeat(4 << 20));
    let long_event = "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(1 << 15);
    let invalid =
        [b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n".as_slice(), finish("stop").as_bytes()]
            .concat();
    let error = format!("data: {{\"error\":{{\"message\":\"{WORDS}\",\"type\":\"server_error\"}}}}\n\n");
    let unnamed = format!("data: {{\"error\":{{\"message\":\"{WORDS}\"}}}}\n\n");
    check(vec![
        row("nothing", "", CUT),
        row("half a stream", &hi, format!("«hi» {CUT}")),
        row("half an event", hi.trim_end(), CUT),
        row("[DONE] without a reason", format!("{hi}{DONE}"), format!("«hi» {CUT}")),
        row("[DONE] alone", DONE, CUT),
        row("only empty choices", format!("data: {{\"choices\":[]}}\n\n{USAGE}{DONE}"), format!("9+2 {CUT}")),
        row("garbage JSON", format!("{hi}data: {{\"choices\":[{{\n\n"), format!("«hi» {NO_CHUNK}")),
        row("no JSON", "data: hello\n\n", NO_CHUNK),
        row("HTML as events", "<html><body>502</body></html>\n\n", CUT),
        row(
            "an unknown reason",
            format!("{hi}{}", finish("error")),
            "«hi» the provider's stream broke off: it ended the answer for a reason that is not known",
        ),
        row("an error inside", format!("{hi}{error}"), format!("«hi» {SERVER_ERROR}")),
        row("an error without a code", unnamed, REPORTED),
        row("an error event", format!("event: error\n{error}"), SERVER_ERROR),
        row("a line of 4 MB", &long_line, TOO_LONG),
        row("an event of 1 MB without end", long_event, TOO_LONG),
        row("invalid UTF-8", invalid, NOT_TEXT),
        row("half a character at the end", half_a_character(), CUT),
    ])
    .await;
}

/// A stream that ends between two bytes of an emoji.
fn half_a_character() -> Vec<u8> {
    let whole = delta("chai ☕");
    let emoji = whole.find('☕').unwrap();
    whole.as_bytes()[..emoji + 1].to_vec()
}

#[tokio::test]
async fn a_body_of_another_kind_is_taken_for_what_it_is() {
    let completion = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    let of = |content_type: &str, body: &str| format!("{}{body}", head(content_type)).into_bytes();
    check(vec![
        ("a whole completion", of("application/json; charset=utf-8", completion), "«hi» Finish(Stop) 9+2".into()),
        (
            "a whole completion with a BOM",
            of("application/json", &format!("\u{feff}{completion}")),
            "«hi» Finish(Stop) 9+2".into(),
        ),
        ("half a completion", of("application/json", &completion[..60]), NO_CHUNK.into()),
        (
            "a completion without a reason",
            of("application/json", r#"{"choices":[{"message":{"content":"hi"}}]}"#),
            format!("«hi» {CUT}"),
        ),
        (
            "an error with status 200",
            of("application/json", r#"{"error":{"code":"rate_limit_exceeded"}}"#),
            "the provider asked to slow down".into(),
        ),
        ("a completion that is too long", of("application/json", &" ".repeat(2 << 20)), TOO_LONG.into()),
        ("HTML with status 200", of("text/html; charset=utf-8", "<html>log in</html>"), WEB_PAGE.into()),
        ("events under another name", of("text/plain", &whole("")), "«hi» Finish(Stop) 9+2".into()),
        ("text under another name", of("text/plain", "hello"), CUT.into()),
        (
            "no content type",
            format!("HTTP/1.1 200 OK\r\n\r\n{}", whole("")).into_bytes(),
            "«hi» Finish(Stop) 9+2".into(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_status_is_mapped_and_its_body_never_shown() {
    let body =
        |code: &str| format!(r#"{{"error":{{"message":"{WORDS}","type":"invalid_request_error","code":"{code}"}}}}"#);
    let of = |line: &str, body: &str| status(line, "", body).into_bytes();
    let unknown =
        "refused: the provider can't be used as configured: it knows no such model or path (check model and base_url)";
    check(vec![
        (
            "401",
            of("401 Unauthorized", &body("invalid_api_key")),
            "refused: the provider refused the credentials".into(),
        ),
        ("403", of("403 Forbidden", ""), "refused: the provider refused the credentials".into()),
        ("400", of("400 Bad Request", &body("x")), "refused: the provider refused the request (status 400)".into()),
        ("422", of("422 Unprocessable", WORDS), "refused: the provider refused the request (status 422)".into()),
        (
            "too long",
            of("400 Bad Request", &body("context_length_exceeded")),
            "refused: the prompt does not fit the model's context window".into(),
        ),
        ("404", of("404 Not Found", &body("model_not_found")), unknown.into()),
        ("404 HTML", of("404 Not Found", "<html>"), unknown.into()),
        ("500", of("500 Oops", WORDS), "refused: the provider is unavailable: it answers with status 500".into()),
        ("503", of("503 Busy", WORDS), "refused: the provider is unavailable: it answers with status 503".into()),
        ("429", of("429 Slow", &body("rate_limit_exceeded")), "refused: the provider asked to slow down".into()),
        ("no quota", of("429 Slow", &body("insufficient_quota")), NO_CREDIT.into()),
        (
            "a redirect",
            status("307 Moved", "location: /elsewhere\r\n", "").into_bytes(),
            "refused: the provider can't be used as configured: it redirects, which is not followed: base_url must be the final one"
                .into(),
        ),
        (
            "an endless body",
            of("500 Oops", &"x".repeat(1 << 20)),
            "refused: the provider is unavailable: it answers with status 500".into(),
        ),
        (
            "half a head",
            b"HTTP/1.1 200 OK\r\ncontent-".to_vec(),
            "refused: the provider is unavailable: the connection broke off before it answered".into(),
        ),
        (
            "no HTTP",
            b"220 smtp.example.org ESMTP\r\n".to_vec(),
            "refused: the provider is unavailable: the connection broke off before it answered".into(),
        ),
        (
            "no bytes",
            Vec::new(),
            "refused: the provider is unavailable: the connection broke off before it answered".into(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_body_that_is_shorter_than_announced_is_cut() {
    let events = format!("{}{}", delta("hi"), delta("there"));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n",
        events.len()
    );
    let long = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n{events}");
    let short = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{}",
        events.len(),
        whole(&events)
    );
    check(vec![
        ("chunked", chunked.into_bytes(), format!("«hi» «there» {LOST}")),
        ("content length too long", long.into_bytes(), format!("«hi» «there» {LOST}")),
        ("content length too short", short.into_bytes(), format!("«hi» «there» {CUT}")),
    ])
    .await;
}

#[tokio::test]
async fn a_character_that_comes_in_two_packets_is_one() {
    let text = whole("").replace("hi", "chai ☕🎉");
    let (before, after) = text.as_bytes().split_at(text.find('🎉').unwrap() + 2);
    let upstream = Upstream::new([vec![write(sse(before)), write(after)]]);
    assert_eq!(told(&provider(upstream.base_url())).await, "«chai ☕🎉» Finish(Stop) 9+2");
}
