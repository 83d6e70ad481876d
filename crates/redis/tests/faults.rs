//! A link whose server stops, dies and comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::time::{Duration, Instant};

use hitesh_redis::{Address, Link, LinkError, LinkSettings, cmd, testing::RedisServer};
use tokio::runtime::Handle;

const DEADLINE: Duration = Duration::from_millis(250);
/// As much time as a busy machine may take, where the server is well and no deadline is tested.
const PATIENCE: Duration = Duration::from_secs(5);

fn link_within(address: Address, deadline: Duration) -> Link {
    Link::new(LinkSettings::new(address, deadline), Handle::current()).unwrap()
}

fn link_to(address: Address) -> Link {
    link_within(address, DEADLINE)
}

async fn get(link: &Link) -> Result<Option<String>, LinkError> {
    link.command(cmd("GET").arg("k")).await
}

async fn set(link: &Link) {
    link.command::<()>(cmd("SET").arg("k").arg("chai")).await.unwrap();
}

/// Asks until the server is back. The link tells nobody when it is, so there is no event to wait for.
async fn back(link: &Link) -> Option<String> {
    let started = Instant::now();
    loop {
        match get(link).await {
            Ok(found) => return found,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        assert!(started.elapsed() < Duration::from_secs(10), "the link does not come back");
    }
}

#[tokio::test]
async fn a_server_that_stopped_costs_one_deadline_and_then_nothing() {
    let server = RedisServer::start();
    let link = link_to(server.address());
    set(&link).await;
    server.pause();
    let started = Instant::now();
    assert!(matches!(get(&link).await, Err(LinkError::Unavailable { .. })));
    let first = started.elapsed();
    assert!(first < DEADLINE + Duration::from_millis(100), "{first:?}");
    let mut took = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        assert!(matches!(get(&link).await, Err(LinkError::Unavailable { .. })));
        took.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    took.sort();
    assert!(took[10] < Duration::from_millis(5) && took[19] < Duration::from_millis(100), "{took:?}");
    server.resume();
    assert_eq!(back(&link).await.as_deref(), Some("chai"));
}

#[tokio::test]
async fn a_server_that_died_is_found_again_after_its_restart() {
    let mut server = RedisServer::start();
    let link = link_to(server.address());
    set(&link).await;
    server.kill();
    assert!(get(&link).await.is_err());
    server.restart();
    assert_eq!(back(&link).await.as_deref(), Some("chai"));
}

#[tokio::test]
async fn no_caller_meets_a_connection_that_died_while_it_was_idle() {
    let mut server = RedisServer::start();
    let link = link_to(server.address());
    set(&link).await;
    server.kill();
    server.restart();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(get(&link).await.unwrap().as_deref(), Some("chai"));
}

#[tokio::test]
async fn a_link_to_nowhere_says_so_at_once() {
    let address = {
        let mut server = RedisServer::start();
        server.kill();
        server.address()
    };
    let error = get(&link_to(address)).await.unwrap_err();
    assert_eq!(error.to_string(), "redis is unavailable: it refused the connection");
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    let server = RedisServer::start();
    server.ask(&["CONFIG", "SET", "requirepass", "the-right-one"]);
    let url = server.url().replace("redis://", "redis://:hunter2@");
    let error = get(&link_within(Address::parse(&url).unwrap(), PATIENCE)).await.unwrap_err();
    assert_eq!(error.to_string(), "redis is unavailable: it refused the user or the password");
    let url = server.url().replace("redis://", "redis://:the-right-one@");
    assert_eq!(get(&link_within(Address::parse(&url).unwrap(), PATIENCE)).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_of_another_form_is_invalid_and_opens_no_breaker() {
    let server = RedisServer::start();
    let link = link_within(server.address(), PATIENCE);
    set(&link).await;
    let wrong = link.command::<u64>(cmd("GET").arg("k")).await;
    assert!(matches!(wrong, Err(LinkError::Invalid { .. })), "{wrong:?}");
    assert_eq!(get(&link).await.unwrap().as_deref(), Some("chai"));
}

#[tokio::test]
async fn more_callers_than_connections_are_all_served() {
    let server = RedisServer::start();
    let link = link_within(server.address(), PATIENCE);
    let increments: Vec<_> = (0..200).map(|_| cmd("INCR").arg("n").to_owned()).collect();
    let calls = increments.iter().map(|increment| link.command::<u64>(increment));
    futures::future::join_all(calls).await.into_iter().for_each(|result| assert!(result.is_ok()));
    assert_eq!(link.command::<u64>(cmd("GET").arg("n")).await.unwrap(), 200);
}

#[tokio::test]
async fn a_closed_link_takes_nothing_more() {
    let server = RedisServer::start();
    let link = link_to(server.address());
    link.close();
    assert_eq!(get(&link).await.unwrap_err().to_string(), "redis is unavailable: the link is closed");
}

#[tokio::test]
async fn a_call_that_its_caller_gave_up_holds_up_no_other() {
    let server = RedisServer::start();
    let settings = LinkSettings { connections: 1, ..LinkSettings::new(server.address(), PATIENCE) };
    let link = Link::new(settings, Handle::current()).unwrap();
    set(&link).await;
    let blocked = async { link.command::<()>(cmd("BLPOP").arg("nothing").arg(60)).await };
    let is_there = async {
        while !server.ask(&["INFO", "clients"]).contains("blocked_clients:1") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! { _ = blocked => panic!("nothing is there"), () = is_there => {} }
    assert_eq!(get(&link).await.unwrap().as_deref(), Some("chai"));
}
