//! What a session file has to be, and what the start says when it is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]
use std::{error::Error, fs, path::Path};

use hitesh_sessions::{
    OpenError, SessionStore, SqlitePath, SqliteSessions, SqliteSettings,
    conformance::fixtures::{answer, owner, session, turn_in},
};
use rusqlite::Connection;

fn open(path: &Path) -> Result<SqliteSessions, OpenError> {
    SqliteSessions::open(SqliteSettings { path: SqlitePath::File(path.to_owned()), ..SqliteSettings::default() })
}

/// The refusal, which has to be one line that names the file.
fn refusal(path: &Path) -> OpenError {
    let error = open(path).map(drop).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && line.contains(path.parent().unwrap().to_str().unwrap()), "{line}");
    error
}

#[tokio::test]
async fn a_missing_folder_and_file_are_made_for_this_user_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/sessions.db");
    let store = open(&path).unwrap();
    store.record(turn_in("s", "kaise?"), answer("aise")).await.unwrap();
    #[cfg(unix)]
    for (made, mode) in [("a", 0o700), ("a/b", 0o700), ("a/b/sessions.db", 0o600), ("a/b/sessions.db-wal", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(folder.path().join(made)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{made}");
    }
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let first = open(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().ends_with("is in use by another process"));
    drop(first);
    open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn another_name_of_the_same_file_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let _first = open(&path).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(refusal(&link), OpenError::InUse { .. }));
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::NewerVersion { found: 99, known: 2, .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    for garbage in [b"hello".to_vec(), b"namaste ".repeat(4096)] {
        fs::write(&path, &garbage).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), garbage);
    }
}

#[test]
fn another_applications_database_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::OtherApplication { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = open(&path).unwrap();
    for number in 0..200 {
        store.record(turn_in("s", &number.to_string()), answer("some text to fill pages")).await.unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();

    let mut scribbled = whole.clone();
    let middle = scribbled.len() / 2;
    scribbled[4096..middle].fill(0x5A);
    fs::write(&path, scribbled).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");

    fs::write(&path, &whole[..middle]).unwrap();
    let error = refusal(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "cut short: {error:?}");
}

#[test]
fn a_place_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(folder.path().join("folder.db")).unwrap();
    let inside_a_file = folder.path().join("file/sessions.db");
    let a_folder = folder.path().join("folder.db");
    for path in [inside_a_file.as_path(), a_folder.as_path(), Path::new("/proc/sessions.db")] {
        let error = refusal(path);
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
        assert!(error.source().is_some(), "what the system said is chained");
    }
}

#[test]
fn a_file_cut_off_in_its_first_transaction_is_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    fs::write(&path, "").unwrap();
    drop(open(&path).unwrap());
    let other = folder.path().join("wal.db");
    Connection::open(&other).unwrap().pragma_update(None, "journal_mode", "wal").unwrap();
    drop(open(&other).unwrap());
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let (open_turn, whole) = (turn_in("s", "open"), turn_in("s", "whole"));
    let store = open(&path).unwrap();
    store.begin(open_turn.clone()).await.unwrap().await.unwrap();
    store.record(whole.clone(), answer("☕ chai")).await.unwrap();
    store.record(turn_in("t", "other"), answer("ok")).await.unwrap();
    let page = hitesh_sessions::Page { limit: 10, before: None, replaced: false };
    let before = store.history(&owner(), &session("s"), page).await.unwrap();
    drop(store);

    let store = open(&path).unwrap();
    assert_eq!(store.history(&owner(), &session("s"), page).await.unwrap(), before);
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.sessions, stats.turns), (2, 3));
    assert_eq!(store.recover().await.unwrap(), 1);
}
