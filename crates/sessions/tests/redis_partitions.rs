//! Sessions on a cluster: each shard has some, with all that belongs to them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]

use std::{collections::HashSet, time::Duration};

use hitesh_domain::{IdempotencyKey, TurnId};
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer},
};
use hitesh_sessions::{
    Claim, NewTurn, RedisSessions, RedisSessionsSettings, SessionStore, StoreError,
    conformance::fixtures::{answer, at, owner, session, turn_in},
};
use tokio::runtime::Handle;

fn store(servers: impl Into<Servers>, deadline: Duration) -> RedisSessions {
    let link = Link::new(LinkSettings::new(servers, deadline), Handle::current()).unwrap();
    RedisSessions::new(link, RedisSessionsSettings::default(), &Handle::current())
}

/// As much time as a busy machine may take: most of these are no tests of deadlines.
fn patient(servers: impl Into<Servers>) -> RedisSessions {
    store(servers, Duration::from_secs(10))
}

/// Under an id of the store's own.
fn turn_by(store: &RedisSessions, name: &str) -> NewTurn {
    let mut turn = turn_in(name, "Kaise?");
    turn.info.turn = store.new_turn(&owner(), &session(name));
    turn
}

async fn begin(store: &RedisSessions, turn: &NewTurn) -> Result<(), StoreError> {
    store.begin(turn.clone()).await?.await
}

fn keys(node: &RedisServer) -> Vec<String> {
    let listed = node.ask(&["KEYS", "*"]);
    listed.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
}

/// Of three primaries, those that have keys of a session.
fn shards_of(cluster: &RedisCluster, name: &str) -> Vec<usize> {
    let of_session = format!(":{{public/{name}}}:");
    (0..3).filter(|shard| keys(&cluster.nodes[*shard]).iter().any(|key| key.contains(&of_session))).collect()
}

#[tokio::test]
async fn each_shard_has_its_share_of_the_sessions_and_each_session_one_shard() {
    let cluster = RedisCluster::start();
    let store = patient(cluster.link());
    let names: Vec<_> = (0..60).map(|number| format!("s{number}")).collect();
    for name in &names {
        let (open, ended) = (turn_by(&store, name), turn_by(&store, name));
        begin(&store, &open).await.unwrap();
        store.record(ended, answer("Aise.")).await.unwrap();
        store.finish(open.info.turn, answer("Aise.")).await.unwrap();
    }
    let mut sessions = [0; 3];
    for name in &names {
        let shards = shards_of(&cluster, name);
        assert_eq!(shards.len(), 1, "{name} is on {shards:?}");
        sessions[shards[0]] += 1;
    }
    assert!(sessions.iter().all(|count| *count >= 10), "{sessions:?}");
    let all: Vec<_> = cluster.nodes[..3].iter().flat_map(keys).collect();
    assert!(!all.iter().any(|key| key.contains(":elsewhere:")), "the ids say where their turns are");
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns, stats.away), (60, 120, None));
}

