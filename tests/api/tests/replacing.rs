//! Turns asked again, or otherwise, in their place; and what learners think of answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Client, Gate, Reply, Script, Server, Upstream, expect_keys, expect_uuid};
use serde_json::{Value, json};

const UNKNOWN: &str = "0198c0de-0000-7000-8000-000000000000";

async fn numbered() -> (Upstream, Server) {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    (upstream, server)
}

/// Asks in the session `s`: the turn's id.
async fn asked(client: &Client, question: &str) -> String {
    id(&client.ask("s", question).await)
}

fn id(reply: &Value) -> String {
    reply["turn_id"].as_str().unwrap_or_else(|| panic!("no turn: {reply}")).to_owned()
}

async fn regenerate(client: &Client, turn: &str, body: Value) -> Reply {
    client.post(&format!("/api/chat/turns/{turn}/regenerate"), &body).await
}

async fn edit(client: &Client, turn: &str, body: Value) -> Reply {
    client.post(&format!("/api/chat/turns/{turn}/edit"), &body).await
}

/// Regenerates and expects a whole answer: the reply's JSON.
async fn regenerated(client: &Client, turn: &str) -> Value {
    let reply = regenerate(client, turn, json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

async fn all(client: &Client) -> Vec<Value> {
    client.get("/api/chat/history?session_id=s&all=true").await.json()["messages"].as_array().cloned().unwrap()
}

/// The contents of these messages, shortened to the mark of the answer or to the question.
fn contents(messages: &[Value]) -> Vec<String> {
    let short = |message: &Value| {
        let content = message["content"].as_str().unwrap();
        content.strip_prefix("Haanji! ").map_or(content, |rest| rest.split(' ').next().unwrap()).to_owned()
    };
    messages.iter().map(short).collect()
}

#[tokio::test]
async fn a_regenerated_turn_replies_as_send_does_and_says_what_it_replaces() {
    let (_upstream, server) = numbered().await;
    let client = server.client();
    let sent = client.ask("s", "Docker kya hai?").await;
    let new = regenerated(client, &id(&sent)).await;
    let mut keys = hitesh_tests_api::keys(&sent);
    keys.push("replaces");
    expect_keys(&new, &keys);
    assert_eq!((&new["replaces"], &new["session_id"]), (&sent["turn_id"], &json!("s")));
    assert_ne!(new["turn_id"], sent["turn_id"]);
    assert_eq!((&new["source"], &new["success"]), (&json!("model"), &json!(true)));
    assert!(new["message"]["content"].as_str().unwrap().contains("A1"));
}

#[tokio::test]
async fn a_replaced_turn_leaves_the_history_and_stays_in_the_record() {
    let (_upstream, server) = numbered().await;
    let client = server.client();
    let (first, _) = (asked(client, "ek?").await, asked(client, "do?").await);
    let new = id(&regenerated(client, &first).await);
    assert_eq!(contents(&client.history("s").await), ["ek?", "A2", "do?", "A1"]);
    let all = all(client).await;
    assert_eq!(contents(&all), ["ek?", "A0", "ek?", "A2", "do?", "A1"]);
    let replaced_by: Vec<_> = all.iter().map(|message| message["replaced_by"].clone()).collect();
    assert_eq!(replaced_by, [json!(new), json!(new), Value::Null, Value::Null, Value::Null, Value::Null]);
    let (old, new) = (client.turn(&first).await, client.turn(&new).await);
    assert_eq!((&old["replaced_by"], &old["replaces"]), (&new["turn_id"], &Value::Null));
    assert_eq!((&new["replaced_by"], &new["replaces"]), (&Value::Null, &old["turn_id"]));
    assert_eq!(client.events(&first, None).await.rest().await.last().unwrap().json()["step"], "output");
}

#[tokio::test]
async fn it_is_asked_in_the_light_of_what_came_before_its_place_alone() {
    let (upstream, server) = numbered().await;
    let client = server.client();
    asked(client, "Sawaal-ek?").await;
    let second = asked(client, "Sawaal-do?").await;
    asked(client, "Sawaal-teen?").await;
    regenerated(client, &second).await;
    assert_eq!(edit(client, &second, json!({"content": "Sawaal-naya?"})).await.status, 200);
    asked(client, "Sawaal-chaar?").await;
    let prompts: Vec<_> = upstream.requests().iter().map(|request| request.messages()).collect();
    assert_eq!(prompts[3], prompts[1], "the same question in the same light is the same prompt");
    let edited = upstream.requests()[4].prompt();
    assert!(edited.contains("Sawaal-ek?") && edited.contains("A0") && edited.contains("Sawaal-naya?"));
    assert!(!edited.contains("Sawaal-do?") && !edited.contains("Sawaal-teen?"));
    let next = upstream.requests()[5].prompt();
    assert!(next.contains("Sawaal-ek?") && next.contains("Sawaal-naya?") && next.contains("A4"));
    assert!(!next.contains("Sawaal-do?") && !next.contains("Sawaal-teen?"), "what followed has left the context");
    assert_eq!(contents(&client.history("s").await), ["Sawaal-ek?", "A0", "Sawaal-naya?", "A4", "Sawaal-chaar?", "A5"]);
    assert_eq!(all(client).await.len(), 12);
}

#[tokio::test]
async fn it_passes_by_the_cache_and_its_answer_is_kept_there() {
    let (upstream, server) = numbered().await;
    let client = server.client();
    let first = asked(client, "what is an API?").await;
    regenerated(client, &first).await;
    let again = client.ask("t", "what is an API?").await;
    assert_eq!((again["source"].as_str(), upstream.count()), (Some("cache"), 2));
    assert!(again["message"]["content"].as_str().unwrap().contains("A1"));
}

#[tokio::test]
async fn it_streams_in_both_forms_on_request() {
    let (_upstream, server) = numbered().await;
    let client = server.client();
    let first = asked(client, "ek?").await;
    for (body, named) in [
        (json!({"stream": true}), false),
        (json!({"deltas": true}), true),
        (json!({"content": "do?", "deltas": true}), true),
    ] {
        let what = if body["content"].is_string() { "edit" } else { "regenerate" };
        let reply = client.post(&format!("/api/chat/turns/{first}/{what}"), &body).await;
        assert_eq!(reply.header("content-type"), "text/event-stream", "{}", reply.text());
        let text = reply.text();
        assert_eq!(text.starts_with("id: "), named, "{text}");
        assert_eq!(text.contains(&format!("\"replaces\":\"{first}\"")), named, "{text}");
        assert_eq!(text.matches("\"is_complete\":true").count(), 1);
    }
}

#[tokio::test]
async fn no_body_is_needed_to_ask_again() {
    let (_upstream, server) = numbered().await;
    let first = asked(server.client(), "ek?").await;
    let reply = server.client().request("POST", &format!("/api/chat/turns/{first}/regenerate"), &[], []).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    regenerate(server.client(), &first, json!([])).await.expect_error(422, "invalid_request");
}

#[tokio::test]
async fn an_edit_needs_a_question_within_the_limits() {
    let (upstream, server) = numbered().await;
    let client = server.client();
    let first = asked(client, "ek?").await;
    edit(client, &first, json!({})).await.expect_error(422, "invalid_request");
    edit(client, &first, json!({"content": " "})).await.expect_error(422, "content_empty");
    edit(client, &first, json!({"content": "x".repeat(2001)})).await.expect_error(422, "content_too_long");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let (upstream, server) = numbered().await;
    let client = server.client();
    let unstored = client.send(&json!({"content": "chupke", "store": false})).await.json();
    for turn in [UNKNOWN, "nonsense", &id(&unstored)] {
        regenerate(client, turn, json!({})).await.expect_error(404, "turn_not_found");
        edit(client, turn, json!({"content": "x"})).await.expect_error(404, "turn_not_found");
        let rating = client.post(&format!("/api/chat/turns/{turn}/feedback"), &json!({"rating": "up"})).await;
        rating.expect_error(404, "turn_not_found");
    }
    assert_eq!(upstream.count(), 1);
}

/// An upstream that answers the first `whole` requests at once, and holds the others in the middle.
async fn holding(whole: usize, gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| {
        let answer = Answer::about(&format!("A{}", request.number));
        match request.number < whole {
            true => Script::answer(&answer, request.format()),
            false => Script::gated(&answer, request.format(), 12, &gate),
        }
    })
    .await
}

#[tokio::test]
async fn a_turn_that_runs_has_to_be_stopped_first() {
    let gate = Gate::new();
    let upstream = holding(0, &gate).await;
    let server = Server::start(&upstream).await;
    let client = server.client();
    let mut stream = client.deltas("s", "ek?").await;
    let turn = id(&stream.next().await.unwrap().json());
    regenerate(client, &turn, json!({})).await.expect_error(409, "turn_running");
    edit(client, &turn, json!({"content": "x"})).await.expect_error(409, "turn_running");
    let path = format!("/api/chat/turns/{turn}/feedback");
    client.post(&path, &json!({"rating": "up"})).await.expect_error(409, "turn_running");
    client.post(&format!("/api/chat/turns/{turn}/stop"), &json!({})).await;
    gate.open();
    assert_eq!(regenerated(client, &turn).await["replaces"], turn.as_str());
}

#[tokio::test]
async fn while_it_runs_both_are_shown_and_one_that_is_stopped_before_its_output_is_not() {
    let gate = Gate::new();
    let upstream = holding(2, &gate).await;
    let server = Server::start(&upstream).await;
    let client = server.client();
    let (first, _) = (asked(client, "ek?").await, asked(client, "do?").await);
    let before = client.history("s").await;
    let path = format!("/api/chat/turns/{first}/edit");
    let body = json!({"content": "naya?", "deltas": true}).to_string();
    let headers = [("content-type", "application/json")];
    let mut stream = hitesh_tests_api::Sse::new(client.try_request("POST", &path, &headers, body).await.unwrap());
    let info = stream.next().await.unwrap().json();
    assert_eq!(info["replaces"], first.as_str());
    assert_eq!(contents(&client.history("s").await), ["ek?", "A0", "naya?", "do?", "A1"]);
    client.post(&format!("/api/chat/turns/{}/stop", id(&info)), &json!({})).await;
    assert_eq!(client.history("s").await, before);
    assert_eq!(client.turn(&id(&info)).await["replaced_by"], first.as_str());
    assert_eq!(all(client).await.len(), 5);
}

#[tokio::test]
async fn a_crash_in_the_middle_leaves_the_old_answer_current() {
    let gate = Gate::new();
    let upstream = holding(2, &gate).await;
    let server = Server::start(&upstream).await;
    let (first, _) = (asked(server.client(), "ek?").await, asked(server.client(), "do?").await);
    let before = server.client().history("s").await;
    let path = format!("/api/chat/turns/{first}/regenerate");
    let response = server.client().try_request("POST", &path, &[], r#"{"deltas":true}"#).await.unwrap();
    let mut stream = hitesh_tests_api::Sse::new(response);
    let turn = id(&stream.next().await.unwrap().json());
    let server = server.kill_and_restart().await;
    assert_eq!(server.client().history("s").await, before);
    let lost = server.client().turn(&turn).await;
    assert_eq!((&lost["status"], &lost["replaced_by"]), (&json!("incomplete"), &json!(first)));
    gate.open();
    asked(server.client(), "teen?").await;
    let prompt = upstream.requests().pop().unwrap().prompt();
    assert!(prompt.contains("A0") && prompt.contains("A1"));
}

#[tokio::test]
async fn the_same_key_is_the_same_turn_and_the_digest_knows_what_is_replaced_and_how() {
    let (upstream, server) = numbered().await;
    let client = &server.client().with_header("idempotency-key", "k-1");
    let (first, second) = (asked(server.client(), "ek?").await, asked(server.client(), "do?").await);
    let new = regenerated(client, &first).await;
    assert_eq!(regenerated(client, &first).await, new);
    edit(client, &first, json!({"content": "ek?"})).await.expect_error(422, "idempotency_conflict");
    regenerate(client, &second, json!({})).await.expect_error(422, "idempotency_conflict");
    let by_field = regenerate(server.client(), &first, json!({"idempotency_key": "k-1"})).await.json();
    assert_eq!(by_field, new);
    assert_eq!(upstream.count(), 3);
}

#[tokio::test]
async fn pages_join_to_the_history_where_turns_were_replaced() {
    let (_upstream, server) = numbered().await;
    let client = server.client();
    for number in 0..4 {
        let turn = asked(client, &format!("Sawaal {number}?")).await;
        if number % 2 == 0 {
            regenerated(client, &turn).await;
        }
    }
    for (filter, messages) in [("", client.history("s").await), ("&all=true", all(client).await)] {
        let mut pages: Vec<Vec<Value>> = Vec::new();
        let mut before = String::new();
        loop {
            let path = format!("/api/chat/history?session_id=s&limit=1{filter}{before}");
            let page = client.get(&path).await.json()["messages"].as_array().cloned().unwrap();
            let Some(first) = page.first() else { break };
            before = format!("&before={}", id(first));
            pages.insert(0, page);
        }
        assert_eq!(pages.concat(), messages);
    }
    client.get("/api/chat/history?session_id=s&all=maybe").await.expect_error(422, "invalid_request");
}

#[tokio::test]
async fn the_last_feedback_counts_can_be_taken_back_and_survives_a_kill() {
    let (_upstream, server) = numbered().await;
    let turn = asked(server.client(), "ek?").await;
    let path = format!("/api/chat/turns/{turn}/feedback");
    assert_eq!(server.client().turn(&turn).await["feedback"], Value::Null);
    for (body, kept) in [
        (json!({"rating": "up"}), json!({"rating": "up", "comment": null})),
        (json!({"rating": null, "comment": " bas theek "}), json!({"rating": null, "comment": "bas theek"})),
        (json!({"rating": null}), Value::Null),
        (json!({"rating": "down", "comment": "चाय ☕"}), json!({"rating": "down", "comment": "चाय ☕"})),
    ] {
        let reply = server.client().post(&path, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json(), json!({"success": true, "turn_id": turn, "feedback": kept}));
        assert_eq!(server.client().turn(&turn).await["feedback"], kept);
    }
    let server = server.kill_and_restart().await;
    let kept = server.client().turn(&turn).await;
    assert_eq!(kept["feedback"], json!({"rating": "down", "comment": "चाय ☕"}));
    expect_uuid(&kept["turn_id"]);
}

#[tokio::test]
async fn feedback_of_another_shape_is_refused_and_changes_nothing() {
    let (_upstream, server) = numbered().await;
    let client = server.client();
    let turn = asked(client, "ek?").await;
    let path = format!("/api/chat/turns/{turn}/feedback");
    client.post(&path, &json!({"rating": "up"})).await;
    for wrong in [
        json!({}),
        json!({"rating": "sideways"}),
        json!({"rating": 5}),
        json!({"rating": "up", "comment": ""}),
        json!({"rating": "up", "comment": "x".repeat(1001)}),
    ] {
        client.post(&path, &wrong).await.expect_error(422, "invalid_request");
    }
    assert_eq!(client.turn(&turn).await["feedback"]["rating"], "up");
}
