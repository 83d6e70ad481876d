//! More questions than there are places for.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream::FuturesUnordered};
use hitesh_tests_api::{Answer, Gate, Reply, Script, Server, ServerBuilder, Upstream};
use serde_json::json;

const PLACES: usize = 4;
const QUEUE: usize = 2;

async fn small(upstream: &Upstream) -> Server {
    let limits = format!("[limits]\nmax_in_flight = {PLACES}\nqueue = {QUEUE}");
    ServerBuilder::listing(upstream, "").settings(&limits).start().await
}

async fn held(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| Script::answer(&Answer::about("overload"), request.format()).behind(&gate)).await
}

async fn ask(server: &Server, number: usize) -> (Reply, Duration) {
    let asked = Instant::now();
    let reply = server.client().send(&json!({"content": format!("Sawaal {number}"), "cache": "off"})).await;
    (reply, asked.elapsed())
}

#[tokio::test]
async fn a_full_server_refuses_at_once_and_finishes_what_it_admitted() {
    let gate = Gate::new();
    let upstream = held(&gate).await;
    let server = small(&upstream).await;
    let mut questions: FuturesUnordered<_> = (0..PLACES).map(|number| ask(&server, number)).collect();
    tokio::select! {
        answered = questions.next() => panic!("the upstream holds the answers, but {answered:?} came"),
        () = gate.reached(PLACES) => {}
    }
    let more = 8;
    questions.extend((0..QUEUE + more).map(|number| ask(&server, PLACES + number)));
    for _ in 0..more {
        let (reply, took) = questions.next().await.unwrap();
        reply.expect_error(503, "overloaded");
        assert!(reply.retry_after() >= 1);
        println!("refused after {took:?}");
        assert!(took < Duration::from_millis(100), "refused after {took:?}");
    }
    gate.open();
    for _ in 0..PLACES + QUEUE {
        let (reply, _) = questions.next().await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(upstream.count(), PLACES + QUEUE);
}

#[tokio::test]
async fn a_question_waits_two_seconds_for_a_place() {
    let gate = Gate::new();
    let upstream = held(&gate).await;
    let server = small(&upstream).await;
    let mut questions: FuturesUnordered<_> = (0..PLACES).map(|number| ask(&server, number)).collect();
    tokio::select! {
        answered = questions.next() => panic!("the upstream holds the answers, but {answered:?} came"),
        () = gate.reached(PLACES) => {}
    }
    let (reply, took) = ask(&server, PLACES).await;
    reply.expect_error(503, "overloaded");
    assert!((2000..=2500).contains(&took.as_millis()), "{took:?}");
    gate.open();
    assert!(questions.all(|(reply, _)| async move { reply.status == 200 }).await);
    assert_eq!(upstream.count(), PLACES);
}
