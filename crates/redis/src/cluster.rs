//! The nodes of a cluster, each behind a breaker of its own: a shard that is away keeps no call from the others.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures::future::{join_all, select_ok};
use parking_lot::{Mutex, RwLock};
use redis::{Cmd, Value, cmd};

use crate::{
    Address,
    background::Background,
    call::{Answer, Call},
    error::{Failed, Redirect, words},
    node::{ASK_AGAIN, Limit, Node},
    pool::{Manager, config, open},
    slots::{Place, Range, SLOTS, ranges, slot_of},
};

/// How often a call may be sent on. More than two means that slots move about, or that nodes don't agree.
const HOPS: usize = 5;

/// How long a call waits for keys that are on their way from one node to another.
const ON_THE_WAY: Duration = Duration::from_millis(20);

/// A cluster, as far as is known.
#[derive(Debug)]
pub(crate) struct Cluster {
    seeds: Vec<Address>,
    connections: usize,
    deadline: Duration,
    background: Background,
    map: RwLock<Map>,
    /// One task at a time finds out who has which slots.
    asking: tokio::sync::Mutex<()>,
    /// Somebody is about to.
    renewing: AtomicBool,
    /// Why nothing is known of it, while no node tells.
    away: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Map {
    ranges: Vec<Range>,
    /// Those that have slots, or are said to.
    nodes: HashMap<Place, Arc<Node>>,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Address>, connections: usize, deadline: Duration, background: Background) -> Self {
        Self {
            seeds,
            connections,
            deadline,
            background,
            map: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
            renewing: AtomicBool::new(false),
            away: Mutex::default(),
        }
    }

