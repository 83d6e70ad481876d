//! Two personas on one server: the question picks who answers, and neither shows up in the other's prompt, cache or
//! session.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Server, ServerBuilder, Upstream};
use serde_json::{Value, json};

const QUESTION: &str = "How do I write unit tests for caching?";

async fn answering() -> (Upstream, Server) {
    let upstream = Upstream::answering(Answer::about("tests")).await;
    let server = Server::start(&upstream).await;
    (upstream, server)
}

async fn ask(server: &Server, persona: &str, session: &str) -> Value {
    let reply = server.client().send(&json!({"content": QUESTION, "persona": persona, "session_id": session})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test]
async fn both_built_in_personas_are_offered_with_their_own_steps() {
    let (_upstream, server) = answering().await;
    let body = server.client().get("/api/personas").await.json();
    let of =
        |id: &str| body["personas"].as_array().unwrap().iter().find(|persona| persona["id"] == id).unwrap().clone();
    assert_eq!(of("reviewer")["languages"], json!(["en"]));
    assert_eq!(of("reviewer")["steps"], json!({"analyze": "Reading", "think": "Weighing", "output": "Review"}));
    assert!(of("reviewer")["disclosure"].as_str().unwrap().contains("fictional character"));
    assert_eq!(of("hitesh")["languages"][0], "hinglish");
    assert_ne!(of("hitesh")["steps"], of("reviewer")["steps"]);
}

#[tokio::test]
async fn the_question_picks_who_is_asked() {
    let (upstream, server) = answering().await;
    ask(&server, "reviewer", "r").await;
    ask(&server, "hitesh", "h").await;
    server.client().ask("d", "Docker kya hai?").await;
    let prompts: Vec<_> = upstream.requests().iter().map(hitesh_tests_api::Recorded::prompt).collect();
    let [reviewer, hitesh, default] = &prompts[..] else { panic!("{} prompts", prompts.len()) };
    assert!(reviewer.contains("You are Mira Vale") && !reviewer.contains("Hitesh"));
    assert!(hitesh.contains("You are Hitesh AI") && !hitesh.contains("Mira"));
    assert!(default.contains("You are Hitesh AI"));
}

#[tokio::test]
async fn an_answer_of_one_is_never_given_as_the_others() {
    let (upstream, server) = answering().await;
    assert_eq!(ask(&server, "reviewer", "a").await["source"], "model");
    assert_eq!(ask(&server, "hitesh", "b").await["source"], "model");
    assert_eq!(ask(&server, "reviewer", "c").await["source"], "cache");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn the_wires_steps_are_the_same_for_every_persona() {
    let (_upstream, server) = answering().await;
    for persona in ["hitesh", "reviewer"] {
        let reply = ask(&server, persona, persona).await;
        let steps: Vec<_> = reply["processing_steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
        assert_eq!(steps, ["analyze", "think", "output"], "{persona}");
        let body = json!({"content": QUESTION, "persona": persona, "deltas": true});
        let frames = server.client().stream(&body).await.rest().await;
        let turn = frames.iter().find(|frame| frame.event.as_deref() == Some("turn")).expect("a turn begins");
        assert_eq!(turn.json()["persona"], persona);
    }
}

#[tokio::test]
async fn the_default_is_the_operators_choice() {
    let upstream = Upstream::answering(Answer::about("tests")).await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_PERSONA__DEFAULT", "reviewer").start().await;
    server.client().ask("s", QUESTION).await;
    assert!(upstream.requests()[0].prompt().contains("You are Mira Vale"));
    let wrong = ServerBuilder::asking(&upstream).env("HITESH_PERSONA__DEFAULT", "nobody").run_to_end().await;
    assert!(!wrong.status.success());
    assert!(wrong.log.contains("`nobody` is not among the personas"), "{}", wrong.log);
}

#[tokio::test]
async fn the_api_document_describes_the_names_of_the_steps() {
    let (_upstream, server) = answering().await;
    let document = server.client().get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let steps = schemas["PersonaBody"]["properties"]["steps"].to_string();
    assert!(steps.contains("StepNamesBody"), "{steps}");
    let required = schemas["PersonaBody"]["required"].as_array().unwrap();
    for field in ["id", "name", "description", "languages", "topics", "sample_questions", "disclosure", "steps"] {
        assert!(required.contains(&json!(field)), "{field}: {required:?}");
    }
    let names: Vec<_> = schemas["StepNamesBody"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["analyze", "output", "think"], "each step has a name");
}
