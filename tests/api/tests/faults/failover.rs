//! What happens between a failure and the next attempt, as callers see it.

use hitesh_tests_api::{Answer, Recorded, Script, Server, Upstream};
use serde_json::{Value, json};

use crate::asking_in_turn;

/// Streams a question to its end: the providers that were told to be asked again, and the end.
async fn attempts(server: &Server) -> (Vec<Value>, Value) {
    let frames = server.client().deltas("s", "Docker kya hai?").await.rest().await;
    let retrying = |frame: &&hitesh_tests_api::Frame| frame.name() == "status" && frame.json()["state"] == "retrying";
    let providers = frames.iter().filter(retrying).map(|frame| frame.json()["provider"].clone()).collect();
    (providers, frames.last().unwrap().json())
}

#[tokio::test]
async fn a_failure_that_passes_is_mended_by_the_same_provider() {
    let upstream = Upstream::start(|request: &Recorded| match request.number {
        0 => Script::error(500),
        _ => Script::answer(&Answer::about("mended"), request.format()),
    })
    .await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    let (providers, end) = attempts(&server).await;
    assert_eq!(providers, ["first"]);
    assert_eq!(end["content"], Answer::about("mended").output.as_str());
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn every_new_attempt_is_told_with_the_provider_that_makes_it() {
    let broken = Upstream::playing(Script::error(503)).await;
    let refused = Upstream::playing(Script::error(401)).await;
    let healthy = Upstream::answering(Answer::about("healthy")).await;
    let server = asking_in_turn(&[&broken, &refused, &healthy], "").start().await;
    let (providers, end) = attempts(&server).await;
    assert_eq!(providers, ["first", "second", "third"]);
    assert_eq!(end["content"], Answer::about("healthy").output.as_str());
    assert_eq!((broken.count(), refused.count(), healthy.count()), (2, 1, 1));
    let turn = server.client().history("s").await[0]["turn_id"].as_str().unwrap().to_owned();
    assert_eq!(server.client().turn(&turn).await["provider"], "third", "who answered is remembered");
}

#[tokio::test]
async fn of_several_failures_the_last_is_told() {
    for (scripts, status, code) in [
        ([Script::error(503), Script::error(401)], 502, "provider_unauthorized"),
        ([Script::error(401), Script::error(503)], 503, "provider_unavailable"),
        ([Script::error(503), Script::stream("data: [DONE]\n\n")], 502, "incomplete"),
        ([Script::error(401), Script::error(400)], 502, "provider_rejected"),
    ] {
        let [first, second] = scripts;
        let (first, second) = (Upstream::playing(first).await, Upstream::playing(second).await);
        let server = asking_in_turn(&[&first, &second], "").start().await;
        let reply = server.client().send(&json!({"content": "Docker kya hai?"})).await;
        reply.expect_error(status, code);
    }
}

#[tokio::test]
async fn an_answer_of_another_provider_is_cached_as_its_own() {
    let broken = Upstream::playing(Script::error(401)).await;
    let healthy = Upstream::answering(Answer::about("healthy")).await;
    let server = asking_in_turn(&[&broken, &healthy], "").start().await;
    server.client().ask("s", "Docker kya hai?").await;
    assert_eq!(server.client().cache_size().await, 1);
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_tried_again_with_less_history() {
    let upstream = Upstream::start(|request: &Recorded| match request.question().contains("Sawaal 4") {
        true if request.prompt().contains("Sawaal 1") => {
            let error = json!({"message": "too long", "type": "scripted", "code": "context_length_exceeded"});
            Script::plain(400, "application/json", json!({"error": error}).to_string())
        }
        _ => Script::answer(&Answer::about("history"), request.format()),
    })
    .await;
    let server = asking_in_turn(&[&upstream], "").start().await;
    for question in ["Sawaal 1", "Sawaal 2", "Sawaal 3"] {
        server.client().ask("s", question).await;
    }
    let reply = server.client().ask("s", "Sawaal 4").await;
    assert_eq!(reply["message"]["content"], Answer::about("history").output.as_str());
    let requests = upstream.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests[4].messages().len() < requests[3].messages().len(), "the second attempt has less history");
    assert_eq!(requests[4].messages()[0], requests[3].messages()[0], "the persona stays whole");
}
