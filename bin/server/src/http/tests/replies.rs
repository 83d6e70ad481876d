use actix_web::test::TestRequest;
use serde_json::json;

use super::{Script, service};

#[actix_web::test]
async fn every_reply_says_its_id_and_time() {
    let service = service("", Script::Whole).await;
    for path in ["/", "/api", "/api/nothing", "/docs", "/livez"] {
        let reply = service.call(TestRequest::get().uri(path).insert_header(("x-request-id", "my-id:1"))).await;
        assert_eq!(reply.header("x-request-id"), "my-id:1", "{path}");
        assert!(reply.header("x-process-time").parse::<f64>().unwrap() < 60.0);
    }
    assert_eq!(service.get("/").await.header("x-request-id").len(), 36);
}

#[actix_web::test]
async fn the_welcome_is_the_originals() {
    let body = service("", Script::Whole).await.get("/").await.json();
    assert_eq!(body["message"], "⚡ Namaste! Welcome to Hitesh AI Chat API");
    assert_eq!(body["description"], "Your tech mentor and chai companion");
    assert_eq!((&body["docs"], &body["health"]), (&json!("/docs"), &json!("/api/chat/health")));
    assert!(body["version"].is_string());
}

#[actix_web::test]
async fn a_browser_gets_the_chat_page_under_a_strict_policy() {
    let service = service("", Script::Whole).await;
    let browser = TestRequest::get().uri("/").insert_header(("accept", "text/html,*/*;q=0.8"));
    for reply in [service.call(browser).await, service.get("/chat").await] {
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("://") && !policy.contains('*'), "{policy}");
        assert!(reply.body.contains("<title>Hitesh AI</title>"));
    }
    let program = service.get("/").await;
    assert!(program.header("vary").starts_with("accept,"), "{}", program.header("vary"));
}

#[actix_web::test]
async fn the_page_is_told_whether_it_may_make_links_to_chats() {
    let keys = "[[auth.keys]]\nid = \"web\"\nkey = \"web-secret-1\"\n";
    let sharing = "[page]\nsharing = true\n";
    let cases = [("", "off"), (keys, "off"), (sharing, "open"), (&format!("{sharing}{keys}"), "same-key")];
    for (settings, expected) in cases {
        let reply = service(settings, Script::Whole).await.get("/chat").await;
        let told = format!("<meta name=\"hitesh-sharing\" content=\"{expected}\">");
        assert!(reply.body.contains(&told), "{settings:?}");
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert!(reply.header("content-security-policy").contains("script-src 'self';"));
    }
}

#[actix_web::test]
async fn the_pages_files_are_kept_for_ever_and_the_client_has_an_address_that_stays() {
    let service = service("", Script::Whole).await;
    let page = service.get("/chat").await.body;
    let script = page.split('"').find(|quoted| quoted.ends_with("/bundles/chat.js")).unwrap();
    let reply = service.get(script).await;
    assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(reply.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(service.get("/static/older/bundles/chat.js").await.header("cache-control"), "no-store");
    let client = service.get("/static/hitesh-client.js").await;
    assert_eq!(client.header("cache-control"), "public, max-age=3600");
    assert!(client.body.contains("export class HiteshClient"));
    for nothing in ["/static/", "/static/x", "/static/older/bundles/nothing.js", "/static/older/../Cargo.toml"] {
        assert_eq!(service.get(nothing).await.refusal(), (404, "not_found".to_owned()), "{nothing}");
    }
}

#[actix_web::test]
async fn the_api_lists_its_endpoints() {
    let body = service("", Script::Whole).await.get("/api").await.json();
    assert_eq!(body["endpoints"]["send"], "POST /api/chat/send");
    assert_eq!(body["endpoints"]["turn_events"], "GET /api/chat/turns/{id}/events");
}

#[actix_web::test]
async fn the_personas_say_what_they_are() {
    let body = service("", Script::Whole).await.get("/api/personas").await.json();
    let persona = body["personas"][0].as_object().unwrap();
    let mut fields: Vec<_> = persona.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["description", "disclosure", "id", "languages", "name", "sample_questions", "steps", "topics"]);
    assert_eq!(persona["id"], "hitesh");
    assert_eq!(persona["steps"], serde_json::json!({"analyze": "Analyze", "think": "Think", "output": "Output"}));
}

