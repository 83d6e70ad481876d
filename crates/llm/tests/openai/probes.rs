//! What a probe says without asking a question, and how a proxy is used.

use std::net::TcpListener;

use hitesh_llm::{
    Provider,
    openai::{OpenAiProvider, Preset, SecretString},
};

use crate::{
    KEY,
    chunks::{DONE, delta, finish},
    named, provider, settings, told,
    upstream::{Told, Upstream, WORDS, sse, status, write},
};

const UNKNOWN: &str =
    "the provider can't be used as configured: it knows no such model or path (check model and base_url)";
const WEB_PAGE: &str = "the provider can't be used as configured: it answers with a web page (check base_url)";
const PROXY: &str = "the provider can't be used as configured: its proxy asks for other credentials (check proxy)";

fn reply(line: &str, body: &str) -> String {
    status(line, "connection: close\r\n", body)
}

fn html(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>")
}

async fn probed(provider: &OpenAiProvider) -> String {
    provider.probe().await.map_or_else(|error| named(&error), |()| "ok".to_owned())
}

#[tokio::test]
async fn a_probe_says_whether_a_question_would_be_heard() {
    let listed = || reply("200 OK", r#"{"data":[{"id":"gpt-4o-mini"}]}"#);
    let others = || reply("200 OK", r#"{"data":[{"id":"models/other"},{"id":null}]}"#);
    let refused = || reply("400 Bad Request", r#"{"error":{"message":"messages is required"}}"#);
    let unknown = || reply("404 Not Found", r#"{"error":{"message":"gone","code":"model_not_found"}}"#);
    let no_model = "the provider can't be used as configured: it has no such model (check model)";
    let wrong_key = "the provider refused the credentials";
    let rows = [
        ("all is well", vec![listed()], "ok"),
        ("no list", vec![reply("404 Not Found", ""), refused()], "ok"),
        ("a list of nothing", vec![reply("200 OK", "[]")], "ok"),
        ("an alias that no list has", vec![others(), reply("200 OK", "{}")], "ok"),
        ("a server that looks nothing up", vec![others(), reply("404 Not Found", "{}")], "ok"),
        ("a model that is not there", vec![others(), unknown()], no_model),
        ("a wrong key", vec![reply("401 No", WORDS)], wrong_key),
        ("a wrong key without a list", vec![reply("404 Not Found", ""), reply("401 No", WORDS)], wrong_key),
        ("a wrong path", vec![reply("404 Not Found", ""), reply("404 Not Found", "")], UNKNOWN),
        ("a path that takes no questions", vec![reply("404 Not Found", ""), reply("405 No", "")], UNKNOWN),
        ("a web page", vec![html("200 OK")], WEB_PAGE),
        ("a web page for questions", vec![reply("404 Not Found", ""), html("200 OK")], WEB_PAGE),
        ("a failure", vec![reply("500 Oops", "")], "the provider is unavailable: it answers with status 500"),
        (
            "a gateway's",
            vec![reply("404 Not Found", ""), reply("502 Oops", "")],
            "the provider is unavailable: it answers with status 502",
        ),
    ];
    for (name, replies, expected) in rows {
        let count = replies.len();
        let upstream = Upstream::new(replies.into_iter().map(|reply| vec![write(reply)]).collect::<Vec<_>>());
        assert_eq!(probed(&provider(upstream.base_url())).await, expected, "{name}");
        for _ in 0..count {
            let request = upstream.request();
            assert!(!request.contains("messages") && request.contains(KEY), "{name}: {request}");
        }
        assert_eq!(upstream.next(), Told::Over, "{name}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_found_though_the_list_is_public() {
    let replies = [reply("200 OK", r#"{"data":[{"id":"gpt-4o-mini"}]}"#), reply("401 No", WORDS)];
    let upstream = Upstream::new(replies.map(|reply| vec![write(reply)]));
    let settings = settings(upstream.base_url()).of_preset(Preset::find("openrouter").unwrap());
    assert_eq!(probed(&OpenAiProvider::new(settings).unwrap()).await, "the provider refused the credentials");
}

#[tokio::test]
async fn a_probe_of_azure_asks_about_its_deployment() {
    let replies = [
        reply("200 OK", r#"{"data":[{"id":"gpt-4o"}]}"#),
        reply("404 Not Found", r#"{"error":{"code":"DeploymentNotFound"}}"#),
    ];
    let upstream = Upstream::new(replies.map(|reply| vec![write(reply)]));
    let mut settings = settings(upstream.base_url().replace("/v1", ""));
    settings.model = "chai".to_owned();
    settings.azure_api_version = Some("2024-10-21".to_owned());
    assert_eq!(probed(&OpenAiProvider::new(settings).unwrap()).await, UNKNOWN);
    let requests = [upstream.request(), upstream.request()];
    assert!(requests[0].starts_with("GET /openai/models?api-version=2024-10-21 HTTP/1.1"), "{}", requests[0]);
    let path = "POST /openai/deployments/chai/chat/completions?api-version=2024-10-21 HTTP/1.1";
    assert!(requests[1].starts_with(path), "{}", requests[1]);
    assert!(requests[1].contains(&format!("\r\napi-key: {KEY}")) && !requests[1].contains("Bearer"), "{}", requests[1]);
}

/// A provider at `base_url` behind a proxy.
fn behind(proxy: &str, base_url: &str) -> OpenAiProvider {
    let mut settings = settings(base_url.to_owned());
    settings.proxy = Some(SecretString::from(proxy));
    OpenAiProvider::new(settings).unwrap()
}

#[tokio::test]
async fn a_question_goes_through_the_proxy_with_the_proxys_password() {
    let answer = sse(format!("{}{}{DONE}", delta("hi"), finish("stop")));
    let proxy = Upstream::answering(answer);
    let url = proxy.base_url().replace("http://", "http://user:pass@").replace("/v1", "");
    assert_eq!(told(&behind(&url, "http://elsewhere.invalid/v1")).await, "«hi» Finish(Stop)");
    let request = proxy.request();
    assert!(request.starts_with("POST http://elsewhere.invalid/v1/chat/completions HTTP/1.1"), "{request}");
    assert!(request.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz"), "{request}");
}

#[tokio::test]
async fn a_proxy_that_is_away_is_told_from_a_server_that_is() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for base_url in ["http://elsewhere.invalid/v1", "https://elsewhere.invalid/v1"] {
        let told = told(&behind(&format!("http://{free}"), base_url)).await;
        assert_eq!(told, "refused: the provider is unavailable: its proxy refuses connections", "{base_url}");
    }
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_says_so() {
    for base_url in ["http://elsewhere.invalid/v1", "https://elsewhere.invalid/v1"] {
        let proxy = Upstream::answering(status("407 Who are you", "", ""));
        let url = proxy.base_url().replace("/v1", "");
        assert_eq!(told(&behind(&url, base_url)).await, format!("refused: {PROXY}"), "{base_url}");
    }
}

#[tokio::test]
async fn a_key_is_not_shown_to_a_proxy_on_the_way_to_a_secure_server() {
    let proxy = Upstream::answering("HTTP/1.1 502 No\r\n\r\n");
    let url = proxy.base_url().replace("/v1", "");
    let told = told(&behind(&url, "https://elsewhere.invalid/v1")).await;
    assert_eq!(told, "refused: the provider is unavailable: no connection can be made through its proxy");
    let request = proxy.request();
    assert!(request.starts_with("CONNECT elsewhere.invalid:443 HTTP/1.1") && !request.contains(KEY), "{request}");
}
