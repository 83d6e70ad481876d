//! What a caller was told survives the death of the process, once and as it was told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "test code"
)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hitesh_tests_api::{Answer, Client, Script, Server, ServerBuilder, Upstream, eventually};
use serde_json::{Value, json};

/// Kills in all, over all lanes.
const KILLS: usize = 200;
/// Servers that are killed side by side, each with a database of its own.
const LANES: usize = 2;
/// Callers of each server.
const CALLERS: usize = 6;

/// What callers were told, by turn.
#[derive(Debug, Default)]
struct Told {
    /// Session, question and answer of the turns whose end was told.
    ended: BTreeMap<String, (String, String, String)>,
    /// Session of the turns that had begun when the server died.
    begun: BTreeMap<String, String>,
}

/// Small numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Asks one question after the other until the server is gone.
async fn keep_asking(client: Client, caller: String, told: Arc<Mutex<Told>>) {
    for n in 0.. {
        let (session, question) = (format!("{caller}-{}", n % 3), format!("Sawaal {caller}-{n}?"));
        let body = json!({"content": question, "session_id": session, "deltas": true});
        if n % 2 == 0 {
            let Ok(reply) = client.try_send(&body).await else { return };
            assert_eq!(reply.status, 200, "{}", reply.text());
            let (turn, answer) = (text(&reply.json()["turn_id"]), text(&reply.json()["message"]["content"]));
            told.lock().unwrap().ended.insert(turn, (session, question, answer));
        } else {
            let Ok(mut stream) = client.try_stream(&body).await else { return };
            let mut turn = None;
            while let Some(frame) = stream.next().await {
                if frame.name() == "turn" {
                    let id = text(&frame.json()["turn_id"]);
                    told.lock().unwrap().begun.insert(id.clone(), session.clone());
                    turn = Some(id);
                } else if frame.is_end() {
                    let event = frame.json();
                    assert_eq!(event["step"], "output", "{event}");
                    let ended = (session.clone(), question.clone(), text(&event["content"]));
                    told.lock().unwrap().ended.insert(turn.clone().expect("the turn event came first"), ended);
                }
            }
            if stream.is_broken() {
                return;
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Looks at a copy of the database as the dead process left it, so that the server's own recovery stays its own.
fn check_integrity(how: &ServerBuilder) {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(how.dir()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("sessions.db") {
            std::fs::copy(entry.path(), copy.path().join(name)).unwrap();
        }
    }
    let database = rusqlite::Connection::open(copy.path().join("sessions.db")).unwrap();
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

async fn check(client: &Client, told: &Told) {
    let sessions: std::collections::BTreeSet<_> =
        told.ended.values().map(|(session, ..)| session).chain(told.begun.values()).collect();
    let mut histories = BTreeMap::new();
    for session in sessions {
        let reply = client.get(&format!("/api/chat/history?session_id={session}")).await;
        histories.insert(session.clone(), reply.json()["messages"].as_array().cloned().unwrap());
    }
    for (turn, (session, question, answer)) in &told.ended {
        let messages: Vec<_> =
            histories[session].iter().filter(|message| message["turn_id"] == turn.as_str()).collect();
        assert_eq!(messages.len(), 2, "turn {turn} of {session} was told to be whole: {messages:?}");
        assert_eq!((text(&messages[0]["content"]), text(&messages[1]["content"])), (question.clone(), answer.clone()));
        assert_eq!(messages[1]["status"], "completed");
        let equal = histories[session].iter().filter(|m| m["type"] == "user" && m["content"] == question.as_str());
        assert_eq!(equal.count(), 1, "{question} is there twice");
    }
    for (turn, session) in &told.begun {
        let message = histories[session].iter().find(|message| message["turn_id"] == turn.as_str());
        let status = text(&message.unwrap_or_else(|| panic!("turn {turn} had begun and is gone"))["status"]);
        let expected: &[&str] =
            if told.ended.contains_key(turn) { &["completed"] } else { &["completed", "incomplete"] };
        assert!(expected.contains(&status.as_str()), "turn {turn} is {status}");
    }
    let all = histories.values().flatten();
    assert_eq!(all.filter(|message| message["status"] == "running").count(), 0, "a dead process's turn still runs");
}

async fn lane(number: usize, kills: usize, upstream: Arc<Upstream>) -> (usize, usize) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1));
    let mut server = ServerBuilder::asking(&upstream).env("HITESH_CACHE__ENABLED", false).start().await;
    let (mut all, mut open) = (Told::default(), 0);
    for run in 0..kills {
        let told = Arc::new(Mutex::new(Told::default()));
        let callers = (0..CALLERS).map(|caller| {
            let name = format!("lane{number}-run{run}-caller{caller}");
            keep_asking(server.fresh_client(), name, Arc::clone(&told))
        });
        let killed = async {
            // One in four dies at any time after its start, the others once turns are on their way, however slow the machine is.
            if run % 4 > 0 {
                eventually("a turn to begin", || async { (!told.lock().unwrap().begun.is_empty()).then_some(()) })
                    .await;
            }
            // The moment is to be random: this sleep waits for nothing.
            tokio::time::sleep(Duration::from_micros(dice.roll(200_000))).await;
            server.kill_now();
        };
        tokio::join!(futures::future::join_all(callers), killed);
        let (_, how) = server.ended().await;
        check_integrity(&how);
        server = how.start().await;
        let told = std::mem::take(&mut *told.lock().unwrap());
        check(server.client(), &told).await;
        open += told.begun.keys().filter(|turn| !told.ended.contains_key(*turn)).count();
        all.ended.extend(told.ended);
        all.begun.extend(told.begun);
    }
    // What survived one death has to survive all the later ones too.
    check(server.client(), &all).await;
    (all.ended.len(), open)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_turn_survives_200_kills_at_random_moments() {
    let begun = Instant::now();
    // Answers of some length that take a moment, so that kills fall into all phases of a turn.
    let upstream = Upstream::start(|request| {
        let question = request.question();
        let mark = question.rsplit("lane").next().unwrap_or_default().chars().take(24).collect::<String>();
        Script::answer(&Answer::about(mark.trim()), request.format())
    });
    let upstream = Arc::new(upstream.await);
    let lanes = (0..LANES).map(|number| lane(number, KILLS / LANES, Arc::clone(&upstream)));
    let counts = futures::future::join_all(lanes).await;
    let (ended, open) = counts.iter().fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
    eprintln!("{KILLS} kills: {ended} acknowledged turns, {open} open ones, {:?}", begun.elapsed());
    assert!(ended >= KILLS, "too little load to prove anything: {ended} acknowledged turns");
    assert!(open >= KILLS / 10, "too few kills fell into a turn: {open}");
}

#[tokio::test]
async fn a_turn_that_was_open_at_the_crash_is_incomplete_with_what_had_come() {
    let gate = hitesh_tests_api::Gate::new();
    let script_gate = gate.clone();
    let answer = Answer::about("crash");
    let upstream = Upstream::start(move |request| Script::gated(&answer, request.format(), 30, &script_gate)).await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "Crash hua to?").await;
    let turn = text(&stream.next().await.unwrap().json()["turn_id"]);
    gate.reached(1).await;
    stream.until("a delta", |frame| frame.name() == "delta").await;
    let server = server.kill_and_restart().await;
    let history = server.client().history("s").await;
    assert_eq!(history[0]["content"], "Crash hua to?");
    assert!(history.iter().all(|message| message["status"] == "incomplete"), "{history:?}");
    let replay = server.client().events(&turn, None).await.rest().await;
    assert_eq!(replay.iter().filter(|frame| frame.is_end()).count(), 1);
    assert_eq!(replay.last().unwrap().json()["error"], "incomplete");
    gate.open();
    server.client().ask("s", "Aur ab?").await;
    assert!(upstream.requests()[1].prompt().contains("Aur ab?"));
}
