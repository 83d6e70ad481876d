use actix_web::test::TestRequest;

use super::{Script, json, service};

const KEYS: &str = r#"
[auth]
admin_key = "admins-key"
keys = [{ id = "anita", key = "anitas-key" }, { id = "ravi", key = "ravis-key" }]
"#;

fn ask(key: &'static str) -> TestRequest {
    json("/api/chat/send", r#"{"content":"x","session_id":"s-1"}"#).insert_header(("x-api-key", key))
}

fn from(peer: &str, request: TestRequest) -> TestRequest {
    request.peer_addr(format!("{peer}:40000").parse().unwrap())
}

#[actix_web::test]
async fn with_keys_only_their_holders_may_ask() {
    let service = service(KEYS, Script::Whole).await;
    let nobody = service.post("/api/chat/send", r#"{"content":"x"}"#).await;
    assert_eq!(nobody.refusal(), (401, "unauthorized".to_owned()));
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    assert_eq!(service.call(ask("wrong-key")).await.refusal().0, 401);
    assert_eq!(service.call(ask("anitas-key")).await.status, 200);
    for path in ["/api/chat/performance", "/api/chat/cache/stats", "/api/chat/history?session_id=s-1"] {
        assert_eq!(service.get(path).await.refusal().0, 401, "{path}");
    }
    for path in ["/", "/api", "/api/personas", "/api/chat/health", "/livez", "/readyz", "/docs", "/openapi.json"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn anothers_session_and_turn_are_as_if_they_did_not_exist() {
    let service = service(KEYS, Script::Whole).await;
    let turn = service.call(ask("anitas-key")).await.json();
    let path = format!("/api/chat/turns/{}", turn["turn_id"].as_str().unwrap());
    let as_ravi = |path: &str| TestRequest::get().uri(path).insert_header(("authorization", "Bearer ravis-key"));
    assert_eq!(service.call(as_ravi(&path)).await.refusal(), (404, "turn_not_found".to_owned()));
    let history = service.call(as_ravi("/api/chat/history?session_id=s-1")).await.json();
    assert!(history["messages"].as_array().unwrap().is_empty());
}

#[actix_web::test]
async fn with_an_admin_key_only_its_holder_may_empty_the_cache() {
    let service = service(KEYS, Script::Whole).await;
    let clear = || from("127.0.0.1", TestRequest::post().uri("/api/chat/cache/clear"));
    assert_eq!(service.call(clear()).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(service.call(clear().insert_header(("x-api-key", "anitas-key"))).await.refusal().0, 403);
    assert_eq!(service.call(clear().insert_header(("authorization", "Bearer admins-key"))).await.status, 200);
}

#[actix_web::test]
async fn without_an_admin_key_only_this_machine_may_empty_the_cache() {
    let service = service("", Script::Whole).await;
    let clear = || TestRequest::post().uri("/api/chat/cache/clear");
    assert_eq!(service.call(from("127.0.0.1", clear())).await.status, 200);
    assert_eq!(service.call(from("192.0.2.1", clear())).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(service.call(clear()).await.refusal().0, 403);
    for (name, value) in [("x-forwarded-for", "127.0.0.1"), ("via", "1.1 proxy"), ("origin", "https://evil.example")] {
        let forwarded =
            from("127.0.0.1", clear()).insert_header((name, value)).insert_header(("host", "localhost:8000"));
        assert_eq!(service.call(forwarded).await.refusal().0, 403, "{name}");
    }
}

#[actix_web::test]
async fn too_many_requests_have_to_wait() {
    let limits = "[limits]\nrequests_per_minute = 1\nburst = 2\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let service = service(limits, Script::Whole).await;
    let ask = |client: &'static str| {
        from("127.0.0.1", TestRequest::get().uri("/api/chat/history?session_id=x"))
            .insert_header(("x-forwarded-for", client))
    };
    for _ in 0..2 {
        assert_eq!(service.call(ask("192.0.2.1")).await.status, 200);
    }
    let refused = service.call(ask("192.0.2.1")).await;
    assert_eq!(refused.refusal(), (429, "rate_limited".to_owned()));
    assert!((50..=60).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(service.call(ask("192.0.2.2")).await.status, 200);
    assert_eq!(service.get("/api/chat/health").await.status, 200);
}

#[actix_web::test]
async fn an_unlisted_host_is_refused_but_probes_are_answered() {
    let service = service("[server]\nallowed_hosts = [\"api.example.com\"]", Script::Whole).await;
    let to = |host: &'static str, path: &str| TestRequest::get().uri(path).insert_header(("host", host));
    assert_eq!(service.call(to("api.example.com:8000", "/api")).await.status, 200);
    assert_eq!(service.call(to("evil.example", "/api")).await.refusal(), (400, "host_not_allowed".to_owned()));
    assert_eq!(service.call(to("10.0.0.7:8000", "/readyz")).await.status, 200);
}

#[actix_web::test]
async fn any_origin_may_call_without_credentials() {
    let service = service("", Script::Whole).await;
    let preflight = TestRequest::default()
        .method(actix_web::http::Method::OPTIONS)
        .uri("/api/chat/send")
        .insert_header(("origin", "https://page.example"))
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "content-type, x-api-key, idempotency-key"));
    let reply = service.call(preflight).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    assert_eq!(reply.header("access-control-max-age"), "3600");
    assert_eq!(reply.header("access-control-allow-credentials"), "");
    assert!(!reply.header("x-request-id").is_empty());
    let refused = json("/api/chat/send", "{").insert_header(("origin", "https://page.example"));
    let refused = service.call(refused).await;
    assert_eq!(refused.refusal().0, 400);
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    assert_eq!(refused.header("access-control-expose-headers"), "x-request-id");
}

#[actix_web::test]
async fn listed_origins_may_call_and_others_not() {
    let service =
        service("[cors]\nallowed_origins = [\"https://page.example\"]\ncredentials = true", Script::Whole).await;
    let call = |origin: &'static str| TestRequest::get().uri("/api").insert_header(("origin", origin));
    let listed = service.call(call("https://page.example")).await;
    assert_eq!(listed.header("access-control-allow-origin"), "https://page.example");
    assert_eq!(listed.header("access-control-allow-credentials"), "true");
    assert_eq!(service.call(call("https://other.example")).await.header("access-control-allow-origin"), "");
}
