//! The writer under pressure: full queues, full disks, closing, old claims.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]
use std::{fs, path::Path, sync::Arc};

use futures::future::join_all;
use hitesh_domain::{IdempotencyKey, TurnId};
use hitesh_sessions::{
    Claim, Page, SessionStore, SqlitePath, SqliteSessions, SqliteSettings, StoreError,
    conformance::fixtures::{answer, owner, session, transcript, turn_in},
};
use rusqlite::Connection;

fn settings(path: &Path) -> SqliteSettings {
    SqliteSettings { path: SqlitePath::File(path.to_owned()), ..SqliteSettings::default() }
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable { .. })), "{result:?}");
}

#[tokio::test]
async fn dropping_the_store_writes_what_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteSessions::open(settings(&path)).unwrap();
    let mut durable = Vec::new();
    for number in 0..500 {
        durable.push(store.begin(turn_in("s", &number.to_string())).await.unwrap());
    }
    drop(store);
    join_all(durable).await.into_iter().for_each(Result::unwrap);
    assert_eq!(SqliteSessions::open(settings(&path)).unwrap().stats().await.unwrap().turns, 500);
}

#[tokio::test]
async fn closing_writes_what_is_queued_lets_go_of_the_file_and_refuses_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteSessions::open(settings(&path)).unwrap();
    let durable = store.begin(turn_in("s", "before")).await.unwrap();
    store.close().await;
    store.close().await;
    durable.await.unwrap();

    let turn = turn_in("s", "after");
    unavailable(store.begin(turn.clone()).await.map(drop));
    unavailable(store.finish(turn.info.turn, answer("late")).await);
    unavailable(store.checkpoint(turn.info.turn, transcript("late")).await);
    unavailable(store.turn(&owner(), turn.info.turn).await);
    unavailable(store.stats().await);
    let successor = SqliteSessions::open(settings(&path)).unwrap();
    assert_eq!(successor.stats().await.unwrap().turns, 1);
}

#[tokio::test]
async fn a_store_in_memory_can_be_closed_too() {
    let store = SqliteSessions::open(SqliteSettings::default()).unwrap();
    store.record(turn_in("s", "before"), answer("ok")).await.unwrap();
    store.close().await;
    unavailable(store.stats().await);
}

/// Holds the file's write lock, as a person with another program may, until the end of `during`.
async fn while_another_program_writes(path: &Path, during: impl AsyncFnOnce()) {
    let intruder = Connection::open(path).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    during().await;
    intruder.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_a_question_at_once_and_drops_checkpoints_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = Arc::new(SqliteSessions::open(SqliteSettings { queue: 16, ..settings(&path) }).unwrap());
    let ended = turn_in("s", "ended");
    store.begin(ended.clone()).await.unwrap().await.unwrap();
    let mut taken = Vec::new();
    let mut end = None;
    while_another_program_writes(&path, async || {
        let refused = loop {
            // The writer takes one batch out of the queue; what comes after that stays in it.
            match store.begin(turn_in("s", "kaise?")).await {
                Ok(durable) => taken.push(durable),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
        store.checkpoint(ended.info.turn, transcript("dropped")).await.unwrap();
        // An end waits for a place instead: nobody would ask for it again.
        let finish = {
            let store = Arc::clone(&store);
            async move { store.finish(ended.info.turn, answer("whole")).await }
        };
        let mut finish = Box::pin(finish);
        assert!(futures::poll!(&mut finish).is_pending());
        end = Some(finish);
    })
    .await;
    let count = taken.len();
    join_all(taken).await.into_iter().for_each(Result::unwrap);
    end.unwrap().await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.turns, count as u64 + 1);
}

#[tokio::test]
async fn a_full_file_refuses_what_does_not_fit_and_works_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteSessions::open(SqliteSettings { max_bytes: Some(400_000), ..settings(&path) }).unwrap();
    store.record(turn_in("keep", "first"), answer("kept")).await.unwrap();
    let text = "अ".repeat(2000);
    let mut kept = 0;
    let refused = loop {
        match store.record(turn_in("s", &text), answer(&text)).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "the file never gets full");
    };
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
    // A question alone needs less room than one with its answer.
    while store.begin(turn_in("s", &text)).await.unwrap().await.is_ok() {
        kept += 1;
        assert!(kept < 1000, "the file never gets full");
    }
    unavailable(store.stats().await);

    // What was acknowledged is there, what was refused is not.
    let page = Page { limit: 10_000, before: None, replaced: false };
    assert_eq!(store.history(&owner(), &session("s"), page).await.unwrap().len(), kept);

    store.erase(&owner(), &session("s")).await.unwrap();
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns), (1, 1));
    store.record(turn_in("s", &text), answer(&text)).await.unwrap();
    assert_eq!(store.history(&owner(), &session("s"), page).await.unwrap().len(), 1);
    assert_eq!(store.history(&owner(), &session("keep"), page).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_write_that_does_not_fit_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteSessions::open(SqliteSettings { max_bytes: Some(400_000), ..settings(&path) }).unwrap();
    let large = answer(&"chai ".repeat(60_000));
    let turns: Vec<_> = (0..40).map(|number| turn_in("s", &number.to_string())).collect();
    let records = turns.iter().enumerate().map(|(number, turn)| {
        let outcome = if number == 20 { large.clone() } else { answer("small") };
        store.record(turn.clone(), outcome)
    });
    let results = join_all(records).await;
    for (number, (result, turn)) in results.into_iter().zip(&turns).enumerate() {
        let found = store.turn(&owner(), turn.info.turn).await.unwrap();
        if number == 20 {
            unavailable(result);
            assert_eq!(found, None);
        } else {
            result.unwrap();
            assert!(found.is_some());
        }
    }
}

#[tokio::test]
async fn an_erased_text_leaves_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteSessions::open(settings(&path)).unwrap();
    let secret = "mera-raaz-mat-batana";
    store.record(turn_in("s", secret), answer(&secret.repeat(500))).await.unwrap();
    store.record(turn_in("t", "keep"), answer("ok")).await.unwrap();
    let holds = |name: &str| {
        let bytes = fs::read(folder.path().join(name)).unwrap_or_default();
        bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    assert!(holds("sessions.db-wal"), "it was there");
    store.erase(&owner(), &session("s")).await.unwrap();
    store.close().await;
    for name in ["sessions.db", "sessions.db-wal"] {
        assert!(!holds(name), "{name}");
    }
    assert!(fs::read(&path).unwrap().windows(4).any(|window| window == b"keep"));
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let claim = |key: &str| Claim { key: IdempotencyKey::try_from(key).unwrap(), digest: [1; 32], turn: TurnId::now() };
    let (fresh, old) = (claim("fresh"), claim("old"));
    let store = SqliteSessions::open(settings(&path)).unwrap();
    for claim in [&fresh, &old] {
        store.claim(&owner(), claim.clone()).await.unwrap();
    }
    let age = |key: &str, hours: i64| {
        let sql = "UPDATE claims SET created_at = created_at - ? WHERE key = ?";
        assert_eq!(Connection::open(&path).unwrap().execute(sql, (hours * 3_600_000_000_000, key)).unwrap(), 1);
    };
    age("fresh", 23);
    age("old", 24);
    assert_eq!(store.claim(&owner(), claim("fresh")).await.unwrap(), fresh);
    let anew = claim("old");
    assert_eq!(store.claim(&owner(), anew.clone()).await.unwrap(), anew);

    age("old", 25);
    store.sweep(time::OffsetDateTime::UNIX_EPOCH).await.unwrap();
    let left: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM claims", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1, "sweeping forgets expired keys");
}
