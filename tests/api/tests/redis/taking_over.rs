//! Instances that die.
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hitesh_tests_api::{Answer, Client, Gate, RedisServer, Script, Upstream, eventually, within_time};
use serde_json::{Value, json};

use crate::two_instances;

#[tokio::test]
async fn the_open_turn_of_an_instance_that_died_is_ended_by_another_within_ten_seconds() {
    let gate = Gate::new();
    let (script_gate, answer) = (gate.clone(), Answer::about("crash"));
    let redis = RedisServer::start().await;
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &script_gate)).await;
    let [a, b] = two_instances(&redis, &upstream).await;
    let mut stream = a.client().deltas("s", "Crash hua to?").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    eventually("a checkpoint", || async {
        let seen = b.client().turn(&turn).await;
        (!seen["processing_steps"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    let mut followed = b.client().events(&turn, None).await;
    a.kill_now();
    let killed = Instant::now();
    a.ended().await;
    let rest = within_time(Duration::from_secs(10), "the end of the followed turn", followed.rest()).await;
    eprintln!("ended {:?} after the kill", killed.elapsed());
    assert_eq!(rest.last().unwrap().json()["error"], "incomplete");
    let seen = b.client().turn(&turn).await;
    assert_eq!(seen["status"], "incomplete", "{seen}");
    assert!(!seen["processing_steps"].as_array().unwrap().is_empty(), "what had come is kept");
    b.log().says("turns of an instance that died were ended").await;
    gate.open();
    b.client().ask("s", "Aur ab?").await;
}

#[tokio::test]
async fn an_instance_that_slept_tells_no_end_that_is_not_stored() {
    let gate = Gate::new();
    let (script_gate, answer) = (gate.clone(), Answer::about("sleep"));
    let redis = RedisServer::start().await;
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &script_gate)).await;
    let [a, b] = two_instances(&redis, &upstream).await;
    let mut stream = a.client().deltas("s", "So gaya?").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    a.pause();
    eventually("another instance to end the turn", || async {
        (b.client().turn(&turn).await["status"] == "incomplete").then_some(())
    })
    .await;
    gate.open();
    a.resume();
    assert_eq!(stream.rest().await.last().unwrap().json()["error"], "store_unavailable");
    assert_eq!(b.client().turn(&turn).await["status"], "incomplete");
    a.client().ask("s", "Aur ab?").await;
}

#[tokio::test]
async fn an_instance_that_is_stopped_in_order_leaves_nothing_to_be_taken_over() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [a, b] = two_instances(&redis, &upstream).await;
    a.client().ask("s", "Docker kya hai?").await;
    a.terminate();
    assert!(a.ended().await.0.status.success());
    assert_eq!(redis.ask("SCARD {hitesh:sessions:2}:instances").await, ":1\r\n");
    assert_eq!(b.client().history("s").await.len(), 2);
}

/// A whole answer that a caller was told: session, question, turn.
type Told = Arc<Mutex<Vec<(String, String, Value)>>>;

/// Asks until its server dies.
async fn keep_asking(client: Client, session: String, told: Told) {
    for number in 0.. {
        let question = format!("{session} sawaal {number}");
        let body = json!({"content": question, "session_id": session, "cache": "off"});
        match client.try_send(&body).await {
            Ok(reply) if reply.status == 200 => {
                told.lock().unwrap().push((session.clone(), question, reply.json()["turn_id"].clone()));
            }
            _ => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_or_doubled_when_instances_die() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [mut dying, steady] = two_instances(&redis, &upstream).await;
    let told = Told::default();
    for death in 0..6 {
        let callers = (0..6)
            .map(|caller| keep_asking(dying.fresh_client(), format!("death{death}-caller{caller}"), Arc::clone(&told)));
        let before = told.lock().unwrap().len();
        let killed = async {
            eventually("answers", || async { (told.lock().unwrap().len() > before + 3).then_some(()) }).await;
            // The moment is to be random: this sleep waits for nothing.
            tokio::time::sleep(Duration::from_millis(37 * death)).await;
            dying.kill_now();
        };
        tokio::join!(futures::future::join_all(callers), killed);
        dying = dying.ended().await.1.start().await;
    }
    let told = told.lock().unwrap().clone();
    assert!(told.len() >= 20, "too little load to prove anything: {}", told.len());
    for (session, question, turn) in &told {
        let history = steady.client().history(session).await;
        let asked: Vec<_> =
            history.iter().filter(|m| m["type"] == "user" && m["content"] == question.as_str()).collect();
        assert_eq!(asked.len(), 1, "{question}");
        let answer = history.iter().find(|m| m["type"] == "ai" && m["turn_id"] == *turn).expect("it was told");
        assert_eq!(answer["status"], "completed");
    }
    eprintln!("{} acknowledged turns over 6 deaths", told.len());
    eventually("no turn of a dead instance to run", || async {
        let mut running = 0;
        for death in 0..6 {
            for caller in 0..6 {
                let history = steady.client().history(&format!("death{death}-caller{caller}")).await;
                running += history.iter().filter(|message| message["status"] == "running").count();
            }
        }
        (running == 0).then_some(())
    })
    .await;
}
