//! What the engine promises about the store: nothing is told that is not kept.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use futures::FutureExt;
use hitesh_chat::{EngineError, EngineSettings};
use hitesh_domain::{End, ErrorCode, Feedback, Outcome, Owner, SessionId, Transcript, TurnId};
use hitesh_sessions::{Claim, Context, Durable, NewTurn, Page, SessionStore, StoreError, StoreStats, StoredTurn};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::harness::{Bench, all, ask, ends, memory_store, soon};

/// A store whose disk a test may hold up or break.
#[derive(Debug)]
struct Held {
    inner: Arc<dyn SessionStore>,
    hold_begin: AtomicBool,
    release: Arc<Notify>,
    broken: AtomicBool,
}

impl Held {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: memory_store(),
            hold_begin: AtomicBool::new(false),
            release: Arc::default(),
            broken: AtomicBool::new(false),
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { reason: "as the test asked".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl SessionStore for Held {
    async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError> {
        self.inner.context(owner, session, turns, before).await
    }
    async fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError> {
        self.check()?;
        let durable = self.inner.begin(turn).await?;
        if !self.hold_begin.load(Ordering::SeqCst) {
            return Ok(durable);
        }
        let release = Arc::clone(&self.release);
        Ok(async move {
            release.notified().await;
            durable.await
        }
        .boxed())
    }
    async fn checkpoint(&self, turn: TurnId, partial: Transcript) -> Result<(), StoreError> {
        self.check()?;
        self.inner.checkpoint(turn, partial).await
    }
    async fn finish(&self, turn: TurnId, outcome: Outcome) -> Result<(), StoreError> {
        self.check()?;
        self.inner.finish(turn, outcome).await
    }
    async fn record(&self, turn: NewTurn, outcome: Outcome) -> Result<(), StoreError> {
        self.check()?;
        self.inner.record(turn, outcome).await
    }
    async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError> {
        self.inner.turn(owner, turn).await
    }
    async fn history(&self, owner: &Owner, session: &SessionId, page: Page) -> Result<Vec<StoredTurn>, StoreError> {
        self.inner.history(owner, session, page).await
    }
    async fn feedback(&self, owner: &Owner, turn: TurnId, feedback: Option<Feedback>) -> Result<bool, StoreError> {
        self.check()?;
        self.inner.feedback(owner, turn, feedback).await
    }
    async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, StoreError> {
        self.inner.erase(owner, session).await
    }
    async fn claim(&self, owner: &Owner, claim: Claim) -> Result<Claim, StoreError> {
        self.inner.claim(owner, claim).await
    }
    async fn rebind(&self, owner: &Owner, claim: Claim, to: TurnId) -> Result<Claim, StoreError> {
        self.inner.rebind(owner, claim, to).await
    }
    async fn recover(&self) -> Result<u64, StoreError> {
        self.inner.recover().await
    }
    async fn sweep(&self, older_than: OffsetDateTime) -> Result<u64, StoreError> {
        self.inner.sweep(older_than).await
    }
    async fn close(&self) {
        self.inner.close().await;
    }
    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.inner.stats().await
    }
}

fn patience(millis: u64) -> EngineSettings {
    EngineSettings { store_patience: std::time::Duration::from_millis(millis), ..EngineSettings::default() }
}

#[tokio::test]
async fn the_upstream_is_asked_at_once_but_nothing_is_shown_before_the_turn_is_durable() {
    let store = Held::new();
    store.hold_begin.store(true, Ordering::SeqCst);
    let bench = Bench::with(EngineSettings::default(), Arc::clone(&store) as Arc<dyn SessionStore>);
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    bench.call().await.answer("x");
    let mut reader = turn.follow(0);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(reader.next().now_or_never().is_none());
    store.release.notify_one();
    assert_eq!(ends(&all(reader).await), [End::Completed]);
}

#[tokio::test]
async fn a_store_that_takes_no_turn_is_an_error_and_the_upstream_call_ends() {
    let store = Held::new();
    store.broken.store(true, Ordering::SeqCst);
    let bench = Bench::with(EngineSettings::default(), Arc::clone(&store) as Arc<dyn SessionStore>);
    assert!(matches!(bench.engine.start(ask("s", "q")).await, Err(EngineError::StoreUnavailable(_))));
}

#[tokio::test]
async fn an_answer_that_can_not_be_stored_is_not_called_complete() {
    let store = Held::new();
    let bench = Bench::with(patience(600), Arc::clone(&store) as Arc<dyn SessionStore>);
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    store.broken.store(true, Ordering::SeqCst);
    call.answer("x");
    assert_eq!(ends(&all(turn.follow(0)).await), [End::Failed(ErrorCode::StoreUnavailable)]);
}

#[tokio::test]
async fn an_end_that_could_not_be_stored_is_stored_as_it_was_told_when_the_store_is_back() {
    let store = Held::new();
    let bench = Bench::with(patience(300), Arc::clone(&store) as Arc<dyn SessionStore>);
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    store.broken.store(true, Ordering::SeqCst);
    call.answer("x");
    let told = soon(turn.ended()).await.end;
    assert_eq!(told, Some(End::Failed(ErrorCode::StoreUnavailable)));
    // Before it is stored, nothing else is said of it.
    assert_eq!(bench.history("s").await[0].outcome.as_ref().map(|outcome| outcome.end), told);
    store.broken.store(false, Ordering::SeqCst);
    let session = "s".parse().unwrap();
    let kept = soon(async {
        loop {
            let page = Page { limit: 1, before: None, replaced: false };
            let turn = store.inner.history(&Owner::public(), &session, page).await.unwrap().remove(0);
            if let Some(outcome) = turn.outcome {
                break outcome;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let kept = kept.await;
    assert_eq!((Some(kept.end), kept.transcript.output()), (told, "x"));
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_only_delays_the_end() {
    let store = Held::new();
    let bench = Bench::with(patience(20_000), Arc::clone(&store) as Arc<dyn SessionStore>);
    let turn = bench.engine.start(ask("s", "q")).await.unwrap();
    let call = bench.call().await;
    store.broken.store(true, Ordering::SeqCst);
    call.answer("x");
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    store.broken.store(false, Ordering::SeqCst);
    assert_eq!(soon(turn.ended()).await.end, Some(End::Completed));
}
