//! A cluster whose nodes stop, die and are replaced.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use hitesh_redis::{
    Address, Link, LinkError, LinkSettings, Script, Servers, Wait, cmd, pipe,
    testing::{RedisCluster, RedisServer},
};
use tokio::runtime::Handle;

const DEADLINE: Duration = Duration::from_millis(500);

fn link_to(servers: Servers) -> Link {
    Link::new(LinkSettings::new(servers, DEADLINE), Handle::current()).unwrap()
}

async fn increment(link: &Link, key: &str) -> Result<u64, LinkError> {
    link.command(cmd("INCR").arg(key)).await
}

/// Increments until it is done; the link tells nobody that a node is back.
async fn increment_at_last(link: &Link, key: &str) -> u64 {
    let started = Instant::now();
    loop {
        match increment(link, key).await {
            Ok(count) => return count,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(30), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn each_key_is_where_its_slot_is() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    for shard in 0..3 {
        let key = cluster.key_in(shard, "k");
        assert_eq!(increment(&link, &key).await.unwrap(), 1);
        assert_eq!(link.script::<u64>(&script.key(&key)).await.unwrap(), 2);
        let mut both = pipe();
        both.cmd("INCR").arg(&key).cmd("GET").arg(&key);
        assert_eq!(link.pipeline::<(u64, u64)>(&both).await.unwrap(), (3, 3));
        assert_eq!(cluster.nodes[shard].ask(&["GET", &key]), "$1\r\n3\r\n");
    }
    link.ping().await.unwrap();
}

#[tokio::test]
async fn one_node_that_answers_is_enough_to_know_all() {
    let mut cluster = RedisCluster::start();
    cluster.nodes[3].kill();
    cluster.nodes[4].pause();
    let of = |node: usize| cluster.nodes[node].address();
    let link = link_to(Servers::Cluster(vec![of(3), of(4), of(5)]));
    for shard in 0..3 {
        assert_eq!(increment(&link, &cluster.key_in(shard, "k")).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_killed_primary_is_followed_by_its_replica() {
    let mut cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let key = cluster.key_in(1, "k");
    increment(&link, &key).await.unwrap();
    cluster.nodes[1].kill();
    assert!(matches!(increment(&link, &key).await, Err(LinkError::Unavailable { .. })));
    increment_at_last(&link, &key).await;
    assert!(cluster.nodes[4].ask(&["ROLE"]).contains("master"));
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    link.script::<u64>(&script.key(&key)).await.unwrap();
}

#[tokio::test]
async fn a_replica_that_takes_over_in_order_costs_no_call() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let key = cluster.key_in(2, "k");
    increment(&link, &key).await.unwrap();
    cluster.failover(2);
    assert_eq!(increment(&link, &key).await.unwrap(), 2);
    assert_eq!(cluster.nodes[5].ask(&["GET", &key]), "$1\r\n2\r\n");
}

#[tokio::test]
async fn a_shard_that_stopped_keeps_no_call_from_the_others() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let keys = [0, 1, 2].map(|shard| cluster.key_in(shard, "k"));
    for key in &keys {
        increment(&link, key).await.unwrap();
    }
    cluster.nodes[3].pause();
    cluster.nodes[0].pause();
    let error = increment(&link, &keys[0]).await.unwrap_err();
    assert!(matches!(error, LinkError::Unavailable { in_doubt: true, .. }), "{error}");
    for round in 2..22 {
        assert!(matches!(increment(&link, &keys[0]).await, Err(LinkError::Unavailable { in_doubt: false, .. })));
        assert_eq!(increment(&link, &keys[1]).await.unwrap(), round);
        assert_eq!(increment(&link, &keys[2]).await.unwrap(), round);
    }
    cluster.nodes[0].resume();
    cluster.nodes[3].resume();
    increment_at_last(&link, &keys[0]).await;
}

#[tokio::test]
async fn clients_that_a_node_holds_back_are_served_after_it() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let key = cluster.key_in(2, "k");
    increment(&link, &key).await.unwrap();
    cluster.nodes[2].ask(&["CLIENT", "PAUSE", "1500"]);
    assert!(matches!(increment(&link, &key).await, Err(LinkError::Unavailable { in_doubt: true, .. })));
    increment_at_last(&link, &key).await;
}

#[tokio::test]
async fn a_slot_that_moved_is_found_and_nothing_is_done_twice() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let key = cluster.key_in(0, "k");
    increment(&link, &key).await.unwrap();
    let slot = cluster.nodes[0].ask(&["CLUSTER", "KEYSLOT", &key]);
    let slot = slot.trim_start_matches(':').trim_end();
    let id = |node: usize| cluster.nodes[node].ask(&["CLUSTER", "MYID"]).lines().nth(1).unwrap().to_owned();
    let (from, to) = (id(0), id(1));
    cluster.nodes[1].ask(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &from]);
    cluster.nodes[0].ask(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &to]);
    let port = cluster.nodes[1].port().to_string();
    cluster.nodes[0].ask(&["MIGRATE", "127.0.0.1", &port, &key, "0", "1000"]);
    // The one that had it says who has it now.
    assert_eq!(increment(&link, &key).await.unwrap(), 2);
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    assert_eq!(link.script::<u64>(&script.key(&key)).await.unwrap(), 3);
    let mut both = pipe();
    both.cmd("INCR").arg(&key).cmd("INCR").arg(&key).ignore().cmd("GET").arg(&key);
    assert_eq!(link.pipeline::<(u64, u64)>(&both).await.unwrap(), (4, 5));
    for node in [1, 0] {
        cluster.nodes[node].ask(&["CLUSTER", "SETSLOT", slot, "NODE", &to]);
    }
    assert_eq!(increment(&link, &key).await.unwrap(), 6);
    assert_eq!(link.pipeline::<(u64, u64)>(&both).await.unwrap(), (7, 8));
    assert_eq!(cluster.nodes[1].ask(&["GET", &key]), "$1\r\n8\r\n");
}

