//! Instances that share a Redis: one dies, one sleeps, Redis itself stops, dies and comes back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]

use std::time::{Duration, Instant};

use futures::future::join_all;
use hitesh_domain::{End, ErrorCode, IdempotencyKey, IncompleteReason, Outcome, Owner, TurnId};
use hitesh_redis::{Link, LinkSettings, Wait, testing::RedisServer};
use hitesh_sessions::{
    Claim, NewTurn, Page, RedisSessions, RedisSessionsSettings, SessionStore, StoreError, StoredTurn,
    conformance::fixtures::{answer, owner, session, transcript, turn_in},
};
use tokio::runtime::Handle;

const DEADLINE: Duration = Duration::from_millis(500);
const LEASE: Duration = Duration::from_millis(500);
const GRACE: Duration = Duration::from_millis(300);

fn instance(server: &RedisServer) -> RedisSessions {
    with_lease(server, LEASE)
}

fn with_lease(server: &RedisServer, lease: Duration) -> RedisSessions {
    let settings = LinkSettings::new(server.address(), DEADLINE);
    let link = Link::new(settings, Handle::current()).unwrap();
    let settings = RedisSessionsSettings { lease, grace: GRACE, ..RedisSessionsSettings::default() };
    RedisSessions::new(link, settings, &Handle::current())
}

async fn begin(store: &RedisSessions, turn: &NewTurn) -> Result<(), StoreError> {
    store.begin(turn.clone()).await?.await
}

async fn stored(store: &RedisSessions, turn: &NewTurn) -> StoredTurn {
    store.turn(&owner(), turn.info.turn).await.unwrap().unwrap()
}

/// Asks again, since there is no event to wait for.
async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Until a call succeeds again.
async fn back(store: &RedisSessions) {
    until("Redis comes back", async || store.stats().await.ok()).await;
}

fn sleeping(server: &RedisServer) {
    let forget = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
    server.ask(&["EVAL", forget, "0", "*:alive:*"]);
}

#[tokio::test]
async fn a_turn_that_is_open_on_one_instance_is_alive_to_the_others_only() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    a.checkpoint(turn.info.turn, transcript("half an ans")).await.unwrap();
    let seen = stored(&b, &turn).await;
    assert_eq!((seen.alive, seen.partial), (true, Some(transcript("half an ans"))));
    assert!(!stored(&a, &turn).await.alive, "an instance knows its own");
    a.finish(turn.info.turn, answer("whole")).await.unwrap();
    let seen = stored(&b, &turn).await;
    assert_eq!((seen.alive, seen.outcome), (false, Some(answer("whole"))));
}

/// Ends what is left open with what its last checkpoint held; how many turns.
async fn adopt_all(store: &RedisSessions) -> Result<usize, StoreError> {
    let mut ended = 0;
    for orphan in store.orphans().await? {
        let outcome = Outcome {
            end: End::Incomplete(IncompleteReason::InstanceLost),
            transcript: orphan.partial.clone(),
            ..answer("")
        };
        ended += usize::from(store.adopt(&orphan, outcome).await?);
    }
    Ok(ended)
}

#[tokio::test]
async fn the_turns_of_an_instance_that_died_are_ended_once_however_many_see_it() {
    let server = RedisServer::start();
    let dying = instance(&server);
    let turns: Vec<_> = (0..150).map(|number| turn_in(&format!("s{}", number % 5), &number.to_string())).collect();
    for turn in &turns {
        begin(&dying, turn).await.unwrap();
    }
    dying.checkpoint(turns[0].info.turn, transcript("half an ans")).await.unwrap();
    drop(dying);
    let others = [instance(&server), instance(&server), instance(&server)];
    let mut ended = 0;
    let died = Instant::now();
    until("the end of the open turns", async || {
        let all = join_all(others.iter().map(adopt_all)).await;
        ended += all.into_iter().map(Result::unwrap).sum::<usize>();
        (ended >= 150).then_some(())
    })
    .await;
    assert_eq!(ended, 150);
    assert!(died.elapsed() >= GRACE);
    let outcome = stored(&others[0], &turns[0]).await.outcome.unwrap();
    assert_eq!(
        (outcome.end, outcome.transcript),
        (End::Incomplete(IncompleteReason::InstanceLost), transcript("half an ans"))
    );
}

