use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::{Builder, Runtime},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{PATIENCE, Sse, within, within_time};

/// Where requests are sent and connections live: on one thread, whatever a test runs on. With several, a request that hyper
/// hands to a connection in the moment in which that one ends can get lost: nobody takes it, and its caller is never told
/// (tokio's channel keeps what is sent while its receiver is dropped, until the last sender is; and that one waits for the
/// reply).
static HTTP: LazyLock<Runtime> = LazyLock::new(|| {
    let one = Builder::new_multi_thread().worker_threads(1).thread_name("http").enable_all().build();
    one.expect("a thread can be started")
});

/// Speaks HTTP to one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<str>,
    headers: Vec<(String, String)>,
    patience: Duration,
}

/// A whole reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// One for the server at `base`, such as `http://127.0.0.1:8000`.
    pub fn new(base: &str) -> Self {
        // Built with the whole workspace, reqwest has TLS and no provider of its own for it. One is enough.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client can be built");
        Self { http, base: Arc::from(base), headers: Vec::new(), patience: PATIENCE }
    }

    /// The same, sending this header with every request.
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same, waiting longer than usual for a reply's head.
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// Sends any request; an error only if no reply came.
    pub async fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> reqwest::Result<reqwest::Response> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body: Vec<u8> = body.into();
        if !body.is_empty() {
            request = request.body(body);
        }
        let reply = AbortOnDropHandle::new(HTTP.spawn(request.send()));
        within_time(self.patience, &format!("a reply of {path}"), reply).await.expect("sending does not panic")
    }

    /// Sends any request and reads the reply.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
        let response = self.try_request(method, path, headers, body).await;
        Reply::read(response.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))).await.expect("a whole body")
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &[], []).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.request("DELETE", path, &[], []).await
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, &[JSON], body.to_string()).await
    }

    /// `POST /api/chat/send`.
    pub async fn send(&self, body: &Value) -> Reply {
        self.post("/api/chat/send", body).await
    }

    /// `POST /api/chat/send`; an error if no whole reply came.
    pub async fn try_send(&self, body: &Value) -> reqwest::Result<Reply> {
        Reply::read(self.try_request("POST", "/api/chat/send", &[JSON], body.to_string()).await?).await
    }

    /// Asks in a session and expects a whole answer: the reply's JSON.
    pub async fn ask(&self, session: &str, content: &str) -> Value {
        let reply = self.send(&json!({"content": content, "session_id": session})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// `POST /api/chat/stream`, whatever its status.
    pub async fn try_stream(&self, body: &Value) -> reqwest::Result<Sse> {
        Ok(Sse::new(self.try_request("POST", "/api/chat/stream", &[JSON], body.to_string()).await?))
    }

    /// `GET` of a stream, whatever its status.
    pub async fn try_events(&self, path: &str) -> reqwest::Result<Sse> {
        Ok(Sse::new(self.try_request("GET", path, &[], "").await?))
    }

    /// `POST /api/chat/stream`, which has to begin.
    pub async fn stream(&self, body: &Value) -> Sse {
        let sse = self.try_stream(body).await.expect("a reply");
        assert_eq!(sse.status, 200, "the stream did not begin");
        sse
    }

    /// `POST /api/chat/stream` in the `deltas` form.
    pub async fn deltas(&self, session: &str, content: &str) -> Sse {
        self.stream(&json!({"content": content, "session_id": session, "deltas": true})).await
    }

    /// `GET /api/chat/turns/{turn}/events`, after a cursor if there is one.
    pub async fn events(&self, turn: &str, last_event_id: Option<&str>) -> Sse {
        let header = last_event_id.map(|id| ("last-event-id", id));
        let path = format!("/api/chat/turns/{turn}/events");
        let sse = Sse::new(self.try_request("GET", &path, header.as_slice(), []).await.expect("a reply"));
        // 204 tells a browser's EventSource that nothing more will come.
        assert!(matches!(sse.status, 200 | 204), "the events of {turn} did not begin: {}", sse.status);
        sse
    }

    /// The session's messages.
    pub async fn history(&self, session: &str) -> Vec<Value> {
        let reply = self.get(&format!("/api/chat/history?session_id={session}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["messages"].as_array().cloned().expect("messages is a list")
    }

    /// The turn, as its own route shows it.
    pub async fn turn(&self, turn: &str) -> Value {
        let reply = self.get(&format!("/api/chat/turns/{turn}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// The figures of the response cache.
    pub async fn cache_stats(&self) -> Value {
        let reply = self.get("/api/chat/cache/stats").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["cache_stats"].clone()
    }

    /// How many answers the cache holds.
    pub async fn cache_size(&self) -> u64 {
        let stats = self.cache_stats().await;
        stats["cache_size"].as_u64().unwrap_or_else(|| panic!("cache_size is no count: {stats}"))
    }

    /// The service's figures.
    pub async fn performance(&self) -> Value {
        let reply = self.get("/api/chat/performance").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["performance_stats"].clone()
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl Reply {
    async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = within("the body of a reply", response.bytes()).await?;
        Ok(Self { status, headers, body })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// A header; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("headers are ASCII")).unwrap_or_default()
    }

    /// Asserts that this is the contract's error of this status and code, in exactly its shape; gives the body.
    pub fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.json()["error"].as_str()),
            (status, Some(code)),
            "expected {status} {code}, got {} {}",
            self.status,
            self.text()
        );
        let body = self.json();
        let mut keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
        // What a turn that failed may add: which it was, and what had come of its answer.
        keys.retain(|key| !matches!(*key, "processing_steps" | "session_id" | "turn_id"));
        keys.sort_unstable();
        assert_eq!(keys, ["details", "error", "message", "request_id", "success"], "{body}");
        assert_eq!(body["success"], false, "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.len() > 10 && text.contains(' ')), "{body}");
        assert_eq!(body["request_id"].as_str(), Some(self.header("x-request-id")), "{body}");
        assert!(self.header("content-type").starts_with("application/json"), "{:?}", self.headers);
        body
    }

    /// The `Retry-After` header in seconds.
    pub fn retry_after(&self) -> u64 {
        let value = self.header("retry-after");
        value.parse().unwrap_or_else(|_| panic!("no Retry-After in seconds: {value:?}, {}", self.text()))
    }
}

/// Writes `request` to a server as it is, and reads one whole reply of a known length (or until the server closes).
pub async fn raw_exchange(address: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.expect("the server listens");
    socket.write_all(request.as_bytes()).await.expect("the server reads");
    let mut reply = Vec::new();
    within("a raw reply", async {
        while !is_whole(&String::from_utf8_lossy(&reply)) {
            if matches!(socket.read_buf(&mut reply).await, Ok(0) | Err(_)) {
                break;
            }
        }
    })
    .await;
    String::from_utf8_lossy(&reply).into_owned()
}

fn is_whole(reply: &str) -> bool {
    let Some((head, body)) = reply.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|length| length.trim().parse().ok()).is_some_and(|length: usize| body.len() >= length)
}
