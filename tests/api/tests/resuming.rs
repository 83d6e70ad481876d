//! A stream that is cut at any event and resumed is the stream that was not cut, byte for byte; and a reader who saw
//! what a crash took is told so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use hitesh_tests_api::{Answer, Client, Format, Frame, Gate, Script, Server, Sse, Upstream, eventually};
use serde_json::json;

/// Turns that are cut, in all.
const TURNS: usize = 500;
/// Events of the upstream before each gate: enough for twenty frames.
const BEFORE_GATE: usize = 40;
/// How far the end of a crashed turn is numbered beyond the place after its last kept event.
const CRASH_GAP: u64 = 1 << 20;

/// Small numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// How an answer comes: whole, or broken off in the middle of its output.
fn script(number: usize, format: Format, gate: &Gate) -> Script {
    let mut events = Answer::about(&format!("Z{number}")).events(format);
    let broken = number % 5 == 4;
    if broken {
        events.truncate(events.len() - 8);
    }
    let late = events.split_off(BEFORE_GATE.min(events.len()));
    let script = late.into_iter().fold(Script::events(events).then_gate(gate), Script::then_bytes);
    if broken { script.breaking_off() } else { script }
}

/// Reads at most `frames` events, and leaves.
async fn read(mut stream: Sse, frames: usize, seen: &mut Vec<Frame>) {
    for _ in 0..frames {
        match stream.next().await {
            Some(frame) => seen.push(frame),
            None => break,
        }
    }
}

async fn resume(client: &Client, turn: &str, seen: &[Frame]) -> Sse {
    client.events(turn, seen.last().unwrap().id.as_deref()).await
}