    /// Has the node that has the call's slot do it. It is sent on to another node only when the first did nothing of it.
    pub(crate) async fn call(self: &Arc<Self>, call: &Call<'_>, limit: Limit) -> Result<Answer, Failed> {
        let slot = call.key().map(slot_of);
        self.get_to_know(limit).await?;
        let mut node = self.node_of(slot)?;
        let mut asking = false;
        for _ in 0..HOPS {
            if let Some(reason) = node.away() {
                return Err(Failed::unreached(reason).at(node.shown()));
            }
            let result = node.call(call, limit, asking).await;
            if node.opens(&result) {
                let (this, node) = (Arc::clone(self), Arc::clone(&node));
                self.background.spawn(async move { this.until_back(&node).await });
            }
            let failed = match result {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let (host, port) = match failed.redirect {
                None => return Err(failed.at(node.shown())),
                Some(Redirect::Again) => {
                    tokio::time::sleep(ON_THE_WAY).await;
                    continue;
                }
                Some(Redirect::Moved(host, port)) => {
                    self.renew();
                    asking = false;
                    (host, port)
                }
                Some(Redirect::Ask(host, port)) => {
                    asking = true;
                    (host, port)
                }
            };
            let host = if host.is_empty() { node.host().to_owned() } else { host };
            node = self.node_at((host, port))?;
        }
        Err(Failed::refused("its nodes send a call from one to the other"))
    }

    /// Asks each primary whether it is there and its cluster well, whatever was known.
    pub(crate) async fn check(self: &Arc<Self>, limit: Limit) -> Result<(), Failed> {
        limit.hold(self.refresh()).await?;
        let (covered, nodes) = {
            let map = self.map.read();
            let covered: usize = map.ranges.iter().map(|range| usize::from(range.last - range.first) + 1).sum();
            (covered, map.nodes.values().cloned().collect::<Vec<_>>())
        };
        let checked = nodes.iter().map(|node| async { is_well(node, limit).await.map_err(|f| f.at(node.shown())) });
        join_all(checked).await.into_iter().collect::<Result<Vec<()>, Failed>>()?;
        match covered == usize::from(SLOTS) {
            true => Ok(()),
            false => Err(Failed::unreached("some of its slots are nobody's")),
        }
    }

    pub(crate) fn close(&self) {
        self.map.read().nodes.values().for_each(|node| node.close());
    }

    /// Finds out who has which slots, if that was never known.
    async fn get_to_know(self: &Arc<Self>, limit: Limit) -> Result<(), Failed> {
        let is_known = || !self.map.read().ranges.is_empty();
        if is_known() {
            return Ok(());
        }
        if let Some(reason) = self.away.lock().clone() {
            return Err(Failed::unreached(reason));
        }
        let asked = async {
            let _one_at_a_time = self.asking.lock().await;
            if is_known() { Ok(()) } else { self.refresh().await }
        };
        // Nothing was sent that could be in doubt.
        let Err(failed) = limit.hold(asked).await else { return Ok(()) };
        let reason = failed.reason();
        {
            let mut away = self.away.lock();
            if away.is_none() && !is_known() {
                *away = Some(reason.clone());
                let this = Arc::clone(self);
                self.background.spawn(async move { this.until_known().await });
                tracing::warn!(reason, "redis is away");
            }
        }
        Err(Failed::unreached(reason))
    }

    async fn until_known(&self) {
        while self.limit().hold(self.refresh()).await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        *self.away.lock() = None;
        tracing::info!("redis is back");
    }

    /// Until a node is well again, or has no slots any more: its replica took them.
    async fn until_back(&self, node: &Arc<Node>) {
        let well = async {
            while is_well(node, self.limit()).await.is_err_and(|failed| failed.away) {
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        let replaced = async {
            while self.has(node) {
                tokio::time::sleep(ASK_AGAIN).await;
                let _ = self.limit().hold(self.refresh()).await;
            }
        };
        tokio::select! {
            () = well => node.back(),
            () = replaced => tracing::info!(server = node.shown(), "redis goes on without this node"),
        }
    }

    /// Finds out in the background who has which slots now.
    fn renew(self: &Arc<Self>) {
        if self.renewing.swap(true, Relaxed) {
            return;
        }
        let this = Arc::clone(self);
        self.background.spawn(async move {
            let _ = this.limit().hold(this.refresh()).await;
            tokio::time::sleep(ASK_AGAIN).await;
            this.renewing.store(false, Relaxed);
        });
    }

    /// Asks those who are well, and without any all others that were ever named. The first answer is taken.
    async fn refresh(&self) -> Result<(), Failed> {
        let nodes: Vec<_> = self.map.read().nodes.values().filter(|node| node.away().is_none()).cloned().collect();
        let by_nodes = nodes.iter().map(|node| Box::pin(self.slots_by_node(node)));
        if !nodes.is_empty()
            && let Ok((found, _)) = select_ok(by_nodes).await
        {
            return self.take(found);
        }
        let others = self.others();
        let by_others = others.iter().map(|address| Box::pin(self.slots_by_stranger(address)));
        let (found, _) = select_ok(by_others).await?;
        self.take(found)
    }

    async fn slots_by_node(&self, node: &Node) -> Result<Vec<Range>, Failed> {
        let answer = node.call(&Call::Command(&cluster_slots()), self.limit(), false).await?;
        read_slots(&answer.value, node.host())
    }

    async fn slots_by_stranger(&self, address: &Address) -> Result<Vec<Range>, Failed> {
        let failed = |error| Failed::unreached(words(&error));
        let asked = async {
            let client = address.client().map_err(failed)?;
            let mut connection = open(&client, &config(self.deadline)).await.map_err(Failed::unreached)?;
            cluster_slots().query_async::<Value>(&mut connection).await.map_err(failed)
        };
        let asked = self.limit().hold(asked).await.and_then(|reply| read_slots(&reply, address.host()));
        asked.map_err(|failed| failed.at(&address.to_string()))
    }

    /// All that were named at the start or by a node.
    fn others(&self) -> Vec<Address> {
        let map = self.map.read();
        let named = map.ranges.iter().flat_map(|range| std::iter::once(&range.primary).chain(&range.replicas));
        let mut all = self.seeds.clone();
        for place in named {
            if !all.iter().any(|address| (address.host(), address.port()) == (&place.0, place.1)) {
                all.extend(self.address(place));
            }
        }
        all
    }

    fn take(&self, found: Vec<Range>) -> Result<(), Failed> {
        let mut map = self.map.write();
        let mut nodes = HashMap::new();
        for Range { primary, .. } in &found {
            if !nodes.contains_key(primary) {
                let known = map.nodes.get(primary).cloned();
                nodes.insert(primary.clone(), known.map_or_else(|| self.new_node(primary), Ok)?);
            }
        }
        *map = Map { ranges: found, nodes };
        Ok(())
    }

    fn has(&self, node: &Arc<Node>) -> bool {
        self.map.read().nodes.values().any(|other| Arc::ptr_eq(other, node))
    }

    /// The node that has this slot, or any that is not away.
    fn node_of(self: &Arc<Self>, slot: Option<u16>) -> Result<Arc<Node>, Failed> {
        let map = self.map.read();
        let node = match slot {
            Some(slot) => {
                let has_it = |range: &&Range| (range.first..=range.last).contains(&slot);
                map.ranges.iter().find(has_it).and_then(|range| map.nodes.get(&range.primary))
            }
            None => map.nodes.values().min_by_key(|node| node.away().is_some()),
        };
        node.cloned().ok_or_else(|| {
            self.renew();
            Failed::unreached("no node of the cluster has this slot")
        })
    }

    /// The node at `place`, which another one named.
    fn node_at(&self, place: Place) -> Result<Arc<Node>, Failed> {
        let mut map = self.map.write();
        if let Some(node) = map.nodes.get(&place) {
            return Ok(Arc::clone(node));
        }
        let node = self.new_node(&place)?;
        map.nodes.insert(place, Arc::clone(&node));
        Ok(node)
    }

    fn new_node(&self, place: &Place) -> Result<Arc<Node>, Failed> {
        let address = self.address(place).ok_or_else(|| Failed::unreached("no node of the cluster is named"))?;
        let client = address.client().map_err(|error| Failed::unreached(words(&error)))?;
        let manager = |era| Manager::to_server(client, self.deadline, era);
        let node = Node::new(&place.0, address.to_string(), self.connections, self.deadline, manager)
            .map_err(Failed::unreached)?;
        if self.background.is_stopped() {
            node.close();
        }
        Ok(Arc::new(node))
    }

    /// Spoken to as the seeds are.
    fn address(&self, (host, port): &Place) -> Option<Address> {
        Some(Address::new(host, *port, self.seeds.first()?.access().clone()))
    }

    fn limit(&self) -> Limit {
        Limit::of(self.deadline)
    }
}

/// A node of a cluster that is down answers, and serves nobody.
async fn is_well(node: &Node, limit: Limit) -> Result<(), Failed> {
    let mut ask = cmd("CLUSTER");
    ask.arg("INFO");
    match node.call(&Call::Command(&ask), limit, false).await?.value {
        Value::BulkString(info) if info.windows(18).any(|text| text == b"cluster_state:fail") => {
            Err(Failed::unreached("its cluster is down"))
        }
        _ => Ok(()),
    }
}

fn cluster_slots() -> Cmd {
    let mut ask = cmd("CLUSTER");
    ask.arg("SLOTS");
    ask
}

fn read_slots(reply: &Value, asked: &str) -> Result<Vec<Range>, Failed> {
    match ranges(reply, asked) {
        Some(found) if !found.is_empty() => Ok(found),
        Some(_) => Err(Failed::unreached("it has no slots yet")),
        None => Err(Failed::unreached("the answer has another form")),
    }
}
