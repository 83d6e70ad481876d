//! The chat routes answer in exactly the shapes of the contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Server, Upstream, expect_keys, expect_time, expect_uuid};
use serde_json::{Value, json};

const QUESTION: &str = "Sir mujhe backend development kaise start karna hai?";

async fn answering() -> (Answer, Upstream, Server) {
    let answer = Answer::about("backend");
    let upstream = Upstream::answering(answer.clone()).await;
    let server = Server::start(&upstream).await;
    (answer, upstream, server)
}

#[tokio::test]
async fn send_replies_in_exactly_the_contracts_shape() {
    let (answer, _upstream, server) = answering().await;
    let reply = server.client().send(&json!({"content": QUESTION})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.header("content-type").starts_with("application/json"));
    let body = reply.json();
    expect_keys(
        &body,
        &[
            "success",
            "message",
            "processing_steps",
            "error",
            "session_id",
            "turn_id",
            "source",
            "provider",
            "model",
            "usage",
        ],
    );
    assert_eq!(body["success"], true);
    assert_eq!(body["error"], Value::Null);
    expect_keys(&body["message"], &["id", "type", "content", "timestamp"]);
    expect_uuid(&body["message"]["id"]);
    expect_time(&body["message"]["timestamp"]);
    assert_eq!(body["message"]["type"], "ai");
    assert_eq!(body["message"]["content"], answer.output.as_str());
    expect_uuid(&body["turn_id"]);
    expect_uuid(&body["session_id"]);
    assert_eq!(body["source"], "model");
    assert_eq!(body["provider"], "openai");
    assert_eq!(body["model"], "gpt-4o-mini");
    assert_eq!(body["usage"], json!({"prompt_tokens": 1000, "completion_tokens": 90, "total_tokens": 1090}));
    let steps = body["processing_steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    let mut last = None;
    for (step, (name, content)) in steps.iter().zip(answer.steps()) {
        expect_keys(step, &["step", "content", "timestamp"]);
        assert_eq!(step["step"], name);
        assert_eq!(step["content"], content);
        let time = expect_time(&step["timestamp"]);
        assert!(last.is_none_or(|last| last <= time), "the steps' times go backwards: {steps:?}");
        last = Some(time);
    }
}

#[tokio::test]
async fn a_given_session_id_is_kept_and_a_made_one_is_used() {
    let (_, _upstream, server) = answering().await;
    let client = server.client();
    let given = client.ask("my.session_1:a-b", QUESTION).await;
    assert_eq!(given["session_id"], "my.session_1:a-b");
    let made = client.send(&json!({"content": QUESTION})).await.json();
    let session = made["session_id"].as_str().unwrap();
    assert_eq!(client.history(session).await.len(), 2);
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_a_null_is_a_missing_field() {
    let (_, _upstream, server) = answering().await;
    let body = json!({"content": QUESTION, "session_id": null, "type": "user", "nonsense": {"a": [1]}});
    let reply = server.client().send(&body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_plain_stream_is_one_unnamed_frame_for_each_step() {
    let (answer, _upstream, server) = answering().await;
    let mut stream = server.client().stream(&json!({"content": QUESTION, "session_id": "s"})).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-cache");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    assert!(stream.headers.contains_key("x-request-id"));
    let frames = stream.rest().await;
    assert!(!stream.is_broken() && stream.leftover().is_empty(), "{:?}", stream.leftover());
    assert_eq!(frames.len(), 3, "{frames:#?}");
    let turns = server.client().history("s").await;
    let turn = turns[0]["turn_id"].as_str().unwrap();
    let mut numbers = Vec::new();
    for (i, (frame, (name, content))) in frames.iter().zip(answer.steps()).enumerate() {
        let data = frame.data.as_deref().unwrap();
        assert_eq!(frame.raw, format!("data: {data}\n\n"), "a frame is nothing but its data");
        let event = frame.json();
        expect_keys(&event, &["step", "content", "timestamp", "is_complete", "event_id"]);
        assert_eq!(event["step"], name);
        assert_eq!(event["content"], content);
        assert_eq!(event["is_complete"], i == 2);
        expect_time(&event["timestamp"]);
        let (of, number) = event["event_id"].as_str().unwrap().rsplit_once(':').unwrap();
        assert_eq!(of, turn);
        numbers.push(number.parse::<u64>().unwrap());
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[tokio::test]
async fn deltas_are_numbered_and_join_to_the_steps_byte_for_byte() {
    let (answer, _upstream, server) = answering().await;
    let frames = server.client().deltas("s", QUESTION).await.rest().await;
    let first = &frames[0];
    assert_eq!(first.name(), "turn", "{frames:#?}");
    let info = first.json();
    for key in ["turn_id", "session_id", "persona", "provider", "model", "source"] {
        assert!(info[key].is_string(), "{info}");
    }
    assert_eq!(info["session_id"], "s");
    assert_eq!(info["persona"], "hitesh");
    assert_eq!(info["source"], "model");
    let turn = expect_uuid(&info["turn_id"]);
    for frame in &frames {
        assert_eq!(frame.id.as_deref(), Some(format!("{turn}:{}", frame.number()).as_str()));
    }
    let numbers: Vec<_> = frames.iter().map(|frame| frame.number()).collect();
    assert_eq!(numbers[0], 0);
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");

    for (name, content) in answer.steps() {
        let deltas: Vec<_> = frames.iter().filter(|f| f.name() == "delta").map(|f| f.json()).collect();
        deltas.iter().for_each(|delta| expect_keys(delta, &["step", "delta"]));
        let pieces: Vec<_> =
            deltas.iter().filter(|d| d["step"] == name).map(|d| d["delta"].as_str().unwrap()).collect();
        assert!(pieces.len() > 5, "{name} came in {} pieces only", pieces.len());
        assert!(pieces.iter().all(|piece| !piece.is_empty()));
        assert_eq!(pieces.concat(), content);
        let whole: Vec<_> = frames.iter().filter(|f| f.name().is_empty() && f.json()["step"] == name).collect();
        assert_eq!(whole.len(), 1, "{name}");
        assert_eq!(whole[0].json()["content"], content);
    }
    let ends: Vec<_> = frames.iter().filter(|frame| frame.is_end()).collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(Some(ends[0]), frames.last());
    let usage: Vec<_> = frames.iter().filter(|frame| frame.name() == "usage").collect();
    assert_eq!(usage.len(), 1);
    assert!(usage[0].number() < ends[0].number());
    assert_eq!(usage[0].json(), json!({"prompt_tokens": 1000, "completion_tokens": 90, "total_tokens": 1090}));
}

#[tokio::test]
async fn the_plain_form_leaves_events_out_and_does_not_renumber() {
    let (_, _upstream, server) = answering().await;
    let mut stream = server.client().stream(&json!({"content": QUESTION, "session_id": "s"})).await;
    let plain: Vec<_> = stream.rest().await.iter().map(|frame| frame.json()).collect();
    let turn = server.client().history("s").await[0]["turn_id"].as_str().unwrap().to_owned();
    let all = server.client().events(&turn, None).await.rest().await;
    for event in plain {
        let same = all.iter().find(|frame| frame.id.as_deref() == event["event_id"].as_str());
        assert_eq!(same.expect("the same number in the other form").json(), event);
    }
}

#[tokio::test]
async fn the_test_stream_is_two_sample_events() {
    let (_, upstream, server) = answering().await;
    let response = server.client().try_request("GET", "/api/chat/stream/test", &[], []).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let frames: Vec<Value> = text
        .split("\n\n")
        .filter_map(|frame| frame.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(frames.len(), 2, "{text}");
    assert!(frames.iter().all(|frame| frame["step"] == "test"));
    assert_eq!(frames.iter().filter(|frame| frame["is_complete"] == true).count(), 1);
    assert_eq!(frames[1]["is_complete"], true);
    let apart = expect_time(&frames[1]["timestamp"]) - expect_time(&frames[0]["timestamp"]);
    assert!((0.9..5.0).contains(&apart.as_seconds_f64()), "{apart}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn history_is_oldest_first_with_the_turns_own_times() {
    let (answer, _upstream, server) = answering().await;
    let client = server.client();
    let mut replies = Vec::new();
    for i in 0..3 {
        replies.push(client.ask("s", &format!("Sawaal number {i}?")).await);
    }
    let reply = client.get("/api/chat/history?session_id=s").await.json();
    expect_keys(&reply, &["success", "messages", "error"]);
    assert_eq!(reply["success"], true);
    assert_eq!(reply["error"], Value::Null);
    let messages = reply["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 6);
    for (i, pair) in messages.chunks(2).enumerate() {
        for message in pair {
            expect_keys(message, &["id", "type", "content", "timestamp", "turn_id", "status", "replaced_by"]);
            expect_uuid(&message["id"]);
            expect_time(&message["timestamp"]);
            assert_eq!(message["turn_id"], replies[i]["turn_id"]);
            assert_eq!(message["status"], "completed");
        }
        assert_eq!(pair[0]["type"], "user");
        assert_eq!(pair[0]["content"], format!("Sawaal number {i}?"));
        assert_eq!(pair[1]["type"], "ai");
        assert_eq!(pair[1]["content"], answer.output.as_str());
        assert_eq!(pair[1]["id"], replies[i]["message"]["id"]);
        assert_eq!(pair[1]["timestamp"], replies[i]["message"]["timestamp"]);
    }
    let again = client.get("/api/chat/history?session_id=s").await.json();
    assert_eq!(again, reply, "the times are those of the turns, not of the request");
}

#[tokio::test]
async fn a_long_history_comes_in_pages() {
    let (_, _upstream, server) = answering().await;
    let client = server.client();
    for i in 0..5 {
        client.ask("s", &format!("Sawaal {i}?")).await;
    }
    let all = client.history("s").await;
    let mut pages: Vec<Vec<Value>> = Vec::new();
    let mut path = "/api/chat/history?session_id=s&limit=2".to_owned();
    loop {
        let page = client.get(&path).await.json()["messages"].as_array().cloned().unwrap();
        let Some(first) = page.first() else { break };
        assert!(page.len() <= 4, "two turns at most: {page:#?}");
        assert_eq!(page.len() % 2, 0, "a page holds whole turns: {page:#?}");
        path = format!("/api/chat/history?session_id=s&limit=2&before={}", first["turn_id"].as_str().unwrap());
        pages.insert(0, page);
    }
    assert!(pages.len() > 1);
    assert_eq!(pages.concat(), all);
}

#[tokio::test]
async fn history_needs_a_session_and_an_unknown_one_is_empty() {
    let (_, _upstream, server) = answering().await;
    let client = server.client();
    client.ask("s", QUESTION).await;
    client.get("/api/chat/history").await.expect_error(400, "session_id_required");
    client.get("/api/chat/history?session_id=").await.expect_error(400, "session_id_required");
    client.delete("/api/chat/history").await.expect_error(400, "session_id_required");
    client.get("/api/chat/history?session_id=a%20b").await.expect_error(422, "session_id_invalid");
    let unknown = client.get("/api/chat/history?session_id=never-seen").await;
    assert_eq!(unknown.status, 200);
    assert_eq!(unknown.json(), json!({"success": true, "messages": [], "error": null}));
}

#[tokio::test]
async fn delete_erases_one_session_only() {
    let (_, _upstream, server) = answering().await;
    let client = server.client();
    let gone = client.ask("gone", QUESTION).await;
    client.ask("kept", QUESTION).await;
    for _ in 0..2 {
        let reply = client.delete("/api/chat/history?session_id=gone").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        expect_keys(&reply.json(), &["success", "message"]);
        assert_eq!(reply.json()["success"], true);
        assert!(reply.json()["message"].is_string());
    }
    assert!(client.history("gone").await.is_empty());
    assert_eq!(client.history("kept").await.len(), 2);
    let turn = gone["turn_id"].as_str().unwrap();
    client.get(&format!("/api/chat/turns/{turn}")).await.expect_error(404, "turn_not_found");
    client.get(&format!("/api/chat/turns/{turn}/events")).await.expect_error(404, "turn_not_found");
}

#[tokio::test]
async fn a_turn_shows_its_status_steps_times_and_usage() {
    let (answer, _upstream, server) = answering().await;
    let client = server.client();
    let sent = client.ask("s", QUESTION).await;
    let reply = client.turn(sent["turn_id"].as_str().unwrap()).await;
    let turn = if reply["turn"].is_object() { reply["turn"].clone() } else { reply };
    assert_eq!(turn["status"], "completed");
    assert_eq!(turn["turn_id"], sent["turn_id"]);
    assert_eq!(turn["session_id"], "s");
    assert_eq!(turn["usage"], sent["usage"]);
    let steps = if turn["steps"].is_array() { &turn["steps"] } else { &turn["processing_steps"] };
    assert_eq!(*steps, sent["processing_steps"], "{turn}");
    let _ = answer;
}

#[tokio::test]
async fn a_cursor_gives_the_tail_of_the_uncut_stream() {
    let (_, _upstream, server) = answering().await;
    let client = server.client();
    let live = client.deltas("s", QUESTION).await.rest().await;
    let turn = live[0].json()["turn_id"].as_str().unwrap().to_owned();
    assert_eq!(client.events(&turn, None).await.rest().await, live, "a replay is the stream, byte for byte");
    for (i, frame) in live.iter().enumerate() {
        let id = frame.id.clone().unwrap();
        assert_eq!(client.events(&turn, Some(&id)).await.rest().await, live[i + 1..], "after {id}");
        let path = format!("/api/chat/turns/{turn}/events?after={}", frame.number());
        let by_query = client.get(&path).await;
        let expected: String = live[i + 1..].iter().map(|frame| frame.raw.as_str()).collect();
        assert_eq!(by_query.text(), expected, "after={}", frame.number());
    }
}

#[tokio::test]
async fn a_replay_survives_a_restart_byte_for_byte() {
    let (_, _upstream, server) = answering().await;
    let live = server.client().deltas("s", QUESTION).await.rest().await;
    let turn = live[0].json()["turn_id"].as_str().unwrap().to_owned();
    let server = server.restart().await;
    assert_eq!(server.client().events(&turn, None).await.rest().await, live);
}

#[tokio::test]
async fn an_unknown_turn_is_not_found() {
    let (_, _upstream, server) = answering().await;
    let client = server.client();
    for id in ["0198c0de-0000-7000-8000-000000000000", "nonsense"] {
        client.get(&format!("/api/chat/turns/{id}")).await.expect_error(404, "turn_not_found");
        client.get(&format!("/api/chat/turns/{id}/events")).await.expect_error(404, "turn_not_found");
        client.post(&format!("/api/chat/turns/{id}/stop"), &json!({})).await.expect_error(404, "turn_not_found");
    }
}
