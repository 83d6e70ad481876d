//! Answers that grow on one instance and are read on others.
use std::time::Duration;

use futures::future::join_all;
use hitesh_tests_api::{Answer, Frame, Gate, RedisServer, Script, Server, Upstream, eventually, within_time};
use serde_json::json;

use crate::{instance, two_instances};

/// Waits for `gate` after so many pieces.
async fn gated_after(pieces: usize, gate: &Gate) -> Upstream {
    let (gate, answer) = (gate.clone(), Answer::about("living"));
    Upstream::start(move |request| Script::gated(&answer, request.format(), pieces, &gate)).await
}

fn text(frames: &[Frame]) -> String {
    let deltas = frames.iter().filter(|frame| frame.name() == "delta");
    deltas.map(|frame| frame.json()["delta"].as_str().unwrap().to_owned()).collect()
}

/// The last event is that of a whole answer; an error's is complete too.
fn is_whole(frames: &[Frame]) {
    let last = frames.last().unwrap().json();
    assert_eq!((&last["is_complete"], &last["step"]), (&json!(true), &json!("output")), "{last}");
}

#[tokio::test]
async fn a_reader_on_another_instance_gets_each_piece_while_the_answer_grows() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let mut here = a.client().deltas("s", "Kaise?").await;
    let mut seen_here = vec![here.next().await.unwrap()];
    let turn = seen_here[0].json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    let mut there = b.client().events(&turn, None).await;
    let mut seen_there = Vec::new();
    // All that the model has said so far, though it says nothing more.
    while text(&seen_there).len() < 40 {
        seen_there.push(there.next().await.expect("the turn runs"));
    }
    gate.open();
    let (rest_here, rest_there) = tokio::join!(here.rest(), there.rest());
    seen_here.extend(rest_here);
    seen_there.extend(rest_there);
    let raw = |frames: &[Frame]| frames.iter().map(|frame| frame.raw.clone()).collect::<Vec<_>>();
    assert_eq!(raw(&seen_here), raw(&seen_there));
}

