use std::{fmt, sync::Arc, time::Duration};

use deadpool::{
    Runtime,
    managed::{Object, PoolError},
};
use parking_lot::Mutex;
use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ScriptInvocation, ServerErrorKind};
use tokio::runtime::Handle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    Address,
    pool::{Manager, Pool},
};

/// How often a server that is away is asked whether it is back.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How a server is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSettings {
    /// Where it is.
    pub address: Address,
    /// Connections at most; each serves one call at a time.
    pub connections: usize,
    /// How long a call may take, from its wish for a connection to its reply.
    pub deadline: Duration,
}

/// A pool of connections to one server, behind a breaker. Dropping it closes them.
pub struct Link {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    runtime: Handle,
    stop: CancellationToken,
    _stop_at_drop: DropGuard,
}

struct Shared {
    pool: Pool,
    deadline: Duration,
    address: Address,
    /// Why the server is away, while it is.
    away: Mutex<Option<String>>,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// The server can't be reached or can't serve now: later.
    #[error("redis is unavailable: {reason}")]
    Unavailable {
        /// In words of ours.
        reason: String,
        /// The call may have been done all the same, or may be yet.
        in_doubt: bool,
    },
    /// The server answered with something else than was expected.
    #[error("redis gave an answer that makes no sense here: {reason}")]
    Invalid {
        /// In words of ours.
        reason: String,
    },
}

/// A call that came to nothing, and whether others would too.
struct Failed {
    error: LinkError,
    away: bool,
}

enum Call<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Link {
    /// A link over which nothing was sent yet: a server that is away now may be there later. Its task runs on `runtime`.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(settings: LinkSettings, runtime: Handle) -> Result<Self, LinkError> {
        let LinkSettings { address, connections, deadline } = settings;
        let invalid = |reason: String| LinkError::Invalid { reason };
        let manager = Manager::new(&address, deadline).map_err(|error| invalid(words(&error)))?;
        let pool = Pool::builder(manager)
            .max_size(connections.max(1))
            .wait_timeout(Some(deadline))
            .create_timeout(Some(deadline))
            .recycle_timeout(Some(deadline))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| invalid(error.to_string()))?;
        let stop = CancellationToken::new();
        Ok(Self {
            shared: Arc::new(Shared { pool, deadline, address, away: Mutex::default() }),
            tasks: TaskTracker::new(),
            runtime,
            _stop_at_drop: stop.clone().drop_guard(),
            stop,
        })
    }

    /// One command.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LinkError> {
        self.call(Call::Command(command)).await
    }

    /// Several commands in one round trip.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, LinkError> {
        self.call(Call::Pipeline(pipeline)).await
    }

    /// A script: one round trip, and two more when the server does not know it yet.
    pub async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, LinkError> {
        self.call(Call::Script(script)).await
    }

    /// Asks whether the server is there, whatever was known of it.
    pub async fn ping(&self) -> Result<(), LinkError> {
        self.shared.call(Call::Command(&redis::cmd("PING"))).await.map_err(|failed| failed.error)
    }

    /// Where the server is, without user and password.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// Closes the connections. Every later call is [`LinkError::Unavailable`].
    pub fn close(&self) {
        self.stop.cancel();
        self.shared.pool.close();
    }

    async fn call<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, LinkError> {
        if let Some(reason) = self.shared.away.lock().clone() {
            return Err(LinkError::Unavailable { reason, in_doubt: false });
        }
        let result = self.shared.call(call).await;
        if let Err(Failed { error: LinkError::Unavailable { reason, .. }, away: true }) = &result {
            self.open_breaker(reason);
        }
        result.map_err(|failed| failed.error)
    }

    fn open_breaker(&self, reason: &str) {
        {
            let mut away = self.shared.away.lock();
            if away.is_some() || self.shared.pool.is_closed() {
                return;
            }
            *away = Some(reason.to_owned());
        }
        tracing::warn!(server = %self.shared.address, reason, "redis is away");
        // Most likely they are all dead, and a new one is quickly made.
        self.shared.pool.retain(|_, _| false);
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        let until_back = async move { stop.run_until_cancelled(shared.until_back()).await };
        self.tasks.spawn_on(until_back, &self.runtime);
    }
}

impl Shared {
    async fn call<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, Failed> {
        let work = async {
            let mut connection = self.pool.get().await.map_err(no_connection)?;
            let result = match call {
                Call::Command(command) => command.query_async(&mut *connection).await,
                Call::Pipeline(pipeline) => pipeline.query_async(&mut *connection).await,
                Call::Script(script) => script.invoke_async(&mut *connection).await,
            };
            result.map_err(|error| {
                if error.is_unrecoverable_error() || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                    drop(Object::take(connection));
                }
                sorted(&error)
            })
        };
        match tokio::time::timeout(self.deadline, work).await {
            Ok(result) => result,
            Err(_) => {
                let reason = format!("no answer within {:?}", self.deadline);
                Err(Failed { error: LinkError::Unavailable { reason, in_doubt: true }, away: true })
            }
        }
    }

    async fn until_back(&self) {
        while self.call::<()>(Call::Command(&redis::cmd("PING"))).await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        *self.away.lock() = None;
        tracing::info!(server = %self.address, "redis is back");
    }
}

fn no_connection(error: PoolError<RedisError>) -> Failed {
    let reason = match error {
        PoolError::Backend(error) => words(&error),
        PoolError::Timeout(_) => "no connection could be had in time".to_owned(),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            "the link is closed".to_owned()
        }
    };
    Failed { error: LinkError::Unavailable { reason, in_doubt: false }, away: true }
}

fn sorted(error: &RedisError) -> Failed {
    let reason = words(error);
    let kind = error.kind();
    let error = match kind {
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => LinkError::Invalid { reason },
        kind => LinkError::Unavailable { reason, in_doubt: kind == ErrorKind::Io },
    };
    // A server without memory still reads and forgets, and one that forbids a command knows others.
    let away = match kind {
        ErrorKind::Io | ErrorKind::AuthenticationFailed => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
        ),
        _ => false,
    };
    Failed { error, away }
}

/// What went wrong, without the server's own words: they may quote a key or a script.
fn words(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::AuthenticationFailed => "it refused the user or the password".to_owned(),
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => "the answer has another form".to_owned(),
        ErrorKind::InvalidClientConfig => "the address can't be used".to_owned(),
        ErrorKind::Io if error.is_connection_refusal() => "it refused the connection".to_owned(),
        ErrorKind::Io if error.is_timeout() => "it gave no answer in time".to_owned(),
        ErrorKind::Io => "the connection broke".to_owned(),
        _ => match error.code() {
            Some("LOADING") => "it is loading its data".to_owned(),
            Some("READONLY") => "it is a replica".to_owned(),
            Some("OOM") => "it has no memory left".to_owned(),
            Some(code) if code.len() <= 16 && code.bytes().all(|b| b.is_ascii_uppercase()) => format!("it says {code}"),
            _ => "it failed".to_owned(),
        },
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.shared.address).finish_non_exhaustive()
    }
}
