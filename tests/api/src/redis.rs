use std::{
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

use crate::within;

/// A redis-server on a free port of this machine, with an append-only file in a folder of its own. It ends with this value.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// If there is no `redis-server`.
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("hitesh-redis-").expect("a temporary folder");
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let port = listener.local_addr().expect("it is bound").port();
            drop(listener);
            let mut process = spawn(&folder, port);
            // Somebody else may have taken the port meanwhile.
            if answers(port, &mut process).await {
                return Self { folder, port, process };
            }
        }
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as `REDIS_URL` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Stops its process where it is; connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it as a crash does.
    pub async fn kill(&mut self) {
        self.process.kill().await.expect("it runs");
    }

    /// Starts it anew on its data, after [`kill`](Self::kill).
    pub async fn restart(&mut self) {
        within("redis-server to start again", async {
            loop {
                self.process = spawn(&self.folder, self.port);
                if answers(self.port, &mut self.process).await {
                    return;
                }
            }
        })
        .await;
    }

    /// The raw reply to a command of plain words.
    pub async fn ask(&self, words: &str) -> String {
        exchange(self.port, words).await.expect("redis-server answers")
    }

    /// What it is asked while `work` is done: a line for each command that came over a connection.
    pub async fn monitored(&self, work: impl Future<Output = ()>) -> Vec<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.expect("it listens");
        stream.write_all(b"MONITOR\r\n").await.expect("it reads");
        let mut lines = BufReader::new(stream).lines();
        let mut seen = Vec::new();
        let confirmed = within("MONITOR to begin", lines.next_line()).await.expect("it answers");
        assert_eq!(confirmed.as_deref(), Some("+OK"));
        work.await;
        self.ask("ECHO that-was-all").await;
        while let Some(line) = within("MONITOR to go on", lines.next_line()).await.expect("it answers") {
            if line.contains("that-was-all") {
                break;
            }
            if !line.contains(" lua]") {
                seen.push(line);
            }
        }
        seen
    }

    fn signal(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.expect("it runs"), signal).expect("a child can be signalled");
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir"]);
    command.arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("these tests need redis-server (Debian: apt-get install redis-server)")
}

/// Waits until the server on `port` answers; false if its process ended.
async fn answers(port: u16, process: &mut Child) -> bool {
    let up = async {
        while exchange(port, "PING").await.is_none_or(|reply| !reply.starts_with("+PONG")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! { () = within("redis-server to answer", up) => true, _ = process.wait() => false }
}

async fn exchange(port: u16, words: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
    stream.write_all(format!("{words}\r\n").as_bytes()).await.ok()?;
    let mut reply = vec![0; 64 * 1024];
    let length = stream.read(&mut reply).await.ok()?;
    Some(String::from_utf8_lossy(&reply[..length]).into_owned())
}
