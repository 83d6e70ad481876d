//! Real servers of its own for each test: one, a primary with replicas and Sentinels, a cluster, with or without TLS.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this module is for tests: a panic is how they fail"
)]

mod cluster;
mod process;
mod sentinel;
mod tls;

use std::time::{Duration, Instant};

use self::process::Process;
pub use self::{cluster::RedisCluster, sentinel::SentinelSet, tls::TestCertificates};
use crate::{Access, Address, Certificates};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A redis-server on a free port of this machine, with its data in a folder of its own, where it survives
/// a kill. It ends with this value.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    password: Option<String>,
    certificates: Option<Certificates>,
}

/// What is special about a server of a test.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions<'a> {
    /// More words for its command line.
    pub words: Vec<String>,
    /// The password of its default user.
    pub password: Option<&'a str>,
    /// Speaks TLS too, at [`RedisServer::address`].
    pub tls: Option<&'a TestCertificates>,
    /// Is a node of a cluster.
    pub cluster: bool,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// If there is no `redis-server`.
    pub fn start() -> Self {
        Self::start_with(&ServerOptions::default())
    }

    /// The same, with `options`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_with(options: &ServerOptions<'_>) -> Self {
        let mut words: Vec<String> = ["--save", "", "--appendonly", "yes"].map(str::to_owned).to_vec();
        // Its process hands each write to the system before it answers, which is enough to survive its own death.
        words.extend(["--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"].map(str::to_owned));
        if let Some(password) = options.password {
            words.extend(["--requirepass", password, "--masterauth", password].map(str::to_owned));
        }
        words.extend(options.words.iter().cloned());
        Self {
            process: Process::start(words, options),
            password: options.password.map(str::to_owned),
            certificates: options.tls.map(TestCertificates::trusted),
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Where it is: by TLS if it speaks that, with its password.
    pub fn address(&self) -> Address {
        let access = Access { password: self.password.clone(), tls: self.certificates.clone(), ..Access::default() };
        Address::new("127.0.0.1", self.process.ports.tls.unwrap_or(self.port()), access)
    }

    /// The port without TLS.
    pub fn port(&self) -> u16 {
        self.process.ports.plain
    }

    /// The port with TLS.
    ///
    /// # Panics
    /// If it has none.
    pub fn tls_port(&self) -> u16 {
        self.process.ports.tls.expect("it speaks TLS")
    }

    pub(crate) fn bus_port(&self) -> u16 {
        self.process.ports.bus.expect("it is a node of a cluster")
    }

    /// Stops its process where it is; connections stay open, and nothing is answered.
    pub fn pause(&self) {
        self.process.signal("-STOP");
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.signal("-CONT");
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it anew on its data, after [`kill`](Self::kill).
    pub fn restart(&mut self) {
        self.process.restart();
    }

    /// What `redis-cli` would do: a command of plain words, its raw reply.
    pub fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).expect("redis-server answers")
    }

    /// The same; none if it does not answer.
    pub fn try_ask(&self, words: &[&str]) -> Option<String> {
        process::exchange(self.port(), self.password.as_deref(), words)
    }

    /// How often it was asked `command` since its start.
    pub fn calls(&self, command: &str) -> u64 {
        let stats = self.ask(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    }

    /// Waits until its reply to `words` is as it should be.
    pub(crate) fn wait_for(&self, words: &[&str], fits: impl Fn(&str) -> bool) {
        eventually(&format!("{words:?}"), || self.try_ask(words).as_deref().is_some_and(&fits));
    }
}

/// Waits until it is true.
///
/// # Panics
/// If it takes too long.
fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
