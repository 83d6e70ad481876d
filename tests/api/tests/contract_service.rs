//! What the service tells about itself: entry points, health, figures, headers, documents, settings' old names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::io::Read;

use hitesh_tests_api::{Answer, Server, ServerBuilder, Upstream, expect_keys, expect_time, expect_uuid};
use serde_json::{Value, json};

async fn answering() -> (Upstream, Server) {
    let upstream = Upstream::answering(Answer::about("backend")).await;
    let server = Server::start(&upstream).await;
    (upstream, server)
}

/// Every route of the contract.
const ROUTES: [(&str, &str); 16] = [
    ("get", "/api"),
    ("post", "/api/chat/send"),
    ("post", "/api/chat/stream"),
    ("get", "/api/chat/stream/test"),
    ("get", "/api/chat/history"),
    ("delete", "/api/chat/history"),
    ("get", "/api/chat/turns/{id}"),
    ("get", "/api/chat/turns/{id}/events"),
    ("post", "/api/chat/turns/{id}/stop"),
    ("get", "/api/chat/health"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/api/chat/performance"),
    ("post", "/api/chat/cache/clear"),
    ("get", "/api/chat/cache/stats"),
    ("get", "/api/personas"),
];

#[tokio::test]
async fn the_entry_points_name_the_service_and_its_routes() {
    let (_upstream, server) = answering().await;
    let root = server.client().get("/").await.json();
    expect_keys(&root, &["message", "description", "version", "docs", "health"]);
    assert_eq!(root["message"], "⚡ Namaste! Welcome to Hitesh AI Chat API");
    assert_eq!(root["description"], "Your tech mentor and chai companion");
    assert_eq!(root["docs"], "/docs");
    assert_eq!(root["health"], "/api/chat/health");
    let api = server.client().get("/api").await.json();
    expect_keys(&api, &["name", "version", "description", "endpoints"]);
    assert_eq!(api["version"], root["version"]);
    let endpoints: Vec<_> = api["endpoints"].as_object().unwrap().values().map(|v| v.as_str().unwrap()).collect();
    for wanted in ["POST /api/chat/send", "POST /api/chat/stream", "GET /api/chat/history", "GET /api/chat/health"] {
        assert!(endpoints.iter().any(|endpoint| endpoint.starts_with(wanted)), "{wanted} is not in {endpoints:?}");
    }
}

#[tokio::test]
async fn a_server_that_can_answer_is_healthy_live_and_ready() {
    let (upstream, server) = answering().await;
    let health = server.client().get("/api/chat/health").await;
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!(health["status"], "healthy", "{health}");
    expect_time(&health["timestamp"]);
    assert!(health["version"].is_string());
    assert!(!health["checks"].is_null(), "{health}");
    for path in ["/livez", "/readyz"] {
        assert_eq!(server.client().get(path).await.status, 200, "{path}");
    }
    assert_eq!(upstream.count(), 0, "a health check asks the model nothing");
}

#[tokio::test]
async fn personas_are_described_with_their_disclosure() {
    let (_upstream, server) = answering().await;
    let body = server.client().get("/api/personas").await.json();
    expect_keys(&body, &["success", "personas"]);
    let personas = body["personas"].as_array().unwrap();
    assert!(personas.iter().any(|persona| persona["id"] == "hitesh"), "{body}");
    for persona in personas {
        let texts = ["id", "name", "description", "disclosure"];
        let lists = ["languages", "topics", "sample_questions"];
        expect_keys(persona, &[&texts[..], &lists, &["steps"]].concat());
        for text in texts {
            assert!(!persona[text].as_str().unwrap().is_empty(), "{text}: {persona}");
        }
        for list in lists {
            let entries = persona[list].as_array().unwrap();
            assert!(!entries.is_empty() && entries.iter().all(Value::is_string), "{list}: {persona}");
        }
        expect_keys(&persona["steps"], &["analyze", "think", "output"]);
        assert!(persona["steps"].as_object().unwrap().values().all(Value::is_string), "{persona}");
        assert!(persona["sample_questions"].as_array().unwrap().len() >= 3);
        assert!(persona["disclosure"].as_str().unwrap().contains("AI"));
    }
}

#[tokio::test]
async fn performance_figures_change_with_what_happens() {
    let (_upstream, server) = answering().await;
    let client = server.client();
    let before = client.performance().await;
    for key in [
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
        assert!(before[key].is_number(), "{key}: {before}");
    }
    assert_eq!(before["tokens"]["prompt"], 0, "{before}");
    client.ask("s", "Docker kya hai?").await;
    client.ask("t", "Docker kya hai?").await;
    let after = client.performance().await;
    let number = |value: &Value| value.as_f64().unwrap();
    assert!(number(&after["total_requests"]) >= number(&before["total_requests"]) + 2.0, "{after}");
    assert!(number(&after["uptime_seconds"]) >= number(&before["uptime_seconds"]));
    for key in ["avg_response_time", "avg_processing_time", "total_processing_time", "avg_time_to_first_token"] {
        let value = number(&after[key]);
        assert!(value > 0.0 && value < 30.0, "{key}: {after}");
    }
    assert!(number(&after["p50_response_time"]) <= number(&after["p99_response_time"]));
    assert_eq!(number(&after["cache_hit_rate"]), 0.5, "{after}");
    assert_eq!(after["tokens"]["prompt"], 1000, "the cached answer's tokens are not counted again");
    assert_eq!(after["tokens"]["completion"], 90);
    assert_eq!(number(&after["error_rate"]), 0.0, "{after}");
    assert!(after.to_string().contains("openai"), "figures by provider: {after}");
}

#[tokio::test]
async fn a_failure_shows_in_the_error_rate() {
    let upstream = Upstream::playing(hitesh_tests_api::Script::error(400)).await;
    let server = Server::start(&upstream).await;
    server.client().send(&json!({"content": "Docker kya hai?"})).await.expect_error(502, "provider_rejected");
    let rate = server.client().performance().await["error_rate"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= 1.0, "{rate}");
}

#[tokio::test]
async fn cache_figures_are_measured_and_clear_empties_it() {
    let (_upstream, server) = answering().await;
    let client = server.client();
    let before = client.get("/api/chat/cache/stats").await.json();
    expect_keys(&before, &["success", "cache_stats"]);
    let stats = &before["cache_stats"];
    for key in ["backend", "cache_size", "cache_hit_rate", "hits", "misses", "avg_response_time", "total_requests"] {
        assert!(!stats[key].is_null(), "{key}: {stats}");
    }
    assert_eq!((&stats["cache_size"], &stats["hits"], &stats["misses"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!(stats["cache_hit_rate"].as_f64(), Some(0.0));
    for session in ["a", "b", "c", "d"] {
        client.ask(session, "Docker kya hai?").await;
    }
    let stats = client.cache_stats().await;
    assert_eq!((&stats["cache_size"], &stats["hits"], &stats["misses"]), (&json!(1), &json!(3), &json!(1)), "{stats}");
    assert_eq!(stats["cache_hit_rate"].as_f64(), Some(0.75));
    let cleared = client.post("/api/chat/cache/clear", &json!({})).await;
    assert_eq!(cleared.status, 200, "{}", cleared.text());
    assert_eq!(cleared.json()["success"], true);
    assert_eq!(client.cache_size().await, 0);
    assert_eq!(client.ask("e", "Docker kya hai?").await["source"], "model");
}

#[tokio::test]
async fn every_reply_carries_a_request_id_and_its_time() {
    let (_upstream, server) = answering().await;
    let client = server.client();
    for path in ["/", "/livez", "/api/chat/health", "/api/nothing-here", "/nothing-here", "/openapi.json", "/docs"] {
        let reply = client.get(path).await;
        expect_uuid(&json!(reply.header("x-request-id")));
        let seconds: f64 = reply.header("x-process-time").parse().unwrap_or_else(|_| panic!("{path}: {reply:?}"));
        assert!((0.0..30.0).contains(&seconds), "{seconds}");
    }
    let echoed = client.with_header("x-request-id", "my-request_1.a").get("/livez").await;
    assert_eq!(echoed.header("x-request-id"), "my-request_1.a");
    for insane in ["", "two words", "a\"b<script>", &"x".repeat(500)] {
        let reply = client.with_header("x-request-id", insane).get("/livez").await;
        assert_eq!(reply.status, 200);
        assert_ne!(reply.header("x-request-id"), insane);
        expect_uuid(&json!(reply.header("x-request-id")));
    }
}

#[tokio::test]
async fn any_origin_is_allowed_without_credentials_by_default() {
    let (_upstream, server) = answering().await;
    let wanted = "content-type,authorization,x-api-key,idempotency-key,last-event-id,x-request-id";
    let headers = [
        ("origin", "https://example.org"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", wanted),
    ];
    let preflight = server.client().request("OPTIONS", "/api/chat/stream", &headers, []).await;
    assert!(matches!(preflight.status, 200 | 204), "{preflight:?}");
    assert_eq!(preflight.header("access-control-max-age"), "3600");
    assert!(matches!(preflight.header("access-control-allow-origin"), "*" | "https://example.org"));
    assert_ne!(preflight.header("access-control-allow-credentials"), "true");
    let allowed = preflight.header("access-control-allow-headers").to_ascii_lowercase();
    wanted.split(',').for_each(|name| assert!(allowed.contains(name), "{name} is not in {allowed}"));
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    let reply = server.client().request("GET", "/api/chat/health", &[("origin", "https://example.org")], []).await;
    assert!(matches!(reply.header("access-control-allow-origin"), "*" | "https://example.org"));
    assert!(reply.header("access-control-expose-headers").to_ascii_lowercase().contains("x-request-id"), "{reply:?}");
}

#[tokio::test]
async fn only_listed_origins_are_allowed_when_there_is_a_list() {
    let upstream = Upstream::numbered().await;
    let server = ServerBuilder::asking(&upstream).env("ALLOWED_ORIGINS", "https://good.example").start().await;
    let with_origin = async |origin: &str| server.client().request("GET", "/api", &[("origin", origin)], []).await;
    let good = with_origin("https://good.example").await;
    assert_eq!(good.header("access-control-allow-origin"), "https://good.example");
    let bad = with_origin("https://bad.example").await;
    assert_eq!(bad.header("access-control-allow-origin"), "", "{bad:?}");
}

#[tokio::test]
async fn json_over_a_kilobyte_is_compressed_and_a_stream_never() {
    let upstream = Upstream::answering(Answer::short("a", "b", &"lamba jawab ".repeat(500))).await;
    let server = Server::start(&upstream).await;
    let client = server.client().with_header("accept-encoding", "gzip");
    let small = client.get("/livez").await;
    assert_eq!(small.header("content-encoding"), "");
    let reply = client.send(&json!({"content": "Docker kya hai?", "session_id": "s"})).await;
    assert_eq!(reply.header("content-encoding"), "gzip", "{:?}", reply.headers);
    assert!(reply.body.len() < 2000);
    let mut text = String::new();
    flate2::read::GzDecoder::new(reply.body.as_ref()).read_to_string(&mut text).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["success"], true);
    let mut stream = client.stream(&json!({"content": "Docker kya hai?", "deltas": true})).await;
    assert!(!stream.headers.contains_key("content-encoding"), "{:?}", stream.headers);
    assert!(stream.rest().await.last().unwrap().is_end());
}

#[tokio::test]
async fn the_openapi_document_names_every_route() {
    let (_upstream, server) = answering().await;
    let document = server.client().get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    for (method, path) in ROUTES {
        assert!(!document["paths"][path][method].is_null(), "{method} {path} is missing");
    }
}

#[tokio::test]
async fn the_docs_pages_come_from_the_binary_alone() {
    let (_upstream, server) = answering().await;
    for path in ["/docs", "/redoc"] {
        let mut page = server.client().get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.header("content-type").starts_with("text/html"));
        // Scripts and styles by address have to be ours, and there.
        let html = page.text();
        for attribute in ["src=", "href="] {
            for after in html.split(attribute).skip(1) {
                let quote = after.chars().next().unwrap();
                let target = after[1..].split(quote).next().unwrap();
                assert!(!target.starts_with("http") && !target.starts_with("//"), "{path} loads {target}");
                if quote == '"' && !target.starts_with(['#', '{']) && !target.starts_with("data:") {
                    let base = if target.starts_with('/') { String::new() } else { format!("{path}/") };
                    page = server.client().get(&format!("{base}{}", target.trim_start_matches("./"))).await;
                    assert_eq!(page.status, 200, "{path} asks for {target}");
                }
            }
        }
        for cdn in ["cdn.", "jsdelivr", "unpkg", "googleapis"] {
            assert!(!html.contains(cdn) || html.len() > 100_000, "{path} names {cdn}");
        }
    }
}

#[tokio::test]
async fn the_original_environment_names_work() {
    let upstream = Upstream::answering(Answer::about("env")).await;
    let server = ServerBuilder::asking(&upstream)
        .env("OPENAI_MODEL", "my-own-model")
        .env("DEBUG", "true")
        .env("LOG_LEVEL", "debug")
        .env("ALLOWED_HOSTS", "127.0.0.1,localhost")
        .start()
        .await;
    let reply = server.client().ask("s", "Docker kya hai?").await;
    assert_eq!(reply["model"], "my-own-model");
    let request = &upstream.requests()[0];
    assert_eq!(request.body["model"], "my-own-model");
    assert_eq!(request.header("authorization"), Some("Bearer test-key-0123456789-do-not-show"));
    assert_eq!(request.body["stream"], true);
    server.expect_no_secret_in_log(&["Docker kya hai?"]);
}

#[tokio::test]
async fn a_dotenv_file_is_read_and_the_environment_wins() {
    let upstream = Upstream::answering(Answer::about("env")).await;
    let builder =
        ServerBuilder::asking(&upstream).env("OPENAI_MODEL", "from-environment").without_env("OPENAI_API_KEY");
    std::fs::write(builder.dir().join(".env"), "OPENAI_MODEL=from-file\nOPENAI_API_KEY=\"key from file\"\n").unwrap();
    let server = builder.start().await;
    assert_eq!(server.client().ask("s", "Docker kya hai?").await["model"], "from-environment");
    assert_eq!(upstream.requests()[0].header("authorization"), Some("Bearer key from file"));
}
