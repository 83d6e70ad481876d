//! Every limit of the contract's second section is answered with its status and code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use futures::future::join_all;
use hitesh_tests_api::{Answer, Gate, Reply, Script, Server, ServerBuilder, Sse, Upstream, raw_exchange};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");
const QUESTION: &str = "Docker kya hota hai?";

async fn answering() -> (Upstream, Server) {
    let upstream = Upstream::answering(Answer::about("limits")).await;
    let server = Server::start(&upstream).await;
    (upstream, server)
}

/// Posts to `send` and to `stream`: both have to answer alike.
async fn post_to_both(server: &Server, body: &str) -> [Reply; 2] {
    let send = server.client().request("POST", "/api/chat/send", &[JSON], body).await;
    let stream = server.client().request("POST", "/api/chat/stream", &[JSON], body).await;
    [send, stream]
}

#[tokio::test]
async fn a_body_that_is_no_json_or_of_the_wrong_shape_is_refused() {
    let (upstream, server) = answering().await;
    for garbage in ["{", "content=x", "{\"content\": \"a\"} x", "\u{0}"] {
        for reply in post_to_both(&server, garbage).await {
            reply.expect_error(400, "invalid_json");
        }
    }
    for (wrong, field) in [
        (json!({}), "content"),
        (json!({"content": 5}), "content"),
        (json!({"content": null}), "content"),
        (json!({"content": "a", "session_id": 7}), "session_id"),
        (json!({"content": "a", "cache": "sometimes"}), "cache"),
        (json!({"content": "a", "store": "yes"}), "store"),
        (json!({"content": "a", "deltas": 1}), "deltas"),
    ] {
        for reply in post_to_both(&server, &wrong.to_string()).await {
            let message = reply.expect_error(422, "invalid_request")["message"].as_str().unwrap().to_owned();
            assert!(message.contains(field), "{message:?} does not name {field}");
        }
    }
    // Well-formed by the grammar, but no text.
    for reply in post_to_both(&server, "{\"content\": \"\\ud800\"}").await {
        reply.expect_error(422, "invalid_request");
    }
    for no_object in ["[]", "[\"Docker kya hai?\"]", "\"Docker kya hai?\"", "7", "null"] {
        for reply in post_to_both(&server, no_object).await {
            reply.expect_error(422, "invalid_request");
        }
    }
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn content_is_1_to_2000_characters_without_nul() {
    let (upstream, server) = answering().await;
    let long = "अ".repeat(2001);
    for (content, code) in [
        ("", "content_empty"),
        (" \t\n\u{a0}\u{3000}", "content_empty"),
        (long.as_str(), "content_too_long"),
        ("a\u{0}b", "content_invalid"),
    ] {
        for reply in post_to_both(&server, &json!({"content": content}).to_string()).await {
            reply.expect_error(422, code);
        }
    }
    assert_eq!(upstream.count(), 0);
    let longest = format!("  {}  ", "🫖".repeat(2000));
    let reply = server.client().send(&json!({"content": longest, "session_id": "s"})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(server.client().history("s").await[0]["content"], "🫖".repeat(2000));
}

#[tokio::test]
async fn a_session_id_has_its_form_and_a_persona_exists() {
    let (_upstream, server) = answering().await;
    for wrong in ["", "a b", "ä", "a/b", "a\nb", &"x".repeat(129)] {
        for reply in post_to_both(&server, &json!({"content": QUESTION, "session_id": wrong}).to_string()).await {
            reply.expect_error(422, "session_id_invalid");
        }
    }
    for wrong in ["nobody", "Hitesh", "../etc", ""] {
        for reply in post_to_both(&server, &json!({"content": QUESTION, "persona": wrong}).to_string()).await {
            reply.expect_error(422, "persona_unknown");
        }
    }
    let fits = json!({"content": QUESTION, "session_id": "x".repeat(128), "persona": "hitesh"});
    assert_eq!(server.client().send(&fits).await.status, 200);
}

#[tokio::test]
async fn a_body_over_64_kib_is_too_large() {
    let (_upstream, server) = answering().await;
    let large = json!({"content": QUESTION, "padding": "x".repeat(64 * 1024)}).to_string();
    for reply in post_to_both(&server, &large).await {
        reply.expect_error(413, "body_too_large");
    }
    let announced = format!(
        "POST /api/chat/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        u64::MAX / 2
    );
    let reply = raw_exchange(server.address(), &announced).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    let fits = json!({"content": QUESTION, "padding": "x".repeat(60 * 1024)});
    assert_eq!(server.client().send(&fits).await.status, 200);
}

#[tokio::test]
async fn a_body_slower_than_its_time_is_given_up() {
    let upstream = Upstream::numbered().await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_SERVER__BODY_TIMEOUT_SECONDS", "0.3").start().await;
    let head =
        "POST /api/chat/send HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{";
    let reply = raw_exchange(server.address(), head).await;
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    assert!(reply.contains("\"body_timeout\""), "{reply}");
}

#[tokio::test]
async fn methods_paths_and_content_types_are_checked() {
    let (_upstream, server) = answering().await;
    let client = server.client();
    for (method, path, allowed) in [
        ("GET", "/api/chat/send", "POST"),
        ("PUT", "/api/chat/stream", "POST"),
        ("POST", "/api/chat/history?session_id=s", "GET"),
        ("DELETE", "/api/chat/health", "GET"),
    ] {
        let reply = client.request(method, path, &[], []).await;
        assert_eq!(reply.status, 405, "{method} {path}: {}", reply.text());
        assert!(reply.header("allow").contains(allowed), "{method} {path}: {:?}", reply.headers);
        let code = reply.json()["error"].as_str().unwrap().to_owned();
        reply.expect_error(405, &code);
    }
    client.get("/api/chat/nothing").await.expect_error(404, "not_found");
    client.get("/api/chat/send/x").await.expect_error(404, "not_found");
    assert_eq!(client.get("/nothing").await.status, 404);
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let body = json!({"content": QUESTION}).to_string();
        let reply = client.request("POST", "/api/chat/send", &[("content-type", content_type)], body).await;
        let code = reply.json()["error"].as_str().unwrap().to_owned();
        reply.expect_error(415, &code);
    }
    let with_charset = [("content-type", "application/json; charset=utf-8")];
    let reply = client.request("POST", "/api/chat/send", &with_charset, json!({"content": QUESTION}).to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn an_unlisted_host_is_refused_when_hosts_are_configured() {
    let upstream = Upstream::numbered().await;
    let server = ServerBuilder::asking(&upstream).env("ALLOWED_HOSTS", "chai.example,127.0.0.1").start().await;
    let of_host =
        async |host: &str| raw_exchange(server.address(), &format!("GET /api HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
    let evil = of_host("evil.example").await;
    assert!(evil.starts_with("HTTP/1.1 400") && evil.contains("\"host_not_allowed\""), "{evil}");
    let listed = of_host("chai.example:8000").await;
    assert!(listed.starts_with("HTTP/1.1 200"), "{listed}");
}

#[tokio::test]
async fn details_are_filled_with_debug_only() {
    let upstream = Upstream::numbered().await;
    let quiet = Server::start(&upstream).await;
    let body = quiet.client().request("POST", "/api/chat/send", &[JSON], "{").await.expect_error(400, "invalid_json");
    assert_eq!(body["details"], Value::Null);
    let debug = ServerBuilder::asking(&upstream).env("DEBUG", "true").start().await;
    let body = debug.client().request("POST", "/api/chat/send", &[JSON], "{").await.expect_error(400, "invalid_json");
    assert_ne!(body["details"], Value::Null);
}

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    let upstream = Upstream::numbered().await;
    let server = ServerBuilder::asking(&upstream)
        .env("HITESH_LIMITS__REQUESTS_PER_MINUTE", 2)
        .env("HITESH_LIMITS__BURST", 2)
        .start()
        .await;
    let client = server.client();
    let mut replies = Vec::new();
    for i in 0..3 {
        replies.push(client.send(&json!({"content": format!("Sawaal {i}")})).await);
    }
    assert_eq!(replies[0].status, 200);
    assert_eq!(replies[1].status, 200);
    replies[2].expect_error(429, "rate_limited");
    assert!((1..=60).contains(&replies[2].retry_after()));
    assert_eq!(client.get("/livez").await.status, 200, "probes are not limited");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let upstream = Upstream::numbered().await;
    let limited =
        |builder: ServerBuilder| builder.env("HITESH_LIMITS__REQUESTS_PER_MINUTE", 1).env("HITESH_LIMITS__BURST", 1);
    let ask_as = async |server: &Server, address: &str| {
        let client = server.client().with_header("x-forwarded-for", address);
        client.send(&json!({"content": QUESTION})).await.status
    };
    let open = limited(ServerBuilder::asking(&upstream)).start().await;
    assert_eq!(ask_as(&open, "10.1.1.1").await, 200);
    assert_eq!(ask_as(&open, "10.1.1.2").await, 429, "anyone could pose as someone else");
    let behind =
        limited(ServerBuilder::asking(&upstream)).settings("[limits]\ntrusted_proxies = [\"127.0.0.1\"]").start().await;
    assert_eq!(ask_as(&behind, "10.1.1.1").await, 200);
    assert_eq!(ask_as(&behind, "10.1.1.2").await, 200);
    assert_eq!(ask_as(&behind, "10.1.1.1").await, 429);
    assert_eq!(ask_as(&behind, "10.9.9.9, 10.1.1.2").await, 429, "the proxy wrote the last one");
}

/// A gated upstream, so that turns stay open.
async fn held(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| {
        Script::gated(&Answer::about(&format!("A{}", request.number)), request.format(), 12, &gate)
    })
    .await
}

#[tokio::test]
async fn a_fifth_turn_at_once_in_a_session_is_refused() {
    let gate = Gate::new();
    let upstream = held(&gate).await;
    let server = Server::start(&upstream).await;
    let mut open: Vec<Sse> = Vec::new();
    for i in 0..4 {
        let mut stream = server.client().deltas("busy", &format!("Sawaal {i}")).await;
        stream.until("a delta", |frame| frame.name() == "delta").await;
        open.push(stream);
    }
    for path in ["/api/chat/send", "/api/chat/stream"] {
        let body = json!({"content": "Sawaal 5", "session_id": "busy"});
        server.client().post(path, &body).await.expect_error(409, "session_busy");
    }
    let mut other = server.client().deltas("other", "Sawaal 6").await;
    other.until("a delta", |frame| frame.name() == "delta").await;
    gate.open();
    for stream in &mut open {
        stream.until("the end", |frame| frame.is_end()).await;
    }
    server.client().ask("busy", "Sawaal 7").await;
}

#[tokio::test]
async fn a_full_server_says_so() {
    let gate = Gate::new();
    let upstream = held(&gate).await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_LIMITS__MAX_IN_FLIGHT", 1).start().await;
    let mut open = server.client().deltas("a", "Sawaal 1").await;
    open.until("a delta", |frame| frame.name() == "delta").await;
    let reply = server.client().send(&json!({"content": "Sawaal 2"})).await;
    reply.expect_error(503, "overloaded");
    assert!(reply.retry_after() >= 1);
    gate.open();
    open.until("the end", |frame| frame.is_end()).await;
    server.client().ask("b", "Sawaal 3").await;
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_turn() {
    let (upstream, server) = answering().await;
    let client = server.client();
    let body = json!({"content": QUESTION, "session_id": "s", "idempotency_key": "once-1", "cache": "off"});
    let first = client.send(&body).await;
    let second = client.send(&body).await;
    assert_eq!((first.status, second.status), (200, 200), "{} {}", first.text(), second.text());
    assert_eq!(first.json()["turn_id"], second.json()["turn_id"]);
    assert_eq!(first.json()["message"], second.json()["message"]);
    assert_eq!(first.json()["processing_steps"], second.json()["processing_steps"]);
    let plain = json!({"content": QUESTION, "session_id": "s", "cache": "off"});
    let third = client.with_header("idempotency-key", "once-1").send(&plain).await;
    assert_eq!(third.json()["turn_id"], first.json()["turn_id"], "the header is the same key");
    let mut other = body.clone();
    other["content"] = json!("Kubernetes kya hota hai?");
    client.send(&other).await.expect_error(422, "idempotency_conflict");
    assert_eq!(upstream.count(), 1);
    assert_eq!(client.history("s").await.len(), 2);
}

#[tokio::test]
async fn a_repeated_request_joins_its_own_turn_while_that_runs_and_after_a_restart() {
    let gate = Gate::new();
    let upstream = held(&gate).await;
    let server = Server::start(&upstream).await;
    let body = json!({"content": QUESTION, "session_id": "s", "idempotency_key": "k", "deltas": true});
    let mut first = server.client().stream(&body).await;
    first.until("a delta", |frame| frame.name() == "delta").await;
    let mut second = server.client().stream(&body).await;
    let turn = second.next().await.unwrap();
    gate.open();
    let (mut rest, end) = (second.rest().await, first.until("the end", |frame| frame.is_end()).await);
    assert_eq!(rest.pop().unwrap(), end);
    let server = server.restart().await;
    let mut third = server.client().stream(&body).await;
    assert_eq!(third.next().await.unwrap().json()["turn_id"], turn.json()["turn_id"]);
    assert_eq!(third.until("the end", |frame| frame.is_end()).await, end);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn equal_requests_at_once_with_one_idempotency_key_are_one_turn() {
    let (upstream, server) = answering().await;
    let body = json!({"content": QUESTION, "session_id": "s", "idempotency_key": "race", "cache": "off"});
    let replies = join_all((0..20).map(|_| server.client().send(&body))).await;
    for reply in &replies {
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["turn_id"], replies[0].json()["turn_id"]);
    }
    assert_eq!(upstream.count(), 1);
    assert_eq!(server.client().history("s").await.len(), 2);
}

#[tokio::test]
async fn a_page_that_makes_no_sense_is_refused() {
    let (_upstream, server) = answering().await;
    for query in ["limit=0", "limit=-1", "limit=many", "limit=99999999999999999999", "before=nonsense"] {
        let reply = server.client().get(&format!("/api/chat/history?session_id=s&{query}")).await;
        reply.expect_error(422, "invalid_request");
    }
}

#[tokio::test]
async fn an_idempotency_key_has_its_form() {
    let (upstream, server) = answering().await;
    for wrong in ["", "two words", "\u{e9}", &"x".repeat(256)] {
        let body = json!({"content": QUESTION, "idempotency_key": wrong}).to_string();
        for reply in post_to_both(&server, &body).await {
            reply.expect_error(422, "invalid_request");
        }
    }
    assert_eq!(upstream.count(), 0);
}
