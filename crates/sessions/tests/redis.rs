//! The store in Redis keeps every promise. The suite's `recover` stands for the start of a process after the crash of the
//! one before: here one instance leaves with all that it has open, and another one comes.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking, in their helper functions too")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hitesh_domain::{Feedback, Outcome, Owner, SessionId, Transcript, TurnId};
use hitesh_redis::{
    Link, LinkSettings, Servers,
    testing::{RedisCluster, RedisServer, SentinelSet},
};
use hitesh_sessions::{
    Claim, Context, Durable, NewTurn, Page, RedisSessions, RedisSessionsSettings, SessionStore, StoreError, StoreStats,
    StoredTurn,
};
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::runtime::Handle;

#[derive(Debug)]
struct Successive {
    settings: LinkSettings,
    prefix: String,
    current: Mutex<Arc<RedisSessions>>,
}

impl Successive {
    fn under(prefix: &str, servers: impl Into<Servers>) -> Self {
        // As much time as a busy machine may take: this is no test of deadlines.
        let settings = LinkSettings::new(servers, Duration::from_secs(10));
        let current = Mutex::new(instance(&settings, prefix));
        Self { settings, prefix: prefix.to_owned(), current }
    }

    fn now(&self) -> Arc<RedisSessions> {
        Arc::clone(&self.current.lock())
    }
}

fn instance(settings: &LinkSettings, prefix: &str) -> Arc<RedisSessions> {
    let link = Link::new(settings.clone(), Handle::current()).unwrap();
    let settings = RedisSessionsSettings { prefix: prefix.to_owned(), ..RedisSessionsSettings::default() };
    Arc::new(RedisSessions::new(link, settings, &Handle::current()))
}

#[async_trait]
impl SessionStore for Successive {
    async fn context(
        &self,
        owner: &Owner,
        session: &SessionId,
        turns: usize,
        before: Option<TurnId>,
    ) -> Result<Context, StoreError> {
        self.now().context(owner, session, turns, before).await
    }

    async fn begin(&self, turn: NewTurn) -> Result<Durable, StoreError> {
        self.now().begin(turn).await
    }

    async fn checkpoint(&self, turn: TurnId, partial: Transcript) -> Result<(), StoreError> {
        self.now().checkpoint(turn, partial).await
    }

    async fn finish(&self, turn: TurnId, outcome: Outcome) -> Result<(), StoreError> {
        self.now().finish(turn, outcome).await
    }

    async fn record(&self, turn: NewTurn, outcome: Outcome) -> Result<(), StoreError> {
        self.now().record(turn, outcome).await
    }

    async fn turn(&self, owner: &Owner, turn: TurnId) -> Result<Option<StoredTurn>, StoreError> {
        self.now().turn(owner, turn).await
    }

    async fn history(&self, owner: &Owner, session: &SessionId, page: Page) -> Result<Vec<StoredTurn>, StoreError> {
        self.now().history(owner, session, page).await
    }

    async fn feedback(&self, owner: &Owner, turn: TurnId, feedback: Option<Feedback>) -> Result<bool, StoreError> {
        self.now().feedback(owner, turn, feedback).await
    }

    async fn erase(&self, owner: &Owner, session: &SessionId) -> Result<bool, StoreError> {
        self.now().erase(owner, session).await
    }

    async fn claim(&self, owner: &Owner, claim: Claim) -> Result<Claim, StoreError> {
        self.now().claim(owner, claim).await
    }

    async fn rebind(&self, owner: &Owner, claim: Claim, to: TurnId) -> Result<Claim, StoreError> {
        self.now().rebind(owner, claim, to).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        self.now().close().await;
        *self.current.lock() = instance(&self.settings, &self.prefix);
        self.now().recover().await
    }

    async fn sweep(&self, older_than: OffsetDateTime) -> Result<u64, StoreError> {
        self.now().sweep(older_than).await
    }

    async fn close(&self) {
        self.now().close().await;
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.now().stats().await
    }
}

hitesh_sessions::conformance_tests!(async {
    let server = RedisServer::start();
    (Arc::new(Successive::under("test", server.address())) as Arc<dyn SessionStore>, server)
});

mod on_a_cluster {
    use super::*;

    hitesh_sessions::conformance_tests!(in one world RedisCluster::start(), |cluster: &RedisCluster, prefix| {
        Arc::new(Successive::under(prefix, cluster.link())) as Arc<dyn SessionStore>
    });
}

mod by_sentinels {
    use super::*;

    hitesh_sessions::conformance_tests!(in one world SentinelSet::start(), |set: &SentinelSet, prefix| {
        Arc::new(Successive::under(prefix, set.link())) as Arc<dyn SessionStore>
    });
}