#[actix_web::test]
async fn a_healthy_server_names_what_it_depends_on() {
    let body = service("", Script::Whole).await.get("/api/chat/health").await.json();
    assert_eq!(body["status"], "healthy");
    assert_eq!(body["checks"]["providers"][0]["name"], "scripted");
    assert_eq!(body["checks"]["sessions"]["backend"], "sqlite");
    assert_eq!(body["checks"]["cache"]["backend"], "moka");
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[actix_web::test]
async fn every_figure_is_there() {
    let service = service("", Script::Whole).await;
    service.post("/api/chat/send", r#"{"content":"x"}"#).await;
    let body = service.get("/api/chat/performance").await.json();
    let stats = body["performance_stats"].as_object().unwrap();
    for name in [
        "total_requests",
        "error_rate",
        "avg_response_time",
        "avg_processing_time",
        "total_processing_time",
        "p50_response_time",
        "p95_response_time",
        "p99_response_time",
        "avg_time_to_first_token",
        "cache_hit_rate",
        "active_sessions",
        "active_streams",
        "uptime_seconds",
    ] {
        assert!(stats[name].is_number(), "{name}");
    }
    assert_eq!(stats["total_requests"], 1);
    assert_eq!(stats["tokens"], json!({"prompt": 900, "completion": 80}));
    assert_eq!(stats["providers"]["scripted"]["requests"], 1);
    assert_eq!(stats["providers"]["scripted"]["state"], "ready");
    let fidelity = &stats["fidelity"]["hitesh"]["scripted"];
    assert_eq!(fidelity["answers"], 1);
    assert!(fidelity["avg_score"].as_f64().is_some_and(|score| score > 0.0 && score <= 1.0), "{fidelity}");
    assert_eq!(fidelity["histogram"][4]["up_to"], 0.9);
    assert!(fidelity["findings"].is_object(), "{fidelity}");

    let body = service.get("/api/chat/cache/stats").await.json();
    let stats = body["cache_stats"].as_object().unwrap();
    for name in ["cache_size", "cache_hit_rate", "hits", "misses", "avg_response_time", "total_requests"] {
        assert!(stats[name].is_number(), "{name}");
    }
    assert_eq!(stats["backend"], "moka");
}

#[actix_web::test]
async fn the_api_pages_and_their_files_are_served() {
    let service = service("", Script::Whole).await;
    for path in ["/docs", "/redoc"] {
        let page = service.get(path).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
    }
    let path = "/docs/assets/swagger-ui.css";
    let packed = service.call(TestRequest::get().uri(path).insert_header(("accept-encoding", "gzip"))).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let plain = service.get(path).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert!(plain.body.contains(".swagger-ui"));
    assert_eq!(service.get("/docs/assets/../../Cargo.toml").await.status, 404);
}

#[actix_web::test]
async fn a_long_json_reply_is_compressed_and_an_event_stream_never() {
    let service = service("", Script::Whole).await;
    let gzip = ("accept-encoding", "gzip, br");
    let document = service.call(TestRequest::get().uri("/openapi.json").insert_header(gzip)).await;
    assert_eq!(document.header("content-encoding"), "br");
    let stream = super::json("/api/chat/stream", r#"{"content":"x"}"#).insert_header(gzip);
    assert_eq!(service.call(stream).await.header("content-encoding"), "");
}

#[actix_web::test]
async fn a_head_is_answered_like_a_get() {
    let service = service("", Script::Whole).await;
    let head = |path: &str| TestRequest::default().method(actix_web::http::Method::HEAD).uri(path);
    assert_eq!(service.call(head("/")).await.status, 200);
    assert_eq!(service.call(head("/livez")).await.status, 200);
    assert_eq!(service.call(head("/api/chat/stream/test")).await.status, 405);
}
