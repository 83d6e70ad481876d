//! What one instance has found of a provider, the others need not find out.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use hitesh_tests_api::{Answer, RedisServer, Reply, Script, Server, ServerBuilder, Upstream, eventually};
use serde_json::json;

async fn two_instances(redis: &RedisServer, upstream: &Upstream, more: &str) -> [Server; 2] {
    let builder = || ServerBuilder::listing(upstream, more).env("REDIS_URL", redis.url());
    let (a, b) = tokio::join!(builder().start(), builder().start());
    [a, b]
}

async fn ask(server: &Server) -> Reply {
    server.client().send(&json!({"content": "Docker kya hai?", "cache": "off"})).await
}

async fn breaker(server: &Server) -> String {
    let stats = server.client().get("/api/chat/performance").await.json();
    stats["performance_stats"]["providers"]["openai"]["breaker"].as_str().unwrap().to_owned()
}

/// Until its breaker is open.
async fn fail_on(server: &Server) {
    while breaker(server).await == "closed" {
        ask(server).await.expect_error(503, "provider_unavailable");
    }
}

async fn eventually_is(server: &Server, state: &str) {
    eventually("the breaker to follow the other instance's", || async {
        (breaker(server).await == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_failed_on_one_instance_is_left_alone_by_the_other() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::playing(Script::error(500)).await);
    let [a, b] = two_instances(&redis, &upstream, "share_breaker = true").await;
    fail_on(&a).await;
    let calls = upstream.count();
    eventually_is(&b, "open").await;
    let reply = ask(&b).await;
    reply.expect_error(503, "provider_unavailable");
    assert!((1..=10).contains(&reply.retry_after()), "{}", reply.retry_after());
    assert_eq!(upstream.count(), calls);
}

#[tokio::test]
async fn a_wait_that_a_provider_asked_for_is_kept_by_all() {
    let limited = Script::error(429).with_header("retry-after", "20");
    let (redis, upstream) = (RedisServer::start().await, Upstream::playing(limited).await);
    let [a, b] = two_instances(&redis, &upstream, "share_breaker = true").await;
    ask(&a).await;
    let calls = upstream.count();
    eventually_is(&b, "open").await;
    let reply = ask(&b).await;
    reply.expect_error(503, "provider_unavailable");
    assert!((1..=20).contains(&reply.retry_after()), "{}", reply.retry_after());
    assert_eq!(upstream.count(), calls);
}

#[tokio::test]
async fn what_was_heard_is_over_when_the_first_finders_wait_is() {
    let redis = RedisServer::start().await;
    let is_up = Arc::new(AtomicBool::new(false));
    let up = Arc::clone(&is_up);
    let upstream = Upstream::start(move |request| match up.load(Relaxed) {
        false => Script::error(500),
        true => Script::answer(&Answer::short("a", "b", "c"), request.format()),
    })
    .await;
    let [a, b] = two_instances(&redis, &upstream, "share_breaker = true").await;
    fail_on(&a).await;
    eventually_is(&b, "open").await;
    is_up.store(true, Relaxed);
    for server in [&a, &b] {
        eventually_is(server, "half_open").await;
        assert_eq!(ask(server).await.status, 200);
        assert_eq!(breaker(server).await, "closed");
    }
}

#[tokio::test]
async fn a_provider_on_this_machine_is_each_instances_own() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::playing(Script::error(500)).await);
    let [a, b] = two_instances(&redis, &upstream, "").await;
    fail_on(&a).await;
    // What is told is told once a second: nothing is there after three.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(redis.ask("KEYS {hitesh:breakers:1}:*").await, "*0\r\n");
    assert_eq!(breaker(&b).await, "closed");
}
