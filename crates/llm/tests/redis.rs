//! The board in Redis keeps every promise.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::{sync::Arc, time::Duration};

use hitesh_llm::{BreakerBoard, Hint, Notice, RedisBreakerBoard};
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer},
};
use tokio::runtime::Handle;

fn board(servers: impl Into<Servers>, prefix: &str) -> RedisBreakerBoard {
    let link = Link::new(LinkSettings::new(servers, Duration::from_secs(10)), Handle::current()).unwrap();
    RedisBreakerBoard::new(Arc::new(link), prefix)
}

fn hint(wait_ms: u64) -> Hint {
    let timeout = r#"{"timeout":{"phase":"first_token","limit_ms":15000}}"#;
    serde_json::from_str(&format!(r#"{{"wait_ms":{wait_ms},"why":{timeout}}}"#)).unwrap()
}

async fn exchange(board: &RedisBreakerBoard, told: Option<Result<(), &Hint>>) -> Option<Hint> {
    let notices = [Notice { provider: "quiet/m", told: None }, Notice { provider: "first/m", told }];
    let [quiet, first] = board.exchange(&notices).await.unwrap().try_into().unwrap();
    assert_eq!(quiet, None);
    first
}

async fn hints_are_found_by_all_who_name_the_same_prefix(servers: impl Into<Servers>) {
    let servers = servers.into();
    let [one, other] = ["a", "a"].map(|prefix| board(servers.clone(), prefix));
    let stranger = board(servers, "b");
    assert_eq!(exchange(&one, None).await, None);
    let told = hint(60_000);
    assert!(exchange(&one, Some(Err(&told))).await.is_some());
    let heard = exchange(&other, None).await.unwrap();
    assert_eq!(heard.clone().for_another(told.wait()), told);
    assert!(heard.wait() <= told.wait() && !heard.wait().is_zero());
    assert_eq!(exchange(&stranger, None).await, None);
    let shorter = hint(1_000);
    assert!(exchange(&other, Some(Err(&shorter))).await.unwrap().wait() > shorter.wait(), "the longer one stays");
    assert_eq!(exchange(&other, Some(Ok(()))).await, None);
    assert_eq!(exchange(&one, None).await, None, "it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_are_found_by_others() {
    let server = RedisServer::start();
    hints_are_found_by_all_who_name_the_same_prefix(server.address()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_are_found_by_others_on_a_cluster() {
    let cluster = RedisCluster::start();
    hints_are_found_by_all_who_name_the_same_prefix(cluster.link()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_goes_with_its_wait_and_one_that_makes_no_sense_is_none() {
    let server = RedisServer::start();
    let board = board(server.address(), "a");
    exchange(&board, Some(Err(&hint(30)))).await;
    let mut tries = 0;
    while exchange(&board, None).await.is_some() {
        tries += 1;
        assert!(tries < 1000, "it stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.ask(&["SET", "{a:breakers:1}:first/m", "nonsense", "PX", "60000"]);
    assert_eq!(exchange(&board, None).await, None);
    assert_eq!(exchange(&board, Some(Err(&hint(0)))).await, None, "the nonsense has a longer life");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_said_to_be() {
    let mut server = RedisServer::start();
    let board = board(server.address(), "a");
    server.kill();
    let error = board.exchange(&[Notice { provider: "first/m", told: None }]).await.unwrap_err();
    assert!(error.to_string().starts_with("other instances can't be told"), "{error}");
}
