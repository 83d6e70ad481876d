//! What a turn costs in round trips and bytes.
use futures::future::join_all;
use hitesh_tests_api::{RedisServer, Rounds, ServerBuilder, Upstream, eventually};
use serde_json::json;

use crate::two_instances;

/// Whether a round trip was for a turn: what an instance asks on its own account names no session, no turn and no entry of the
/// cache.
fn is_for_a_turn(round: &[String]) -> bool {
    let of_turn = |text: &String| text.contains("public/") || text.contains("MGET") || text.contains("analyze");
    round.iter().any(|text| !text.contains("hitesh:log:1:") && of_turn(text))
}

/// Whether it was for nothing but a log.
fn is_a_batch(round: &[String]) -> bool {
    !is_for_a_turn(round) && round.iter().any(|text| text.contains("EVALSHA") && text.contains("hitesh:log:1:"))
}

#[tokio::test]
async fn a_turn_costs_two_round_trips_from_memory_three_from_redis_and_four_from_a_model_beside_its_batches() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let way = Rounds::to(redis.port()).await;
    let url = format!("redis://127.0.0.1:{}", way.port());
    let [seen, other] = [url, redis.url()].map(|url| ServerBuilder::asking(&upstream).env("REDIS_URL", url));
    let (seen, other) = tokio::join!(seen.start(), other.start());
    // From then on the scripts are known, and there are connections for what goes side by side.
    for round in 0..3 {
        let client = seen.client();
        let ask = async |number: u32| client.ask(&format!("w{number}"), &format!("Garam karo {round} {number}")).await;
        join_all((0..4).map(ask)).await;
    }
    other.client().ask("o", "Redis kya hai?").await;
    eventually("all to be in the cache", || async { (seen.client().cache_size().await == 13).then_some(()) }).await;

    let rounds = async |question: &str, source: &str, session: &str| {
        way.of(async { assert_eq!(seen.client().ask(session, question).await["source"], source) }).await
    };
    let live = rounds("Docker kya hai?", "model", "s1").await;
    let from_redis = rounds("Redis kya hai?", "cache", "s2").await;
    let from_memory = rounds("Redis kya hai?", "cache", "s3").await;
    let count = |rounds: &[Vec<String>]| rounds.iter().filter(|round| is_for_a_turn(round)).count();
    let batches = live.iter().filter(|round| is_a_batch(round)).count();
    eprintln!("{batches} round trips for nothing but the log");
    assert_eq!(
        [count(&live), count(&from_redis), count(&from_memory)],
        [4, 3, 2],
        "context, lookup, begin and lease, end and put; context, lookup, record; context, record: {live:#?}"
    );
    assert!([from_redis, from_memory].iter().flatten().all(|round| !is_a_batch(round)), "nothing of it is logged");
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
