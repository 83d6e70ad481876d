//! Sessions that move from a file into Redis are there as they were.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]

use std::{sync::Arc, time::Duration};

use hitesh_domain::{Comment, Feedback, IdempotencyKey, Owner, Rating, Replaces, SessionId};
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer},
};
use hitesh_sessions::{
    Claim, Moved, Page, RedisSessions, RedisSessionsSettings, SessionStore, SqliteSessions, SqliteSettings, StoreError,
    conformance::{
        any_life_of_a_session_is_as_a_list_in_memory_says,
        fixtures::{answer, session, turn_in, turn_of},
    },
    transfer::SessionRecord,
};
use tokio::runtime::Handle;

const ALL: Page = Page { limit: 100_000, before: None, replaced: true };

fn redis(servers: impl Into<Servers>) -> RedisSessions {
    // As much time as a busy machine may take: these are no tests of deadlines.
    let link = Link::new(LinkSettings::new(servers, Duration::from_secs(10)), Handle::current()).unwrap();
    RedisSessions::new(link, RedisSessionsSettings::default(), &Handle::current())
}

fn file() -> Arc<SqliteSessions> {
    Arc::new(SqliteSessions::open(SqliteSettings::default()).unwrap())
}

async fn records(from: &SqliteSessions) -> Vec<SessionRecord> {
    let (mut all, mut after) = (Vec::new(), 0);
    while let Some((number, record)) = from.export_after(after).await.unwrap() {
        all.push(record);
        after = number;
    }
    all
}

/// Moves all; what became of each.
async fn move_all(from: &SqliteSessions, to: &RedisSessions) -> Vec<Moved> {
    let mut moved = Vec::new();
    for record in records(from).await {
        moved.push(to.import(&record).await.unwrap());
    }
    moved
}

/// Everything that can be asked of a session has the same answer in both.
async fn expect_same(one: &dyn SessionStore, other: &dyn SessionStore, owner: &Owner, name: &SessionId) {
    let turns = one.history(owner, name, ALL).await.unwrap();
    assert!(!turns.is_empty());
    for page in [ALL, Page { replaced: false, ..ALL }, Page { limit: 3, ..ALL }] {
        assert_eq!(one.history(owner, name, page).await.unwrap(), other.history(owner, name, page).await.unwrap());
    }
    for turn in &turns {
        let id = turn.info.turn;
        assert_eq!(one.turn(owner, id).await.unwrap(), other.turn(owner, id).await.unwrap());
        let before = Page { limit: 5, before: Some(id), replaced: true };
        assert_eq!(one.history(owner, name, before).await.unwrap(), other.history(owner, name, before).await.unwrap());
    }
    for before in turns.iter().map(|turn| Some(turn.info.turn)).chain([None]) {
        assert_eq!(
            one.context(owner, name, 5, before).await.unwrap(),
            other.context(owner, name, 5, before).await.unwrap()
        );
    }
}

