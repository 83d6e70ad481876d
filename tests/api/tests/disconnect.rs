//! What becomes of an answer whose last reader has left, as the operator wants it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::time::{Duration, Instant};

use hitesh_tests_api::{Answer, Gate, Script, Server, ServerBuilder, Upstream, eventually};

const GRACE: Duration = Duration::from_millis(500);

/// A server with this policy, and a turn of it whose reader has just left in the middle of the output.
async fn abandoned(policy: &str, gate: &Gate) -> (Upstream, Server, Instant) {
    let script_gate = gate.clone();
    // Far enough for a part of the output.
    let upstream =
        Upstream::start(move |request| Script::gated(&Answer::about("adha"), request.format(), 60, &script_gate)).await;
    let settings = format!("[turns]\non_disconnect = \"{policy}\"\ndisconnect_grace_seconds = {}", GRACE.as_secs_f64());
    let server = ServerBuilder::asking(&upstream).settings(&settings).start().await;
    let mut stream = server.client().deltas("s", "Main ja raha hoon").await;
    stream.until("a piece of the output", |frame| frame.name() == "delta" && frame.json()["step"] == "output").await;
    gate.reached(1).await;
    drop(stream);
    (upstream, server, Instant::now())
}

#[tokio::test]
async fn stop_closes_the_upstreams_socket_after_the_grace_time_and_keeps_the_part() {
    let gate = Gate::new();
    let (upstream, server, left) = abandoned("stop", &gate).await;
    upstream.abandoned(1).await;
    let took = left.elapsed();
    assert!(took >= GRACE / 2 && took <= GRACE + Duration::from_secs(1), "it took {took:?}");
    let history = eventually("the part to be in the history", || async {
        let history = server.client().history("s").await;
        history.iter().all(|message| message["status"] == "incomplete").then_some(history)
    })
    .await;
    assert_eq!(history.len(), 2, "{history:?}");
    let part = history[1]["content"].as_str().unwrap();
    assert!(!part.is_empty() && Answer::about("adha").output.starts_with(part), "{part}");
}

#[tokio::test]
async fn finish_lets_the_answer_come_to_its_end_without_a_reader() {
    let gate = Gate::new();
    let (upstream, server, _) = abandoned("finish", &gate).await;
    // Nothing happens, and that is what is waited for: the time passes after which the other policy stops a turn.
    tokio::time::sleep(2 * GRACE).await;
    gate.open();
    let history = eventually("the turn to end", || async {
        let history = server.client().history("s").await;
        history.last().is_some_and(|message| message["status"] != "running").then_some(history)
    })
    .await;
    assert_eq!(history[1]["status"], "completed", "{history:?}");
    assert_eq!(history[1]["content"], Answer::about("adha").output.as_str());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn another_policy_is_a_mistake_that_names_its_place() {
    let exit = ServerBuilder::bare().settings("[turns]\non_disconnect = \"perhaps\"").run_to_end().await;
    assert!(!exit.status.success());
    assert!(exit.log.contains("turns.on_disconnect") && exit.log.contains("hitesh.toml"), "{}", exit.log);
}
