//! A start that can not be says why, in words for the operator, and ends; one that can, says what is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::os::unix::fs::PermissionsExt;

use hitesh_tests_api::{Exit, Server, ServerBuilder, Upstream};
use serde_json::json;

/// Asserts that the process ended with a failure, after one line about `what` and without a panic.
fn expect_one_clear_line(exit: &Exit, what: &str) {
    assert!(!exit.status.success(), "it ended well:\n{}", exit.log);
    assert!(exit.status.code().is_some(), "a signal killed it: {:?}\n{}", exit.status, exit.log);
    assert!(!exit.log.contains("panicked") && !exit.log.contains("RUST_BACKTRACE"), "{}", exit.log);
    let about: Vec<_> = exit.log.lines().filter(|line| line.contains(what)).collect();
    assert_eq!(about.len(), 1, "one line about {what:?}:\n{}", exit.log);
    // Debug forms are for programmers.
    assert!(!about[0].contains("Error {") && !about[0].contains("Some("), "{}", about[0]);
    let errors = exit.log.lines().filter(|line| line.to_lowercase().contains("error")).count();
    assert!(errors <= 1, "{}", exit.log);
}

#[tokio::test]
async fn wrong_settings_are_all_listed_each_with_its_place() {
    let builder = ServerBuilder::bare()
        .settings("[limits]\nmax_in_flight = 0\nno_such_key = 1\n[cache]\nttl_seconds = \"soon\"")
        .env("PORT", "eighty")
        .env("LOG_LEVEL", "loud")
        .env("HITESH_TURNS__DISCONNECT_GRACE_SECONDS", "-1");
    let exit = builder.run_to_end().await;
    assert!(!exit.status.success());
    for (key, place) in [
        ("limits.max_in_flight", "hitesh.toml"),
        ("no_such_key", "hitesh.toml"),
        ("cache.ttl_seconds", "hitesh.toml"),
        ("port", "PORT"),
        ("log.level", "LOG_LEVEL"),
        ("turns.disconnect_grace_seconds", "HITESH_TURNS__DISCONNECT_GRACE_SECONDS"),
    ] {
        let listed = exit.log.lines().any(|line| line.contains(key) && line.contains(place));
        assert!(listed, "{key} of {place} is not listed:\n{}", exit.log);
    }
    assert!(!exit.log.contains("panicked"), "{}", exit.log);
}

#[tokio::test]
async fn a_mistake_in_the_file_is_told_with_its_line_and_no_key_is_shown() {
    let settings = "[[providers]]\nname = \"openai\"\nkind = \"openai\"\napi_key = \"sk-secret-4711\napi = 1\n";
    let exit = ServerBuilder::bare().settings(settings).run_to_end().await;
    assert!(!exit.status.success());
    assert!(exit.log.contains("hitesh.toml"), "{}", exit.log);
    assert!(!exit.log.contains("sk-secret-4711"), "{}", exit.log);
}

#[tokio::test]
async fn a_settings_file_that_is_named_and_missing_is_a_mistake() {
    let exit = ServerBuilder::bare().env("HITESH_CONFIG", "/nowhere/hitesh.toml").run_to_end().await;
    assert!(!exit.status.success());
    assert!(exit.log.contains("/nowhere/hitesh.toml"), "{}", exit.log);
}

#[tokio::test]
async fn a_corrupt_database_is_told_and_left_as_it_is() {
    let builder = ServerBuilder::bare();
    let garbage = "this is no database, but somebody may want it back\n".repeat(400);
    std::fs::write(builder.database(), &garbage).unwrap();
    expect_one_clear_line(&builder.run_to_end().await, "sessions.db");
    assert_eq!(std::fs::read_to_string(builder.database()).unwrap(), garbage);
}

#[tokio::test]
async fn a_truncated_database_is_told() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    for i in 0..20 {
        server.client().ask("s", &format!("Sawaal {i}")).await;
    }
    server.terminate();
    let (_, how) = server.ended().await;
    // Whatever the write-ahead log still holds goes into the file, or it would mend what is torn off.
    let database = rusqlite::Connection::open(how.database()).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(database);
    let bytes = std::fs::read(how.database()).unwrap();
    std::fs::write(how.database(), &bytes[..bytes.len() / 2 + 100]).unwrap();
    expect_one_clear_line(&how.run_to_end().await, "sessions.db");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_told() {
    let upstream = Upstream::numbered().await;
    let server = Server::start(&upstream).await;
    server.terminate();
    let (_, how) = server.ended().await;
    let database = rusqlite::Connection::open(how.database()).unwrap();
    database.pragma_update(None, "user_version", 4711).unwrap();
    drop(database);
    let exit = how.run_to_end().await;
    expect_one_clear_line(&exit, "newer");
    let database = rusqlite::Connection::open(how.database()).unwrap();
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 4711, "it was changed");
}

