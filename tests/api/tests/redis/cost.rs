//! What a turn costs in round trips and bytes.
use hitesh_tests_api::{RedisServer, Upstream, eventually};
use serde_json::json;

use crate::two_instances;

/// The round trips of `asked` that were for turns: what instances ask on their own account names no session, no turn and no
/// entry of the cache. A lookup is two commands in one.
fn round_trips(asked: &[String]) -> usize {
    let for_turns = |line: &&String| {
        !line.contains("hitesh:log:1:")
            && (line.contains("public/") || line.contains("\"MGET\"") || line.contains("analyze"))
    };
    asked.iter().filter(for_turns).count()
}

/// Those that were for logs: the lease of each, and its batches.
fn log_trips(asked: &[String]) -> usize {
    let for_logs = |line: &&String| line.contains("\"EVALSHA\"") && line.contains("hitesh:log:1:");
    asked.iter().filter(for_logs).count()
}

#[tokio::test]
async fn a_turn_costs_two_round_trips_from_memory_three_from_redis_and_five_from_a_model_beside_its_log() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [a, b] = two_instances(&redis, &upstream).await;
    for server in [&a, &b] {
        // The scripts are known from then on.
        server.client().ask("warm", "Garam karo").await;
        server.client().ask("warm", "Aur garam karo").await;
        server.client().delete("/api/chat/history?session_id=warm").await;
    }
    // What was asked before has come to its end everywhere.
    eventually("the first answers to be in the cache", || async { (a.client().cache_size().await == 2).then_some(()) })
        .await;
    let ask = async |server: &hitesh_tests_api::Server, source: &str| {
        let asked = redis.monitored(async {
            let stored = server.client().cache_size().await;
            let answer = server.client().ask("s", "Docker kya hai?").await;
            assert_eq!(answer["source"], source);
            if source == "model" {
                // The answer is put into the cache beside the turn's end.
                eventually("the answer to be in the cache", || async {
                    (server.client().cache_size().await > stored).then_some(())
                })
                .await;
            }
            server.client().delete("/api/chat/history?session_id=s").await;
        });
        let asked = asked.await;
        let batches = log_trips(&asked);
        eprintln!("from {source}: {batches} round trips for its log");
        assert_eq!(batches >= 2, source == "model", "a lease, and what is written in batches");
        // Less what erased the session.
        round_trips(&asked) - 1
    };
    let counts = [ask(&a, "model").await, ask(&b, "cache").await, ask(&b, "cache").await];
    assert_eq!(counts, [5, 3, 2], "context, lookup, begin, put, end; context, lookup, record; context, record");
}

#[tokio::test]
async fn a_session_of_ten_exchanges_takes_less_than_64_kb() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let [a, _] = two_instances(&redis, &upstream).await;
    let used = async || {
        let info = redis.ask("INFO memory").await;
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:")).unwrap().to_owned();
        line.parse::<usize>().unwrap()
    };
    let ask = async |session: &str| {
        for number in 0..10 {
            let body = json!({"content": format!("Sawaal {number}?"), "session_id": session, "cache": "off"});
            assert_eq!(a.client().send(&body).await.status, 200);
        }
    };
    ask("warm").await;
    let steps = a.client().history("warm").await;
    let text: usize = steps.iter().map(|message| message["content"].as_str().unwrap().len()).sum();
    let before = used().await;
    for session in 0..20 {
        ask(&format!("s{session}")).await;
    }
    let with_logs = (used().await - before) / 200;
    eprintln!("{with_logs} bytes an exchange while the logs of the last seconds are kept");
    eventually("the logs to go", || async {
        let logs = redis.ask("KEYS hitesh:log:*").await;
        (logs == "*0\r\n").then_some(())
    })
    .await;
    let each = (used().await - before) / 20;
    eprintln!("{each} bytes a session of ten exchanges, whose questions and outputs have {text}");
    assert!(each < 64 * 1024, "{each}");
}
