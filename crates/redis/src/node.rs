//! One server: a pool of connections to it, behind a breaker.

use std::{sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{Object, PoolError},
};
use parking_lot::Mutex;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::time::Instant;

use crate::{
    LinkError,
    background::Background,
    call::{Answer, Asking, Call},
    error::Failed,
    pool::{Era, Manager, NoConnection, Pool},
};

/// How often a server that is away is asked whether it is back.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(100);

/// When a call has to be over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    deadline: Duration,
    end: Instant,
}

impl Limit {
    /// So long from now.
    pub(crate) fn of(deadline: Duration) -> Self {
        Self { deadline, end: Instant::now() + deadline }
    }

    pub(crate) async fn hold<T>(self, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        tokio::time::timeout_at(self.end, work).await.unwrap_or_else(|_| Err(Failed::late(self.deadline)))
    }
}

/// A connection that is closed unless it is given back: one whose call was late, or given up by its caller, would have the next
/// one wait for that reply.
struct Lent(Option<Object<Manager>>);

impl Lent {
    fn give_back(mut self) {
        self.0.take();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

/// One server.
#[derive(Debug)]
pub(crate) struct Node {
    host: String,
    /// Its address without user and password.
    shown: String,
    pool: Pool,
    era: Era,
    /// Why it is away, while it is.
    away: Mutex<Option<String>>,
}

impl Node {
    /// At most `connections` to it; making one may take until `deadline`, as may waiting for one. Nothing is sent yet.
    ///
    /// # Errors
    /// In words, if there can be no pool.
    pub(crate) fn new(
        host: &str,
        shown: String,
        connections: usize,
        deadline: Duration,
        manager: impl FnOnce(Era) -> Manager,
    ) -> Result<Self, String> {
        let era = Era::default();
        let pool = Pool::builder(manager(era.clone()))
            .max_size(connections.max(1))
            .wait_timeout(Some(deadline))
            .create_timeout(Some(deadline))
            .recycle_timeout(Some(deadline))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { host: host.to_owned(), shown, pool, era, away: Mutex::default() })
    }

    /// Without user and password.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Why it is not asked now.
    pub(crate) fn away(&self) -> Option<String> {
        self.away.lock().clone()
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Asks it, unless it is away; if it turns out to be, it is asked from `background` until it is back.
    pub(crate) async fn guarded(
        self: &Arc<Self>,
        call: &Call<'_>,
        limit: Limit,
        background: &Background,
    ) -> Result<Answer, Failed> {
        if let Some(reason) = self.away() {
            return Err(Failed::unreached(reason));
        }
        let result = self.call(call, limit, false).await;
        if self.opens(&result) {
            let node = Arc::clone(self);
            background.spawn(async move { node.until_back(limit.deadline).await });
        }
        result
    }

    /// Asks whether it is there, whatever was known of it.
    pub(crate) async fn check(&self, limit: Limit) -> Result<(), Failed> {
        self.call(&Call::Command(&redis::cmd("PING")), limit, false).await.map(|_| ())
    }

    async fn until_back(&self, deadline: Duration) {
        while self.check(Limit::of(deadline)).await.is_err_and(|failed| failed.away) {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        self.back();
    }

    /// Asks it, whatever was known of it.
    pub(crate) async fn call(&self, call: &Call<'_>, limit: Limit, asking: bool) -> Result<Answer, Failed> {
        // Of a server that was found away meanwhile only this call is told, and not that it is away again.
        let era = self.era.now();
        let work = async {
            let mut lent = Lent(Some(self.pool.get().await.map_err(no_connection)?));
            let Some(connection) = &mut lent.0 else { return Err(Failed::unreached("the link is closed")) };
            let result = match asking {
                true => call.send(&mut Asking(&mut connection.open)).await,
                false => call.send(&mut connection.open).await,
            };
            let is_usable = |error: &RedisError| {
                !error.is_unrecoverable_error() && error.kind() != ErrorKind::Server(ServerErrorKind::ReadOnly)
            };
            if result.as_ref().err().is_none_or(is_usable) {
                lent.give_back();
            }
            result.map_err(|error| Failed::answered(&error, call.commands()))
        };
        let mut result = limit.hold(work).await;
        if let Err(failed) = &mut result {
            failed.away &= era == self.era.now();
        }
        result
    }

    /// Keeps calls from it if that is what `result` means; true if it was not away before.
    pub(crate) fn opens<T>(&self, result: &Result<T, Failed>) -> bool {
        let Err(Failed { error: LinkError::Unavailable { reason, .. }, away: true, .. }) = result else {
            return false;
        };
        {
            let mut away = self.away.lock();
            if away.is_some() || self.pool.is_closed() {
                return false;
            }
            *away = Some(reason.clone());
        }
        tracing::warn!(server = %self.shown, reason, "redis is away");
        // Most likely its connections are all dead, and a new one is quickly made. Those in use are not used again.
        self.era.end();
        self.pool.retain(|_, _| false);
        true
    }

    /// Lets calls to it again.
    pub(crate) fn back(&self) {
        *self.away.lock() = None;
        tracing::info!(server = %self.shown, "redis is back");
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }
}

fn no_connection(error: PoolError<NoConnection>) -> Failed {
    Failed::unreached(match error {
        PoolError::Backend(NoConnection(reason)) => reason,
        PoolError::Timeout(_) => "no connection could be had in time".to_owned(),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            "the link is closed".to_owned()
        }
    })
}