fn text(frames: &[Frame]) -> String {
    frames.iter().map(|frame| frame.raw.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_at_any_event_and_resumed_is_the_uncut_one() {
    let gates: Vec<_> = (0..TURNS).map(|_| Gate::new()).collect();
    let script_gates = gates.clone();
    let upstream =
        Upstream::start(move |request| script(request.number, request.format(), &script_gates[request.number]));
    let upstream = upstream.await;
    let server = Server::start(&upstream).await;
    let client = server.client();
    let mut dice = Dice(0x5EED);
    for (number, gate) in gates.iter().enumerate() {
        let mut stream = client.deltas(&format!("s{}", number % 7), &format!("Kata hua sawaal {number}?")).await;
        let mut seen = vec![stream.next().await.unwrap()];
        let turn = seen[0].json()["turn_id"].as_str().unwrap().to_owned();
        let mut uncut = client.events(&turn, None).await;
        match number % 3 {
            // Cut and resumed, every other one twice, while the upstream still holds the rest.
            0 => {
                read(stream, dice.roll(10), &mut seen).await;
                if number % 2 == 0 {
                    read(resume(client, &turn, &seen).await, dice.roll(10), &mut seen).await;
                }
                let rest = resume(client, &turn, &seen).await;
                gate.open();
                read(rest, usize::MAX, &mut seen).await;
            }
            // Cut anywhere while events come as fast as they can, and resumed at once, as often as it takes.
            1 => {
                gate.open();
                read(stream, dice.roll(60), &mut seen).await;
                while !seen.last().unwrap().is_end() {
                    read(resume(client, &turn, &seen).await, 1 + dice.roll(40), &mut seen).await;
                }
            }
            // Resumed when the turn is over, from the store.
            _ => {
                read(stream, dice.roll(20), &mut seen).await;
                gate.open();
                uncut.until("the end", Frame::is_end).await;
                uncut = client.events(&turn, None).await;
                if number % 2 == 0 {
                    read(resume(client, &turn, &seen).await, dice.roll(30), &mut seen).await;
                }
                read(resume(client, &turn, &seen).await, usize::MAX, &mut seen).await;
            }
        }
        let uncut = uncut.rest().await;
        assert_eq!(text(&seen), text(&uncut), "turn {number}");
        assert_eq!(uncut.last().unwrap().json()["step"], if number % 5 == 4 { "error" } else { "output" });
        assert_eq!(text(&client.events(&turn, None).await.rest().await), text(&uncut), "turn {number} from the store");
        assert_eq!(resume(client, &turn, &seen).await.status, 204);
    }
    assert_eq!(upstream.count(), TURNS);
}

/// A turn of a server that was killed in the middle, and what its reader had seen.
struct Crashed {
    turn: String,
    seen: Vec<Frame>,
    server: Server,
    _upstream: Upstream,
}

/// Kills a server right after its reader has seen more than was kept. With `checkpoint` a part was kept.
async fn crash(checkpoint: bool) -> Crashed {
    let (first, second) = (Gate::new(), Gate::new());
    let script_gates = (first.clone(), second.clone());
    let upstream = Upstream::start(move |request| {
        let mut events = Answer::about("crash").events(request.format());
        let late = events.split_off(20);
        let script = Script::events(events).then_gate(&script_gates.0);
        let (now, never) = late.split_at(20);
        let script = now.iter().cloned().fold(script, Script::then_bytes).then_gate(&script_gates.1);
        never.iter().cloned().fold(script, Script::then_bytes)
    })
    .await;
    let server = Server::start(&upstream).await;
    let mut stream = server.client().deltas("s", "Crash hua to?").await;
    let mut seen = vec![stream.next().await.unwrap()];
    let turn = seen[0].json()["turn_id"].as_str().unwrap().to_owned();
    first.reached(1).await;
    if checkpoint {
        let database = rusqlite::Connection::open(server.how().database()).unwrap();
        eventually("a checkpoint", || async {
            let kept = database.query_row("SELECT partial IS NOT NULL FROM turns", [], |row| row.get::<_, bool>(0));
            kept.unwrap().then_some(())
        })
        .await;
    }
    first.open();
    // Of the second part.
    while seen.iter().filter(|frame| frame.name() == "delta").count() < 25 {
        seen.push(stream.next().await.expect("more of the answer"));
    }
    let server = server.kill_and_restart().await;
    Crashed { turn, seen, server, _upstream: upstream }
}

#[tokio::test]
async fn a_reader_that_saw_what_a_crash_took_is_told_and_gets_all_that_was_kept() {
    for checkpoint in [false, true] {
        let mut attempts = 0;
        // On a machine that is very busy, a second checkpoint may keep everything: then nothing was lost.
        let (crashed, told) = loop {
            let crashed = crash(checkpoint).await;
            let told = resume(crashed.server.client(), &crashed.turn, &crashed.seen).await.rest().await;
            if told[0].name() == "resync" {
                break (crashed, told);
            }
            attempts += 1;
            assert!(attempts < 5, "nothing is ever lost: {told:#?}");
        };
        let (client, turn) = (crashed.server.client(), &crashed.turn);
        let kept = told[0].json()["kept"].as_u64().unwrap();
        assert_eq!(told[0].json(), json!({"turn_id": turn, "kept": kept, "reason": "crashed"}));
        assert_eq!(told[0].id, None);
        assert_eq!(kept > 0, checkpoint);
        let all = client.events(turn, None).await.rest().await;
        assert_eq!(text(&told[1..]), text(&all));
        let (end, parts) = all.split_last().unwrap();
        assert_eq!((end.number(), &end.json()["error"]), (kept + 1 + CRASH_GAP, &json!("incomplete")));
        assert!(parts.iter().all(|frame| frame.number() <= kept));
        assert_eq!(text(parts), text(&crashed.seen[..parts.len()]), "what was kept is what was shown");
    }
}

#[tokio::test]
async fn a_reader_that_saw_only_what_was_kept_of_a_crashed_turn_simply_goes_on() {
    let Crashed { turn, server, .. } = crash(true).await;
    let client = server.client();
    let all = client.events(&turn, None).await.rest().await;
    for (index, frame) in all.iter().enumerate() {
        let rest = client.events(&turn, frame.id.as_deref()).await;
        assert_eq!(rest.status, if index + 1 == all.len() { 204 } else { 200 });
        assert_eq!(text(&{ rest }.rest().await), text(&all[index + 1..]), "after {:?}", frame.id);
    }
    let end = all.last().unwrap().number();
    let kept = end - 1 - CRASH_GAP;
    for (after, status, resync) in
        [(kept, 200, false), (kept + 1, 200, true), (end - 1, 200, true), (end + 1, 204, false)]
    {
        let reply = client.get(&format!("/api/chat/turns/{turn}/events?after={after}")).await;
        assert_eq!((reply.status, reply.text().starts_with("event: resync\n")), (status, resync), "after {after}");
    }
}
