//! Several instances of the real binary on one real Redis: they are one service, and any of them may die.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "test code, and what it measures is shown"
)]

mod away;
mod balancer;
mod cost;
mod living;
mod moving;
mod providers;
mod refusing;
mod servers;
mod sharing;
mod storm;
mod taking_over;

use hitesh_tests_api::{RedisServer, Server, ServerBuilder, Upstream};

/// An instance that asks `upstream` and shares `redis` with others.
async fn instance(redis: &RedisServer, upstream: &Upstream) -> Server {
    builder(redis, upstream).start().await
}

fn builder(redis: &RedisServer, upstream: &Upstream) -> ServerBuilder {
    ServerBuilder::asking(upstream).env("REDIS_URL", redis.url())
}

async fn two_instances(redis: &RedisServer, upstream: &Upstream) -> [Server; 2] {
    let (a, b) = tokio::join!(instance(redis, upstream), instance(redis, upstream));
    [a, b]
}
