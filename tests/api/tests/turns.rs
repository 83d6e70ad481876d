//! The life of a turn: one small upstream request, forwarded as it comes, with its own session's history.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::time::Instant;

use hitesh_tests_api::{Answer, Format, Gate, Script, Server, ServerBuilder, Upstream};
use serde_json::{Value, json};

/// Questions of all kinds that learners ask, beside the persona's own samples.
const QUESTIONS: [&str; 7] = [
    "Sir mujhe backend development kaise start karna hai?",
    "LangGraph kya hota hai?",
    "Docker vs VM difference batao",
    "mujhe tutorial hell se kaise niklu",
    "write factorial in Python",
    "what is an API?",
    "FastAPI, Express, MongoDB, Docker, auth, RAG, LangChain, n8n, git, deployment, internship: kya pehle?",
];

#[tokio::test]
async fn a_first_turn_is_one_request_of_at_most_1500_tokens() {
    let upstream = Upstream::numbered().await;
    let tokenizer = tiktoken_rs::o200k_base().unwrap();
    for format in ["json_schema", "json_object", "tagged"] {
        let server = ServerBuilder::listing(&upstream, &format!("step_format = \"{format}\"")).start().await;
        let personas = server.client().get("/api/personas").await.json();
        let samples = personas["personas"][0]["sample_questions"].as_array().cloned().unwrap();
        let mut most = 0;
        let samples = samples.iter().map(|question| question.as_str().unwrap().to_owned());
        for question in samples.chain(QUESTIONS.map(str::to_owned)) {
            let before = upstream.count();
            let reply = server.client().send(&json!({"content": question, "cache": "off"})).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(upstream.count(), before + 1, "{question}");
            let request = upstream.requests().pop().unwrap();
            // As OpenAI counts: each message costs three tokens beside its text, its role one, and the reply three.
            let messages = request.messages();
            let text: usize = messages.iter().map(|(_, text)| tokenizer.encode_ordinary(text).len() + 4).sum();
            let schema = request.body["response_format"].to_string();
            let schema = if format == "json_schema" { tokenizer.encode_ordinary(&schema).len() } else { 0 };
            let tokens = text + 3 + schema;
            most = most.max(tokens);
            assert!(tokens <= 1500, "{tokens} tokens in {format} for {question}");
            assert_eq!(request.body["stream_options"]["include_usage"], true);
        }
        eprintln!("{format}: at most {most} tokens");
    }
}

/// Lets one piece after the other out of the upstream, and reads each before the next is let go.
async fn expect_forwarding(format: Format, name: &str) {
    let words = "ek do teen chaar paanch chhe saat aath nau das gyarah baarah terah chaudah pandrah";
    let answer = Answer::short(words, "socho", "chai");
    let gate = Gate::new();
    let mut script = Script::events([]);
    for event in answer.events(format) {
        script = script.then_bytes(event).then_gate(&gate);
    }
    let upstream = Upstream::playing(script).await;
    let server = ServerBuilder::listing(&upstream, &format!("step_format = \"{name}\"")).start().await;
    let client = server.client();
    let body = json!({"content": "Ginti sunao", "session_id": "s", "deltas": true});
    let mark = if format == Format::Json { "\"analyze\":\"" } else { "<analyze>" };
    let (mut sent, mut got, mut times) = (String::new(), String::new(), Vec::new());
    let mut stream = None;
    // The role came first and passed no gate; each release lets one more piece follow.
    for piece in answer.pieces(format) {
        sent.push_str(&piece);
        gate.release(1);
        let released = Instant::now();
        let Some((_, visible)) = sent.split_once(mark) else { continue };
        if visible.len() > words.len() {
            break;
        }
        if !visible.ends_with(|c: char| c.is_alphanumeric()) {
            continue;
        }
        let stream = match &mut stream {
            Some(stream) => stream,
            none => none.insert(client.stream(&body).await),
        };
        while got.len() < visible.len() {
            let delta = stream.until("a delta", |frame| frame.name() == "delta").await.json();
            got.push_str(delta["delta"].as_str().unwrap());
        }
        assert_eq!(got, visible, "more than the upstream had sent");
        times.push(released.elapsed());
    }
    assert!(times.len() >= 15, "{} pieces were watched", times.len());
    gate.open();
    assert!(stream.unwrap().rest().await.last().unwrap().is_end());
    times.sort_unstable();
    eprintln!(
        "{name}: from the upstream's piece to its delta: median {:?}, most {:?}",
        times[times.len() / 2],
        times.last()
    );
}

