use actix_web::test::TestRequest;

use super::{Script, json, service};

#[actix_web::test]
async fn each_wrong_body_has_its_answer() {
    let service = service("", Script::Whole).await;
    let long = format!(r#"{{"content":"{}"}}"#, "x".repeat(2001));
    let huge = format!(r#"{{"content":"{}"}}"#, "x".repeat(70_000));
    for (body, status, code) in [
        ("", 400, "invalid_json"),
        ("{\"content\":", 400, "invalid_json"),
        ("[1]", 422, "invalid_request"),
        ("{}", 422, "invalid_request"),
        (r#"{"content":7}"#, 422, "invalid_request"),
        (r#"{"content":"x","cache":"maybe"}"#, 422, "invalid_request"),
        (r#"{"content":"   "}"#, 422, "content_empty"),
        (long.as_str(), 422, "content_too_long"),
        (r#"{"content":"a\u0000b"}"#, 422, "content_invalid"),
        (r#"{"content":"x","session_id":"a/b"}"#, 422, "session_id_invalid"),
        (r#"{"content":"x","persona":"nobody"}"#, 422, "persona_unknown"),
        (huge.as_str(), 413, "body_too_large"),
    ] {
        for path in ["/api/chat/send", "/api/chat/stream"] {
            let reply = service.post(path, body).await;
            assert_eq!(reply.refusal(), (status, code.to_owned()), "{path} {}", &body[..body.len().min(60)]);
        }
    }
}

#[actix_web::test]
async fn what_is_not_json_by_its_type_is_refused() {
    let service = service("", Script::Whole).await;
    let request = |kind| TestRequest::post().uri("/api/chat/send").insert_header(("content-type", kind));
    for kind in ["text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let reply = service.call(request(kind).set_payload(r#"{"content":"x"}"#)).await;
        assert_eq!(reply.refusal(), (415, "unsupported_media_type".to_owned()), "{kind}");
    }
    let reply = service.call(request("application/json; charset=utf-8").set_payload(r#"{"content":"x"}"#)).await;
    assert_eq!(reply.status, 200);
}

#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let service = service("", Script::Whole).await;
    let reply = service.get("/api/chat/send").await;
    assert_eq!(reply.refusal(), (405, "method_not_allowed".to_owned()));
    assert_eq!(reply.header("allow"), "POST");
    let reply = service.call(TestRequest::patch().uri("/api/chat/turns/x")).await;
    assert_eq!(reply.refusal().0, 405);
    assert_eq!(reply.header("allow"), "GET, HEAD");
}

#[actix_web::test]
async fn an_unknown_address_has_the_one_shape() {
    let service = service("", Script::Whole).await;
    for path in ["/api/nothing", "/api/chat/turns", "/nothing", "/api/chat/send/"] {
        assert_eq!(service.get(path).await.refusal(), (404, "not_found".to_owned()), "{path}");
    }
}

#[actix_web::test]
async fn an_unknown_turn_is_not_found() {
    let service = service("", Script::Whole).await;
    for id in ["nonsense", "0190a0f0-0000-7000-8000-000000000001", "%ff"] {
        let path = format!("/api/chat/turns/{id}");
        assert_eq!(service.get(&path).await.refusal(), (404, "turn_not_found".to_owned()), "{id}");
        assert_eq!(service.get(&format!("{path}/events")).await.refusal().0, 404, "{id}");
        assert_eq!(service.post(&format!("{path}/stop"), "").await.refusal().0, 404, "{id}");
    }
}

#[actix_web::test]
async fn a_history_needs_a_session() {
    let service = service("", Script::Whole).await;
    for (query, status, code) in [
        ("", 400, "session_id_required"),
        ("?session_id=", 400, "session_id_required"),
        ("?session_id=a%20b", 422, "session_id_invalid"),
        ("?session_id=x&limit=0", 422, "invalid_request"),
        ("?session_id=x&limit=many", 422, "invalid_request"),
        ("?session_id=x&before=nonsense", 422, "invalid_request"),
        ("?session_id=x&session_id=y", 422, "invalid_request"),
    ] {
        let reply = service.get(&format!("/api/chat/history{query}")).await;
        assert_eq!(reply.refusal(), (status, code.to_owned()), "{query}");
    }
    let reply = service.call(TestRequest::delete().uri("/api/chat/history")).await;
    assert_eq!(reply.refusal(), (400, "session_id_required".to_owned()));
}

#[actix_web::test]
async fn a_wrong_cursor_is_refused() {
    let service = service("", Script::Whole).await;
    let sent = service.post("/api/chat/send", r#"{"content":"x"}"#).await.json();
    let id = sent["turn_id"].as_str().unwrap();
    for cursor in ["x", "0190a0f0-0000-7000-8000-000000000001:3"] {
        let reply = service.get(&format!("/api/chat/turns/{id}/events?after={cursor}")).await;
        assert_eq!(reply.refusal(), (422, "invalid_request".to_owned()), "{cursor}");
    }
}

#[actix_web::test]
async fn the_same_idempotency_key_is_the_same_turn() {
    let service = service("", Script::Whole).await;
    let send = |content: &str, key: &'static str| {
        json("/api/chat/send", &format!(r#"{{"content":"{content}"}}"#)).insert_header(("idempotency-key", key))
    };
    let first = service.call(send("chai", "k-1")).await.json();
    let again = service.call(send("chai", "k-1")).await.json();
    assert_eq!(first["turn_id"], again["turn_id"]);
    assert_eq!(service.call(send("coffee", "k-1")).await.refusal(), (422, "idempotency_conflict".to_owned()));
    assert_eq!(service.call(send("coffee", "k 1")).await.refusal(), (422, "invalid_request".to_owned()));
}

#[actix_web::test]
async fn a_draining_server_says_so() {
    let service = service("", Script::Whole).await;
    assert_eq!(service.get("/readyz").await.status, 200);
    service.engine.begin_drain();
    let reply = service.post("/api/chat/send", r#"{"content":"x"}"#).await;
    assert_eq!(reply.refusal(), (503, "draining".to_owned()));
    assert_eq!(reply.header("retry-after"), "5");
    let health = service.get("/api/chat/health").await;
    assert_eq!((health.status.as_u16(), health.json()["status"].as_str()), (503, Some("draining")));
    assert_eq!(service.get("/readyz").await.status, 503);
    assert_eq!(service.get("/livez").await.status, 200);
}

#[actix_web::test]
async fn details_are_shown_with_debug_only() {
    let plain = service("", Script::Whole).await;
    assert!(plain.post("/api/chat/send", "{").await.json()["details"].is_null());
    let debugging = service("[server]\ndebug = true", Script::Whole).await;
    assert!(debugging.post("/api/chat/send", "{").await.json()["details"].is_string());
}
