//! What one instance and its Redis take for each stream, turn and session: the figures of `deploy/capacity.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for whoever measures: a panic is how it reports"
)]

mod upstream;

use std::time::Duration;

use hitesh_tests_api::{RedisServer, Server, ServerBuilder};
use serde_json::json;
use upstream::Pace;

/// Streams at once, and how long they are looked at.
const STREAMS: usize = 300;
const LOOK: Duration = Duration::from_secs(10);
/// An answer of a token each 50 ms, as a fast model gives them.
const STEADY: Pace = Pace { pieces: 400, gap: Duration::from_millis(50) };
/// Sessions of ten exchanges, asked by so many at once.
const SESSIONS: usize = 200;
const EXCHANGES: usize = 10;
const ASKERS: usize = 16;
/// An answer of a hundred pieces, about 1,700 characters.
const SHORT: Pace = Pace { pieces: 100, gap: Duration::ZERO };
/// Logs of answers are kept for twenty seconds.
const LOGS_GO: Duration = Duration::from_secs(25);

#[tokio::main]
async fn main() {
    streams().await;
    turns().await;
    cache().await;
}

/// What was taken so far: of the server its memory and time, of Redis its memory, time, commands and bytes in and out.
struct Taken {
    resident: f64,
    server_seconds: f64,
    redis_memory: f64,
    redis_seconds: f64,
    commands: f64,
    bytes: f64,
}

async fn taken(server: &Server, redis: &RedisServer) -> Taken {
    let metrics = server.client().get("/metrics").await.text();
    let metric = |name: &str| figure(&metrics, &format!("{name} "));
    let mut info = String::new();
    for section in ["memory", "cpu", "stats"] {
        info.push_str(&redis.ask(&format!("INFO {section}")).await);
    }
    let redis = |name: &str| figure(&info, &format!("{name}:"));
    Taken {
        resident: metric("hitesh_process_resident_memory_bytes"),
        server_seconds: metric("hitesh_process_cpu_seconds_total"),
        redis_memory: redis("used_memory_dataset"),
        redis_seconds: redis("used_cpu_user") + redis("used_cpu_sys"),
        commands: redis("total_commands_processed"),
        bytes: redis("total_net_input_bytes") + redis("total_net_output_bytes"),
    }
}

fn figure(text: &str, prefix: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(prefix));
    line.expect(prefix).trim().parse().unwrap()
}

async fn start(redis: &RedisServer, pace: Pace, cache: bool) -> Server {
    let upstream = upstream::start(pace).await;
    let how = ServerBuilder::bare().env("OPENAI_BASE_URL", format!("http://{upstream}/v1"));
    how.env("REDIS_URL", redis.url()).env("HITESH_CACHE__ENABLED", cache).start().await
}

async fn streams() {
    let redis = RedisServer::start().await;
    let server = start(&redis, STEADY, false).await;
    server.client().ask("warm", "warm").await;
    let idle = taken(&server, &redis).await;
    let open: Vec<_> = (0..STREAMS)
        .map(|number| {
            let client = server.client().clone();
            tokio::spawn(async move {
                let mut stream = client.deltas(&format!("s{number}"), &format!("question {number}")).await;
                while stream.next().await.is_some() {}
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = taken(&server, &redis).await;
    tokio::time::sleep(LOOK).await;
    let after = taken(&server, &redis).await;
    let pieces = STREAMS as f64 * LOOK.as_secs_f64() / STEADY.gap.as_secs_f64();
    println!("{STREAMS} streams, each of a piece every {:?}, looked at for {LOOK:?}", STEADY.gap);
    println!("  server at rest             {:8.1} MiB", idle.resident / MIB);
    println!("  server, each stream        {:8.1} KiB", (after.resident - idle.resident) / STREAMS as f64 / 1024.0);
    println!(
        "  server's time, each piece  {:8.1} microseconds",
        (after.server_seconds - before.server_seconds) / pieces * 1e6
    );
    println!(
        "  Redis' time, each piece    {:8.1} microseconds",
        (after.redis_seconds - before.redis_seconds) / pieces * 1e6
    );
    println!(
        "  Redis' commands, each stream and second {:5.1}",
        (after.commands - before.commands) / STREAMS as f64 / LOOK.as_secs_f64()
    );
    for stream in open {
        stream.await.unwrap();
    }
}

async fn turns() {
    let redis = RedisServer::start().await;
    let server = start(&redis, SHORT, false).await;
    server.client().ask("warm", "warm").await;
    tokio::time::sleep(LOGS_GO).await;
    let before = taken(&server, &redis).await;
    let askers: Vec<_> = (0..ASKERS)
        .map(|asker| {
            let client = server.client().clone();
            tokio::spawn(async move {
                for session in (asker..SESSIONS).step_by(ASKERS) {
                    for exchange in 0..EXCHANGES {
                        client.ask(&format!("s{session}"), &format!("question {exchange} of {session}")).await;
                    }
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
    let after = taken(&server, &redis).await;
    tokio::time::sleep(LOGS_GO).await;
    let at_rest = taken(&server, &redis).await;
    let turns = (SESSIONS * EXCHANGES) as f64;
    println!("{SESSIONS} sessions of {EXCHANGES} exchanges, answers of {} pieces", SHORT.pieces);
    println!("  server's time, each turn   {:8.2} ms", (after.server_seconds - before.server_seconds) / turns * 1e3);
    println!("  Redis' time, each turn     {:8.2} ms", (after.redis_seconds - before.redis_seconds) / turns * 1e3);
    println!(
        "  Redis' commands, each turn {:8.1} (those that scripts do counted too)",
        (after.commands - before.commands) / turns
    );
    println!("  to and from Redis, each turn {:6.1} KiB", (after.bytes - before.bytes) / turns / 1024.0);
    println!(
        "  Redis' memory, each session{:8.1} KiB",
        (at_rest.redis_memory - before.redis_memory) / SESSIONS as f64 / 1024.0
    );
    println!("  server, before and after   {:8.1} and {:.1} MiB", before.resident / MIB, after.resident / MIB);
}

async fn cache() {
    const ANSWERS: usize = 1000;
    let redis = RedisServer::start().await;
    let server = start(&redis, SHORT, true).await;
    server.client().ask("warm", "warm").await;
    let before = taken(&server, &redis).await;
    for number in 0..ANSWERS {
        let body = json!({"content": format!("question {number}"), "store": false});
        assert_eq!(server.client().send(&body).await.status, 200);
    }
    tokio::time::sleep(LOGS_GO).await;
    let after = taken(&server, &redis).await;
    println!("{ANSWERS} cached answers of {} pieces", SHORT.pieces);
    println!(
        "  Redis' memory, each        {:8.1} KiB",
        (after.redis_memory - before.redis_memory) / ANSWERS as f64 / 1024.0
    );
}

const MIB: f64 = 1024.0 * 1024.0;
