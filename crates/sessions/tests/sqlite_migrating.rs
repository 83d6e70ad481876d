//! A file that an earlier version wrote opens, and reads as it did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]
use std::path::{Path, PathBuf};

use hitesh_domain::{End, Replaces};
use hitesh_sessions::{
    Page, SessionStore, SqlitePath, SqliteSessions, SqliteSettings, StoredTurn,
    conformance::fixtures::{answer, owner, session, turn_in},
};
use rusqlite::Connection;
use tempfile::TempDir;

fn schema_1() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("schema_1.sql")).unwrap();
    (folder, path)
}

fn open(path: &Path) -> SqliteSessions {
    SqliteSessions::open(SqliteSettings { path: SqlitePath::File(path.to_owned()), ..SqliteSettings::default() })
        .unwrap()
}

async fn history(store: &SqliteSessions) -> Vec<StoredTurn> {
    let page = Page { limit: 100, before: None, replaced: true };
    store.history(&owner(), &session("s"), page).await.unwrap()
}

fn questions(turns: &[StoredTurn]) -> Vec<&str> {
    turns.iter().map(|turn| turn.question.as_str()).collect()
}

#[tokio::test]
async fn turns_of_schema_1_read_as_they_were() {
    let (_folder, path) = schema_1();
    let store = open(&path);
    let turns = history(&store).await;
    assert_eq!(questions(&turns), ["Docker kya hai?", "Aur compose?", "Aur swarm?"]);
    assert_eq!(turns[0].outcome.as_ref().unwrap().transcript.output(), "Dabba.");
    assert_eq!(turns[2].partial.as_ref().unwrap().output(), "Adha");
    for turn in &turns {
        assert_eq!((turn.info.replaces, turn.replaced_by, &turn.feedback), (None, None, &None));
    }
    let context = store.context(&owner(), &session("s"), 10, Some(turns[2].info.turn)).await.unwrap();
    assert_eq!(context.turns.len(), 1);
    assert_eq!(
        (context.turns[0].question.as_str(), &context.turns[0].notes[..]),
        ("Docker kya hai?", &["docker".into()][..])
    );
}

#[tokio::test]
async fn turns_of_schema_1_end_and_are_replaced_as_new_ones_are() {
    let (_folder, path) = schema_1();
    let store = open(&path);
    assert_eq!(store.recover().await.unwrap(), 1);
    let old = history(&store).await;
    assert!(matches!(old[2].outcome.as_ref().unwrap().end, End::Incomplete(_)));
    let mut new = turn_in("s", "Docker kya hota hai?");
    new.info.replaces = Some(Replaces { turn: old[0].info.turn, with_followers: true });
    store.record(new.clone(), answer("ok")).await.unwrap();
    let context = store.context(&owner(), &session("s"), 10, None).await.unwrap();
    assert_eq!(context.turns.len(), 1);
    for turn in &history(&store).await[2..] {
        assert_eq!(turn.replaced_by, Some(new.info.turn));
    }
}

#[tokio::test]
async fn a_file_of_schema_1_is_sound_once_it_is_brought_up_to_date() {
    let (_folder, path) = schema_1();
    let store = open(&path);
    assert_eq!(store.stats().await.unwrap().turns, 4);
    store.close().await;
    let verdict: String =
        Connection::open(&path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
