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

/// Offers 500 questions to an upstream that answers none; how many calls it sees for them.
async fn offer(settings: &str) -> usize {
    let upstream = Upstream::playing(Script::error(503)).await;
    let server = asking_in_turn(&[&upstream], settings).start().await;
    let questions = stream::iter(0..OFFERED).map(|number| {
        let server = &server;
        async move { ask(server, &format!("Sawaal {number}")).await }
    });
    let statuses: Vec<_> = questions.buffer_unordered(16).collect().await;
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    println!("{OFFERED} questions, {} calls of an upstream that always fails ({settings})", upstream.count());
    upstream.count()
}

const OFFERED: usize = 500;

#[tokio::test]
async fn an_upstream_that_always_fails_sees_at_most_a_fifth_more_than_is_offered() {
    let calls = offer("breaker = false").await;
    assert!(calls <= OFFERED * 12 / 10, "{calls} calls");
    assert!(calls > OFFERED, "nothing was tried again: {calls} calls");
}

#[tokio::test]
async fn behind_a_breaker_an_upstream_that_always_fails_sees_next_to_nothing() {
    let calls = offer("").await;
    // Those that were under way when the breaker opened, and the one retry.
    assert!(calls <= 5 + 16 + 1, "{calls} calls");
}
