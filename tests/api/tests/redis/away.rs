//! Redis stands still, dies, comes back.
use std::time::{Duration, Instant};

use hitesh_tests_api::{Answer, Gate, RedisServer, Script, Server, ServerBuilder, Upstream, eventually};
use serde_json::json;

use crate::instance;

async fn health(server: &Server) -> serde_json::Value {
    server.client().get("/api/chat/health").await.json()
}

async fn healthy(server: &Server) {
    eventually("the service to be healthy", || async { (health(server).await["status"] == "healthy").then_some(()) })
        .await;
}

#[tokio::test]
async fn while_redis_is_away_new_turns_are_refused_and_health_says_why() {
    let (mut redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let server = instance(&redis, &upstream).await;
    server.client().ask("s", "Pehle").await;
    redis.kill().await;
    for session in ["s", "new"] {
        let refused = server.client().send(&json!({"content": "Ab?", "session_id": session})).await;
        refused.expect_error(503, "store_unavailable");
        assert!(refused.retry_after() >= 1);
    }
    let health = health(&server).await;
    assert_eq!(health["status"], "degraded");
    for check in ["sessions", "cache"] {
        assert_eq!(health["checks"][check]["status"], "unavailable", "{health}");
        assert!(health["checks"][check]["reason"].as_str().unwrap().contains("redis is unavailable"), "{health}");
    }
    assert_eq!(server.client().get("/readyz").await.status, 503);
    redis.restart().await;
    healthy(&server).await;
    server.client().ask("s", "Phir se").await;
    let history = server.client().history("s").await;
    let asked: Vec<_> = history.iter().filter(|m| m["type"] == "user").map(|m| m["content"].clone()).collect();
    assert_eq!(asked, ["Pehle", "Phir se"]);
}

#[tokio::test]
async fn with_the_cache_alone_in_redis_its_absence_costs_a_quarter_of_a_second_once() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let how = ServerBuilder::asking(&upstream).env("REDIS_URL", redis.url()).env("HITESH_SESSIONS__BACKEND", "sqlite");
    let server = how.start().await;
    let mut number = 0;
    let mut ask = async || {
        number += 1;
        let started = Instant::now();
        server.client().ask("s", &format!("Sawaal {number}?")).await;
        started.elapsed()
    };
    ask().await;
    let mut before = Vec::new();
    for _ in 0..10 {
        before.push(ask().await);
    }
    redis.pause();
    let first = ask().await;
    let mut away = Vec::new();
    for _ in 0..10 {
        away.push(ask().await);
    }
    assert_eq!(health(&server).await["checks"]["sessions"]["status"], "ready");
    assert_eq!(health(&server).await["checks"]["cache"]["status"], "unavailable");
    redis.resume();
    healthy(&server).await;
    before.sort();
    away.sort();
    eprintln!("median before {:?}, first without {first:?}, median after that {:?}", before[5], away[5]);
    assert!(first < before[5] + Duration::from_millis(400), "{first:?}");
    // Machines that test are busy: far from a second deadline is near enough.
    assert!(away[5] < before[5] + Duration::from_millis(100), "{before:?} {away:?}");
}

#[tokio::test]
async fn a_turn_in_flight_streams_on_while_redis_stands_still_and_is_stored_when_it_is_back() {
    let gate = Gate::new();
    let (script_gate, answer) = (gate.clone(), Answer::about("away"));
    let redis = RedisServer::start().await;
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &script_gate)).await;
    let server = instance(&redis, &upstream).await;
    let mut stream = server.client().deltas("s", "Chalta rahega?").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    redis.pause();
    gate.open();
    let back = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        redis.resume();
    };
    let ((), rest) = tokio::join!(back, stream.rest());
    assert_eq!(rest.last().unwrap().json()["is_complete"], true);
    assert_eq!(server.client().turn(&turn).await["status"], "completed");
}

#[tokio::test]
async fn a_server_starts_without_redis_and_answers_once_it_is_there() {
    let upstream = Upstream::numbered().await;
    let mut redis = RedisServer::start().await;
    redis.kill().await;
    let server = instance(&redis, &upstream).await;
    server.client().send(&json!({"content": "Koi hai?"})).await.expect_error(503, "store_unavailable");
    redis.restart().await;
    healthy(&server).await;
    server.client().ask("s", "Koi hai?").await;
}
