use actix_web::{body::MessageBody, dev::Service, test::TestRequest};
use futures::StreamExt;
use serde_json::json;

use super::{Script, events, is_stream, json as post, service};

const QUESTION: &str = r#"{"content":"backend kaise?","session_id":"s-1"}"#;

#[actix_web::test]
async fn send_gives_the_whole_answer() {
    let service = service("", Script::Whole).await;
    let reply = service.post("/api/chat/send", QUESTION).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.json();
    assert_eq!(body["success"], true);
    assert_eq!(body["message"]["type"], "ai");
    assert_eq!(body["message"]["content"], "Pehle Node seekho ☕");
    let steps: Vec<_> = body["processing_steps"].as_array().unwrap().iter().map(|s| s["step"].clone()).collect();
    assert_eq!(steps, ["analyze", "think", "output"]);
    assert!(body["processing_steps"][2]["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(body["error"], json!(null));
    assert_eq!((&body["session_id"], &body["source"]), (&json!("s-1"), &json!("model")));
    assert_eq!((&body["provider"], &body["model"]), (&json!("scripted"), &json!("scripted-1")));
    assert_eq!(body["usage"], json!({"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980}));
    assert!(body["turn_id"].is_string());
}

#[actix_web::test]
async fn the_same_question_again_comes_from_the_cache() {
    let service = service("", Script::Whole).await;
    service.post("/api/chat/send", r#"{"content":"what is an API?"}"#).await;
    let again = service.post("/api/chat/send", r#"{"content":"what is an API?"}"#).await.json();
    assert_eq!(again["source"], "cache");
    let stats = service.get("/api/chat/cache/stats").await.json();
    assert_eq!(stats["cache_stats"]["hits"], 1);
}

#[actix_web::test]
async fn a_cut_answer_is_an_error_with_what_came() {
    let service = service("", Script::Cut).await;
    let reply = service.post("/api/chat/send", QUESTION).await;
    assert_eq!(reply.refusal(), (502, "incomplete".to_owned()));
    let body = reply.json();
    assert_eq!(body["processing_steps"][2]["content"], "Pehle");
    assert_eq!(body["processing_steps"][2]["timestamp"], json!(null));
    assert_eq!(body["session_id"], "s-1");
}

#[actix_web::test]
async fn a_stream_is_one_frame_for_each_step() {
    let service = service("", Script::Whole).await;
    let reply = service.post("/api/chat/stream", QUESTION).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/event-stream");
    assert_eq!(reply.header("cache-control"), "no-cache");
    assert_eq!(reply.header("x-accel-buffering"), "no");
    assert!(reply.body.starts_with("data: {\"step\":\"analyze\""), "{}", reply.body);
    let events = events(&reply.body);
    let complete: Vec<_> = events.iter().map(|event| event["is_complete"].as_bool().unwrap()).collect();
    assert_eq!(complete, [false, false, true]);
    assert_eq!(events[2]["content"], "Pehle Node seekho ☕");
}

#[actix_web::test]
async fn joined_deltas_equal_the_content() {
    let service = service("", Script::Whole).await;
    let body = r#"{"content":"backend kaise?","deltas":true}"#;
    let reply = service.post("/api/chat/stream", body).await;
    let frames: Vec<_> = reply.body.split_terminator("\n\n").collect();
    assert!(frames[0].contains("event: turn\n") && frames.iter().all(|frame| frame.starts_with("id: ")));
    let events = events(&reply.body);
    let pieces = events.iter().filter(|event| event["step"] == "output").filter_map(|event| event["delta"].as_str());
    let last = events.last().unwrap();
    assert_eq!(pieces.collect::<String>(), last["content"].as_str().unwrap());
    assert_eq!(last["is_complete"], true);
    assert!(frames[frames.len() - 2].contains("event: usage\n"));
}

#[actix_web::test]
async fn a_failure_before_the_first_step_has_its_status() {
    let unauthorized = service("", Script::Unauthorized).await;
    assert_eq!(
        unauthorized.post("/api/chat/stream", QUESTION).await.refusal(),
        (502, "provider_unauthorized".to_owned())
    );
    let silent = service("", Script::Silent).await;
    assert_eq!(silent.post("/api/chat/stream", QUESTION).await.refusal(), (502, "incomplete".to_owned()));
}

#[actix_web::test]
async fn a_failure_after_the_first_step_is_an_event() {
    let service = service("", Script::Cut).await;
    let reply = service.post("/api/chat/stream", QUESTION).await;
    assert_eq!(reply.status, 200);
    let events = events(&reply.body);
    assert!(events.iter().all(|event| event["step"] != "output"));
    let last = events.last().unwrap();
    assert_eq!(
        (&last["step"], &last["error"], &last["is_complete"]),
        (&json!("error"), &json!("incomplete"), &json!(true))
    );
}

#[actix_web::test]
async fn a_running_turn_can_be_read_followed_and_stopped() {
    let service = service("", Script::Hanging).await;
    let request = post("/api/chat/stream", r#"{"content":"backend kaise?","deltas":true}"#);
    let response = service.service.call(request.to_request()).await.unwrap();
    assert!(is_stream(response.response().body()));
    let mut body = Box::pin(response.into_body());
    let chunk = futures::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap();
    let first = String::from_utf8(chunk.to_vec()).unwrap();
    let id = events(&first)[0]["turn_id"].as_str().unwrap().to_owned();

    let running = service.get(&format!("/api/chat/turns/{id}")).await.json();
    assert_eq!(running["status"], "running");
    let stopped = service.post(&format!("/api/chat/turns/{id}/stop"), "").await.json();
    assert_eq!((&stopped["status"], &stopped["error"]), (&json!("stopped"), &json!("stopped")));
    assert_eq!(stopped["processing_steps"][0]["content"], "Acha");

    let rest = futures::stream::poll_fn(|cx| body.as_mut().poll_next(cx));
    let rest: Vec<_> = rest.map(|chunk| chunk.unwrap().to_vec()).collect().await;
    let rest = String::from_utf8(rest.concat()).unwrap();
    let end = events(&rest).pop().unwrap();
    assert_eq!((&end["step"], &end["error"]), (&json!("error"), &json!("stopped")));

    let all = service.get(&format!("/api/chat/turns/{id}/events")).await.body;
    assert!(all.ends_with("\n\n") && all.contains("event: turn"));
    let after = TestRequest::get().uri(&format!("/api/chat/turns/{id}/events"));
    let after = service.call(after.insert_header(("last-event-id", format!("{id}:0")))).await.body;
    assert!(all.ends_with(&after) && !after.contains("event: turn") && !after.is_empty());
    let last = end["event_id"].as_str().unwrap();
    assert_eq!(service.get(&format!("/api/chat/turns/{id}/events?after={last}")).await.status, 204);
}

#[actix_web::test]
async fn a_silent_stream_gets_its_status_in_time_and_comments() {
    let service = service("", Script::Queued).await;
    tokio::time::pause();
    // Nothing is stored: the clock stands still only as long as no thread is waited for.
    let request = post("/api/chat/stream", r#"{"content":"backend kaise?","store":false}"#);
    let began = tokio::time::Instant::now();
    let response = service.service.call(request.to_request()).await.unwrap();
    assert_eq!((response.status().as_u16(), began.elapsed().as_secs()), (200, 2));
    let mut body = Box::pin(response.into_body());
    let chunk = futures::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap();
    assert_eq!(chunk, ": \n\n");
    assert_eq!(began.elapsed().as_secs(), 17);
}

#[actix_web::test]
async fn history_is_in_order_and_can_be_erased() {
    let service = service("", Script::Whole).await;
    for content in ["ek", "do", "teen"] {
        let body = format!(r#"{{"content":"{content}","session_id":"s-1"}}"#);
        assert_eq!(service.post("/api/chat/send", &body).await.status, 200);
    }
    let all = service.get("/api/chat/history?session_id=s-1").await.json();
    let messages = all["messages"].as_array().unwrap();
    let kinds: Vec<_> = messages.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user", "ai", "user", "ai", "user", "ai"]);
    assert_eq!(messages[4]["content"], "teen");
    assert_eq!(messages[5]["status"], "completed");

    let before = messages[4]["turn_id"].as_str().unwrap();
    let page = service.get(&format!("/api/chat/history?session_id=s-1&limit=1&before={before}")).await.json();
    assert_eq!(page["messages"].as_array().unwrap().as_slice(), &messages[2..4]);

    let erased = service.call(TestRequest::delete().uri("/api/chat/history?session_id=s-1")).await;
    assert_eq!((erased.status.as_u16(), &erased.json()["success"]), (200, &json!(true)));
    let gone = service.get("/api/chat/history?session_id=s-1").await.json();
    assert_eq!(gone, json!({"success": true, "messages": [], "error": null}));
}