#[tokio::test]
async fn a_delta_reaches_the_client_while_the_upstream_holds_the_rest() {
    expect_forwarding(Format::Json, "json_schema").await;
    expect_forwarding(Format::Tagged, "tagged").await;
}

#[tokio::test]
async fn two_sessions_at_once_never_see_each_other() {
    let gate = Gate::new();
    let script_gate = gate.clone();
    let upstream = Upstream::start(move |request| {
        let question = request.question();
        let mark = if question.contains("ALPHA") { "ALPHA" } else { "BETA" };
        Script::gated(&Answer::about(&format!("{mark}-answer")), request.format(), 12, &script_gate)
    })
    .await;
    let server = Server::start(&upstream).await;
    for round in 0..3 {
        let mut streams = Vec::new();
        for mark in ["ALPHA", "BETA"] {
            streams.push((mark, server.client().deltas(mark, &format!("{mark} ka sawaal {round}")).await));
        }
        gate.reached(2 * (round + 1)).await;
        gate.release(2);
        for (mark, mut stream) in streams {
            let other = if mark == "ALPHA" { "BETA" } else { "ALPHA" };
            let text: String = stream.rest().await.into_iter().map(|frame| frame.raw).collect();
            assert!(text.contains(&format!("{mark}-answer")));
            assert!(!text.contains(other), "{other} shows in {mark}'s stream");
        }
    }
    for request in upstream.requests() {
        let prompt = request.prompt();
        assert!(prompt.contains("ALPHA") != prompt.contains("BETA"), "a prompt holds two sessions: {prompt}");
    }
    for (mark, other) in [("ALPHA", "BETA"), ("BETA", "ALPHA")] {
        let history = json!(server.client().history(mark).await).to_string();
        assert!(history.contains(mark) && !history.contains(other));
    }
}

#[tokio::test]
async fn a_prompt_holds_the_session_so_far_and_a_prefix_that_never_changes() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    for question in ["Docker kya hai?", "Aur compose?", "Aur swarm?"] {
        server.client().ask("s", question).await;
    }
    server.client().ask("other", "Kubernetes kya hai?").await;
    let requests = upstream.requests();
    let prompts: Vec<_> = requests.iter().map(|request| request.messages()).collect();
    for i in 1..3 {
        // Every earlier message as it was first sent, then the answer, then the new question: a cached prefix holds.
        let before = &prompts[i - 1];
        assert_eq!(prompts[i][..before.len()], before[..], "the prefix changed");
        assert_eq!(prompts[i].len(), before.len() + 2);
        let (role, said) = &prompts[i][before.len()];
        assert_eq!(role, "assistant");
        assert!(said.contains(&format!("A{}", i - 1)), "{said}");
    }
    assert!(prompts[2].last().unwrap().1.contains("Aur swarm?"));
    assert_eq!(prompts[3].len(), prompts[0].len(), "another session begins anew");
    assert_eq!(prompts[3][..prompts[3].len() - 1], prompts[0][..prompts[0].len() - 1]);
    assert_eq!(prompts[0].last().unwrap().0, "user");
}

#[tokio::test]
async fn at_most_ten_messages_of_the_session_go_into_a_prompt() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    for i in 0..8 {
        server.client().ask("s", &format!("Sawaal-{i}: chai kaise?")).await;
    }
    let requests = upstream.requests();
    let first = requests[0].messages().len();
    let last = requests[7].messages();
    assert!(last.len() <= first + 10, "{} messages", last.len());
    let prompt = requests[7].prompt();
    assert!(prompt.contains("Sawaal-6") && prompt.contains("Sawaal-3") && !prompt.contains("Sawaal-0"));
    assert_eq!(server.client().history("s").await.len(), 16, "all are stored");
}

