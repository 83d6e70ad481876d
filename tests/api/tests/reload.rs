//! SIGHUP swaps providers and personas while turns run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Gate, Script, ServerBuilder, Upstream, eventually};
use serde_json::json;

fn listing(name: &str, upstream: &Upstream) -> String {
    format!("[[providers]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{}\"\n", upstream.base_url())
}

#[tokio::test]
async fn a_reload_swaps_the_providers_and_drops_no_turn() {
    let gate = Gate::new();
    let (slow_answer, held) = (Answer::about("slow"), gate.clone());
    let slow = {
        let answer = slow_answer.clone();
        Upstream::start(move |request| Script::gated(&answer, request.format(), 20, &held)).await
    };
    let new = Upstream::answering(Answer::about("new")).await;
    let server = ServerBuilder::bare().settings(&listing("old", &slow)).start().await;
    let mut stream = server.client().stream(&json!({"content": "Pehla sawaal?", "deltas": true})).await;
    gate.reached(1).await;

    server.reload(&listing("new", &new));
    server.log().says("reloaded").await;
    let reply = server.client().ask("s", "Doosra sawaal?").await;
    assert_eq!(reply["provider"], "new");
    gate.open();
    let end = stream.rest().await.pop().unwrap().json();
    assert_eq!((&end["step"], &end["is_complete"]), (&json!("output"), &json!(true)));
    assert_eq!(end["content"], slow_answer.output.as_str());
}

#[tokio::test]
async fn wrong_settings_change_nothing_and_the_log_says_why() {
    let upstream = Upstream::answering(Answer::about("old")).await;
    let server = ServerBuilder::bare().settings(&listing("old", &upstream)).start().await;
    server.reload("[[providers]]\nname = \"new\"\nkind = \"magic\"\n");
    server.log().says("not reloaded").await;
    server.log().says("providers[0].kind").await;
    assert_eq!(server.client().ask("s", "Kya hua?").await["provider"], "old");
    server.reload("[persona]\ndirectories = [\"nowhere\"]\n");
    server.log().says("nowhere").await;
    assert_eq!(server.client().ask("s", "Ab kya hua?").await["provider"], "old");
}

#[tokio::test]
async fn a_reload_swaps_the_personas_too() {
    let upstream = Upstream::answering(Answer::about("x")).await;
    let server = ServerBuilder::bare().settings(&listing("up", &upstream)).start().await;
    server.reload(&format!("{}[persona]\ndefault = \"reviewer\"\n", listing("up", &upstream)));
    eventually("the new default persona", || async {
        let turn = server.client().ask("s", "Who are you?").await;
        let turn = server.client().get(&format!("/api/chat/turns/{}", turn["turn_id"].as_str().unwrap())).await.json();
        (turn["persona"] == "reviewer").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_known_of_a_provider_that_stays_is_kept() {
    let broken = Upstream::playing(Script::error(401)).await;
    let other = Upstream::answering(Answer::about("other")).await;
    let server = ServerBuilder::bare().settings(&listing("broken", &broken)).start().await;
    for question in 0..5 {
        server
            .client()
            .send(&json!({"content": format!("q{question}")}))
            .await
            .expect_error(502, "provider_unauthorized");
    }
    server.reload(&format!("{}{}", listing("broken", &broken), listing("other", &other)));
    server.log().says("reloaded").await;
    assert_eq!(server.client().ask("s", "Kya hua?").await["provider"], "other");
    assert_eq!(broken.count(), 5, "its breaker is still open");
    let stats = server.client().get("/api/chat/performance").await.json();
    assert_eq!(stats["performance_stats"]["providers"]["broken"]["breaker"], "open");
}
