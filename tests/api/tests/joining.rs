//! Equal questions: one upstream call for all that ask at once, the cache for those who come later.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "test code"
)]

use std::time::{Duration, Instant};

use futures::future::join_all;
use hitesh_tests_api::{Answer, Gate, Script, Server, ServerBuilder, Upstream, eventually};
use serde_json::{Value, json};

const QUESTION: &str = "Docker kya hota hai?";

async fn gated(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| {
        Script::gated(&Answer::about(&format!("A{}", request.number)), request.format(), 12, &gate)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_equal_questions_at_once_are_one_upstream_call() {
    let gate = Gate::new();
    let upstream = gated(&gate).await;
    // The held answer must not run into the provider's deadlines on a slow machine.
    let patient = "[providers.deadlines]\nfirst_token_seconds = 300\nsilence_seconds = 300\ntotal_seconds = 300";
    let server = ServerBuilder::listing(&upstream, patient).start().await;
    let client = &server.client().with_patience(Duration::from_secs(120));
    let begun = Instant::now();
    // Every other asks for a stream, whose first event says that the turn is there; the last are held by none.
    let streams = join_all((0..500).map(|i| async move {
        let mut stream = client.deltas(&format!("s{i}"), QUESTION).await;
        let info = stream.next().await.expect("the turn event").json();
        (info, stream)
    }))
    .await;
    let sends = join_all((500..1000).map(|i| async move {
        let body = json!({"content": QUESTION, "session_id": format!("s{i}")});
        client.send(&body).await.json()
    }));
    let release = async {
        // Held until all of them are turns, so that they are at once indeed.
        eventually("1000 active sessions", || async {
            let active = server.fresh_client().performance().await["active_sessions"].as_u64();
            active.filter(|active| *active >= 1000)
        })
        .await;
        gate.open();
        begun.elapsed()
    };
    let (sent, held) = tokio::join!(sends, release);
    let streamed = join_all(streams.into_iter().map(|(info, mut stream)| async move {
        let end = stream.until("the end", |frame| frame.is_end()).await.json();
        json!({"source": info["source"], "turn_id": info["turn_id"], "message": {"content": end["content"]}})
    }))
    .await;
    eprintln!("1000 turns were there after {held:?}, all had ended after {:?}", begun.elapsed());
    let replies: Vec<Value> = streamed.into_iter().chain(sent).collect();
    assert_eq!(upstream.count(), 1);
    let expected = Answer::about("A0").output;
    let mut by_source = std::collections::BTreeMap::new();
    for reply in &replies {
        assert_eq!(reply["message"]["content"], expected.as_str());
        *by_source.entry(reply["source"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(by_source.get("model"), Some(&1), "{by_source:?}");
    assert_eq!(by_source.values().sum::<i32>(), 1000, "{by_source:?}");
    for (i, reply) in replies.iter().enumerate() {
        let history = client.history(&format!("s{i}")).await;
        assert_eq!(history.len(), 2);
        assert_eq!(history[1]["turn_id"], reply["turn_id"]);
        assert_eq!(history[1]["content"], expected.as_str());
    }
    let turns: std::collections::BTreeSet<_> = replies.iter().map(|reply| reply["turn_id"].to_string()).collect();
    assert_eq!(turns.len(), 1000);
}

#[tokio::test]
async fn a_joined_stream_gets_all_of_the_answer() {
    let gate = Gate::new();
    let upstream = gated(&gate).await;
    let server = Server::start(&upstream).await;
    let mut first = server.client().deltas("a", QUESTION).await;
    gate.reached(1).await;
    first.until("a delta", |frame| frame.name() == "delta").await;
    let mut second = server.client().deltas("b", &format!("  {} ", QUESTION.replace(' ', "  "))).await;
    let turn = second.next().await.unwrap().json();
    assert_eq!(turn["source"], "joined", "white space makes no other question");
    gate.open();
    let frames = second.rest().await;
    let deltas = frames.iter().filter(|frame| frame.name() == "delta").map(|frame| frame.json());
    let text: String = deltas.map(|delta| delta["delta"].as_str().unwrap().to_owned()).collect();
    assert_eq!(text, Answer::about("A0").steps().map(|(_, content)| content).concat());
    assert!(frames.last().unwrap().is_end());
    first.until("the end", |frame| frame.is_end()).await;
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn stopping_one_of_two_joined_turns_leaves_the_other() {
    let gate = Gate::new();
    let upstream = gated(&gate).await;
    let server = Server::start(&upstream).await;
    let mut first = server.client().deltas("a", QUESTION).await;
    let turn = first.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    let mut second = server.client().deltas("b", QUESTION).await;
    assert_eq!(second.next().await.unwrap().json()["source"], "joined");
    assert_eq!(server.client().post(&format!("/api/chat/turns/{turn}/stop"), &json!({})).await.status, 200);
    assert_eq!(first.until("the end", |frame| frame.is_end()).await.json()["error"], "stopped");
    gate.open();
    let end = second.until("the end", |frame| frame.is_end()).await.json();
    assert_eq!(end["content"], Answer::about("A0").output.as_str());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn a_failure_is_every_joined_turns_failure_and_the_next_asks_anew() {
    let gate = Gate::new();
    let script_gate = gate.clone();
    let upstream = Upstream::start(move |request| match request.number {
        0 => Script::gated(&Answer::about("A0"), request.format(), 12, &script_gate).cut_at(4000).breaking_off(),
        _ => Script::answer(&Answer::about("A1"), request.format()),
    })
    .await;
    let server = Server::start(&upstream).await;
    let mut first = server.client().deltas("a", QUESTION).await;
    gate.reached(1).await;
    let mut second = server.client().deltas("b", QUESTION).await;
    second.next().await.unwrap();
    gate.open();
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.until("the end", |frame| frame.is_end()).await.json()["error"], "incomplete");
    }
    let third = server.client().ask("c", QUESTION).await;
    assert_eq!(
        (&third["source"], third["message"]["content"].as_str().unwrap().contains("A1")),
        (&json!("model"), true)
    );
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_later_equal_question_is_answered_from_the_cache_and_is_a_turn_like_any_other() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    let first = server.client().ask("a", QUESTION).await;
    let second = server.client().ask("b", QUESTION).await;
    assert_eq!((&first["source"], &second["source"]), (&json!("model"), &json!("cache")));
    assert_eq!(second["message"]["content"], first["message"]["content"]);
    assert_ne!(second["turn_id"], first["turn_id"]);
    assert_ne!(second["message"]["id"], first["message"]["id"]);
    assert_eq!(second["usage"], first["usage"]);
    assert_eq!(second["provider"], "openai");
    assert_eq!(server.client().history("b").await.len(), 2);
    let frames = server.client().deltas("c", QUESTION).await.rest().await;
    assert_eq!(frames[0].json()["source"], "cache");
    let deltas: Vec<_> = frames.iter().filter(|frame| frame.name() == "delta").collect();
    assert_eq!(deltas.len(), 3, "one delta a step");
    assert!(frames.last().unwrap().is_end());
    let turn = frames[0].json()["turn_id"].as_str().unwrap().to_owned();
    assert_eq!(server.client().events(&turn, None).await.rest().await, frames);
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn another_history_is_another_question() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.client().ask("a", "React kya hai?").await;
    server.client().ask("a", QUESTION).await;
    assert_eq!(server.client().ask("b", QUESTION).await["source"], "model", "session a had said something before");
    assert_eq!(upstream.count(), 3);
}

#[tokio::test]
async fn bypass_does_not_read_the_cache_and_stores_again() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    let ask = async |session: &str, cache: &str| -> Value {
        let body = json!({"content": QUESTION, "session_id": session, "cache": cache});
        server.client().send(&body).await.json()
    };
    assert_eq!(ask("a", "use").await["source"], "model");
    let bypassed = ask("b", "bypass").await;
    assert_eq!(bypassed["source"], "model");
    assert!(bypassed["message"]["content"].as_str().unwrap().contains("A1"));
    let cached = ask("c", "use").await;
    assert_eq!(cached["source"], "cache");
    assert!(cached["message"]["content"].as_str().unwrap().contains("A1"), "the newer answer is the one kept");
}

#[tokio::test]
async fn off_neither_reads_nor_stores_nor_joins() {
    let gate = Gate::new();
    let upstream = gated(&gate).await;
    let server = Server::start(&upstream).await;
    let body = |session: &str, cache: &str| json!({"content": QUESTION, "session_id": session, "cache": cache, "deltas": true});
    let mut first = server.client().stream(&body("a", "use")).await;
    let mut second = server.client().stream(&body("b", "off")).await;
    let mut third = server.client().stream(&body("c", "bypass")).await;
    upstream.asked(3).await;
    gate.open();
    for stream in [&mut first, &mut second, &mut third] {
        let frames = stream.rest().await;
        assert_eq!(frames[0].json()["source"], "model");
    }
    assert_eq!(server.client().post("/api/chat/cache/clear", &json!({})).await.status, 200);
    let off = json!({"content": QUESTION, "session_id": "d", "cache": "off"});
    assert_eq!(server.client().send(&off).await.json()["source"], "model");
    assert_eq!(server.client().cache_size().await, 0);
    assert_eq!(server.client().ask("e", QUESTION).await["source"], "model");
    assert_eq!(server.client().send(&off).await.json()["source"], "model");
}

#[tokio::test]
async fn an_answer_outlives_its_time_to_live_only_in_the_history() {
    let upstream = Upstream::numbered().await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_CACHE__TTL_SECONDS", 1).start().await;
    server.client().ask("a", QUESTION).await;
    eventually("the cached answer to age", || async {
        let session = format!("b{}", upstream.count());
        (server.client().ask(&session, QUESTION).await["source"] == "model").then_some(())
    })
    .await;
    assert_eq!(server.client().history("a").await.len(), 2);
}
