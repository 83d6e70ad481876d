//! A provider that asks to be left alone for a while is left alone, and its callers are told for how long.

use std::time::{Duration, Instant};

use hitesh_tests_api::{Answer, Recorded, Reply, Script, Server, Upstream, eventually};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::asking_in_turn;

async fn ask(server: &Server) -> Reply {
    server.client().send(&json!({"content": "Docker kya hai?", "cache": "off"})).await
}

fn slow_down(wait: &str) -> Script {
    Script::error(429).with_header("retry-after", wait)
}

#[tokio::test]
async fn the_wait_reaches_the_caller_capped_and_nobody_is_asked_meanwhile() {
    let date = (OffsetDateTime::now_utc() + Duration::from_secs(30)).format(&Rfc2822).unwrap();
    let date = date.replace("+0000", "GMT");
    for (wait, told) in [("7", 1..=7), ("86400", 59..=60), (date.as_str(), 1..=30)] {
        let upstream = Upstream::playing(slow_down(wait)).await;
        let server = asking_in_turn(&[&upstream], "").start().await;
        for _ in 0..3 {
            let reply = ask(&server).await;
            reply.expect_error(503, "provider_unavailable");
            assert!(told.contains(&reply.retry_after()), "{wait} is told as {}", reply.retry_after());
        }
        assert_eq!(upstream.count(), 1, "{wait}");
    }
}

#[tokio::test]
async fn a_short_wait_is_waited_when_nobody_else_can_be_asked() {
    let upstream = Upstream::start(|request: &Recorded| match request.number {
        0 => slow_down("1"),
        _ => Script::answer(&Answer::short("a", "b", "c"), request.format()),
    })
    .await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    let asked = Instant::now();
    assert_eq!(ask(&server).await.status, 200);
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_wait_that_nobody_named_is_not_waited() {
    let upstream = Upstream::playing(Script::error(429)).await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    ask(&server).await.expect_error(503, "provider_unavailable");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn with_another_provider_nobody_waits_and_the_first_is_asked_again_when_its_time_has_come() {
    let first = Upstream::start(|request: &Recorded| match request.number {
        0 => slow_down("5"),
        _ => Script::answer(&Answer::short("a", "b", "c"), request.format()),
    })
    .await;
    let second = Upstream::answering(Answer::short("a", "b", "c")).await;
    let server = asking_in_turn(&[&first, &second], "").start().await;
    let asked = Instant::now();
    for calls in 1..=3 {
        assert_eq!(ask(&server).await.json()["provider"], "second");
        assert_eq!((first.count(), second.count()), (1, calls));
    }
    eventually("the first provider to be asked again", || async {
        (ask(&server).await.json()["provider"] == "first").then_some(())
    })
    .await;
    assert!(asked.elapsed() >= Duration::from_secs(5), "{:?}", asked.elapsed());
}
