//! Requests of one caller, counted by all instances together.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use hitesh_redis::{Link, Script};

use crate::{http::SharedLimit, settings::Rate};

/// The generic cell rate algorithm: the key holds when the caller's allowance is whole again. Times are Redis's own, in
/// microseconds. KEYS: the caller's. ARGV: the time between two requests, how many may come at once. How long to wait.
const CHECK: &str = "
    local clock = redis.call('TIME')
    local now = clock[1] * 1000000 + clock[2]
    local between, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
    local whole = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + between
    local wait = whole - between * burst - now
    if wait > 0 then return wait end
    redis.call('SET', KEYS[1], string.format('%.0f', whole), 'PX', math.ceil((whole - now) / 1000))
    return 0";

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(CHECK));

/// A limit in a Redis server, for all who name the same prefix.
pub(super) struct RedisLimit {
    link: Arc<Link>,
    prefix: String,
    between_us: u64,
    burst: u32,
}

impl RedisLimit {
    pub(super) fn new(link: Arc<Link>, prefix: &str, rate: Rate) -> Self {
        // The number is that of the stored form.
        let prefix = format!("{prefix}:limit:1:");
        Self { link, prefix, between_us: 60_000_000 / u64::from(rate.per_minute.get()), burst: rate.burst.get() }
    }
}

impl SharedLimit for RedisLimit {
    fn check<'a>(&'a self, who: &'a str) -> BoxFuture<'a, Option<Duration>> {
        async move {
            let mut call = SCRIPT.key(format!("{}{{{who}}}", self.prefix));
            call.arg(self.between_us).arg(self.burst);
            // While Redis is away, which the link has said, each instance goes by its own count.
            let wait_us = self.link.script::<u64>(&call).await.unwrap_or(0);
            (wait_us > 0).then(|| Duration::from_micros(wait_us))
        }
        .boxed()
    }
}

impl fmt::Debug for RedisLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimit").field("link", &self.link).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