#[tokio::test]
async fn an_erased_or_swept_session_leaves_nothing_on_any_shard() {
    let cluster = RedisCluster::start();
    let store = patient(cluster.link());
    let mut ids = HashSet::new();
    for name in ["erased", "swept"] {
        for number in 0..20 {
            // An id of another's making points anywhere.
            let turn = if number % 2 == 0 { turn_in(name, "Kaise?") } else { turn_by(&store, name) };
            let key = IdempotencyKey::try_from(format!("{name}-{number}")).unwrap();
            let claim = Claim { key, digest: [1; 32], turn: turn.info.turn };
            assert_eq!(store.claim(&owner(), claim.clone()).await.unwrap(), claim);
            begin(&store, &turn).await.unwrap();
            store.finish(turn.info.turn, answer("Aise.")).await.unwrap();
            assert!(store.turn(&owner(), turn.info.turn).await.unwrap().is_some());
            ids.insert(turn.info.turn.to_string());
        }
    }
    assert!(store.erase(&owner(), &session("erased")).await.unwrap());
    assert_eq!(store.sweep(at(60)).await.unwrap(), 20);
    for id in &ids {
        assert_eq!(store.turn(&owner(), id.parse::<TurnId>().unwrap()).await.unwrap(), None);
    }
    let all: Vec<_> = cluster.nodes[..3].iter().flat_map(keys).collect();
    let own = [":alive:", ":instances", ":counts", ":probe", ":begun"];
    let left: Vec<_> = all.iter().filter(|key| !own.iter().any(|own| key.contains(own))).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn while_a_shard_is_away_the_sessions_of_the_others_go_on() {
    let mut cluster = RedisCluster::start();
    let dead = store(cluster.link(), Duration::from_millis(500));
    let names: Vec<_> = (0..30).map(|number| format!("s{number}")).collect();
    let mut open = Vec::new();
    for name in &names {
        let turn = turn_by(&dead, name);
        begin(&dead, &turn).await.unwrap();
        open.push(turn);
    }
    let shards: Vec<_> = names.iter().map(|name| shards_of(&cluster, name)[0]).collect();
    drop(dead);
    let living = store(cluster.link(), Duration::from_millis(500));
    living.stats().await.unwrap();
    // Its replica first, or that takes its place.
    cluster.nodes[4].kill();
    cluster.nodes[1].kill();
    for (name, shard) in names.iter().zip(&shards) {
        let turn = turn_by(&living, name);
        let begun = begin(&living, &turn).await;
        if *shard == 1 {
            assert!(matches!(begun, Err(StoreError::Unavailable { .. })), "{begun:?}");
        } else {
            begun.unwrap();
            living.finish(turn.info.turn, answer("Aise.")).await.unwrap();
        }
    }
    let stats = living.stats().await.unwrap();
    let of_others = u64::try_from(shards.iter().filter(|shard| **shard != 1).count()).unwrap();
    assert_eq!((stats.sessions, stats.turns), (of_others, 2 * of_others));
    assert!(stats.away.is_some());
    // What is over is forgotten on the others, and that not all of it was is told.
    assert!(matches!(living.sweep(at(60)).await, Err(StoreError::Unavailable { .. })));
    assert_eq!(living.stats().await.unwrap().turns, of_others);
    // What the dead instance had open on the others is found all the same.
    let mut adopted = 0;
    let started = std::time::Instant::now();
    while adopted < of_others {
        for orphan in living.orphans().await.unwrap() {
            adopted += u64::from(living.adopt(&orphan, answer("Aise.")).await.unwrap());
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{adopted} of {of_others}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_shard_that_stands_still_does_not_keep_the_figures_of_the_others_back() {
    let cluster = RedisCluster::start();
    let deadline = Duration::from_secs(60);
    let store = store(cluster.link(), deadline);
    for number in 0..30 {
        store.record(turn_by(&store, &format!("s{number}")), answer("Aise.")).await.unwrap();
    }
    assert_eq!(store.stats().await.unwrap().away, None);
    // Its replica first, or that takes its place.
    cluster.nodes[4].pause();
    cluster.nodes[1].pause();
    let started = std::time::Instant::now();
    let stats = store.stats().await.unwrap();
    assert!(started.elapsed() < deadline);
    assert!(stats.away.is_some() && (1..30).contains(&stats.sessions), "{stats:?}");
}

#[tokio::test]
async fn sessions_that_are_spread_otherwise_are_not_overlooked() {
    let (cluster, server) = (RedisCluster::start(), RedisServer::start());
    let (spread, at_one) = (patient(cluster.link()), patient(server.address()));
    for store in [&spread, &at_one] {
        store.record(turn_by(store, "s"), answer("Aise.")).await.unwrap();
    }
    // As they would be after a move of all keys.
    let mut all = keys(&cluster.nodes[0]).into_iter().chain(keys(&cluster.nodes[1])).chain(keys(&cluster.nodes[2]));
    let of_cluster = all.rfind(|key| key.ends_with(":counts")).unwrap();
    server.ask(&["HSET", &of_cluster, "sessions", "1"]);
    let shard = cluster.shard_of("{hitesh:sessions:2}:counts");
    cluster.nodes[shard].ask(&["HSET", "{hitesh:sessions:2}:counts", "sessions", "1"]);
    for store in [patient(cluster.link()), patient(server.address())] {
        let refused = store.stats().await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    }
}
