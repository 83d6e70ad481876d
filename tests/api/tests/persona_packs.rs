//! Personas as packs: what the command line does with them, and what a server makes of those that it is given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::fs;

use hitesh_tests_api::{Answer, Exit, Server, ServerBuilder, Upstream};
use serde_json::json;

/// Runs `hitesh-ai persona …` in a folder.
async fn persona(place: &ServerBuilder, line: &str) -> Exit {
    let words = std::iter::once("persona").chain(line.split(' '));
    words.fold(place.clone(), |builder, word| builder.argument(word)).run_to_end().await
}

/// A folder with a new pack in `packs/anna`.
async fn with_new_pack() -> ServerBuilder {
    let place = ServerBuilder::bare();
    let exit = persona(&place, "new packs/anna").await;
    assert!(exit.status.success(), "{}", exit.log);
    place
}

#[tokio::test]
async fn a_new_pack_lints_clean_and_is_written_once() {
    let place = with_new_pack().await;
    let lint = persona(&place, "lint packs/anna --strict").await;
    assert!(lint.status.success(), "{}", lint.log);
    assert!(lint.log.contains("no mistakes, no warnings"), "{}", lint.log);
    let file = place.dir().join("packs/anna/persona.toml");
    fs::write(&file, "mine").unwrap();
    let again = persona(&place, "new packs/anna").await;
    assert_eq!(again.status.code(), Some(1), "{}", again.log);
    assert!(again.log.contains("not empty"), "{}", again.log);
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
}

#[tokio::test]
async fn lint_names_file_and_line_and_fails_on_what_it_is_told_to() {
    let place = with_new_pack().await;
    let note = place.dir().join("packs/anna/notes/hub.md");
    fs::write(&note, "+++\ntitle = \"Hub\"\nkeywords = [\"hub\"]\ngist = \"A hub.\"\n+++\nShort.\n").unwrap();
    let warned = persona(&place, "lint packs/anna").await;
    assert!(warned.status.success(), "warnings alone are no failure: {}", warned.log);
    assert!(warned.log.contains("packs/anna/notes/hub.md:3: warning: 1 keywords"), "{}", warned.log);
    assert_eq!(persona(&place, "lint packs/anna --strict").await.status.code(), Some(1));
    fs::write(&note, "+++\ntitle = \"Hub\"\nkeyword = [\"hub\"]\n+++\nShort.\n").unwrap();
    let wrong = persona(&place, "lint packs/anna").await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.log.contains("packs/anna/notes/hub.md:3: mistake: unknown field `keyword`"), "{}", wrong.log);
    let nowhere = persona(&place, "lint nowhere").await;
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(nowhere.log.contains("1 mistake"), "{}", nowhere.log);
}

#[tokio::test]
async fn a_packs_author_needs_no_valid_settings() {
    let place = ServerBuilder::bare().settings("no_such_key = 1");
    for line in ["new packs/anna", "lint packs/anna", "show ./packs/anna"] {
        let exit = persona(&place, line).await;
        assert!(exit.status.success(), "{line}: {}", exit.log);
    }
    assert!(!persona(&place, "list").await.status.success(), "a list needs them");
}

#[tokio::test]
async fn packs_of_the_settings_are_listed_shown_and_served() {
    let upstream = Upstream::answering(Answer::about("backend")).await;
    let place =
        with_new_pack().await.listed("openai", &upstream, "").settings("[persona]\npacks_directory = \"packs\"");
    let list = persona(&place, "list").await;
    assert!(list.status.success(), "{}", list.log);
    let anna = list.log.lines().find(|line| line.starts_with("anna")).expect("anna is listed");
    assert!(anna.contains("Nova") && anna.ends_with("packs/anna"), "{anna}");
    let hitesh = list.log.lines().find(|line| line.starts_with("hitesh")).expect("hitesh is listed");
    assert!(hitesh.ends_with("built-in (default)"), "{hitesh}");
    let show = persona(&place, "show anna").await;
    for shown in ["analyze: Looking", "json_schema", "reading-an-error", "You are Nova"] {
        assert!(show.log.contains(shown), "{shown}: {}", show.log);
    }
    let server = place.start().await;
    let personas = server.client().get("/api/personas").await.json();
    let anna = personas["personas"].as_array().unwrap().iter().find(|persona| persona["id"] == "anna").unwrap().clone();
    assert_eq!(anna["steps"], json!({"analyze": "Looking", "think": "Thinking", "output": "Answer"}));
    let reply = server.client().post("/api/chat/send", &json!({"content": "Why?", "persona": "anna"})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(upstream.requests()[0].prompt().contains("You are Nova"));
}

#[tokio::test]
async fn a_wrong_pack_stops_the_start_and_names_its_place() {
    let place = with_new_pack().await.settings("[persona]\npacks_directory = \"packs\"");
    fs::create_dir(place.dir().join("packs/empty")).unwrap();
    fs::write(place.dir().join("packs/bob.zip"), "").unwrap();
    for exit in [place.run_to_end().await, persona(&place, "list").await] {
        assert!(!exit.status.success(), "{}", exit.log);
        for (what, why) in [("packs/empty", "persona.toml: the file is missing"), ("packs/bob.zip", "packs only")] {
            assert!(exit.log.contains(what) && exit.log.contains(why), "{what}: {}", exit.log);
        }
    }
    let nowhere = ServerBuilder::bare().env("HITESH_PERSONA__PACKS_DIRECTORY", "nowhere").run_to_end().await;
    assert!(!nowhere.status.success());
    assert!(nowhere.log.contains("persona.packs_directory: nowhere"), "{}", nowhere.log);
}

#[tokio::test]
async fn the_shown_prompt_is_what_the_model_is_sent() {
    let upstream = Upstream::answering(Answer::about("backend")).await;
    let server = ServerBuilder::listing(&upstream, "step_format = \"tagged\"").start().await;
    let question = "Docker?";
    assert_eq!(server.client().post("/api/chat/send", &json!({"content": question})).await.status, 200);
    let shown = persona(&ServerBuilder::bare(), &format!("show hitesh --prompt {question} --format tagged")).await;
    let sent = upstream.requests()[0].messages();
    let sent: String = sent.iter().map(|(role, content)| format!("── {role} ──\n{content}\n\n")).collect();
    assert!(shown.log.starts_with(&sent), "{sent}\n{}", shown.log);
}

#[tokio::test]
async fn a_chat_in_the_terminal_names_the_steps_as_the_persona_does() {
    let upstream = Upstream::answering(Answer::about("backend")).await;
    let place =
        with_new_pack().await.listed("openai", &upstream, "").settings("[persona]\npacks_directory = \"packs\"");
    let server: Server = place.clone().start().await;
    let chat = |extra: &[&str]| {
        let words = ["chat", "--persona", "anna"].iter().chain(extra);
        words.fold(place.clone(), |builder, word| builder.argument(word)).input("Why?\n")
    };
    for (how, exit) in [
        ("with a server", chat(&["--server", server.base()]).run_to_end().await),
        ("in this process", chat(&[]).run_to_end().await),
    ] {
        assert!(exit.status.success(), "{how}: {}", exit.log);
        assert!(exit.log.contains("\nLooking: ") && exit.log.contains("\nThinking: "), "{how}: {}", exit.log);
    }
}
