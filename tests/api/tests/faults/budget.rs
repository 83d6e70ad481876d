//! Tries again are few: a provider in trouble is not asked much more than it would be by callers alone.

use futures::{StreamExt, stream};
use hitesh_tests_api::{Answer, Recorded, Script, Server, Upstream};
use serde_json::json;

use crate::asking_in_turn;

async fn ask(server: &Server, content: &str) -> u16 {
    server.client().send(&json!({"content": content, "cache": "off"})).await.status
}

#[tokio::test]
async fn a_server_that_has_just_begun_tries_again_once_in_all() {
    let upstream = Upstream::playing(Script::error(503)).await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    for calls in [2, 3, 4] {
        assert_eq!(ask(&server, "Docker kya hai?").await, 503);
        assert_eq!(upstream.count(), calls);
    }
}

#[tokio::test]
async fn one_request_in_five_may_be_tried_again() {
    // Every fifth request fails once: the share that the budget has room for.
    let upstream = Upstream::start(|request: &Recorded| match request.number % 6 {
        4 => Script::error(503),
        _ => Script::answer(&Answer::short("a", "b", "c"), request.format()),
    })
    .await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    for number in 0..50 {
        assert_eq!(ask(&server, &format!("Sawaal {number}")).await, 200, "question {number}");
    }
    assert_eq!(upstream.count(), 60);
}

/// Offers 500 questions, so many at once; how many were answered, and how many calls the upstream saw for them.
async fn offer(at_once: usize, script: impl Fn(&Recorded) -> Script + Send + Sync + 'static) -> (usize, usize) {
    const OFFERED: usize = 500;
    let upstream = Upstream::start(script).await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    let questions = stream::iter(0..OFFERED).map(|number| {
        let server = &server;
        async move { ask(server, &format!("Sawaal {number}")).await }
    });
    let statuses: Vec<_> = questions.buffer_unordered(at_once).collect().await;
    let answered = statuses.iter().filter(|status| **status == 200).count();
    println!("{OFFERED} questions, {answered} answered, {} calls of the upstream", upstream.count());
    assert!(upstream.count() <= OFFERED * 12 / 10, "{} calls for {OFFERED} questions", upstream.count());
    (answered, upstream.count())
}

#[tokio::test]
async fn an_upstream_that_always_fails_sees_at_most_a_fifth_more_than_is_offered() {
    let (answered, calls) = offer(16, |_| Script::error(503)).await;
    assert_eq!(answered, 0);
    assert!(calls < 100, "{calls} calls of a provider that never answers");
}

#[tokio::test]
async fn an_upstream_that_often_fails_sees_at_most_a_fifth_more_than_is_offered() {
    // Seldom enough for the breaker to stay closed, and more often than the budget has room for.
    let often = |request: &Recorded| match request.number % 5 {
        0 | 2 => Script::error(503),
        _ => Script::answer(&Answer::short("a", "b", "c"), request.format()),
    };
    // Failures are quicker than answers: with many at once they would come in a row.
    let (answered, calls) = offer(4, often).await;
    assert!(answered >= 300, "{answered} were answered");
    assert!(calls > 500, "nothing was tried again: {calls} calls");
}
