//! A provider that keeps failing is left alone for a while, and asked carefully afterwards.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hitesh_tests_api::{Answer, Gate, Recorded, Reply, Script, Server, Upstream, eventually};
use serde_json::json;

use crate::asking_in_turn;

async fn ask(server: &Server) -> Reply {
    server.client().send(&json!({"content": "Docker kya hai?", "cache": "off"})).await
}

/// How many failures in a row open a breaker, and for how long it is open.
const FAILURES: usize = 5;
const OPEN: Duration = Duration::from_secs(10);

/// How quickly a question is answered that nobody is asked.
const AT_ONCE: Duration = Duration::from_millis(300);

async fn expect_refused_at_once(server: &Server, status: u16, code: &str) -> Reply {
    let asked = Instant::now();
    let reply = ask(server).await;
    reply.expect_error(status, code);
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    reply
}

#[tokio::test]
async fn five_failures_in_a_row_open_it_and_its_caller_is_told_why_at_once() {
    let late = "[providers.deadlines]\nfirst_token_seconds = 0.2";
    for (script, status, code) in [
        (Script::error(401), 502, "provider_unauthorized"),
        (Script::error(404), 503, "provider_unavailable"),
        (Script::silence(), 504, "provider_timeout"),
    ] {
        let upstream = Upstream::playing(script).await;
        let server = asking_in_turn(&[&upstream], late).start().await;
        for _ in 0..FAILURES {
            ask(&server).await.expect_error(status, code);
        }
        for _ in 0..3 {
            let reply = expect_refused_at_once(&server, status, code).await;
            assert!((1..=10).contains(&reply.retry_after()), "{code}: {}", reply.retry_after());
        }
        assert_eq!(upstream.count(), FAILURES, "{code}");
    }
}

#[tokio::test]
async fn half_of_many_calls_failing_opens_it() {
    let upstream = Upstream::start(|request: &Recorded| match request.number % 2 {
        1 => Script::error(404),
        _ => Script::answer(&Answer::short("a", "b", "c"), request.format()),
    })
    .await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    for _ in 0..20 {
        ask(&server).await;
    }
    expect_refused_at_once(&server, 503, "provider_unavailable").await;
    assert_eq!(upstream.count(), 20);
}

#[tokio::test]
async fn what_is_the_questions_own_fault_does_not_open_it() {
    for status in [400, 413] {
        let upstream = Upstream::playing(Script::error(status)).await;
        let server = asking_in_turn(&[&upstream], "").start().await;
        for calls in 1..=2 * FAILURES {
            ask(&server).await.expect_error(502, "provider_rejected");
            assert_eq!(upstream.count(), calls);
        }
    }
}

#[tokio::test]
async fn while_it_is_open_the_next_provider_is_asked_alone() {
    let broken = Upstream::playing(Script::error(401)).await;
    let healthy = Upstream::answering(Answer::about("healthy")).await;
    let server = asking_in_turn(&[&broken, &healthy], "").start().await;
    for _ in 0..FAILURES + 3 {
        assert_eq!(ask(&server).await.json()["provider"], "second");
    }
    assert_eq!((broken.count(), healthy.count()), (FAILURES, FAILURES + 3));
}

#[tokio::test]
async fn after_ten_seconds_one_call_is_let_through_and_closes_it_again() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::start(move |request: &Recorded| {
        let answer = Script::answer(&Answer::short("a", "b", "c"), request.format());
        if request.number < FAILURES { Script::error(404) } else { answer.behind(&held) }
    })
    .await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    for _ in 0..FAILURES {
        ask(&server).await;
    }
    let opened = Instant::now();
    let probe = async {
        let replies = eventually("a call to be let through", || async {
            let reply = ask(&server).await;
            (reply.status == 200).then_some(reply)
        });
        replies.await
    };
    let beside = async {
        gate.reached(1).await;
        let waited = opened.elapsed();
        assert!((OPEN - AT_ONCE..OPEN + Duration::from_secs(1)).contains(&waited), "let through after {waited:?}");
        for reply in join_all((0..8).map(|_| ask(&server))).await {
            reply.expect_error(503, "provider_unavailable");
        }
        assert_eq!(upstream.count(), FAILURES + 1, "one call at a time");
        gate.open();
    };
    tokio::join!(probe, beside);
    for reply in join_all((0..8).map(|_| ask(&server))).await {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(upstream.count(), FAILURES + 9);
}
