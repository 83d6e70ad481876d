//! Whatever a provider does, a call ends when its deadline says so.

use std::time::{Duration, Instant};

use hitesh_tests_api::{Answer, Recorded, Reply, Script, Server, Upstream};
use serde_json::json;

use crate::{
    asking_in_turn,
    row::{Deadline, Fault},
};

/// How much later than its deadline a call may end, as its caller sees it.
const SLACK: Duration = Duration::from_millis(500);

const PAUSE: Duration = Duration::from_millis(200);

fn silent(_: &Recorded) -> Script {
    Script::hang_up().stalling()
}

fn dripping(request: &Recorded) -> Script {
    Script::answer(&Answer::about("drip"), request.format()).byte_by_byte().dripping(PAUSE)
}

fn silent_in_the_middle(request: &Recorded) -> Script {
    Script::answer(&Answer::about("silence"), request.format()).cut_at(8000).stalling()
}

fn slow(request: &Recorded) -> Script {
    Script::answer(&Answer::about("slow"), request.format()).dripping(PAUSE)
}

async fn ask(server: &Server) -> (Reply, Duration) {
    let asked = Instant::now();
    let reply = server.client().send(&json!({"content": "Docker kya hai?", "cache": "off"})).await;
    (reply, asked.elapsed())
}

#[tokio::test]
async fn every_phase_ends_half_a_second_after_its_deadline_at_the_latest() {
    for (what, fault, deadline) in [
        ("no handshake", Fault::LeavesHandshakes, Deadline::Connect),
        ("silence from the start", Fault::Replies(silent), Deadline::FirstToken),
        ("a first token that drips", Fault::Replies(dripping), Deadline::FirstToken),
        ("silence in the middle", Fault::Replies(silent_in_the_middle), Deadline::Silence),
        ("silence for all of the time", Fault::Replies(silent), Deadline::Total),
        ("an answer that drips", Fault::Replies(slow), Deadline::Total),
    ] {
        let upstream = fault.upstream().await;
        let server = asking_in_turn(&[&upstream], &deadline.settings()).start().await;
        let (reply, took) = ask(&server).await;
        reply.expect_error(504, "provider_timeout");
        let limit = deadline.limit();
        println!("{what}: ended after {} ms of {} ms", took.as_millis(), limit.as_millis());
        assert!((limit..=limit + SLACK).contains(&took), "{what}: {took:?} of {limit:?}");
        upstream.abandoned(1).await;
    }
}

#[tokio::test]
async fn all_attempts_together_end_within_the_total_deadline() {
    let deadlines = "[providers.deadlines]\nfirst_token_seconds = 1\ntotal_seconds = 1.2";
    let (first, second) = (Upstream::start(silent).await, Upstream::start(silent).await);
    let server = asking_in_turn(&[&first, &second], deadlines).start().await;
    let (reply, took) = ask(&server).await;
    reply.expect_error(504, "provider_timeout");
    println!("two providers, both silent: ended after {} ms of 1200 ms", took.as_millis());
    assert!((1200..=1700).contains(&took.as_millis()), "{took:?}");
    assert_eq!((first.count(), second.count()), (1, 1));
}
