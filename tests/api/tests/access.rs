//! Who may ask, who may administer, and that one owner's sessions do not exist for another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Client, Server, ServerBuilder, Upstream};
use serde_json::json;

const KEYS: &str = r#"
[auth]
admin_key = "admin-key-987654321"
keys = [
    { id = "anita", key = "anitas-key-123456" },
    { id = "bilal", key = "bilals-key-123456" },
]
"#;

async fn with_keys() -> (Upstream, Server) {
    let upstream = Upstream::answering(Answer::about("access")).await;
    let server = ServerBuilder::asking(&upstream).settings(KEYS).start().await;
    (upstream, server)
}

fn bearer(server: &Server, key: &str) -> Client {
    server.client().with_header("authorization", &format!("Bearer {key}"))
}

#[tokio::test]
async fn a_key_is_needed_when_keys_are_configured() {
    let (upstream, server) = with_keys().await;
    let question = json!({"content": "Docker kya hai?", "session_id": "s"});
    for client in [
        server.client().clone(),
        bearer(&server, "wrong-key-123456"),
        bearer(&server, "anitas-key-12345"),
        bearer(&server, "anitas-key-1234567"),
        bearer(&server, ""),
        server.client().with_header("authorization", "Basic anitas-key-123456"),
        server.client().with_header("x-api-key", "wrong-key-123456"),
    ] {
        let reply = client.send(&question).await;
        reply.expect_error(401, "unauthorized");
        assert!(!reply.header("www-authenticate").is_empty());
        client.get("/api/chat/history?session_id=s").await.expect_error(401, "unauthorized");
        client.post("/api/chat/stream", &question).await.expect_error(401, "unauthorized");
    }
    assert_eq!(upstream.count(), 0);
    assert_eq!(bearer(&server, "anitas-key-123456").send(&question).await.status, 200);
    let by_header = server.client().with_header("x-api-key", "anitas-key-123456");
    assert_eq!(by_header.send(&question).await.status, 200);
    assert_eq!(by_header.history("s").await.len(), 4);
    for open in ["/livez", "/readyz", "/api/chat/health", "/", "/docs", "/openapi.json"] {
        assert_eq!(server.client().get(open).await.status, 200, "{open} needs no key");
    }
    server.expect_no_secret_in_log(&["anitas-key-123456", "wrong-key-123456", "admin-key-987654321"]);
}

#[tokio::test]
async fn another_owners_session_and_turn_look_like_none() {
    let (upstream, server) = with_keys().await;
    let (anita, bilal) = (bearer(&server, "anitas-key-123456"), bearer(&server, "bilals-key-123456"));
    let turn =
        anita.ask("shared-name", "Mera raaz 4711 hai, Docker kya hai?").await["turn_id"].as_str().unwrap().to_owned();
    let unknown = "0198c0de-0000-7000-8000-000000000000";
    for (method, path) in
        [("GET", "/api/chat/turns/{id}"), ("GET", "/api/chat/turns/{id}/events"), ("POST", "/api/chat/turns/{id}/stop")]
    {
        let theirs = bilal.request(method, &path.replace("{id}", &turn), &[], []).await;
        let none = bilal.request(method, &path.replace("{id}", unknown), &[], []).await;
        theirs.expect_error(404, "turn_not_found");
        none.expect_error(404, "turn_not_found");
        assert_eq!(theirs.json()["message"], none.json()["message"]);
    }
    assert!(bilal.history("shared-name").await.is_empty());
    assert_eq!(bilal.delete("/api/chat/history?session_id=shared-name").await.status, 200);
    assert_eq!(anita.history("shared-name").await.len(), 2, "another owner erased it");
    bilal.ask("shared-name", "Aur Kubernetes?").await;
    assert!(!upstream.requests()[1].prompt().contains("4711"), "a name shared by two owners is two sessions");
    let page = bilal.get(&format!("/api/chat/history?session_id=shared-name&before={turn}")).await;
    assert!(!page.text().contains("4711"));
}