#[tokio::test]
async fn a_reader_on_a_third_instance_is_told_what_the_joined_turns_own_reader_is_told() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let c = instance(&redis, &upstream).await;
    let mut leading = a.client().deltas("s1", "Kaise?").await;
    gate.reached(1).await;
    let mut joined = b.client().deltas("s2", "Kaise?").await;
    let first = joined.next().await.unwrap();
    assert_eq!(first.json()["source"], "joined");
    let turn = first.json()["turn_id"].as_str().unwrap().to_owned();
    let mut there = c.client().events(&turn, None).await;
    let mut seen_there = vec![there.next().await.unwrap()];
    gate.open();
    let (_, rest, rest_there) = tokio::join!(leading.rest(), joined.rest(), there.rest());
    seen_there.extend(rest_there);
    let afterwards = c.client().events(&turn, None).await.rest().await;
    let raw = |frames: &[Frame]| frames.iter().map(|frame| frame.raw.clone()).collect::<Vec<_>>();
    let here = raw(&[vec![first], rest].concat());
    assert_eq!(raw(&seen_there), here, "while it grew");
    assert_eq!(raw(&afterwards), here, "when it had ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_equal_questions_over_three_instances_are_one_call() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let servers = join_all((0..3).map(|_| instance(&redis, &upstream))).await;
    let ask = |number: usize| {
        let client = servers[number % 3].client();
        async move {
            let body = json!({"content": "Docker kya hai?", "session_id": format!("s{number}")});
            let reply = client.with_patience(Duration::from_secs(60)).send(&body).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            let answer = reply.json();
            (answer["source"].as_str().unwrap().to_owned(), answer["message"]["content"].clone())
        }
    };
    let open = async {
        gate.reached(1).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(join_all((0..1000).map(ask)), open);
    let count = |source: &str| answers.iter().filter(|(from, _)| from == source).count();
    eprintln!("{} calls; joined {}, from the cache {}", upstream.count(), count("joined"), count("cache"));
    assert_eq!((upstream.count(), count("model")), (1, 1));
    assert!(answers.iter().all(|(_, content)| *content == answers[0].1));
}

#[tokio::test]
async fn without_redis_each_instance_asks_for_itself() {
    let gate = Gate::new();
    let (mut redis, upstream) = (RedisServer::start().await, gated_after(1, &gate).await);
    let servers = two_instances(&redis, &upstream).await;
    redis.kill().await;
    gate.open();
    for server in &servers {
        let body = json!({"content": "Docker kya hai?", "store": false});
        assert_eq!(server.client().send(&body).await.json()["source"], "model");
    }
    assert_eq!(upstream.count(), 2);
}

/// The question on the first instance, which asks, and on the second one, which follows.
async fn leader_and_follower(servers: &[Server; 2]) -> [hitesh_tests_api::Sse; 2] {
    let mut leader = servers[0].client().deltas("s1", "Docker kya hai?").await;
    leader.until("the turn", |frame| frame.name() == "turn").await;
    let mut follower = servers[1].client().deltas("s2", "Docker kya hai?").await;
    let seen = follower.until("the turn", |frame| frame.name() == "turn").await;
    assert_eq!(seen.json()["source"], "joined");
    [leader, follower]
}

#[tokio::test]
async fn a_follower_whose_leader_died_before_the_first_word_asks_itself() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(0, &gate).await);
    let servers = two_instances(&redis, &upstream).await;
    let [_leader, mut follower] = leader_and_follower(&servers).await;
    servers[0].kill_now();
    gate.open();
    let rest = within_time(Duration::from_secs(20), "the answer", follower.rest()).await;
    is_whole(&rest);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_follower_whose_leader_died_in_the_middle_of_the_answer_is_told_so() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let servers = two_instances(&redis, &upstream).await;
    let [_leader, mut follower] = leader_and_follower(&servers).await;
    follower.until("a delta", |frame| frame.name() == "delta").await;
    servers[0].kill_now();
    let rest = within_time(Duration::from_secs(20), "the end", follower.rest()).await;
    assert_eq!(rest.last().unwrap().json()["error"], "incomplete");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_time_without_redis_that_is_longer_than_a_lease_takes_no_answer_from_a_follower() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let servers = two_instances(&redis, &upstream).await;
    let [mut leader, mut follower] = leader_and_follower(&servers).await;
    follower.until("a delta", |frame| frame.name() == "delta").await;
    redis.pause();
    // Leases are four seconds long: this sleep has them all end.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    redis.resume();
    eventually("Redis to be back for the leader", || async {
        let health = servers[0].client().get("/api/chat/health").await.json();
        (health["status"] == "healthy").then_some(())
    })
    .await;
    gate.open();
    let (leader, follower) = tokio::join!(leader.rest(), follower.rest());
    is_whole(&leader);
    is_whole(&follower);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_answer_goes_on_for_a_follower_when_nobody_of_its_own_instance_wants_it() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let servers = two_instances(&redis, &upstream).await;
    let mut leader = servers[0].client().deltas("s1", "Docker kya hai?").await;
    let turn = leader.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    let mut follower = servers[1].client().deltas("s2", "Docker kya hai?").await;
    follower.until("a delta", |frame| frame.name() == "delta").await;
    let stopped = servers[0].client().post(&format!("/api/chat/turns/{turn}/stop"), &json!({})).await.json();
    assert_eq!(stopped["status"], "stopped");
    gate.open();
    is_whole(&follower.rest().await);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn what_a_reader_elsewhere_has_seen_is_kept_when_the_instance_dies() {
    let gate = Gate::new();
    let (redis, upstream) = (RedisServer::start().await, gated_after(30, &gate).await);
    let [a, b] = two_instances(&redis, &upstream).await;
    let mut here = a.client().deltas("s", "Kaise?").await;
    let turn = here.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    let mut there = b.client().events(&turn, None).await;
    let mut seen = Vec::new();
    while text(&seen).len() < 40 {
        seen.push(there.next().await.expect("the turn runs"));
    }
    a.kill_now();
    let killed = std::time::Instant::now();
    seen.extend(within_time(Duration::from_secs(10), "the end", there.rest()).await);
    eprintln!("ended {:?} after the kill", killed.elapsed());
    let last = seen.last().unwrap().json();
    assert_eq!((&last["error"], &last["is_complete"]), (&json!("incomplete"), &json!(true)));
    let stored = b.client().events(&turn, None).await.rest().await;
    assert_eq!(text(&stored), text(&seen), "neither more nor less than was seen");
    let turn = eventually("the end", || async {
        let turn = b.client().turn(&turn).await;
        (turn["status"] == "incomplete").then_some(turn)
    })
    .await;
    assert!(!turn["processing_steps"].as_array().unwrap().is_empty(), "{turn}");
}
