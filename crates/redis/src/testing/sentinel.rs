//! A primary, its replicas, and Sentinels that watch them.

use super::{RedisServer, ServerOptions, TestCertificates, eventually, process::Process};
use crate::{Access, Address, Sentinels, Servers};

/// What the Sentinels call the primary.
const PRIMARY: &str = "chai";

/// A primary with two replicas and three Sentinels, all on this machine. Sentinels miss a server after 300 ms.
#[derive(Debug)]
pub struct SentinelSet {
    /// The first is the primary until another one is promoted.
    pub servers: Vec<RedisServer>,
    /// The Sentinels.
    pub sentinels: Vec<RedisServer>,
}

impl SentinelSet {
    /// Starts them all and waits until the Sentinels know each other and the replicas.
    ///
    /// # Panics
    /// If they don't come to that.
    pub fn start() -> Self {
        Self::start_with(&ServerOptions::default(), None)
    }

    /// The same: servers with `options`, Sentinels with a password.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_with(options: &ServerOptions<'_>, sentinel_password: Option<&str>) -> Self {
        let mut options = options.clone();
        if options.tls.is_some() {
            options.words.extend(["--tls-replication", "yes"].map(str::to_owned));
        }
        let servers: Vec<_> = (0..3).map(|_| RedisServer::start_with(&options)).collect();
        let port = if options.tls.is_some() { servers[0].tls_port() } else { servers[0].port() }.to_string();
        for replica in &servers[1..] {
            replica.ask(&["REPLICAOF", "127.0.0.1", &port]);
        }
        servers[0].wait_for(&["INFO", "replication"], |info| info.matches("state=online").count() == 2);
        let sentinels: Vec<_> = (0..3).map(|_| sentinel(&port, &options, sentinel_password)).collect();
        let set = Self { servers, sentinels };
        for sentinel in &set.sentinels {
            let knows = |info: &str| {
                let words: Vec<_> = info.lines().collect();
                let is = |name: &str, value: &str| {
                    words.iter().position(|word| *word == name).is_some_and(|at| words.get(at + 2) == Some(&value))
                };
                is("num-other-sentinels", "2") && is("num-slaves", "2")
            };
            sentinel.wait_for(&["SENTINEL", "MASTER", PRIMARY], knows);
        }
        set
    }

    /// How they are spoken to.
    pub fn named(&self, primary: &str) -> Servers {
        let access = Access::clone(self.servers[0].address().access());
        let sentinels = self.sentinels.iter().map(RedisServer::address).collect();
        Servers::Sentinel(Sentinels { sentinels, primary: primary.to_owned(), access })
    }

    /// The same, under the primary's right name.
    pub fn link(&self) -> Servers {
        self.named(PRIMARY)
    }

    /// What the Sentinels call the primary.
    pub fn name(&self) -> &'static str {
        PRIMARY
    }

    /// The Sentinels' addresses.
    pub fn addresses(&self) -> Vec<Address> {
        self.sentinels.iter().map(RedisServer::address).collect()
    }

    /// Has a replica promoted while the primary lives, and waits until it is.
    ///
    /// # Panics
    /// If none is promoted.
    pub fn failover(&self) {
        eventually("a failover to begin", || {
            self.sentinels[0].ask(&["SENTINEL", "FAILOVER", PRIMARY]).starts_with("+OK")
        });
        self.wait_for_promotion();
    }

    /// Waits until a server other than the first is the primary.
    ///
    /// # Panics
    /// If none becomes it.
    pub fn wait_for_promotion(&self) {
        eventually("a replica to be promoted", || {
            let role = |server: &RedisServer| server.try_ask(&["ROLE"]).is_some_and(|role| role.contains("master\r\n"));
            self.servers[1..].iter().any(role)
        });
    }
}

/// Speaks as the servers do that it watches.
fn sentinel(port: &str, of: &ServerOptions<'_>, own_password: Option<&str>) -> RedisServer {
    let mut file = format!(
        "sentinel monitor {PRIMARY} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {PRIMARY} 300\n\
         sentinel failover-timeout {PRIMARY} 2000\n"
    );
    if let Some(password) = of.password {
        file.push_str(&format!("sentinel auth-pass {PRIMARY} {password}\n"));
    }
    if let Some(password) = own_password {
        file.push_str(&format!("requirepass {password}\nsentinel sentinel-pass {password}\n"));
    }
    if of.tls.is_some() {
        file.push_str("tls-replication yes\n");
    }
    let options = ServerOptions { password: own_password, tls: of.tls, ..ServerOptions::default() };
    let words = ["sentinel.conf", "--sentinel"].map(str::to_owned).to_vec();
    let process = Process::start_in(words, &options, &[("sentinel.conf", &file)]);
    let certificates = of.tls.map(TestCertificates::trusted);
    RedisServer { process, password: own_password.map(str::to_owned), certificates }
}
