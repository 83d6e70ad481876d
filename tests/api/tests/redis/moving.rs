//! `hitesh-ai migrate`: from one file to a Redis that instances share.
use std::time::Duration;

use futures::future::join_all;
use hitesh_tests_api::{Exit, RedisServer, Server, ServerBuilder, Upstream};
use serde_json::{Value, json};

async fn migrate(how: &ServerBuilder, redis: &RedisServer, more: &[&str]) -> Exit {
    let how = how.clone().env("REDIS_URL", redis.url());
    let how =
        ["migrate", "--from", "sqlite", "--to", "redis"].iter().chain(more).fold(how, |how, word| how.argument(word));
    how.run_to_end().await
}

/// Stops it in order; how it was started.
async fn stopped(server: Server) -> ServerBuilder {
    server.terminate();
    server.ended().await.1
}

async fn on_redis(how: &ServerBuilder, redis: &RedisServer) -> Server {
    how.clone().env("REDIS_URL", redis.url()).start().await
}

async fn whole_history(server: &Server, session: &str) -> Value {
    server.client().get(&format!("/api/chat/history?session_id={session}&all=true")).await.json()["messages"].clone()
}

async fn stored_sessions(redis: &RedisServer) -> u64 {
    let reply = redis.ask("HGET {hitesh:sessions:2}:counts sessions").await;
    reply.lines().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn what_a_file_had_two_instances_have_afterwards() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let server = ServerBuilder::asking(&upstream).start().await;
    let first = server.client().ask("s", "Pehla sawaal?").await;
    let turn = first["turn_id"].as_str().unwrap().to_owned();
    server.client().ask("s", "Doosra?").await;
    server.client().post(&format!("/api/chat/turns/{turn}/regenerate"), &json!({})).await;
    server.client().post(&format!("/api/chat/turns/{turn}/feedback"), &json!({"rating": "up"})).await;
    let keyed = json!({"content": "Teesra?", "session_id": "s", "idempotency_key": "once"});
    let answer = server.client().send(&keyed).await.json();
    let before = whole_history(&server, "s").await;
    assert_eq!(before.as_array().unwrap().len(), 8);

    let in_use = migrate(server.how(), &redis, &[]).await;
    assert!(!in_use.status.success() && in_use.log.contains("stop the server first"), "{}", in_use.log);
    let how = stopped(server).await;
    let dry = migrate(&how, &redis, &["--dry-run"]).await;
    assert!(dry.status.success() && dry.log.contains("1 sessions with 4 turns"), "{}", dry.log);
    assert_eq!(stored_sessions(&redis).await, 0, "it only said so");
    for (moved, already) in [(1, 0), (0, 1)] {
        let exit = migrate(&how, &redis, &[]).await;
        assert!(exit.status.success(), "{}", exit.log);
        assert!(
            exit.log.contains(&format!("moved {moved}, there already {already}, different there 0; 4 turns")),
            "{}",
            exit.log
        );
    }

    let [a, b] = [on_redis(&how, &redis).await, on_redis(&how, &redis).await];
    for server in [&a, &b] {
        assert_eq!(whole_history(server, "s").await, before);
        assert_eq!(
            server.client().send(&keyed).await.json()["turn_id"],
            answer["turn_id"],
            "the key is bound to its turn"
        );
    }
    a.client().ask("s", "Chautha?").await;
    let prompt = upstream.requests().last().unwrap().prompt();
    assert!(prompt.contains("Pehla sawaal?") && prompt.contains("Teesra?"), "the context came along: {prompt}");
    let differs = migrate(&how, &redis, &[]).await;
    assert!(!differs.status.success() && differs.log.contains("different there 1"), "{}", differs.log);
    assert_eq!(b.client().history("s").await.len(), 8, "what went on since is left alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_again_and_again_goes_on_where_it_was() {
    let (redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let server = ServerBuilder::asking(&upstream).start().await;
    let client = server.client();
    for round in 0..25 {
        let ask = async |number: usize| {
            client.ask(&format!("s{}", round * 16 + number), &format!("Sawaal {round} {number}?")).await
        };
        join_all((0..16).map(ask)).await;
    }
    let how = stopped(server).await;
    let mut seen = 0;
    for try_number in 1..200 {
        // Its child is killed when it is dropped.
        let run = tokio::time::timeout(Duration::from_millis(80 + 20 * try_number), migrate(&how, &redis, &[])).await;
        let there = stored_sessions(&redis).await;
        assert!(there >= seen, "nothing that was moved goes");
        seen = there;
        // The one before may still be dying, with the file in its hands.
        let Some(exit) = run.ok().filter(|exit| !exit.log.contains("is in use")) else { continue };
        assert!(exit.status.success(), "{}", exit.log);
        assert!(try_number > 1, "it was never killed");
        assert!(exit.log.contains("different there 0; 400 turns verified"), "{}", exit.log);
        break;
    }
    assert_eq!(seen, 400);
    let server = on_redis(&how, &redis).await;
    for number in [0, 199, 399] {
        assert_eq!(server.client().history(&format!("s{number}")).await.len(), 2);
    }
}

#[tokio::test]
async fn what_can_not_be_moved_is_said() {
    let (mut redis, upstream) = (RedisServer::start().await, Upstream::numbered().await);
    let how = ServerBuilder::asking(&upstream);
    let nothing = migrate(&how, &redis, &[]).await;
    assert!(!nothing.status.success() && nothing.log.contains("there is no file"), "{}", nothing.log);
    let server = how.start().await;
    server.client().ask("s", "Koi hai?").await;
    let how = stopped(server).await;
    redis.kill().await;
    let away = migrate(&how, &redis, &[]).await;
    assert!(!away.status.success() && away.log.contains("redis is unavailable"), "{}", away.log);
    let no_redis =
        ["migrate", "--from", "sqlite", "--to", "redis"].iter().fold(how.clone(), |how, word| how.argument(word));
    let no_redis = no_redis.run_to_end().await;
    assert!(!no_redis.status.success() && no_redis.log.contains("set REDIS_URL"), "{}", no_redis.log);
    let back = ["migrate", "--from", "redis", "--to", "sqlite"].iter().fold(how, |how, word| how.argument(word));
    let back = back.run_to_end().await;
    assert!(!back.status.success() && back.log.contains("from sqlite to redis only"), "{}", back.log);
}
