//! A real server of its own for each test.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this module is for tests: a panic is how they fail"
)]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::Address;

/// A redis-server on a free port of this machine, with its data in a folder of its own, where it survives
/// a kill. It ends with this value.
#[derive(Debug)]
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
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        loop {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let mut process = spawn(&folder, port);
            if answers(port, &mut process) {
                return Self { folder, port, process };
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> Address {
        Address::parse(&self.url()).unwrap()
    }

    /// Stops its process where it is; connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it anew on its data, after [`kill`](Self::kill).
    pub fn restart(&mut self) {
        let started = Instant::now();
        loop {
            self.process = spawn(&self.folder, self.port);
            if answers(self.port, &mut self.process) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "redis-server does not start again");
        }
    }

    /// What `redis-cli` would do: a command of plain words, its raw reply.
    pub fn ask(&self, words: &[&str]) -> String {
        exchange(self.port, words).expect("redis-server answers")
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    // Its process hands each write to the system before it answers, which is enough to survive its own death.
    command.args(["--appendfsync", "everysec", "--repl-diskless-sync-delay", "0", "--dir"]).arg(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the tests of Redis need redis-server (Debian: apt-get install redis-server)")
}

/// Waits until the server on `port` answers; false if its process ended, as it does when the port was taken meanwhile.
fn answers(port: u16, process: &mut Child) -> bool {
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if exchange(port, &["PING"]).is_some_and(|reply| reply.starts_with("+PONG")) {
            return true;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "redis-server does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn exchange(port: u16, words: &[&str]) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes()).ok()?;
    let mut reply = [0; 4096];
    let length = stream.read(&mut reply).ok()?;
    Some(String::from_utf8_lossy(reply.get(..length)?).into_owned())
}
