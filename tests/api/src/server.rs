use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::watch,
};

use crate::{Client, Upstream, within};

/// The key that the server is given for its upstream: it must turn up nowhere but there.
const KEY: &str = "test-key-0123456789-do-not-show";

/// How a server is to be started.
#[derive(Debug, Clone, Default)]
pub struct ServerBuilder {
    env: BTreeMap<String, String>,
    settings: Option<String>,
    arguments: Vec<String>,
    input: Option<String>,
    dir: Option<Arc<TempDir>>,
}

/// The real binary as a child process, with a folder of its own. Dropping it kills the process.
pub struct Server {
    child: Child,
    base: String,
    log: Log,
    client: Client,
    how: ServerBuilder,
}

/// What a process that ended left behind.
#[derive(Debug)]
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed, standard output and standard error.
    pub log: String,
}

/// What a process prints, as far as it has come.
#[derive(Debug, Clone)]
pub struct Log(Arc<watch::Sender<String>>);

/// The binary that is tested: `HITESH_BIN`, else `hitesh-ai` in the folder that the tests were built into.
///
/// # Panics
/// If there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HITESH_BIN") {
        return PathBuf::from(path);
    }
    let tests = std::env::current_exe().expect("this process has a path");
    let path = tests.ancestors().nth(2).expect("tests are in target/*/deps").join("hitesh-ai");
    assert!(
        path.is_file(),
        "the server to test is missing: {} — build it with `cargo build -p hitesh-server`, or name it in HITESH_BIN",
        path.display()
    );
    path
}

impl ServerBuilder {
    /// One with nothing but a folder: no provider, no settings.
    pub fn bare() -> Self {
        let dir = TempDir::with_prefix("hitesh-tests-").expect("a temporary folder");
        let mut builder = Self { dir: Some(Arc::new(dir)), ..Self::default() };
        let home = builder.dir().to_owned();
        let sessions = home.join("sessions.db");
        builder = builder.env("HOME", home.display()).env("HITESH_SESSIONS__PATH", sessions.display());
        builder.env("HOST", "127.0.0.1").env("PORT", 0)
    }

    /// One that asks `upstream`, which it takes for OpenAI.
    pub fn asking(upstream: &Upstream) -> Self {
        Self::bare().env("OPENAI_BASE_URL", upstream.base_url()).env("OPENAI_API_KEY", KEY)
    }

    /// One whose settings list `upstream` as a provider named `openai`; `more` adds to its entry, such as
    /// `step_format = "tagged"` or a `[providers.deadlines]` table.
    pub fn listing(upstream: &Upstream, more: &str) -> Self {
        Self::bare().listed("openai", upstream, more)
    }

    /// Adds `upstream` to the list of providers.
    pub fn listed(self, name: &str, upstream: &Upstream, more: &str) -> Self {
        self.settings(&format!(
            "[[providers]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{}\"\napi_key = \"{KEY}\"\n{more}",
            upstream.base_url()
        ))
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.insert(name.to_owned(), value.to_string());
        self
    }

    /// Takes an environment variable away.
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Adds to its `hitesh.toml`.
    pub fn settings(mut self, toml: &str) -> Self {
        let settings = self.settings.get_or_insert_default();
        settings.push_str(toml);
        settings.push('\n');
        self
    }

    /// Adds an argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Gives it lines to read from its standard input; without them it reads nothing.
    pub fn input(mut self, lines: &str) -> Self {
        self.input = Some(lines.to_owned());
        self
    }

    /// Its folder: working directory and home.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("every server has a folder").path()
    }

    /// Its database file.
    pub fn database(&self) -> PathBuf {
        self.dir().join("sessions.db")
    }

    fn spawn(&self) -> (Child, Log) {
        if let Some(settings) = &self.settings {
            std::fs::write(self.dir().join("hitesh.toml"), settings).expect("the folder can be written");
        }
        let mut command = Command::new(binary());
        command.args(&self.arguments).env_clear().envs(&self.env).current_dir(self.dir()).kill_on_drop(true);
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        if let (Some(input), Some(mut stdin)) = (self.input.clone(), child.stdin.take()) {
            tokio::spawn(async move {
                // A program that has heard enough may have gone.
                let _ = stdin.write_all(input.as_bytes()).await;
            });
        }
        let log = Log(Arc::default());
        log.follow(child.stdout.take().expect("it is piped"));
        log.follow(child.stderr.take().expect("it is piped"));
        (child, log)
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    pub async fn start(self) -> Server {
        let (mut child, log) = self.spawn();
        let port = tokio::select! {
            port = log.port() => port,
            status = child.wait() => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                panic!("the server ended before it listened ({status:?}):\n{}", log.text())
            }
        };
        let base = format!("http://127.0.0.1:{port}");
        let client = Client::new(&base);
        let live = client.get("/livez").await;
        assert_eq!(live.status, 200, "it listens, but /livez says {}:\n{}", live.text(), log.text());
        Server { child, base, log, client, how: self }
    }

    /// Runs it and waits until it ends.
    ///
    /// # Panics
    /// If it does not.
    pub async fn run_to_end(&self) -> Exit {
        let (mut child, log) = self.spawn();
        let status = tokio::time::timeout(crate::PATIENCE, child.wait()).await;
        let status =
            status.unwrap_or_else(|_| panic!("it did not end:\n{}", log.text())).expect("it can be waited for");
        log.ended().await;
        Exit { status, log: log.text() }
    }
}

