//! One server: a pool of connections to it, behind a breaker.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{Object, PoolError},
};
use parking_lot::Mutex;
use redis::{ErrorKind, ServerErrorKind};

use crate::{
    LinkError,
    call::{Answer, Asking, Call},
    error::Failed,
    pool::{Era, Manager, NoConnection, Pool},
};

/// One server.
#[derive(Debug)]
pub(crate) struct Node {
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
        Ok(Self { shown, pool, era, away: Mutex::default() })
    }

    /// Without user and password.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Why it is not asked now.
    pub(crate) fn away(&self) -> Option<String> {
        self.away.lock().clone()
    }

    /// Asks it, whatever was known of it.
    pub(crate) async fn call(&self, call: &Call<'_>, deadline: Duration, asking: bool) -> Result<Answer, Failed> {
        // Of a server that was found away meanwhile only this call is told, and not that it is away again.
        let era = self.era.now();
        let work = async {
            let mut connection = self.pool.get().await.map_err(no_connection)?;
            let result = match asking {
                true => call.send(&mut Asking(&mut connection.open)).await,
                false => call.send(&mut connection.open).await,
            };
            result.map_err(|error| {
                let mut failed = Failed::answered(&error, call.commands());
                failed.away &= connection.era == self.era.now();
                if error.is_unrecoverable_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                    drop(Object::take(connection));
                }
                failed
            })
        };
        match tokio::time::timeout(deadline, work).await {
            Ok(result) => result,
            Err(_) => {
                let mut failed = Failed::late(deadline);
                failed.away &= era == self.era.now();
                Err(failed)
            }
        }
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
