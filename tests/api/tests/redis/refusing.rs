//! Redis is there, and does not take what it is given: it is full, or keeps its clients waiting.
use hitesh_tests_api::{Answer, Gate, RedisServer, Script, Server, Upstream, eventually};
use serde_json::{Value, json};

use crate::{instance, two_instances};

async fn gated(gate: &Gate) -> Upstream {
    let (gate, answer) = (gate.clone(), Answer::about("refusing"));
    Upstream::start(move |request| match request.question().contains("Ruko") {
        true => Script::gated(&answer, request.format(), 30, &gate),
        false => Script::answer(&answer, request.format()),
    })
    .await
}

async fn used_memory(redis: &RedisServer) -> u64 {
    let info = redis.ask("INFO memory").await;
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().parse().unwrap()
}

async fn health(server: &Server) -> Value {
    server.client().get("/api/chat/health").await.json()
}

async fn sends(server: &Server, session: &str) -> u16 {
    server.client().send(&json!({"content": "Ab?", "session_id": session})).await.status
}

#[tokio::test]
async fn a_full_redis_takes_the_ends_of_turns_that_run_refuses_new_ones_and_recovers_by_erasing() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated(&gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    for number in 0..60 {
        assert_eq!(a.client().ask("big", &format!("Sawaal {number}? {}", "x".repeat(1500))).await["success"], true);
    }
    let mut running = a.client().deltas("s", "Ruko").await;
    let turn = running.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    // Less than it has: whatever takes room is refused from now on, and so are the pieces of the answer that runs.
    redis.ask(&format!("CONFIG SET maxmemory {}", used_memory(&redis).await - 10_000)).await;
    let refused = b.client().send(&json!({"content": "Ab?", "session_id": "new"})).await;
    refused.expect_error(503, "store_unavailable");
    assert!(refused.retry_after() >= 1);
    let seen = health(&b).await;
    assert_eq!((&seen["status"], &seen["checks"]["sessions"]["status"]), (&json!("degraded"), &json!("unavailable")));
    assert!(seen["checks"]["sessions"]["reason"].as_str().unwrap().contains("memory"), "{seen}");
    gate.open();
    let rest = running.rest().await;
    assert_eq!(rest.last().unwrap().json()["step"], "output");
    for server in [&a, &b] {
        assert_eq!(server.client().turn(&turn).await["status"], "completed");
        assert_eq!(server.client().history("big").await.len(), 120, "what is there is read");
    }
    assert_eq!(b.client().delete("/api/chat/history?session_id=big").await.status, 200, "erasing needs no room");
    eventually("there to be room again", || async { (sends(&b, "new").await == 200).then_some(()) }).await;
    eventually("all to be well", || async { (health(&b).await["status"] == "healthy").then_some(()) }).await;
    assert_eq!(b.client().history("new").await.len(), 2, "what was refused left nothing");
}

#[tokio::test]
async fn while_redis_keeps_its_clients_waiting_answers_go_on_and_nothing_is_acknowledged() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated(&gate).await);
    let server = instance(&redis, &upstream).await;
    let mut running = server.client().deltas("s", "Ruko").await;
    let turn = running.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    redis.ask("CLIENT PAUSE 3000 ALL").await;
    gate.open();
    let mut text = String::new();
    // Its output comes to the last piece while Redis says nothing at all; its end does not.
    while !text.ends_with(Answer::about("refusing").steps()[2].1.trim_end()) {
        let frame = running.next().await.expect("the turn runs");
        if frame.name() == "delta" && frame.json()["step"] == "output" {
            text.push_str(frame.json()["delta"].as_str().unwrap());
        }
    }
    server.client().send(&json!({"content": "Ab?", "session_id": "new"})).await.expect_error(503, "store_unavailable");
    assert_eq!(running.rest().await.last().unwrap().json()["step"], "output");
    assert_eq!(server.client().turn(&turn).await["status"], "completed");
    eventually("new turns to be taken again", || async { (sends(&server, "new").await == 200).then_some(()) }).await;
    let history = server.client().history("new").await;
    assert!(history.iter().all(|message| message["status"] == "completed"), "{history:?}");
}