#[tokio::test]
async fn the_page_says_who_a_link_to_a_chat_is_of_use_to() {
    let upstream = Upstream::answering(Answer::about("access")).await;
    let with = |keys: &str, sharing: Option<bool>| {
        let server = ServerBuilder::asking(&upstream).settings(keys);
        match sharing {
            Some(sharing) => server.env("HITESH_PAGE__SHARING", sharing),
            None => server,
        }
    };
    for (keys, sharing, expected) in
        [("", None, "off"), (KEYS, Some(false), "off"), ("", Some(true), "open"), (KEYS, Some(true), "same-key")]
    {
        let server = with(keys, sharing).start().await;
        for path in ["/", "/chat"] {
            let page = server.client().with_header("accept", "text/html").get(path).await;
            let told = format!("<meta name=\"hitesh-sharing\" content=\"{expected}\">");
            assert!(page.text().contains(&told), "{path} with {sharing:?} tells not {expected}");
            assert!(page.header("content-security-policy").contains("script-src 'self';"));
        }
    }
}

#[tokio::test]
async fn one_owners_cached_answer_is_not_anothers() {
    let (upstream, server) = with_keys().await;
    let (anita, bilal) = (bearer(&server, "anitas-key-123456"), bearer(&server, "bilals-key-123456"));
    assert_eq!(anita.ask("a", "Docker kya hai?").await["source"], "model");
    assert_eq!(bilal.ask("b", "Docker kya hai?").await["source"], "model");
    assert_eq!(anita.ask("c", "Docker kya hai?").await["source"], "cache");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn an_idempotency_key_is_its_owners() {
    let (_upstream, server) = with_keys().await;
    let body = json!({"content": "Docker kya hai?", "session_id": "s", "idempotency_key": "same"});
    let anitas = bearer(&server, "anitas-key-123456").send(&body).await.json();
    let bilals = bearer(&server, "bilals-key-123456").send(&body).await.json();
    assert_ne!(anitas["turn_id"], bilals["turn_id"]);
}

#[tokio::test]
async fn admin_routes_need_the_admin_key() {
    let (_upstream, server) = with_keys().await;
    let clear = "/api/chat/cache/clear";
    bearer(&server, "anitas-key-123456").post(clear, &json!({})).await.expect_error(403, "forbidden");
    let reply = bearer(&server, "admin-key-987654321").post(clear, &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let by_header = server.client().with_header("x-api-key", "admin-key-987654321").post(clear, &json!({})).await;
    assert_eq!(by_header.status, 200, "{}", by_header.text());
    let nobody = server.client().post(clear, &json!({})).await;
    assert!(matches!(nobody.status, 401 | 403), "{}", nobody.text());
}

#[tokio::test]
async fn without_an_admin_key_only_loopback_peers_administer() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    let clear = "/api/chat/cache/clear";
    assert_eq!(server.client().post(clear, &json!({})).await.status, 200);
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let forwarded = server.client().with_header(header, "127.0.0.1");
        forwarded.post(clear, &json!({})).await.expect_error(403, "forbidden");
    }
}

#[tokio::test]
async fn guessing_keys_is_limited_like_asking() {
    let upstream = Upstream::answering(Answer::about("access")).await;
    let limited = "[limits]\nrequests_per_minute = 3\nburst = 3\n";
    let server = ServerBuilder::asking(&upstream).settings(KEYS).settings(limited).start().await;
    let guesser = bearer(&server, "a-guess-of-a-key");
    for _ in 0..3 {
        guesser.get("/api/chat/performance").await.expect_error(401, "unauthorized");
    }
    guesser.get("/api/chat/performance").await.expect_error(429, "rate_limited");
    let cleared = guesser.post("/api/chat/cache/clear", &json!({})).await;
    cleared.expect_error(429, "rate_limited");
    let owner = bearer(&server, "anitas-key-123456").get("/api/chat/performance").await;
    assert_eq!(owner.status, 200, "who has a key is no guesser");
}