#[tokio::test]
async fn a_database_below_a_file_is_told() {
    let builder = ServerBuilder::bare();
    let file = builder.dir().join("file");
    std::fs::write(&file, "x").unwrap();
    let exit = builder.env("HITESH_SESSIONS__PATH", file.join("sessions.db").display()).run_to_end().await;
    expect_one_clear_line(&exit, &file.display().to_string());
}

#[tokio::test]
async fn a_database_that_is_a_folder_is_told() {
    let builder = ServerBuilder::bare();
    std::fs::create_dir(builder.database()).unwrap();
    expect_one_clear_line(&builder.run_to_end().await, "sessions.db");
}

#[tokio::test]
async fn a_folder_for_the_database_is_made() {
    let builder = ServerBuilder::bare();
    let path = builder.dir().join("a/b/sessions.db");
    let server = builder.env("HITESH_SESSIONS__PATH", path.display()).start().await;
    assert!(path.is_file());
    // It holds what learners said: nobody else's business.
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "others may read the database: {mode:o}");
    drop(server);
}

#[tokio::test]
async fn a_second_process_on_the_same_database_does_not_start() {
    let upstream = Upstream::numbered().await;
    let first = Server::start(&upstream).await;
    first.client().ask("s", "Chai?").await;
    expect_one_clear_line(&first.how().run_to_end().await, "sessions.db");
    assert_eq!(first.client().history("s").await.len(), 2, "the first goes on");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let upstream = Upstream::numbered().await;
    let exit = ServerBuilder::asking(&upstream).env("PORT", port).run_to_end().await;
    expect_one_clear_line(&exit, &port.to_string());
}

/// Settings under which nothing can answer.
fn without_a_model() -> ServerBuilder {
    ServerBuilder::bare().settings("[[providers]]\nname = \"local\"\nkind = \"local\"\nmodel = \"/nowhere/model.gguf\"")
}

#[tokio::test]
async fn without_a_model_it_serves_says_why_and_what_to_do() {
    for builder in [without_a_model(), ServerBuilder::bare()] {
        let server = builder.start().await;
        let client = server.client();
        let health = client.get("/api/chat/health").await;
        assert_eq!(health.status, 200);
        assert_eq!(health.json()["status"], "degraded", "{}", health.text());
        assert!(health.json()["checks"].to_string().len() > 40, "the reason is not told: {}", health.text());
        for path in ["/api/chat/send", "/api/chat/stream"] {
            let reply = client.post(path, &json!({"content": "Chai?", "session_id": "s"})).await;
            let message = reply.expect_error(503, "provider_unavailable")["message"].as_str().unwrap().to_owned();
            let says_what_to_do = ["OPENAI_API_KEY", "model pull", "operator", "again"];
            assert!(says_what_to_do.iter().any(|words| message.contains(words)), "{message}");
            assert!(reply.retry_after() >= 1);
        }
        assert_eq!(client.get("/api/personas").await.status, 200);
        assert_eq!(client.get("/livez").await.status, 200);
    }
}

#[tokio::test]
async fn check_reaches_each_dependency() {
    let upstream = Upstream::numbered().await;
    let fine = ServerBuilder::asking(&upstream).argument("check").run_to_end().await;
    assert!(fine.status.success(), "{}", fine.log);
    assert!(fine.log.contains("openai"), "{}", fine.log);
    assert!(!fine.log.contains("test-key-0123456789"), "{}", fine.log);
    assert_eq!(upstream.count(), 0, "a check asks the model nothing");
    let builder = ServerBuilder::asking(&upstream).argument("check");
    drop(upstream);
    let away = builder.run_to_end().await;
    assert!(!away.status.success(), "the provider is away:\n{}", away.log);
    assert!(away.log.contains("openai"), "{}", away.log);
    let wrong = ServerBuilder::bare().env("PORT", "eighty").argument("check").run_to_end().await;
    assert!(!wrong.status.success());
    assert!(wrong.log.contains("PORT"), "{}", wrong.log);
}

#[tokio::test]
async fn the_version_and_the_help_are_told() {
    let version = ServerBuilder::bare().argument("--version").run_to_end().await;
    assert!(version.status.success());
    assert!(version.log.contains(env!("CARGO_PKG_VERSION")), "{}", version.log);
    let help = ServerBuilder::bare().argument("--help").run_to_end().await;
    assert!(help.status.success());
    for command in ["check", "chat", "model", "persona"] {
        assert!(help.log.contains(command), "{}", help.log);
    }
}

#[tokio::test]
async fn logs_can_be_json() {
    let upstream = Upstream::numbered().await;
    let server = ServerBuilder::asking(&upstream).env("HITESH_LOG__FORMAT", "json").start().await;
    server.client().ask("s", "Chai?").await;
    for line in server.log().text().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}
