use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use hitesh_redis::{Link, LinkError, Script, Servers, pipe, spread};

use crate::{Cache, CacheError, CacheKey, CacheStats, jitter::jittered};

/// What one entry costs beside its value, estimated: the key, its expiry, and its place among the entries.
const ENTRY_OVERHEAD: u64 = 260;

/// Gives the generation that is current, after it made one if there was none, and puts the value.
/// KEYS: generation, entry, entries. ARGV: a generation to begin with, the value, its life in ms, its key.
const PUT: &str = "
    local generation = redis.call('GET', KEYS[1])
    if not generation then
        generation = ARGV[1]
        redis.call('SET', KEYS[1], generation)
    end
    local now = redis.call('TIME')
    local ms = now[1] * 1000 + math.floor(now[2] / 1000)
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ms)
    if tonumber(ARGV[3]) > 0 then
        redis.call('SET', KEYS[2], generation .. ARGV[2], 'PX', ARGV[3])
        redis.call('ZADD', KEYS[3], ms + ARGV[3], ARGV[4])
    else
        redis.call('DEL', KEYS[2])
        redis.call('ZREM', KEYS[3], ARGV[4])
    end
    return generation";

/// Begins a new generation: what was put before is no longer found, and goes with its own expiry. How much it was.
/// KEYS: generation, entries. ARGV: the new generation.
const CLEAR: &str = "
    local now = redis.call('TIME')
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
    local had = redis.call('ZCARD', KEYS[2])
    redis.call('SET', KEYS[1], ARGV[1])
    redis.call('UNLINK', KEYS[2])
    return had";

