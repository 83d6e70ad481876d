//! `hitesh-ai check`: one clear line for each provider, whatever is wrong with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Exit, Script, ServerBuilder, Upstream};

/// The key of every provider here, and the password of its proxy.
const SECRET: &str = "hunter2-of-this-test";

/// A provider of each kind that is asked over HTTP.
fn each_kind(base_url: &str, more: &str) -> String {
    let provider = |kind: &str, model: &str| {
        format!(
            "[[providers]]\nname = \"by-{kind}\"\nkind = \"{kind}\"\nbase_url = \"{base_url}\"\nmodel = \"{model}\"\n\
             api_key = \"{SECRET}\"\n{more}\n"
        )
    };
    ["openai", "azure", "anthropic"].map(|kind| provider(kind, "gpt-4o-mini")).concat()
}

async fn check(settings: &str) -> Exit {
    let exit = ServerBuilder::bare().settings(settings).argument("check").run_to_end().await;
    assert!(!exit.log.contains(SECRET) && !exit.log.contains("panicked"), "{}", exit.log);
    exit
}

/// The line about each kind's provider ends with `words`.
fn expect_lines(exit: &Exit, mark: &str, words: &str) {
    for kind in ["openai", "azure", "anthropic"] {
        let about: Vec<_> = exit.log.lines().filter(|line| line.contains(&format!("by-{kind} "))).collect();
        let [line] = about.as_slice() else { panic!("one line about {kind}:\n{}", exit.log) };
        assert!(line.starts_with(mark) && line.ends_with(words), "{line}\nnot {mark} … {words}");
    }
}

#[tokio::test]
async fn what_answers_is_ok() {
    let upstream = Upstream::playing(Script::error(400)).await;
    let exit = check(&each_kind(&upstream.base_url(), "")).await;
    expect_lines(&exit, "ok ", "(gpt-4o-mini)");
    assert!(exit.status.success(), "{}", exit.log);
}

#[tokio::test]
async fn a_wrong_key_a_wrong_path_and_a_web_page_are_told_apart() {
    let page = Script::plain(200, "text/html", "<html>log in</html>");
    let rows = [
        (Script::error(401), "the provider refused the credentials"),
        (
            Script::error(404),
            "the provider can't be used as configured: it knows no such model or path (check model and base_url)",
        ),
        (page, "the provider can't be used as configured: it answers with a web page (check base_url)"),
    ];
    for (script, words) in rows {
        let upstream = Upstream::playing_all(script).await;
        let exit = check(&each_kind(&upstream.base_url(), "")).await;
        expect_lines(&exit, "WRONG ", words);
        assert!(!exit.status.success(), "{}", exit.log);
    }
}

#[tokio::test]
async fn a_server_and_a_proxy_that_are_away_are_told_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exit = check(&each_kind(&format!("http://{free}"), "")).await;
    expect_lines(&exit, "WRONG ", "the provider is unavailable: it refuses connections");
    let proxy = format!("proxy = \"http://user:{SECRET}@{free}\"");
    let exit = check(&each_kind("http://elsewhere.invalid", &proxy)).await;
    expect_lines(&exit, "WRONG ", "the provider is unavailable: its proxy refuses connections");
}