impl Log {
    /// What has come so far.
    pub fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Resolves when the process has printed `words`.
    pub async fn says(&self, words: &str) {
        let mut lines = self.0.subscribe();
        within(&format!("the log to say {words:?}"), lines.wait_for(|text| text.contains(words)))
            .await
            .expect("it lives");
    }

    async fn port(&self) -> u16 {
        let mut lines = self.0.subscribe();
        let found = tokio::time::timeout(crate::PATIENCE, lines.wait_for(|text| port_in(text).is_some())).await;
        match found {
            Ok(text) => port_in(&text.expect("it lives")).expect("it was found"),
            Err(_) => panic!("the server never said where it listens:\n{}", self.text()),
        }
    }

    /// Resolves when both outputs are at their ends.
    async fn ended(&self) {
        within("the process's outputs to end", async {
            while Arc::strong_count(&self.0) > 1 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    fn follow(&self, output: impl AsyncRead + Unpin + Send + 'static) {
        let log = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                log.0.send_modify(|text| {
                    text.push_str(&line);
                    text.push('\n');
                });
            }
        });
    }
}

fn port_in(log: &str) -> Option<u16> {
    let (_, after) = log.split_once("listening on http://127.0.0.1:")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Server {
    /// One that asks `upstream` and is otherwise as it comes.
    pub async fn start(upstream: &Upstream) -> Self {
        ServerBuilder::asking(upstream).start().await
    }

    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A client of it that shares no connection with others.
    pub fn fresh_client(&self) -> Client {
        Client::new(&self.base)
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap_or(&self.base)
    }

    /// `http://127.0.0.1:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it prints.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// How it was started.
    pub fn how(&self) -> &ServerBuilder {
        &self.how
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Puts `toml` in the place of its settings file, and sends SIGHUP.
    pub fn reload(&self, toml: &str) {
        std::fs::write(self.how.dir().join("hitesh.toml"), toml).expect("the folder can be written");
        self.signal(rustix::process::Signal::HUP);
    }

    /// Sends SIGKILL, and does not wait.
    pub fn kill_now(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    /// Sends SIGSTOP: the process stands still until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("it runs"), signal).expect("a child can be signalled");
    }

    /// Waits until it ends, and gives how it was started.
    pub async fn ended(mut self) -> (Exit, ServerBuilder) {
        let status = tokio::time::timeout(crate::PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end:\n{}", self.log.text())).expect("a child");
        self.log.ended().await;
        (Exit { status, log: self.log.text() }, self.how.clone())
    }

    /// Kills it as a power cut would, and starts it again on the same folder.
    pub async fn kill_and_restart(self) -> Self {
        self.kill_now();
        self.ended().await.1.start().await
    }

    /// Ends it with SIGTERM, and starts it again on the same folder.
    pub async fn restart(self) -> Self {
        self.terminate();
        let (exit, how) = self.ended().await;
        assert!(exit.status.success(), "{:?}:\n{}", exit.status, exit.log);
        how.start().await
    }

    /// Asserts that nothing secret has been logged: not the key, nor any of `texts`.
    pub fn expect_no_secret_in_log(&self, texts: &[&str]) {
        let log = self.log.text();
        for secret in texts.iter().copied().chain([KEY, crate::UPSTREAM_SECRET]) {
            assert!(!log.contains(secret), "the log holds {secret:?}:\n{log}");
        }
    }
}

/// A test that fails shows the end of its server's log; a server that panicked fails its test.
impl Drop for Server {
    fn drop(&mut self) {
        let log = self.log.text();
        if std::thread::panicking() {
            let lines: Vec<_> = log.lines().collect();
            eprintln!("the server's log ends with:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        } else {
            assert!(!log.contains("panicked at"), "the server panicked:\n{log}");
        }
    }
}