/// How many entries there are, and how long the values of some of them are together.
/// KEYS: entries. ARGV: how many to measure, what the entries' own keys begin with.
const MEASURE: &str = "
    local now = redis.call('TIME')
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
    local some = redis.call('ZRANDMEMBER', KEYS[1], ARGV[1])
    local bytes = 0
    for _, key in ipairs(some) do bytes = bytes + redis.call('STRLEN', ARGV[2] .. key) end
    return {redis.call('ZCARD', KEYS[1]), #some, bytes}";

/// Entries that are measured to estimate all of them.
const SAMPLE: u64 = 64;
/// How many parts a cluster has of one cache: on so many of its shards are entries.
const PARTS: u8 = 16;

/// A cache in Redis, shared by all who name the same prefix. How much it holds is the server's affair: with `maxmemory`
/// and a `volatile-` policy it evicts what it likes.
///
/// Entries carry the generation that they were put in, so clearing is one write, however many there are. On a cluster they
/// are spread over 16 parts with a generation each: every shard has some, and while one is away the rest is found.
pub struct RedisCache {
    link: Arc<Link>,
    parts: Vec<Part>,
    hits: AtomicU64,
    misses: AtomicU64,
    lookup_nanos: AtomicU64,
}

/// The names of keys that share a hash tag.
struct Part {
    generation: String,
    entries: String,
    /// What entries' own keys begin with.
    entry: String,
}

/// What is found is of the generation that was current when it was put; each clear begins another one, by a number that
/// never comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [u8; Self::BYTES]);

/// What a lookup found, and what is true of the whole cache at that moment.
#[derive(Debug)]
pub(crate) struct Found {
    /// None before anything was ever put.
    pub(crate) generation: Option<Generation>,
    /// The value and the rest of its life.
    pub(crate) entry: Option<(Bytes, Duration)>,
}

impl Generation {
    const BYTES: usize = 16;

    fn random() -> Self {
        Self(rand::random())
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

impl Part {
    fn new(tag: &str) -> Self {
        let [generation, entries, entry] = ["generation", "entries", "entry:"].map(|name| format!("{tag}:{name}"));
        Self { generation, entries, entry }
    }

    fn entry_key(&self, member: &str) -> String {
        format!("{}{member}", self.entry)
    }
}

impl RedisCache {
    /// The cache that lives under `prefix` on the servers behind `link`.
    pub fn new(link: impl Into<Arc<Link>>, prefix: &str) -> Self {
        let link = link.into();
        // The number is that of the stored form: another form is another cache.
        let name = format!("{prefix}:cache:1");
        let tags = match link.servers() {
            Servers::Cluster(_) => spread(&name, PARTS),
            Servers::Single(_) | Servers::Sentinel(_) => vec![format!("{{{name}}}")],
        };
        Self {
            link,
            parts: tags.iter().map(|tag| Part::new(tag)).collect(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            lookup_nanos: AtomicU64::new(0),
        }
    }

    /// How many parts have a generation of their own.
    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Which part a key is in.
    pub(crate) fn part_of(&self, key: &CacheKey) -> usize {
        let [.., last] = key.as_bytes();
        usize::from(*last) % self.parts.len()
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder by the number of parts")]
    fn part(&self, key: &CacheKey) -> &Part {
        &self.parts[self.part_of(key)]
    }

    pub(crate) async fn find(&self, key: &CacheKey) -> Result<Found, LinkError> {
        let part = self.part(key);
        let entry = part.entry_key(&member(key));
        let mut both = pipe();
        both.cmd("MGET").arg(&part.generation).arg(&entry).cmd("PTTL").arg(&entry);
        type Reply = ((Option<Vec<u8>>, Option<Vec<u8>>), i64);
        let ((generation, stored), left) = self.link.pipeline::<Reply>(&both).await?;
        let generation = generation.as_deref().and_then(Generation::of);
        let value = stored.zip(generation).and_then(|(stored, Generation(current))| {
            let (put_in, _) = stored.split_first_chunk::<{ Generation::BYTES }>()?;
            (*put_in == current).then(|| Bytes::from(stored).slice(Generation::BYTES..))
        });
        let left = u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis);
        Ok(Found { generation, entry: value.zip(left) })
    }

    /// The generation that it was put in.
    pub(crate) async fn keep(&self, key: &CacheKey, value: &[u8], ttl: Duration) -> Result<Generation, LinkError> {
        let (part, member) = (self.part(key), member(key));
        let Generation(first) = Generation::random();
        let script = Script::new(PUT);
        let mut put = script.key(&part.generation);
        put.key(part.entry_key(&member)).key(&part.entries);
        put.arg(first.as_slice()).arg(value).arg(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)).arg(&member);
        let generation = self.link.script::<Vec<u8>>(&put).await?;
        let other_form = || LinkError::Invalid { reason: "no generation of a cache".to_owned() };
        Generation::of(&generation).ok_or_else(other_form)
    }

    /// Of each part the new generation, and how many entries there were.
    pub(crate) async fn begin_anew(&self) -> Vec<Result<(Generation, u64), LinkError>> {
        let script = Script::new(CLEAR);
        join_all(self.parts.iter().map(async |part| {
            let generation = Generation::random();
            let mut clear = script.key(&part.generation);
            clear.key(&part.entries).arg(generation.0.as_slice());
            Ok((generation, self.link.script(&clear).await?))
        }))
        .await
    }

    /// Entries and bytes of a part.
    async fn measure(&self, part: &Part) -> Result<(u64, u64), LinkError> {
        let script = Script::new(MEASURE);
        let mut measure = script.key(&part.entries);
        measure.arg(SAMPLE / u64::try_from(self.parts.len()).unwrap_or(SAMPLE)).arg(&part.entry);
        let (entries, measured, bytes) = self.link.script::<(u64, u64, u64)>(&measure).await?;
        let mean = bytes.checked_div(measured).unwrap_or_default();
        Ok((entries, entries.saturating_mul(mean.saturating_add(ENTRY_OVERHEAD))))
    }

    pub(crate) fn count(&self, hit: bool, started: Instant) {
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.lookup_nanos.fetch_add(nanos, Relaxed);
        if hit { &self.hits } else { &self.misses }.fetch_add(1, Relaxed);
    }
}

fn member(key: &CacheKey) -> String {
    key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>, CacheError> {
        let started = Instant::now();
        let found = self.find(key).await;
        self.count(found.as_ref().is_ok_and(|found| found.entry.is_some()), started);
        Ok(found?.entry.map(|(value, _)| value))
    }

    async fn put(&self, key: &CacheKey, value: Bytes, ttl: Duration) -> Result<(), CacheError> {
        self.keep(key, &value, jittered(ttl)).await?;
        Ok(())
    }

    async fn clear(&self) -> Result<u64, CacheError> {
        let cleared: Result<Vec<_>, _> = self.begin_anew().await.into_iter().collect();
        Ok(cleared?.iter().map(|(_, had)| had).sum())
    }

    async fn stats(&self) -> CacheStats {
        let measured = join_all(self.parts.iter().map(|part| self.measure(part))).await;
        let (mut entries, mut bytes, mut away) = (0u64, 0u64, Vec::new());
        for part in measured {
            match part {
                Ok((of_part, bytes_of_part)) => {
                    entries = entries.saturating_add(of_part);
                    bytes = bytes.saturating_add(bytes_of_part);
                }
                Err(error) => away.push(error.to_string()),
            }
        }
        let is_away = away.len() == self.parts.len();
        let reason = away.into_iter().next();
        let (away, partly_away) = if is_away { (reason, None) } else { (None, reason) };
        CacheStats {
            backend: "redis",
            entries,
            bytes,
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            lookup_time: Duration::from_nanos(self.lookup_nanos.load(Relaxed)),
            away,
            partly_away,
        }
    }
}

impl From<LinkError> for CacheError {
    fn from(error: LinkError) -> Self {
        Self::Unavailable { reason: error.to_string() }
    }
}

/// Without the entries: they hold learners' answers.
impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("link", &self.link).finish_non_exhaustive()
    }
}