#[tokio::test]
async fn the_turns_of_an_instance_that_lives_are_left_alone() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    assert_eq!(b.recover().await.unwrap(), 0);
    let started = Instant::now();
    while started.elapsed() < 3 * (LEASE + GRACE) {
        assert_eq!(adopt_all(&b).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    a.finish(turn.info.turn, answer("whole")).await.unwrap();
}

#[tokio::test]
async fn an_instance_that_slept_too_long_can_not_end_its_turn_any_more() {
    let server = RedisServer::start();
    let [a, b] = [Duration::from_secs(60); 2].map(|lease| with_lease(&server, lease));
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    until("the end of the turn", async || {
        sleeping(&server);
        (b.recover().await.unwrap() == 1).then_some(())
    })
    .await;
    let told = a.finish(turn.info.turn, answer("too late")).await;
    assert!(matches!(told, Err(StoreError::Invalid { .. })), "{told:?}");
    a.checkpoint(turn.info.turn, transcript("too late")).await.unwrap();
    let outcome = stored(&b, &turn).await.outcome.unwrap();
    assert_eq!(outcome.end, End::Incomplete(IncompleteReason::Crashed));
    let anew = turn_in("s", "awake");
    begin(&a, &anew).await.unwrap();
    assert_eq!(b.recover().await.unwrap(), 0, "who begins a turn lives");
}

#[tokio::test]
async fn a_time_without_redis_costs_no_instance_its_turns() {
    let mut server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    for fault in ["pause", "kill"] {
        if fault == "pause" {
            server.pause()
        } else {
            server.kill()
        }
        let started = Instant::now();
        while started.elapsed() < LEASE + GRACE {
            let _ = adopt_all(&b).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if fault == "pause" {
            server.resume()
        } else {
            server.restart()
        }
        let started = Instant::now();
        while started.elapsed() < LEASE + GRACE {
            assert_eq!(adopt_all(&b).await.unwrap_or_default(), 0, "after {fault}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    a.finish(turn.info.turn, answer("whole")).await.unwrap();
}

#[tokio::test]
async fn a_begin_without_an_answer_leaves_no_turn_open() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    begin(&a, &turn_in("s", "warm")).await.unwrap();
    server.pause();
    let turn = turn_in("s", "unanswered");
    let told = begin(&a, &turn).await;
    assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
    server.resume();
    // Redis had it in its socket, and does it now.
    let outcome = until("the end of the turn", async || {
        b.turn(&owner(), turn.info.turn).await.ok().flatten().and_then(|turn| turn.outcome)
    });
    assert_eq!(outcome.await.end, End::Failed(ErrorCode::StoreUnavailable));
}

#[tokio::test]
async fn while_redis_stands_still_only_the_first_caller_waits() {
    let server = RedisServer::start();
    let store = instance(&server);
    begin(&store, &turn_in("s", "warm")).await.unwrap();
    server.pause();
    let mut took = Vec::new();
    for number in 0..20 {
        let started = Instant::now();
        assert!(matches!(begin(&store, &turn_in("s", &number.to_string())).await, Err(StoreError::Unavailable { .. })));
        took.push(started.elapsed());
    }
    server.resume();
    assert!(took[0] < DEADLINE + Duration::from_millis(100), "{took:?}");
    took.sort();
    assert!(took[10] < Duration::from_millis(5) && took[18] < Duration::from_millis(100), "{took:?}");
    back(&store).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_every_death_of_redis() {
    let mut server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let mut told = Vec::new();
    for death in 0..5 {
        let killed = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            server.kill();
        };
        let asking = async {
            let mut told = Vec::new();
            for number in 0.. {
                let turn = turn_in(&format!("s{death}"), &number.to_string());
                if begin(&a, &turn).await.is_err() || a.finish(turn.info.turn, answer("ok")).await.is_err() {
                    break;
                }
                told.push(turn);
            }
            told
        };
        let ((), more) = tokio::join!(killed, asking);
        assert!(!more.is_empty(), "too little load to prove anything");
        told.extend(more);
        server.restart();
        back(&a).await;
        back(&b).await;
    }
    for turn in &told {
        assert_eq!(stored(&b, turn).await.outcome, Some(answer("ok")));
    }
    let page = Page { limit: 100_000, before: None, replaced: true };
    for death in 0..5 {
        let found = b.history(&owner(), &session(&format!("s{death}")), page).await.unwrap();
        let expected = told.iter().filter(|turn| turn.info.session == session(&format!("s{death}"))).count();
        // The one that was under way may be there too.
        assert!(found.len() == expected || found.len() == expected + 1, "{} of {expected}", found.len());
    }
}

#[tokio::test]
async fn two_instances_write_one_session_in_one_order() {
    let server = RedisServer::start();
    let stores = [instance(&server), instance(&server)];
    let writers = stores.iter().enumerate().map(|(number, store)| async move {
        for turn in 0..50 {
            let turn = turn_in("s", &format!("{number} {turn}"));
            begin(store, &turn).await.unwrap();
            store.finish(turn.info.turn, answer("ok")).await.unwrap();
        }
    });
    join_all(writers).await;
    let page = Page { limit: 1000, before: None, replaced: false };
    let [a, b] =
        [&stores[0], &stores[1]].map(async |store| store.history(&owner(), &session("s"), page).await.unwrap());
    let (a, b) = (a.await, b.await);
    assert_eq!(a, b);
    for number in 0..2 {
        let own = a.iter().map(|turn| turn.question.as_str()).filter(|text| text.starts_with(&format!("{number} ")));
        assert!(own.eq((0..50).map(|turn| format!("{number} {turn}")).collect::<Vec<_>>()));
    }
}

#[tokio::test]
async fn what_others_have_open_in_a_session_is_told_with_its_context() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let open_elsewhere = async |store: &RedisSessions, before: Option<TurnId>| {
        store.context(&owner(), &session("s"), 5, before).await.unwrap().open_elsewhere
    };
    let turns: Vec<_> = (0..3).map(|number| turn_in("s", &number.to_string())).collect();
    for turn in &turns {
        begin(&a, turn).await.unwrap();
    }
    begin(&b, &turn_in("s", "of b")).await.unwrap();
    b.record(turn_in("s", "ended at once"), answer("x")).await.unwrap();
    assert_eq!((open_elsewhere(&a, None).await, open_elsewhere(&b, None).await), (1, 3));
    assert_eq!(open_elsewhere(&b, Some(TurnId::now())).await, 3, "whatever else is asked");
    a.finish(turns[0].info.turn, answer("x")).await.unwrap();
    assert_eq!(open_elsewhere(&b, None).await, 2);
    a.erase(&owner(), &session("s")).await.unwrap();
    assert_eq!(open_elsewhere(&b, None).await, 0);
}

#[tokio::test]
async fn keys_of_an_instance_that_lives_stay_bound_before_their_turn_begins() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let claim = |key: &str| Claim { key: IdempotencyKey::try_from(key).unwrap(), digest: [1; 32], turn: TurnId::now() };
    let (living, dying) = (claim("living"), claim("dying"));
    a.claim(&owner(), living.clone()).await.unwrap();
    let c = instance(&server);
    c.claim(&owner(), dying.clone()).await.unwrap();
    c.close().await;
    b.recover().await.unwrap();
    assert_eq!(b.claim(&owner(), claim("living")).await.unwrap(), living);
    assert_ne!(b.claim(&owner(), claim("dying")).await.unwrap(), dying);
}

#[tokio::test]
async fn an_end_is_not_acknowledged_when_redis_has_lost_its_turn() {
    let server = RedisServer::start();
    let store = instance(&server);
    let [lost, erased] = [turn_in("s", "lost"), turn_in("t", "erased")];
    for turn in [&lost, &erased] {
        begin(&store, turn).await.unwrap();
    }
    assert!(store.erase(&owner(), &session("t")).await.unwrap());
    assert!(store.finish(erased.info.turn, answer("late")).await.is_ok());
    server.ask(&["FLUSHALL"]);
    let told = store.finish(lost.info.turn, answer("whole")).await;
    assert!(matches!(told, Err(StoreError::Invalid { .. })), "{told:?}");
}

#[tokio::test]
async fn with_its_memory_full_redis_takes_no_new_turns_ends_those_it_has_and_forgets() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    a.record(turn_in("t", "to be erased"), answer("ok")).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = begin(&a, &turn_in("s", "new")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the session store is unavailable: redis is unavailable: it has no memory left");
    assert!(a.stats().await.is_err(), "its health says so");
    let started = Instant::now();
    while started.elapsed() < 2 * (LEASE + GRACE) {
        assert_eq!(adopt_all(&b).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(history_of(&a, "s").await, 1);
    a.finish(turn.info.turn, answer("whole")).await.unwrap();
    assert!(a.erase(&owner(), &session("t")).await.unwrap());
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    begin(&a, &turn_in("s", "again")).await.unwrap();
    assert_eq!(stored(&b, &turn).await.outcome, Some(answer("whole")));
}

async fn history_of(store: &RedisSessions, name: &str) -> usize {
    let page = Page { limit: 100, before: None, replaced: true };
    store.history(&owner(), &session(name), page).await.unwrap().len()
}

#[tokio::test]
async fn a_wish_to_stop_reaches_the_instance_that_has_the_turn_and_once() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    let id = turn.info.turn;
    assert!(!a.ask_to_stop(&owner(), id).await.unwrap(), "an instance knows its own");
    assert!(!b.ask_to_stop(&Owner::try_from("key-2").unwrap(), id).await.unwrap());
    assert!(b.ask_to_stop(&owner(), id).await.unwrap());
    assert_eq!(b.asked_to_stop().await.unwrap(), []);
    assert_eq!(a.asked_to_stop().await.unwrap(), [id]);
    assert_eq!(a.asked_to_stop().await.unwrap(), []);
    a.finish(id, answer("whole")).await.unwrap();
    assert!(!b.ask_to_stop(&owner(), id).await.unwrap(), "it has ended");
}

#[tokio::test]
async fn an_erased_turn_is_to_stop_where_it_runs() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turn = turn_in("s", "open");
    begin(&a, &turn).await.unwrap();
    assert!(b.erase(&owner(), &session("s")).await.unwrap());
    assert_eq!(a.asked_to_stop().await.unwrap(), [turn.info.turn]);
}

#[tokio::test]
async fn a_closed_store_has_kept_all_that_it_took_and_takes_nothing_more() {
    let server = RedisServer::start();
    let [a, b] = [instance(&server), instance(&server)];
    let turns: Vec<_> = (0..100).map(|number| turn_in("s", &number.to_string())).collect();
    let mut durable = Vec::new();
    for turn in &turns {
        durable.push(a.begin(turn.clone()).await.unwrap());
    }
    a.close().await;
    join_all(durable).await.into_iter().for_each(Result::unwrap);
    assert!(matches!(a.begin(turn_in("s", "late")).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(a.stats().await, Err(StoreError::Unavailable { .. })));
    a.close().await;
    assert_eq!(b.stats().await.unwrap().turns, 100);
}

#[tokio::test]
async fn what_replicas_have_to_have_is_not_acknowledged_before_they_do() {
    let [primary, replica] = [RedisServer::start(), RedisServer::start()];
    replica.ask(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let wait = Wait { replicas: 1, timeout: Duration::from_millis(200) };
    let settings = LinkSettings { replicas: Some(wait), ..LinkSettings::new(primary.address(), DEADLINE) };
    let link = Link::new(settings, Handle::current()).unwrap();
    let store = RedisSessions::new(link, RedisSessionsSettings::default(), &Handle::current());
    until("the replica to follow", async || begin(&store, &turn_in("warm", "up")).await.ok()).await;
    let [open, refused] = [turn_in("s", "open"), turn_in("s", "refused")];
    begin(&store, &open).await.unwrap();
    replica.pause();
    let told = begin(&store, &refused).await.unwrap_err();
    assert!(matches!(told, StoreError::Unavailable { .. }), "{told:?}");
    for _ in 0..2 {
        let told = store.finish(open.info.turn, answer("whole")).await;
        assert!(matches!(told, Err(StoreError::Unavailable { .. })), "{told:?}");
    }
    replica.resume();
    until("the end to be acknowledged", async || store.finish(open.info.turn, answer("whole")).await.ok()).await;
    // The primary had taken it: it ends as its caller was told.
    let outcome = until("the end of what was refused", async || stored(&store, &refused).await.outcome).await;
    assert_eq!(outcome.end, End::Failed(ErrorCode::StoreUnavailable));
}
