//! Measures what the server adds to its upstream. See the README beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for whoever measures: a panic is how it reports"
)]

mod upstream;

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hitesh_tests_api::{Client, Server, ServerBuilder, Sse};
use serde_json::{Value, json};
use upstream::{Pace, since_epoch};

#[tokio::main]
async fn main() {
    forwarding().await;
    throughput().await;
}

/// How old pieces are when the caller has them.
async fn forwarding() {
    let upstream = upstream::start(Pace { pieces: 400, gap: Duration::from_millis(2) }).await;
    let server = server(&upstream).await;
    let straight = Client::new(&format!("http://{upstream}"));
    println!("forwarding: age of a piece in microseconds, 5 answers of 400 pieces, one at a time");
    let mut direct = Histogram::<u64>::new(3).unwrap();
    let mut through = Histogram::<u64>::new(3).unwrap();
    for round in 0..5 {
        let body = json!({"stream": true, "messages": []});
        let mut stream =
            Sse::new(straight.try_request("POST", "/v1/chat/completions", &[], body.to_string()).await.unwrap());
        while let Some(frame) = stream.next().await {
            note(&mut direct, frame.data.as_deref().and_then(piece_of_chunk));
        }
        let mut stream = server.client().deltas("s", &format!("question {round}")).await;
        while let Some(frame) = stream.next().await {
            note(&mut through, frame.data.as_deref().and_then(piece_of_delta));
        }
    }
    for (name, ages) in [("straight from the upstream", &direct), ("through the server", &through)] {
        println!(
            "  {name:28} p50 {:5}  p99 {:5}  max {:6}  ({} pieces)",
            ages.value_at_quantile(0.5),
            ages.value_at_quantile(0.99),
            ages.max(),
            ages.len()
        );
    }
}

/// Many at once.
async fn throughput() {
    let upstream = upstream::start(Pace { pieces: 100, gap: Duration::ZERO }).await;
    let server = server(&upstream).await;
    println!("throughput: answers of 100 pieces, each of its own session, stored durably");
    for streams in [1usize, 16, 256] {
        let rounds = (1024 / streams).clamp(4, 64);
        let began = Instant::now();
        let spawned = (0..streams).map(|worker| {
            let client = server.client().clone();
            tokio::spawn(async move {
                for round in 0..rounds {
                    let mut stream =
                        client.deltas(&format!("s{streams}-{worker}"), &format!("q{streams}-{worker}-{round}")).await;
                    while stream.next().await.is_some() {}
                }
            })
        });
        let workers: Vec<_> = spawned.collect();
        for worker in workers {
            worker.await.unwrap();
        }
        let took = began.elapsed().as_secs_f64();
        let answers = (streams * rounds) as f64;
        println!("  {streams:4} at once: {:7.0} answers/s, {:9.0} pieces/s", answers / took, answers * 100.0 / took);
    }
}

async fn server(upstream: &str) -> Server {
    ServerBuilder::bare().env("OPENAI_BASE_URL", format!("http://{upstream}/v1")).start().await
}

fn note(ages: &mut Histogram<u64>, sent: Option<u64>) {
    if let Some(sent) = sent {
        ages.saturating_record(since_epoch().saturating_sub(sent).max(1));
    }
}

/// The time in a piece straight from the upstream.
fn piece_of_chunk(data: &str) -> Option<u64> {
    let chunk: Value = serde_json::from_str(data).ok()?;
    chunk.pointer("/choices/0/delta/content")?.as_str()?.trim().parse().ok()
}

/// The time in a delta: the last one, if several pieces came as one.
fn piece_of_delta(data: &str) -> Option<u64> {
    let delta: Value = serde_json::from_str(data).ok()?;
    delta.get("delta")?.as_str()?.split_whitespace().next_back()?.parse().ok()
}
