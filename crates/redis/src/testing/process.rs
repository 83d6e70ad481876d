//! A redis-server as a process: its ports, its life, and what is said to it over a plain connection.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{PATIENCE, ServerOptions, TestCertificates};

#[derive(Debug)]
pub(super) struct Process {
    folder: TempDir,
    words: Vec<String>,
    child: Child,
    password: Option<String>,
    pub(super) ports: Ports,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) plain: u16,
    pub(super) tls: Option<u16>,
    pub(super) bus: Option<u16>,
}

impl Process {
    pub(super) fn start(words: Vec<String>, options: &ServerOptions<'_>) -> Self {
        Self::start_in(words, options, &[])
    }

    /// Starts it in a folder with `files`.
    pub(super) fn start_in(words: Vec<String>, options: &ServerOptions<'_>, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let password = options.password.map(str::to_owned);
        // Somebody else may have taken a port meanwhile.
        loop {
            let ports = Ports::free(options.tls.is_some(), options.cluster);
            let mut all = words.clone();
            all.extend(ports.words(options.tls));
            let mut child = spawn(&folder, &all);
            if answers(ports.plain, password.as_deref(), &mut child) {
                return Self { folder, words: all, child, password, ports };
            }
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        let started = Instant::now();
        loop {
            self.child = spawn(&self.folder, &self.words);
            if answers(self.ports.plain, self.password.as_deref(), &mut self.child) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "redis-server does not start again");
        }
    }

    pub(super) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ports {
    /// All of them different: each is held until the others are known.
    fn free(tls: bool, bus: bool) -> Self {
        let held = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [plain, secure, gossip] = held.each_ref().map(|listener| listener.local_addr().unwrap().port());
        Self { plain, tls: tls.then_some(secure), bus: bus.then_some(gossip) }
    }

    fn words(self, certificates: Option<&TestCertificates>) -> Vec<String> {
        let mut words = vec!["--port".to_owned(), self.plain.to_string()];
        if let (Some(tls), Some(certificates)) = (self.tls, certificates) {
            words.extend(["--tls-port".to_owned(), tls.to_string()]);
            words.extend(certificates.words());
        }
        if let Some(bus) = self.bus {
            words.extend(["--cluster-enabled", "yes", "--cluster-port"].map(str::to_owned));
            words.push(bus.to_string());
        }
        words
    }
}

fn spawn(folder: &TempDir, words: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    // What comes first may be a file, relative to the folder.
    command.args(words).args(["--bind", "127.0.0.1", "--dir"]).arg(folder.path()).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the tests of Redis need redis-server (Debian: apt-get install redis-server)")
}

/// Waits until the server on `port` answers; false if its process ended, as it does when a port was taken meanwhile.
fn answers(port: u16, password: Option<&str>, process: &mut Child) -> bool {
    let started = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if exchange(port, password, &["PING"]).is_some_and(|reply| reply.starts_with("+PONG")) {
            return true;
        }
        assert!(started.elapsed() < PATIENCE, "redis-server does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// The raw reply to a command of plain words.
pub(super) fn exchange(port: u16, password: Option<&str>, words: &[&str]) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut replies = BufReader::new(stream.try_clone().ok()?);
    if let Some(password) = password {
        stream.write_all(request(&["AUTH", password]).as_bytes()).ok()?;
        reply(&mut replies)?;
    }
    stream.write_all(request(words).as_bytes()).ok()?;
    reply(&mut replies)
}

fn request(words: &[&str]) -> String {
    let all: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{all}", words.len())
}

/// One whole reply, as it came.
fn reply(from: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    if from.read_line(&mut text).ok()? == 0 {
        return None;
    }
    let (kind, count) = (text.get(..1)?, text.get(1..)?.trim_end());
    match (kind, count.parse::<i64>().map(usize::try_from)) {
        ("$", Ok(Ok(length))) => {
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes).ok()?;
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        ("*", Ok(Ok(items))) => {
            for _ in 0..items {
                text.push_str(&reply(from)?);
            }
        }
        _ => {}
    }
    Some(text)
}