#[tokio::test]
async fn history_is_in_order_and_goes_on_after_a_restart() {
    let upstream = Upstream::numbered().await;
    let mut server = Server::start(&upstream).await;
    for i in 0..3 {
        server.client().ask("s", &format!("Sawaal-{i}?")).await;
        let before = server.client().history("s").await;
        server = if i == 1 { server.kill_and_restart().await } else { server.restart().await };
        assert_eq!(server.client().history("s").await, before);
    }
    let history = server.client().history("s").await;
    let questions: Vec<_> = history.iter().step_by(2).map(|message| message["content"].clone()).collect();
    assert_eq!(questions, [json!("Sawaal-0?"), json!("Sawaal-1?"), json!("Sawaal-2?")]);
    let prompt = upstream.requests().pop().unwrap().prompt();
    assert!(prompt.contains("Sawaal-0?") && prompt.contains("A1"), "the context survived the restarts");
}

#[tokio::test]
async fn nothing_is_stored_when_the_caller_wants_so() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.client().ask("s", "Pehla sawaal?").await;
    let reply = server.client().send(&json!({"content": "Chupke se 4711?", "session_id": "s", "store": false})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(server.client().history("s").await.len(), 2);
    assert!(!upstream.requests()[1].prompt().contains("Pehla sawaal"), "no session, so no history in the prompt");
    let frames =
        server.client().stream(&json!({"content": "Aur 4711?", "store": false, "deltas": true})).await.rest().await;
    assert!(frames.last().unwrap().is_end());
    let database = server.how().database();
    drop(server);
    for file in [database.clone(), database.with_extension("db-wal")] {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(4).any(|window| window == b"4711"), "{} holds the question", file.display());
    }
}

#[tokio::test]
async fn a_stopped_turn_ends_for_all_and_keeps_its_part() {
    let gate = Gate::new();
    let script_gate = gate.clone();
    let answer = Answer::about("stop");
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 40, &script_gate)).await;
    let server = Server::start(&upstream).await;
    let client = server.client();
    let mut stream = client.deltas("s", "Lamba jawab do").await;
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    gate.reached(1).await;
    let mut second = client.events(&turn, None).await;
    stream.until("a delta", |frame| frame.name() == "delta").await;
    let running = client.turn(&turn).await;
    assert!(running.to_string().contains("\"running\""), "{running}");
    let stopped = client.post(&format!("/api/chat/turns/{turn}/stop"), &json!({})).await;
    assert_eq!(stopped.status, 200, "{}", stopped.text());
    upstream.abandoned(1).await;
    for reader in [&mut stream, &mut second] {
        let end = reader.until("the end", |frame| frame.is_end()).await.json();
        assert_eq!((end["step"].as_str(), end["error"].as_str()), (Some("error"), Some("stopped")));
        assert_eq!(reader.next().await, None);
    }
    let history = client.history("s").await;
    assert_eq!(history.last().unwrap()["status"], "stopped", "{history:?}");
    let again = client.post(&format!("/api/chat/turns/{turn}/stop"), &json!({})).await;
    assert_eq!(again.status, 200, "to stop what has ended changes nothing: {}", again.text());
    assert_eq!(client.cache_size().await, 0);
    assert_eq!(client.history("s").await, history);
}

#[tokio::test]
async fn erasing_a_session_stops_its_turn_and_nothing_comes_back() {
    let gate = Gate::new();
    let script_gate = gate.clone();
    let answer = Answer::about("erase");
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 40, &script_gate)).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "Lamba jawab do").await;
    gate.reached(1).await;
    assert_eq!(server.client().delete("/api/chat/history?session_id=s").await.status, 200);
    let end = stream.until("the end", |frame| frame.is_end()).await;
    assert_eq!(end.json()["step"], "error");
    upstream.abandoned(1).await;
    gate.open();
    let none: Vec<Value> = Vec::new();
    assert_eq!(server.client().history("s").await, none);
    let server = server.kill_and_restart().await;
    assert_eq!(server.client().history("s").await, none);
}
