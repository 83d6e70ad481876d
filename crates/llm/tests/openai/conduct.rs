//! How the provider behaves toward its upstream.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::Arc,
    thread,
    time::Duration,
};

use futures::StreamExt;
use hitesh_llm::{DeadlineSettings, Deadlines, Phase, Provider, ProviderError, ProviderEvent, openai::OpenAiProvider};

use crate::{
    KEY, PROMPT,
    chunks::{DONE, USAGE, delta, finish},
    provider, question, rest, settings, told,
    upstream::{Act, Told, Upstream, gate, sse, status, write},
};

#[tokio::test]
async fn a_piece_is_passed_on_while_the_upstream_holds_the_rest() {
    let (open, gate) = gate();
    let script = vec![write(sse(delta("first"))), gate, write(format!("{}{DONE}", finish("stop")))];
    let upstream = Upstream::new([script]);
    let mut stream = provider(upstream.base_url()).stream(question()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), ProviderEvent::Delta("first".into()));
    open.send(()).unwrap();
    assert_eq!(rest(stream).await, ["Finish(Stop)"]);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_socket() {
    let upstream = Upstream::new([vec![write(sse(delta("first"))), Act::Hold]]);
    let mut stream = provider(upstream.base_url()).stream(question()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    upstream.request();
    drop(stream);
    assert_eq!(closed(upstream).await, Told::Closed);
}

#[tokio::test]
async fn dropping_the_call_closes_the_socket() {
    let upstream = Upstream::new([vec![Act::Hold]]);
    let provider = provider(upstream.base_url());
    let mut call = provider.stream(question());
    // Polled until the upstream has the request, and dropped before it answers.
    let upstream = tokio::select! {
        _ = &mut call => panic!("it does not answer"),
        upstream = tokio::task::spawn_blocking(move || { upstream.request(); upstream }) => upstream.unwrap(),
    };
    drop(call);
    assert_eq!(closed(upstream).await, Told::Closed);
}

#[tokio::test]
async fn an_answer_that_has_ended_keeps_nobody_waiting_for_its_usage() {
    let upstream = Upstream::new([vec![write(sse(format!("{}{}", delta("hi"), finish("stop")))), Act::Hold]]);
    assert_eq!(told(&provider(upstream.base_url())).await, "«hi» Finish(Stop)");
}

#[tokio::test]
async fn the_end_mark_ends_the_stream_though_the_socket_stays_open() {
    let upstream =
        Upstream::new([vec![write(sse(format!("{}{}{USAGE}{DONE}", delta("hi"), finish("stop")))), Act::Hold]]);
    assert_eq!(told(&provider(upstream.base_url())).await, "«hi» Finish(Stop) 9+2");
}

/// What the upstream sees after its request, without holding up the runtime that closes the socket.
async fn closed(upstream: Upstream) -> Told {
    tokio::task::spawn_blocking(move || upstream.next()).await.unwrap()
}

#[tokio::test]
async fn a_failure_is_asked_exactly_once() {
    let answer = |line, headers| vec![write(status(line, headers, "{}"))];
    for script in [
        answer("500 Oops", ""),
        answer("503 Busy", "retry-after: 0\r\n"),
        answer("429 Slow", "retry-after: 0\r\n"),
        vec![],
    ] {
        // A second request would find a script to play, and be seen.
        let upstream = Upstream::new([script, vec![]]);
        let told = told(&provider(upstream.base_url())).await;
        assert!(told.starts_with("refused"), "{told}");
        upstream.request();
        let host = upstream.base_url().replace("http://", "").replace("/v1", "");
        TcpStream::connect(host).unwrap().write_all(b"POST /sentinel HTTP/1.1\r\n\r\n").unwrap();
        assert!(upstream.request().contains("/sentinel"), "no other request came before this one");
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_told_and_capped() {
    for (header, expected) in [("retry-after: 7\r\n", Some(7)), ("retry-after: 86400\r\n", Some(60)), ("", None)] {
        let upstream = Upstream::answering(status("429 Slow", header, "{}"));
        let error = provider(upstream.base_url()).stream(question()).await.err().unwrap();
        let ProviderError::RateLimited { retry_after } = error else { panic!("{error:?}") };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{header}");
    }
}

#[tokio::test]
async fn the_request_is_what_the_api_describes() {
    let upstream = Upstream::answering(status("500 Oops", "", ""));
    told(&provider(upstream.base_url())).await;
    let request = upstream.request();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("authorization: Bearer {KEY}")), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["messages"][0]["content"], PROMPT);
    assert_eq!(body["stream"], true);
    assert_eq!(body["max_tokens"], 1200);
}

/// Asks without a key, in a process whose environment is full of them.
#[test]
fn nothing_of_the_environment_is_sent() {
    // In a process of its own, since the variables are those of the whole process.
    let inner = "conduct::asks_without_a_key";
    let output = Command::new(std::env::current_exe().unwrap())
        .args([inner, "--exact"])
        .envs(["OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"].map(|name| (name, "leaked")))
        .envs(["OPENAI_BASE_URL", "http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, "http://127.0.0.1:1")))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn asks_without_a_key() {
    let upstream = Upstream::answering(status("500 Oops", "", ""));
    let mut settings = settings(upstream.base_url());
    settings.api_key = None;
    told(&OpenAiProvider::new(settings).unwrap()).await;
    let request = upstream.request().to_ascii_lowercase();
    assert!(!request.contains("leaked") && !request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let told = told(&provider(format!("http://{free}/v1"))).await;
    assert_eq!(told, "refused: the provider is unavailable: it refuses connections");
}

#[tokio::test]
async fn a_server_that_never_greets_is_given_up_at_the_deadline_for_connecting() {
    // It waits for a request's head, which the greeting of TLS is not.
    let upstream = Upstream::new([vec![]]);
    let told = told(&provider(upstream.base_url().replace("http:", "https:"))).await;
    assert_eq!(told, "refused: no connection within 500ms");
}

#[tokio::test]
async fn a_server_without_tls_is_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}/v1", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut socket = listener.accept().unwrap().0;
        let mut greeting = [0; 4096];
        let read = socket.read(&mut greeting).unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        String::from_utf8_lossy(&greeting[..read]).into_owned()
    });
    assert_eq!(
        told(&provider(base_url)).await,
        "refused: the provider is unavailable: no secure connection can be made"
    );
    assert!(!server.join().unwrap().contains(KEY));
}

#[tokio::test]
async fn a_silent_upstream_ends_at_the_deadline_of_its_phase() {
    let brief = Duration::from_millis(150);
    let settings = DeadlineSettings { first_token: brief, silence: brief, ..DeadlineSettings::REMOTE };
    let head = || write(sse(": still here\n\n"));
    let rows = [
        ("before the head", vec![Act::Hold], Phase::FirstToken),
        ("before the first token", vec![head(), Act::Hold], Phase::FirstToken),
        ("between tokens", vec![head(), write(delta("hi")), Act::Hold], Phase::Silence),
    ];
    for (name, script, expected) in rows {
        let upstream = Upstream::new([script]);
        let timed = Deadlines::new(Arc::new(provider(upstream.base_url())), settings);
        let error = match timed.stream(question()).await {
            Err(error) => error,
            Ok(mut stream) => loop {
                match stream.next().await.unwrap() {
                    Ok(_) => {}
                    Err(error) => {
                        assert!(stream.next().await.is_none());
                        break error;
                    }
                }
            },
        };
        assert!(matches!(error, ProviderError::Timeout { phase, .. } if phase == expected), "{name}: {error:?}");
        upstream.request();
        assert_eq!(closed(upstream).await, Told::Closed, "{name}");
    }
}
