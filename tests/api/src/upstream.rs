use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::{Answer, Format, Script, play::play, reply::ScriptEnd};

/// An OpenAI-compatible server that does what the test says, and remembers what it was asked.
pub struct Upstream {
    scheme: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// A request for a completion, as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its number, from 0, in the order of arrival.
    pub number: usize,
    /// `POST /v1/chat/completions HTTP/1.1`.
    pub request_line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Value,
}

struct Shared {
    script: Box<dyn Fn(&Recorded) -> Script + Send + Sync>,
    /// What it replies to all that is no request for a completion; `None`: its list of models.
    other: Option<Script>,
    requests: Mutex<Vec<Recorded>>,
    asked: watch::Sender<usize>,
    connected: watch::Sender<usize>,
    /// When the other side closed the connection of an unfinished reply.
    abandoned: watch::Sender<Vec<Instant>>,
}

impl Shared {
    fn new(script: impl Fn(&Recorded) -> Script + Send + Sync + 'static, other: Option<Script>) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            other,
            requests: Mutex::default(),
            asked: watch::Sender::default(),
            connected: watch::Sender::default(),
            abandoned: watch::Sender::default(),
        })
    }
}

impl Recorded {
    /// The header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The prompt's messages as (role, content).
    pub fn messages(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let messages = self.body["messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
    }

    /// The whole prompt as one text.
    pub fn prompt(&self) -> String {
        self.messages().into_iter().map(|(_, content)| content).collect::<Vec<_>>().join("\n")
    }

    /// The last message: the question, with its notes.
    pub fn question(&self) -> String {
        self.messages().pop().map(|(_, content)| content).unwrap_or_default()
    }

    /// How this request asks for the steps to be marked.
    pub fn format(&self) -> Format {
        match self.body["response_format"]["type"].as_str() {
            Some("json_schema" | "json_object") => Format::Json,
            _ => Format::Tagged,
        }
    }
}

impl Upstream {
    /// Starts one on a port of its own; `script` says what to reply to each request.
    pub async fn start(script: impl Fn(&Recorded) -> Script + Send + Sync + 'static) -> Self {
        Self::serving(script, None).await
    }

    async fn serving(script: impl Fn(&Recorded) -> Script + Send + Sync + 'static, other: Option<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Shared::new(script, other);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Self { scheme: "http", address, shared, accepting }
    }

    /// One that gives the same answer to all, in the format that each asks for.
    pub async fn answering(answer: Answer) -> Self {
        Self::start(move |request| Script::answer(&answer, request.format())).await
    }

    /// One that answers with [`Answer::about`] a mark made of the request's number.
    pub async fn numbered() -> Self {
        Self::start(|request| Script::answer(&Answer::about(&format!("A{}", request.number)), request.format())).await
    }

    /// One that does always the same.
    pub async fn playing(script: Script) -> Self {
        Self::start(move |_| script.clone()).await
    }

    /// One that does one thing after the other, and the last one from then on.
    pub async fn playing_in_turn(scripts: Vec<Script>) -> Self {
        Self::start(move |request| scripts[request.number.min(scripts.len() - 1)].clone()).await
    }

    /// One whose port refuses connections, and is nobody else's meanwhile.
    pub fn refusing() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
        let address = socket.local_addr().expect("it is bound");
        let holding = async move {
            let _bound = socket;
            std::future::pending::<()>().await;
        };
        let accepting = tokio::spawn(holding).abort_handle();
        Self { scheme: "http", address, shared: Shared::new(|_| Script::hang_up(), None), accepting }
    }

    /// One that takes connections, and leaves the TLS handshake on them unanswered.
    pub async fn without_handshake() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Shared::new(|_| Script::hang_up(), None);
        let accepting = tokio::spawn(accept_in_silence(listener, Arc::clone(&shared))).abort_handle();
        Self { scheme: "https", address, shared, accepting }
    }

    /// One that does always the same, whatever it is asked for.
    pub async fn playing_all(script: Script) -> Self {
        let other = Some(script.clone());
        Self::serving(move |_| script.clone(), other).await
    }

    /// What the server is given as `OPENAI_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("{}://{}/v1", self.scheme, self.address)
    }

    /// Everything that it was asked to complete.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// How often it was asked to complete.
    pub fn count(&self) -> usize {
        *self.shared.asked.borrow()
    }

    /// How many connections it has taken.
    pub fn connections(&self) -> usize {
        *self.shared.connected.borrow()
    }

    /// Resolves when it has been asked `count` times.
    pub async fn asked(&self, count: usize) {
        let mut asked = self.shared.asked.subscribe();
        crate::within("a request to the upstream", asked.wait_for(|n| *n >= count)).await.expect("it lives");
    }

    /// Resolves when the other side has closed the connection of `count` unfinished replies; says when it closed the
    /// last of these.
    ///
    /// # Panics
    /// If `count` is 0.
    pub async fn abandoned(&self, count: usize) -> Instant {
        let mut abandoned = self.shared.abandoned.subscribe();
        let what = "the server to close its connection to the upstream";
        crate::within(what, abandoned.wait_for(|times| times.len() >= count)).await.expect("it lives")[count - 1]
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                shared.connected.send_modify(|count| *count += 1);
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    // A connection that the other side closes is no fault of the upstream's.
                    let _ = serve(socket, &shared).await;
                });
            }
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        }
    }
}

async fn accept_in_silence(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((mut socket, _)) = listener.accept().await {
        shared.connected.send_modify(|count| *count += 1);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let mut heard = Vec::new();
            // However it ends, it is the other side that ended it.
            let _ = socket.read_to_end(&mut heard).await;
            shared.abandoned.send_modify(|times| times.push(Instant::now()));
        });
    }
}

/// Serves one request; every reply closes its connection.
async fn serve(mut socket: TcpStream, shared: &Shared) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let Some((request_line, headers, body)) = read_request(&mut socket).await? else { return Ok(()) };
    if !request_line.starts_with("POST ") || !request_line.contains("/chat/completions") {
        let models = json!({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]});
        let listed = || Script::plain(200, "application/json", models.to_string());
        return play(&mut socket, &shared.other.clone().unwrap_or_else(listed)).await;
    }
    let recorded = {
        let mut requests = shared.requests.lock().unwrap();
        let body = serde_json::from_slice(&body).expect("the server sends JSON");
        let recorded = Recorded { number: requests.len(), request_line, headers, body };
        requests.push(recorded.clone());
        recorded
    };
    shared.asked.send_modify(|count| *count += 1);
    let script = (shared.script)(&recorded);
    let abandoned = {
        let (mut reading, mut writing) = socket.split();
        let mut rest = [0; 1];
        tokio::select! {
            biased;
            played = play(&mut writing, &script) => played.is_err(),
            _ = reading.read(&mut rest) => true,
        }
    };
    if abandoned {
        shared.abandoned.send_modify(|times| times.push(Instant::now()));
    } else if script.end == ScriptEnd::Reset {
        socket.set_zero_linger()?;
    }
    Ok(())
}

type Request = (String, Vec<(String, String)>, Vec<u8>);

async fn read_request(socket: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut buffer = Vec::new();
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(&mut buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let request_line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert!(header("transfer-encoding").is_none(), "the upstream reads bodies with a content-length only");
    let length: usize = header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    let mut body = buffer.split_off(head_end + 4);
    while body.len() < length {
        if socket.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((request_line, headers, body)))
}
