//! An upstream of raw TCP: it reads a request, then plays its script byte for byte.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

/// What an upstream writes into its error bodies, and nobody may see.
pub(crate) const WORDS: &str = "words of the upstream";

/// How long a script waits before it takes a test for lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// One act of a script.
pub(crate) enum Act {
    /// Writes bytes, in one packet.
    Write(Vec<u8>),
    /// Waits until the test says so.
    Wait(Receiver<()>),
    /// Waits until the other side has closed.
    Hold,
}

/// Writes text, in one packet.
pub(crate) fn write(text: impl AsRef<[u8]>) -> Act {
    Act::Write(text.as_ref().to_vec())
}

/// A running upstream. It plays one script for each connection, and accepts no more than it has scripts for.
pub(crate) struct Upstream {
    port: u16,
    told: Receiver<Told>,
}

/// What an upstream saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A whole request.
    Request(String),
    /// The other side closed while the script held.
    Closed,
    /// The last script is over.
    Over,
}

impl Upstream {
    pub(crate) fn new(scripts: impl IntoIterator<Item = Vec<Act>> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, told) = channel();
        thread::spawn(move || {
            for script in scripts {
                let (socket, _) = listener.accept().unwrap();
                play(socket, script, &tell);
            }
            let _ = tell.send(Told::Over);
        });
        Self { port, told }
    }

    /// An upstream that answers one request with `response`, then closes.
    pub(crate) fn answering(response: impl AsRef<[u8]>) -> Self {
        Self::new([vec![write(response)]])
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Waits for the next thing that it saw.
    pub(crate) fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    /// The request that it saw next.
    pub(crate) fn request(&self) -> String {
        match self.next() {
            Told::Request(request) => request,
            other => panic!("no request but {other:?}"),
        }
    }
}

/// A gate that a script waits at, and what opens it.
pub(crate) fn gate() -> (Sender<()>, Act) {
    let (open, gate) = channel();
    (open, Act::Wait(gate))
}

fn play(mut socket: TcpStream, script: Vec<Act>, tell: &Sender<Told>) {
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let Some(request) = read_request(&mut socket) else { return };
    let _ = tell.send(Told::Request(request));
    for act in script {
        match act {
            // A client that has heard enough closes while the script still speaks.
            Act::Write(bytes) => drop(socket.write_all(&bytes)),
            Act::Wait(gate) => drop(gate.recv_timeout(PATIENCE)),
            Act::Hold => {
                // End or reset: either way the other side is gone.
                let gone = !matches!(socket.read(&mut [0; 16]), Ok(1..));
                assert!(gone, "the other side speaks out of turn");
                let _ = tell.send(Told::Closed);
            }
        }
    }
}

/// A head and the body that its content length announces.
fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
        match socket.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
    }
}

/// The head of a response whose end is the end of the connection.
pub(crate) fn head(content_type: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n")
}

/// A stream of events, with its head.
pub(crate) fn sse(body: impl AsRef<[u8]>) -> Vec<u8> {
    [head("text/event-stream").as_bytes(), body.as_ref()].concat()
}

/// A response with a status other than 200.
pub(crate) fn status(line: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {line}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
