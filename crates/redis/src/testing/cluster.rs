//! A cluster.

use super::{RedisServer, ServerOptions, eventually};
use crate::Servers;

/// The slots of each of the three shards.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// Three primaries with a replica each, all on this machine. Nodes miss each other after half a second.
#[derive(Debug)]
pub struct RedisCluster {
    /// Three primaries, and then the replica of each.
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the nodes, joins them, and waits until each of them says that all is well.
    ///
    /// # Panics
    /// If they don't come to that.
    pub fn start() -> Self {
        Self::start_with(&ServerOptions::default())
    }

    /// The same, with `options` for each node.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_with(options: &ServerOptions<'_>) -> Self {
        let mut options = ServerOptions { cluster: true, ..options.clone() };
        let more = ["--cluster-node-timeout", "500", "--cluster-replica-validity-factor", "0"];
        // A shard that is away leaves the others as they are.
        let whole = ["--cluster-require-full-coverage", "no"];
        options.words.extend(more.into_iter().chain(whole).map(str::to_owned));
        if options.tls.is_some() {
            options.words.extend(["--tls-cluster", "yes", "--tls-replication", "yes"].map(str::to_owned));
        }
        let nodes: Vec<_> = (0..6).map(|_| RedisServer::start_with(&options)).collect();
        for (index, node) in nodes.iter().enumerate() {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        for (node, (first, last)) in nodes.iter().zip(SLOTS) {
            node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        for node in &nodes[1..] {
            // Nodes that speak TLS to each other meet there.
            let port = if options.tls.is_some() { node.tls_port() } else { node.port() };
            nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &node.bus_port().to_string()]);
        }
        for node in &nodes {
            node.wait_for(&["CLUSTER", "NODES"], |known| {
                known.matches(" connected").count() == 6 && !known.contains("handshake")
            });
        }
        for (primary, replica) in nodes.iter().zip(&nodes[3..]) {
            let id = primary.ask(&["CLUSTER", "MYID"]);
            let id = id.lines().nth(1).expect("a node has an id");
            eventually("a replica to follow", || replica.ask(&["CLUSTER", "REPLICATE", id]).starts_with("+OK"));
        }
        let cluster = Self { nodes };
        cluster.wait_until_whole();
        cluster
    }

    /// Waits until each node knows of all slots, three primaries and three replicas that follow them.
    fn wait_until_whole(&self) {
        for node in &self.nodes {
            node.wait_for(&["CLUSTER", "INFO"], |info| info.contains("cluster_state:ok"));
            node.wait_for(&["CLUSTER", "NODES"], |known| known.matches("slave ").count() == 3);
        }
        for primary in &self.nodes[..3] {
            primary.wait_for(&["INFO", "replication"], |info| info.contains("state=online"));
        }
    }

    /// How it is spoken to.
    pub fn link(&self) -> Servers {
        Servers::Cluster(self.nodes.iter().map(RedisServer::address).collect())
    }

    /// Which of the three primaries at the start has `key`.
    ///
    /// # Panics
    /// If no node says it.
    pub fn shard_of(&self, key: &str) -> usize {
        let slot = self.nodes.iter().find_map(|node| node.try_ask(&["CLUSTER", "KEYSLOT", key])).expect("a node");
        let slot: u16 = slot.trim_start_matches(':').trim_end().parse().unwrap();
        SLOTS.iter().position(|(first, last)| (*first..=*last).contains(&slot)).unwrap()
    }

    /// A key of the given shard, that begins with `prefix`.
    ///
    /// # Panics
    /// As [`shard_of`](Self::shard_of).
    pub fn key_in(&self, shard: usize, prefix: &str) -> String {
        (0..).map(|n| format!("{prefix}{n}")).find(|key| self.shard_of(key) == shard).unwrap()
    }

    /// Has the replica of `shard` take over from its living primary, and waits until all know.
    ///
    /// # Panics
    /// If it does not.
    pub fn failover(&self, shard: usize) {
        self.nodes[shard + 3].ask(&["CLUSTER", "FAILOVER"]);
        self.wait_for_promotion(shard);
    }

    /// Waits until the replica of `shard` is its primary, and all other living nodes know.
    ///
    /// # Panics
    /// If it is not promoted.
    pub fn wait_for_promotion(&self, shard: usize) {
        let promoted = &self.nodes[shard + 3];
        promoted.wait_for(&["ROLE"], |role| role.contains("master\r\n"));
        let id = promoted.ask(&["CLUSTER", "MYID"]).lines().nth(1).expect("a node has an id").to_owned();
        for node in &self.nodes {
            let is_primary = |known: &str| {
                known.lines().any(|line| {
                    line.starts_with(&id) && line.contains("master") && line.ends_with(|c: char| c.is_ascii_digit())
                })
            };
            eventually("the promotion to be known", || {
                node.try_ask(&["CLUSTER", "NODES"]).is_none_or(|known| is_primary(&known))
            });
        }
    }
}
