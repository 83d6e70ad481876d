//! What one instance has, all have.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use hitesh_tests_api::{Answer, Gate, RedisServer, Script, Server, ServerBuilder, Sse, Upstream, eventually};
use serde_json::json;

use crate::{builder, two_instances};

#[tokio::test]
async fn a_session_goes_on_on_any_instance() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let servers = two_instances(&redis, &upstream).await;
    for number in 0..6 {
        servers[number % 2].client().ask("s", &format!("Sawaal {number}?")).await;
    }
    let [a, b] = [servers[0].client().history("s").await, servers[1].client().history("s").await];
    assert_eq!((a.len(), &a), (12, &b));
    let last = upstream.requests().pop().unwrap().prompt();
    assert!((1..5).all(|number| last.contains(&format!("Sawaal {number}?"))), "{last}");
    for server in servers {
        let health = server.client().get("/api/chat/health").await.json();
        assert_eq!(health["checks"]["sessions"]["backend"], "redis");
        assert_eq!(health["checks"]["cache"]["backend"], "moka+redis");
        assert!(!server.how().database().exists());
    }
}

#[tokio::test]
async fn an_answer_that_one_instance_had_is_another_ones_hit_until_the_cache_is_cleared_anywhere() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let first = a.client().ask("s1", "Docker kya hai?").await;
    let hit = b.client().ask("s2", "Docker kya hai?").await;
    assert_eq!((&hit["source"], &hit["message"]["content"]), (&json!("cache"), &first["message"]["content"]));
    assert_eq!(b.client().post("/api/chat/cache/clear", &json!({})).await.status, 200);
    let again = b.client().ask("s3", "Docker kya hai?").await;
    assert_eq!((&again["source"], upstream.count()), (&json!("model"), 2));
}

#[tokio::test]
async fn a_turn_that_runs_on_one_instance_is_read_and_followed_on_another() {
    let gate = Gate::new();
    let (script_gate, answer) = (gate.clone(), Answer::about("follow"));
    let redis = RedisServer::start().await;
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &script_gate)).await;
    let [a, b] = two_instances(&redis, &upstream).await;
    let mut here = a.client().deltas("s", "Kaise?").await;
    let turn = here.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    here.until("a delta", |frame| frame.name() == "delta").await;
    eventually("a checkpoint to be seen elsewhere", || async {
        let seen = b.client().turn(&turn).await;
        assert_eq!(seen["status"], "running", "{seen}");
        (!seen["processing_steps"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    let history = b.client().history("s").await;
    assert!(history.iter().all(|message| message["status"] == "running"), "{history:?}");
    let refused = b.client().post(&format!("/api/chat/turns/{turn}/regenerate"), &json!({})).await;
    refused.expect_error(409, "turn_running");
    let mut there = b.client().events(&turn, None).await;
    there.until("the first event", |frame| frame.name() == "turn").await;
    gate.open();
    let (here, there) = tokio::join!(here.rest(), there.rest());
    assert_eq!(here.last().unwrap().json(), there.last().unwrap().json());
    let replay = b.client().events(&turn, None).await.rest().await;
    let raw = |frames: &[hitesh_tests_api::Frame]| frames.iter().map(|frame| frame.raw.clone()).collect::<Vec<_>>();
    let (all, followed) = (raw(&replay), raw(&there));
    assert_eq!(all[all.len() - followed.len()..], followed);
}

/// A turn that waits on the first instance, and its stream.
async fn waiting_turn(server: &Server) -> (String, Sse) {
    let mut stream = server.client().deltas("s", "Kaise?").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    stream.until("a delta", |frame| frame.name() == "delta").await;
    (turn, stream)
}

async fn gated_upstream(gate: &Gate) -> Upstream {
    let (gate, answer) = (gate.clone(), Answer::about("wait"));
    Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &gate)).await
}

#[tokio::test]
async fn a_turn_is_stopped_from_any_instance() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_upstream(&gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let (turn, mut stream) = waiting_turn(&a).await;
    let stopped = b.client().post(&format!("/api/chat/turns/{turn}/stop"), &json!({})).await.json();
    assert_eq!(stopped["status"], "stopped", "{stopped}");
    assert_eq!(stream.rest().await.last().unwrap().json()["error"], "stopped");
    upstream.abandoned(1).await;
}

#[tokio::test]
async fn erasing_a_session_stops_its_turn_on_any_instance() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_upstream(&gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let (turn, mut stream) = waiting_turn(&a).await;
    assert_eq!(b.client().delete("/api/chat/history?session_id=s").await.status, 200);
    assert_eq!(stream.rest().await.last().unwrap().json()["error"], "stopped");
    for server in [&a, &b] {
        assert!(server.client().history("s").await.is_empty());
    }
    let gone = |server: Server| async move { server.client().get(&format!("/api/chat/turns/{turn}")).await.status };
    assert_eq!(gone(b).await, 404);
}

#[tokio::test]
async fn a_sessions_turns_are_counted_on_all_instances() {
    let gate = Gate::new();
    let (script_gate, answer) = (gate.clone(), Answer::about("busy"));
    let redis = RedisServer::start().await;
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &script_gate)).await;
    let [a, b] = two_instances(&redis, &upstream).await;
    let mut streams = Vec::new();
    for number in 0..4 {
        let server = [&a, &b][number % 2];
        let mut stream = server.client().deltas("s", &format!("Sawaal {number}?")).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let body = json!({"content": "Ek aur?", "session_id": "s"});
    for server in [&a, &b] {
        server.client().send(&body).await.expect_error(409, "session_busy");
    }
    gate.open();
    for mut stream in streams {
        assert_eq!(stream.rest().await.last().unwrap().json()["step"], "output");
    }
    assert_eq!(a.client().send(&body).await.status, 200);
}