#[tokio::test]
async fn connections_that_break_leave_calls_in_doubt_and_do_none_twice() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let key = cluster.key_in(0, "k");
    let (done, in_doubt) = (Cell::new(0), Cell::new(0));
    let increments = (0..8).map(|_| async {
        while done.get() < 500 || in_doubt.get() < 20 {
            match increment(&link, &key).await {
                Ok(_) => done.set(done.get() + 1),
                Err(LinkError::Unavailable { in_doubt: true, .. }) => in_doubt.set(in_doubt.get() + 1),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    });
    // Each time that something was done, so that something is done however slow the machine is.
    let breaking = async {
        let mut seen = String::new();
        loop {
            let there = cluster.nodes[0].ask(&["GET", &key]);
            if there != seen {
                cluster.nodes[0].ask(&["CLIENT", "KILL", "TYPE", "normal"]);
                seen = there;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! { _ = futures::future::join_all(increments) => (), () = breaking => unreachable!() };
    let (done, in_doubt) = (done.get(), in_doubt.get());
    let there: u64 = cluster.nodes[0].ask(&["GET", &key]).lines().nth(1).unwrap().parse().unwrap();
    assert!((done..=done + in_doubt).contains(&there), "{done} done, {in_doubt} in doubt: {there}");
}

#[tokio::test]
async fn a_write_waits_for_the_replica_of_its_own_shard() {
    let cluster = RedisCluster::start();
    let replicas = Some(Wait { replicas: 1, timeout: Duration::from_millis(200) });
    let settings = LinkSettings { replicas, ..LinkSettings::new(cluster.link(), DEADLINE) };
    let link = Link::new(settings, Handle::current()).unwrap();
    cluster.nodes[3].pause();
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    for (shard, reached) in [(0, false), (1, true)] {
        let key = cluster.key_in(shard, "k");
        assert_eq!(link.script_to_replicas::<u64>(&script.key(&key)).await.unwrap(), (1, reached));
    }
}

#[tokio::test]
async fn keys_in_different_slots_are_refused_and_opens_no_breaker() {
    let cluster = RedisCluster::start();
    let link = link_to(cluster.link());
    let [one, other] = [0, 1].map(|shard| cluster.key_in(shard, "k"));
    let error = link.command::<Vec<Option<u64>>>(cmd("MGET").arg(&one).arg(&other)).await.unwrap_err();
    assert!(error.to_string().ends_with("the keys of one call are in different slots"), "{error}");
    increment(&link, &one).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_no_cluster_is_named() {
    let server = RedisServer::start();
    let link = link_to(Servers::Cluster(vec![server.address()]));
    let expected = format!("redis is unavailable: {}: it is no node of a cluster", server.url());
    assert_eq!(link.ping().await.unwrap_err().to_string(), expected);
    assert_eq!(increment(&link, "k").await.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_cluster_that_is_spoken_to_as_one_server_is_named() {
    let cluster = RedisCluster::start();
    let link = link_to(Servers::Single(cluster.nodes[0].address()));
    let error = increment(&link, &cluster.key_in(1, "k")).await.unwrap_err();
    assert!(error.to_string().ends_with("it is a node of a cluster, and was spoken to as if it were alone"), "{error}");
}

#[tokio::test]
async fn a_cluster_of_which_no_node_answers_is_found_when_it_is_back() {
    let mut cluster = RedisCluster::start();
    let key = cluster.key_in(0, "k");
    cluster.nodes.iter_mut().for_each(RedisServer::kill);
    let link = link_to(cluster.link());
    let error = increment(&link, &key).await.unwrap_err();
    assert!(error.to_string().ends_with("it refused the connection"), "{error}");
    cluster.nodes.iter_mut().for_each(RedisServer::restart);
    increment_at_last(&link, &key).await;
}

#[tokio::test]
async fn a_cluster_that_is_down_as_a_whole_is_away_until_it_is_whole_again() {
    let mut cluster = RedisCluster::start();
    for node in &cluster.nodes {
        node.ask(&["CONFIG", "SET", "cluster-require-full-coverage", "yes"]);
    }
    let link = link_to(cluster.link());
    let key = cluster.key_in(1, "k");
    increment(&link, &key).await.unwrap();
    for member in [0, 3] {
        cluster.nodes[member].kill();
    }
    let started = Instant::now();
    while increment(&link, &key).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(30), "the others do not miss the shard");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A ping would be answered: the breaker stays open all the same.
    for _ in 0..20 {
        let error = increment(&link, &key).await.unwrap_err();
        assert!(error.to_string().ends_with("its cluster is down"), "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for member in [0, 3] {
        cluster.nodes[member].restart();
    }
    increment_at_last(&link, &key).await;
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let cluster = RedisCluster::start();
    cluster.nodes.iter().for_each(|node| {
        node.ask(&["CONFIG", "SET", "requirepass", "the-right-one"]);
    });
    let with = |password: &str| {
        let address = |node: &RedisServer| Address::parse(&node.url()).unwrap().or_user(None, Some(password));
        link_to(Servers::Cluster(cluster.nodes.iter().map(address).collect()))
    };
    let error = with("hunter2").ping().await.unwrap_err().to_string();
    assert!(error.ends_with("it refused the user or the password") && !error.contains("hunter2"), "{error}");
    with("the-right-one").ping().await.unwrap();
}