async fn everything_is_as_it_was(servers: impl Into<Servers>) {
    let (from, to) = (file(), redis(servers));
    any_life_of_a_session_is_as_a_list_in_memory_says(Arc::clone(&from) as Arc<dyn SessionStore>).await;
    let other = Owner::try_from("web".to_owned()).unwrap();
    let texts = ["क्या Docker सीखूँ? ☕".to_owned(), "x".repeat(2000), "\"quotes\" {braces} /slashes/ \\".to_owned()];
    for text in &texts {
        from.record(turn_of(&other, "s0", text), answer(&text.repeat(20))).await.unwrap();
    }
    let rated = turn_of(&other, "s0", "Rated?");
    from.record(rated.clone(), answer("Haanji")).await.unwrap();
    let comment = Some(Comment::try_from("bahut accha".to_owned()).unwrap());
    from.feedback(&other, rated.info.turn, Feedback::new(Some(Rating::Up), comment)).await.unwrap();
    from.recover().await.unwrap();
    let moved = move_all(&from, &to).await;
    assert_eq!(moved, vec![Moved::Now; 13]);
    assert_eq!(move_all(&from, &to).await, vec![Moved::Before; 13], "a second time changes nothing");
    for record in records(&from).await {
        expect_same(from.as_ref(), &to, &record.owner, &record.session).await;
    }
    let (was, is) = (from.stats().await.unwrap(), to.stats().await.unwrap());
    assert_eq!((was.sessions, was.turns), (is.sessions, is.turns));
    // And both go on in the same way.
    let mut edit = turn_of(&other, "s0", "Otherwise?");
    edit.info.replaces = Some(Replaces { turn: rated.info.turn, with_followers: true });
    for turn in [turn_of(&other, "s0", "Next?"), edit] {
        from.record(turn.clone(), answer("ok")).await.unwrap();
        to.record(turn, answer("ok")).await.unwrap();
    }
    expect_same(from.as_ref(), &to, &other, &session("s0")).await;
    assert!(to.erase(&other, &session("s0")).await.unwrap());
    assert_eq!(to.stats().await.unwrap().turns, is.turns - 4);
    assert_eq!(
        to.sweep(time::OffsetDateTime::now_utc()).await.unwrap(),
        is.turns - 4,
        "old ones are found by their age"
    );
    to.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_server_everything_is_as_it_was() {
    let server = RedisServer::start();
    everything_is_as_it_was(server.address()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_everything_is_as_it_was() {
    let cluster = RedisCluster::start();
    everything_is_as_it_was(cluster.link()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_went_on_meanwhile_is_left_alone() {
    let (from, server) = (file(), RedisServer::start());
    let to = redis(server.address());
    from.record(turn_in("s", "a"), answer("a")).await.unwrap();
    assert_eq!(move_all(&from, &to).await, [Moved::Now]);
    to.record(turn_in("s", "b"), answer("b")).await.unwrap();
    assert_eq!(move_all(&from, &to).await, [Moved::Differs]);
    let owner = Owner::public();
    assert_eq!(to.history(&owner, &session("s"), ALL).await.unwrap().len(), 2);
    // Nor is a turn ever in two sessions.
    let mut record = records(&from).await.remove(0);
    record.session = session("other");
    assert_eq!(to.import(&record).await.unwrap(), Moved::Differs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_session_that_was_cut_off_on_its_way_comes_anew() {
    let (from, server) = (file(), RedisServer::start());
    let to = redis(server.address());
    for number in 0..450 {
        from.record(turn_in("s", &format!("{number}")), answer("ok")).await.unwrap();
    }
    assert_eq!(move_all(&from, &to).await, [Moved::Now]);
    expect_same(from.as_ref(), &to, &Owner::public(), &session("s")).await;
    // As if the one that brought it had died before its last turns.
    let tag = "{hitesh:sessions:2}:{public/s}";
    let last =
        from.history(&Owner::public(), &session("s"), Page { limit: 1, before: None, replaced: true }).await.unwrap();
    let member = format!("{:015}{}", 450, last[0].info.turn);
    server.ask(&["ZREM", &format!("{tag}:all"), &member]);
    server.ask(&["ZREM", &format!("{tag}:current"), &member]);
    server.ask(&["DEL", &format!("{tag}:turn:{}", last[0].info.turn)]);
    server.ask(&["DEL", &format!("{{hitesh:sessions:2}}:turn:{}", last[0].info.turn)]);
    server.ask(&["SET", &format!("{tag}:importing"), "1"]);
    assert_eq!(move_all(&from, &to).await, [Moved::Now]);
    expect_same(from.as_ref(), &to, &Owner::public(), &session("s")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_stay_bound_for_the_rest_of_their_time() {
    let (from, server) = (file(), RedisServer::start());
    let (to, owner) = (redis(server.address()), Owner::public());
    let turn = turn_in("s", "a");
    let claim =
        |key: &str, turn| Claim { key: IdempotencyKey::try_from(key.to_owned()).unwrap(), digest: [7; 32], turn };
    from.claim(&owner, claim("used", turn.info.turn)).await.unwrap();
    from.claim(&owner, claim("never-used", turn_in("s", "x").info.turn)).await.unwrap();
    from.record(turn.clone(), answer("a")).await.unwrap();
    assert_eq!(move_all(&from, &to).await, [Moved::Now]);
    let other = turn_in("s", "b").info.turn;
    assert_eq!(to.claim(&owner, claim("used", other)).await.unwrap().turn, turn.info.turn);
    assert_eq!(to.claim(&owner, claim("never-used", other)).await.unwrap().turn, other, "its turn never began");
    to.erase(&owner, &session("s")).await.unwrap();
    assert_eq!(to.claim(&owner, claim("used", other)).await.unwrap().turn, other, "erasing frees it");
    let life: u64 =
        server.ask(&["PTTL", "{hitesh:sessions:2}:claim:public/used"]).trim_start_matches(':').trim().parse().unwrap();
    assert!(life <= 24 * 60 * 60 * 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_or_absent_server_says_so_and_the_next_try_goes_on() {
    let (from, mut server) = (file(), RedisServer::start());
    let to = redis(server.address());
    for name in ["a", "b"] {
        from.record(turn_in(name, "?"), answer("ok")).await.unwrap();
    }
    let all = records(&from).await;
    assert_eq!(to.import(&all[0]).await.unwrap(), Moved::Now);
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(to.import(&all[1]).await, Err(StoreError::Unavailable { .. })));
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(move_all(&from, &to).await, [Moved::Before, Moved::Now]);
    server.kill();
    assert!(matches!(to.import(&all[1]).await, Err(StoreError::Unavailable { .. })));
}