#[tokio::test]
async fn equal_requests_on_two_instances_at_once_with_one_idempotency_key_are_one_turn() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [a, b] = two_instances(&redis, &upstream).await;
    for round in 0..30 {
        let body =
            json!({"content": "Ek baar", "session_id": "s", "idempotency_key": format!("k-{round}"), "cache": "off"});
        let (one, other) = tokio::join!(a.client().send(&body), b.client().send(&body));
        assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text(), other.text());
        assert_eq!(one.json()["turn_id"], other.json()["turn_id"]);
    }
    assert_eq!((a.client().history("s").await.len(), upstream.count()), (60, 30));
}

#[tokio::test]
async fn a_request_that_came_to_nothing_and_is_repeated_on_two_instances_at_once_is_one_turn() {
    let redis = RedisServer::start().await;
    let breaks_off = Arc::new(AtomicBool::new(false));
    let (breaks, answer) = (Arc::clone(&breaks_off), Answer::about("again"));
    let upstream = Upstream::start(move |request| {
        let whole = Script::answer(&answer, request.format());
        if breaks.load(Relaxed) { whole.cut_at(400).breaking_off() } else { whole }
    });
    let upstream = upstream.await;
    // So many failures would open a breaker, and what is asked then begins no turn.
    let base_url = upstream.base_url();
    let provider = format!("[[providers]]\nname = 'openai'\nkind = 'openai'\nbase_url = '{base_url}'\nbreaker = false");
    let instance = || builder(&redis, &upstream).settings(&provider).start();
    let (a, b) = tokio::join!(instance(), instance());
    for round in 0..10 {
        let body =
            json!({"content": "Phir se", "session_id": "s", "idempotency_key": format!("k-{round}"), "cache": "off"});
        breaks_off.store(true, Relaxed);
        a.client().send(&body).await.expect_error(502, "incomplete");
        breaks_off.store(false, Relaxed);
        let (one, other) = tokio::join!(a.client().send(&body), b.client().send(&body));
        assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text(), other.text());
        assert_eq!(one.json()["turn_id"], other.json()["turn_id"]);
    }
}

#[tokio::test]
async fn an_idempotency_key_is_one_on_all_instances() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let body = json!({"content": "Ek baar", "session_id": "s", "idempotency_key": "k-1"});
    let (first, again) = (a.client().send(&body).await.json(), b.client().send(&body).await.json());
    assert_eq!(first["turn_id"], again["turn_id"]);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn instances_with_another_prefix_share_nothing() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let a = builder(&redis, &upstream).start().await;
    let b = builder(&redis, &upstream).env("HITESH_REDIS__PREFIX", "other").start().await;
    a.client().ask("s", "Docker kya hai?").await;
    assert!(b.client().history("s").await.is_empty());
    assert_eq!(b.client().ask("s", "Docker kya hai?").await["source"], "model");
}

#[tokio::test]
async fn user_and_password_are_used_and_never_shown() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    redis.ask("ACL SETUSER mentor on >hunter2 ~* &* +@all").await;
    redis.ask("ACL SETUSER default off").await;
    let url = redis.url().replace("redis://", "redis://mentor:hunter2@");
    let server = ServerBuilder::asking(&upstream).env("REDIS_URL", &url).env("LOG_LEVEL", "trace").start().await;
    server.client().ask("s", "Docker kya hai?").await;
    server.expect_no_secret_in_log(&["hunter2"]);
    let check = server.how().clone().argument("check").run_to_end().await;
    assert!(check.log.contains("ok     redis: redis://127.0.0.1:"), "{}", check.log);
    let wrong = url.replace("hunter2", "hunter3");
    let check = server.how().clone().env("REDIS_URL", wrong).argument("check").run_to_end().await;
    assert!(check.log.contains("it refused the user or the password"), "{}", check.log);
    assert!(!check.log.contains("hunter") && !check.status.success(), "{}", check.log);
}

#[tokio::test]
async fn requests_of_a_caller_are_counted_together_while_redis_is_there() {
    let (mut redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let limited = "[limits]\nrequests_per_minute = 1\nburst = 4\n[auth]\n\
        keys = [{ id = \"web\", key = \"a-users-key-of-length\" }, { id = \"app\", key = \"another-users-key-here\" }]";
    let how = || builder(&redis, &upstream).settings(limited);
    let (a, b) = tokio::join!(how().start(), how().start());
    let ask = async |server: &Server, key: &str| {
        let client = server.client().with_header("authorization", &format!("Bearer {key}"));
        client.get("/api/chat/history?session_id=s").await
    };
    for server in [&a, &b, &a, &b] {
        assert_eq!(ask(server, "a-users-key-of-length").await.status, 200);
    }
    for server in [&a, &b] {
        let refused = ask(server, "a-users-key-of-length").await;
        refused.expect_error(429, "rate_limited");
        assert!((1..=60).contains(&refused.retry_after()), "{}", refused.retry_after());
        assert_eq!(ask(server, "another-users-key-here").await.status, 200, "another caller is another one");
    }
    redis.kill().await;
    // The store is away too: what is not refused for its number is refused for that.
    let alone = ask(&a, "another-users-key-here").await;
    alone.expect_error(503, "store_unavailable");
}
