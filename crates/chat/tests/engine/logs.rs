//! What engines that share a log promise.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use hitesh_domain::{End, LogId, Source, TurnEvent};
use hitesh_turnlog::{Batch, Lease, LogError, LogTimes, MemoryTurnLog, Tail, TurnLog};

use crate::harness::{Bench, ask, memory_store, soon};

/// A log that a test may take away.
#[derive(Debug)]
struct Held {
    inner: MemoryTurnLog,
    is_away: AtomicBool,
}

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: MemoryTurnLog::new(LogTimes::default()), is_away: AtomicBool::new(false) })
    }

    fn check(&self) -> Result<(), LogError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(LogError::Unavailable { reason: "as the test asked".into() }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl TurnLog for Held {
    async fn lease(&self, log: LogId) -> Result<Lease, LogError> {
        self.check()?;
        self.inner.lease(log).await
    }
    async fn append(&self, log: LogId, batch: Batch<'_>) -> Result<(), LogError> {
        self.check()?;
        self.inner.append(log, batch).await
    }
    async fn read_from(&self, log: LogId, from: usize, wanted: bool) -> Result<Tail, LogError> {
        self.check()?;
        self.inner.read_from(log, from, wanted).await
    }
    async fn is_wanted(&self, log: LogId) -> Result<bool, LogError> {
        self.check()?;
        self.inner.is_wanted(log).await
    }
    async fn seal(&self, log: LogId) -> Result<bool, LogError> {
        self.check()?;
        self.inner.seal(log).await
    }
}

fn bench_on(log: &Arc<Held>) -> Bench {
    Bench::sharing(memory_store(), Arc::clone(log) as Arc<dyn TurnLog>)
}

#[tokio::test]
async fn an_equal_question_to_another_engine_is_no_second_call() {
    let log = Held::new();
    let [one, other] = [bench_on(&log), bench_on(&log)];
    let first = one.engine.start(ask("s", "same question")).await.unwrap();
    let call = one.call().await;
    let second = other.engine.start(ask("s", "same question")).await.unwrap();
    let (_, told) = soon(second.follow(0).next()).await.unwrap();
    assert!(matches!(told, TurnEvent::Started(info) if info.source == Source::Joined));
    assert_eq!((first.info().source, second.info().source), (Source::Model, Source::Joined));
    call.answer("same answer");
    for turn in [first, second] {
        let ended = soon(turn.ended()).await;
        assert_eq!((ended.end, ended.transcript.output()), (Some(End::Completed), "same answer"));
    }
    assert_eq!((one.upstream_calls(), other.upstream_calls()), (1, 0));
}

#[tokio::test]
async fn with_the_log_away_each_engine_asks_for_itself() {
    let log = Held::new();
    log.is_away.store(true, Ordering::SeqCst);
    for bench in [bench_on(&log), bench_on(&log)] {
        let turn = bench.engine.start(ask("s", "same question")).await.unwrap();
        bench.call().await.answer("an answer");
        assert_eq!(soon(turn.ended()).await.end, Some(End::Completed));
    }
}
