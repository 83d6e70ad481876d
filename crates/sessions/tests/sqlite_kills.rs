//! SIGKILL at random moments under load: whatever was acknowledged is there afterwards, once and whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking, in their helper functions too"
)]
#![cfg(unix)]

use std::{
    collections::HashMap,
    env,
    ffi::OsStr,
    hash::{BuildHasher, Hasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::future::join_all;
use hitesh_domain::{End, IncompleteReason, Replaces, TurnId};
use hitesh_sessions::{
    Page, SessionStore, SqlitePath, SqliteSessions, SqliteSettings,
    conformance::fixtures::{answer, owner, session, turn_in, without_output},
};
use rusqlite::Connection;

const KILLS: usize = 40;
const CALLERS: usize = 16;
const PATH: &str = "KILLED_SESSIONS_PATH";

fn open(path: &OsStr) -> SqliteSessions {
    let path = SqlitePath::File(path.into());
    SqliteSessions::open(SqliteSettings { path, ..SqliteSettings::default() }).unwrap()
}

fn acknowledge(what: &str, turn: TurnId) {
    // One write, so that a kill can't leave half a line of it between two others.
    std::io::stdout().lock().write_all(format!("\n{what} {turn}\n").as_bytes()).unwrap();
}

/// The program that is killed: this test does nothing unless it is started as a child of the other one.
#[tokio::test]
async fn the_child_that_appends_until_it_is_killed() {
    let Some(path) = env::var_os(PATH) else { return };
    let store = &open(&path);
    store.recover().await.unwrap();
    let callers = (0..CALLERS).map(|caller| async move {
        let name = format!("s{}", caller % 4);
        let mut previous = None;
        for number in 0u64.. {
            let mut turn = turn_in(&name, &format!("caller {caller} asks {number}"));
            let id = turn.info.turn;
            // Every third takes the place of the one before it.
            let replaced = previous.replace(id).filter(|_| number % 3 == 2);
            turn.info.replaces = replaced.map(|turn| Replaces { turn, with_followers: false });
            let outcome = answer(&id.to_string().repeat(1 + caller));
            if number % 4 == 0 {
                store.record(turn, outcome).await.unwrap();
            } else {
                store.begin(turn).await.unwrap().await.unwrap();
                acknowledge("begun", id);
                store.checkpoint(id, without_output()).await.unwrap();
                store.finish(id, outcome).await.unwrap();
            }
            acknowledge("ended", id);
        }
    });
    join_all(callers).await;
}

#[derive(Debug, Default, Clone, Copy)]
struct Acknowledged {
    ended: bool,
}

fn run_and_kill(path: &Path, acknowledged: &mut HashMap<TurnId, Acknowledged>) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "the_child_that_appends_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut take = |line: String| {
        if let Some((what, turn)) = line.split_once(' ')
            && let Ok(turn) = turn.parse()
        {
            let entry = acknowledged.entry(turn).or_default();
            entry.ended |= what == "ended";
        }
    };
    let random = RandomState::new().build_hasher().finish();
    for _ in 0..random % 200 {
        take(lines.next().expect("the child ended by itself"));
    }
    // Off the rhythm of the acknowledgements, which all come just after a commit.
    let moment = Instant::now() + Duration::from_micros(random % 4096);
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    // Told before the kill, though not read before it.
    lines.for_each(take);
    assert!(!child.wait().unwrap().success());
}

async fn check(path: &Path, acknowledged: &HashMap<TurnId, Acknowledged>) -> usize {
    {
        let store = open(path.as_os_str());
        store.recover().await.unwrap();
        let mut found = HashMap::new();
        for name in ["s0", "s1", "s2", "s3"] {
            let page = Page { limit: usize::MAX, before: None, replaced: true };
            for turn in store.history(&owner(), &session(name), page).await.unwrap() {
                let id = turn.info.turn;
                assert!(found.insert(id, turn).is_none(), "{id} is there twice");
            }
        }
        for (id, acknowledged) in acknowledged {
            let turn = found.get(id).unwrap_or_else(|| panic!("{id} is lost"));
            let outcome = turn.outcome.as_ref().unwrap();
            match outcome.end {
                End::Completed => assert!(outcome.transcript.output().starts_with(&id.to_string())),
                End::Incomplete(IncompleteReason::Crashed) => assert!(!acknowledged.ended, "{id} lost its end"),
                other => panic!("{id} ended as {other:?}"),
            }
        }
        for (id, turn) in &found {
            // An end and what it replaces are one: a kill leaves both or neither.
            let Some(Replaces { turn: named, .. }) = turn.info.replaces else { continue };
            let whole = turn.outcome.as_ref().unwrap().end == End::Completed;
            let expected = if whole { (None, Some(*id)) } else { (Some(named), None) };
            assert_eq!((turn.replaced_by, found[&named].replaced_by), expected, "{id} in the place of {named}");
        }
        let stats = store.stats().await.unwrap();
        assert_eq!(stats.turns, found.len() as u64);
    }
    let integrity: String =
        Connection::open(path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    acknowledged.len()
}

#[tokio::test]
async fn whatever_was_acknowledged_survives_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let mut acknowledged = HashMap::new();
    for kill in 1..=KILLS {
        run_and_kill(&path, &mut acknowledged);
        // Each time the file is opened as a crash left it; the whole of it is compared now and then, and at the end.
        if kill % 8 == 0 {
            check(&path, &acknowledged).await;
        }
    }
    let turns = check(&path, &acknowledged).await;
    println!("{turns} acknowledged turns survived {KILLS} kills");
    assert!(turns > KILLS, "the children did hardly anything");
}
