//! When nobody wants an answer any more, its provider is told by a closed connection, soon.

use std::time::{Duration, Instant};

use hitesh_tests_api::{Answer, Gate, Script, ServerBuilder, Sse, Upstream, eventually};

/// An upstream that is silent after the first part of its answer.
async fn half(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::start(move |request| {
        let events = Answer::about("leaving").events(request.format()).len() * 3 / 4;
        Script::gated(&Answer::about("leaving"), request.format(), events, &gate)
    })
    .await
}

/// Reads until something of the output has come; gives the turn's id.
async fn read_some(stream: &mut Sse) -> String {
    let turn = stream.next().await.unwrap().json()["turn_id"].as_str().unwrap().to_owned();
    stream.until("the output", |frame| frame.name() == "delta" && frame.json()["step"] == "output").await;
    turn
}

#[tokio::test]
async fn a_reader_that_leaves_ends_the_upstream_call_within_the_grace_time_and_a_second() {
    let grace = Duration::from_secs(1);
    let gate = Gate::new();
    let upstream = half(&gate).await;
    let server =
        ServerBuilder::asking(&upstream).env("HITESH_TURNS__DISCONNECT_GRACE_SECONDS", grace.as_secs()).start().await;
    let mut stream = server.client().deltas("s", "Main ja raha hoon").await;
    read_some(&mut stream).await;
    gate.reached(1).await;
    let left = Instant::now();
    drop(stream);
    let took = upstream.abandoned(1).await - left;
    println!("the reader left: the upstream's connection was closed after {} ms", took.as_millis());
    assert!((grace..=grace + Duration::from_secs(1)).contains(&took), "{took:?}");
    let part = eventually("the part to be in the history", || async {
        let history = server.client().history("s").await;
        history.get(1).filter(|message| message["status"] == "incomplete").cloned()
    })
    .await;
    let (kept, whole) = (part["content"].as_str().unwrap().to_owned(), Answer::about("leaving").output);
    assert!(!kept.is_empty() && whole.starts_with(&kept), "{part}");
}

#[tokio::test]
async fn a_stop_ends_the_upstream_call_within_a_tenth_of_a_second() {
    const STOPS: usize = 15;
    let gate = Gate::new();
    let upstream = half(&gate).await;
    let server = ServerBuilder::asking(&upstream).start().await;
    let mut times = Vec::new();
    for number in 0..STOPS {
        let mut stream = server.client().deltas("s", &format!("Ruk jao {number}")).await;
        let turn = read_some(&mut stream).await;
        gate.reached(number + 1).await;
        let stopped = Instant::now();
        let reply = server.client().request("POST", &format!("/api/chat/turns/{turn}/stop"), &[], []).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        times.push(upstream.abandoned(number + 1).await - stopped);
        assert!(stream.rest().await.last().unwrap().is_end());
    }
    times.sort_unstable();
    let (median, longest) = (times[STOPS / 2], times[STOPS - 1]);
    println!(
        "a stop closed the upstream's connection after {median:?} (median of {STOPS}), {longest:?} at the longest"
    );
    // One of many may have met a machine that was busy with something else.
    assert!(median < Duration::from_millis(100), "{times:?}");
    assert!(longest < Duration::from_millis(500), "{times:?}");
}
