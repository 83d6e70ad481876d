//! What the tests of the whole service stand on: a scripted OpenAI-compatible upstream, the real binary as a
//! child process, and a small HTTP client with a reader of Server-Sent Events.
//!
//! It knows the service by its contract only: no crate of the workspace is a dependency. A failed expectation
//! panics with what was seen and, where a server is at hand, with its log.
//!
//! The binary is not built by `cargo test`: run `cargo build -p hitesh-server` first (`--no-default-features` will
//! do: no test here needs the local model; those of `tests/redis` need `--features redis`, and `redis-server` beside them), or
//! name one in `HITESH_BIN`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "this is test code: a panic is how it reports"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "its tasks end with the test, and are aborted when their owner is dropped"
)]

mod answer;
mod client;
mod expect;
mod gate;
mod play;
mod redis;
mod reply;
mod rounds;
mod server;
mod sse;
mod upstream;

use std::time::Duration;

pub use answer::{Answer, Format, content_chunk, event, finish_chunk};
pub use client::{Client, Reply, raw_exchange};
pub use expect::{expect_keys, expect_time, expect_uuid, keys};
pub use gate::Gate;
pub use redis::RedisServer;
pub use reply::{Part, Script, UPSTREAM_SECRET};
pub use rounds::Rounds;
pub use server::{Exit, Log, Server, ServerBuilder, binary};
pub use sse::{Frame, Sse};
pub use upstream::{Recorded, Upstream};

/// How long anything may take that is expected to happen: generous, since machines that test are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Awaits what is expected to happen.
///
/// # Panics
/// If it has not happened within [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_time(PATIENCE, what, future).await
}

/// Awaits what is expected to happen within `limit`.
///
/// # Panics
/// If it has not.
pub async fn within_time<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {limit:?} in vain for {what}"),
    }
}

/// Asks again and again, a few milliseconds apart, until `probe` gives something: for what no event tells.
///
/// # Panics
/// If nothing came within [`PATIENCE`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    within(what, async {
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}
