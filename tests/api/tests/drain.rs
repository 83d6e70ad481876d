//! SIGTERM: unready at once, every stream gets a truthful end, exit code 0 in time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::time::{Duration, Instant};

use futures::future::join_all;
use hitesh_tests_api::{Answer, Gate, Script, Server, ServerBuilder, Sse, Upstream, eventually};
use serde_json::json;

/// Answers whose questions hold "fast" end when the gate opens; the others never do.
async fn fast_and_stuck(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| {
        let answer = Answer::about(&format!("A{}", request.number));
        if request.question().contains("fast") {
            Script::gated(&answer, request.format(), 12, &gate)
        } else {
            Script::gated(&answer, request.format(), 12, &Gate::new())
        }
    })
    .await
}

async fn open_streams(server: &Server, kind: &str, count: usize) -> Vec<Sse> {
    join_all((0..count).map(|i| async move {
        let mut stream = server.client().deltas(&format!("{kind}{i}"), &format!("{kind} sawaal {i}")).await;
        stream.until("a delta", |frame| frame.name() == "delta").await;
        stream
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_streams_get_a_truthful_end_and_the_exit_code_is_0() {
    let gate = Gate::new();
    let upstream = fast_and_stuck(&gate).await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_SERVER__DRAIN_SECONDS", 4).start().await;
    let mut fast = open_streams(&server, "fast", 25).await;
    let mut stuck = open_streams(&server, "stuck", 25).await;
    let told = Instant::now();
    server.terminate();
    eventually("readyz to say 503", || async { (server.client().get("/readyz").await.status == 503).then_some(()) })
        .await;
    assert!(told.elapsed() < Duration::from_secs(2), "unready only after {:?}", told.elapsed());
    let health = server.client().get("/api/chat/health").await;
    assert_eq!((health.status, health.json()["status"].as_str()), (503, Some("draining")), "{}", health.text());
    assert_eq!(server.client().get("/livez").await.status, 200);
    let refused = server.client().send(&json!({"content": "Ek aur fast sawaal"})).await;
    refused.expect_error(503, "draining");
    assert!(refused.retry_after() >= 1);
    gate.open();
    for stream in &mut fast {
        assert_eq!(stream.until("the end", |frame| frame.is_end()).await.json()["step"], "output");
        assert_eq!(stream.next().await, None);
        assert!(!stream.is_broken());
    }
    for stream in &mut stuck {
        let end = stream.until("the end", |frame| frame.is_end()).await.json();
        assert_eq!((end["step"].as_str(), end["error"].as_str()), (Some("error"), Some("draining")), "{end}");
        assert_eq!(stream.next().await, None);
        assert!(!stream.is_broken());
    }
    let (exit, how) = server.ended().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.log);
    assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
    let again = how.start().await;
    for (kind, status) in [("fast", "completed"), ("stuck", "incomplete")] {
        for i in 0..25 {
            let history = again.client().history(&format!("{kind}{i}")).await;
            assert_eq!(history.last().unwrap()["status"], status, "{kind}{i}: {history:?}");
        }
    }
}

#[tokio::test]
async fn by_default_a_stuck_stream_is_ended_within_25_seconds() {
    let upstream = fast_and_stuck(&Gate::new()).await;
    let server = Server::start(&upstream).await;
    let mut stuck = open_streams(&server, "stuck", 2).await;
    let told = Instant::now();
    server.terminate();
    for stream in &mut stuck {
        stream.until("the end", |frame| frame.is_end()).await;
    }
    let (exit, _) = server.ended().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.log);
    assert!(told.elapsed() < Duration::from_secs(25), "{:?}", told.elapsed());
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.client().ask("s", "Chai?").await;
    let told = Instant::now();
    server.terminate();
    let (exit, _) = server.ended().await;
    assert_eq!(exit.status.code(), Some(0), "{}", exit.log);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_reader_that_comes_while_the_server_drains_still_gets_the_end() {
    let gate = Gate::new();
    let upstream = fast_and_stuck(&gate).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "fast sawaal").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    server.terminate();
    eventually("readyz to say 503", || async { (server.client().get("/readyz").await.status == 503).then_some(()) })
        .await;
    drop(stream);
    let mut back = server.client().events(&turn, None).await;
    gate.open();
    assert_eq!(back.until("the end", |frame| frame.is_end()).await.json()["step"], "output");
}

#[tokio::test]
async fn after_an_orderly_end_the_database_is_one_whole_file() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    for i in 0..20 {
        server.client().ask("s", &format!("Sawaal {i}")).await;
    }
    server.terminate();
    let (_, how) = server.ended().await;
    let log = how.database().with_extension("db-wal");
    assert!(!log.exists(), "a copy of the file alone would lack {} bytes", std::fs::metadata(log).unwrap().len());
}
