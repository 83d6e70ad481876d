//! Connections that are used one call at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, aio::MultiplexedConnection};

use crate::{error::words, sentinel::Primary};

/// Connections that have been idle for so long are tried before they are used. Trying each would cost each call a second
/// round trip; what breaks a connection that is in use is met by the call itself.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) type Pool = managed::Pool<Manager>;

/// Makes connections, and knows whether one can be used again.
#[derive(Debug)]
pub(crate) struct Manager {
    way: Way,
    config: AsyncConnectionConfig,
    era: Era,
}

/// Where connections lead.
#[derive(Debug)]
enum Way {
    Server(Client),
    Primary(Primary),
}

/// Counts the times that a server was found away. What was connected before the last one is not used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Era(Arc<AtomicU64>);

/// A connection and the era in which it was made.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) open: MultiplexedConnection,
    pub(crate) era: u64,
}

/// Why there is no connection, in words of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoConnection(pub(crate) String);

impl Era {
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn end(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Manager {
    /// To this server. `deadline` is for making a connection; the pool's user has one for each call.
    pub(crate) fn to_server(client: Client, deadline: Duration, era: Era) -> Self {
        Self { way: Way::Server(client), config: config(deadline), era }
    }

    /// To the primary that Sentinels name when a connection is made.
    pub(crate) fn to_primary(primary: Primary, deadline: Duration, era: Era) -> Self {
        Self { way: Way::Primary(primary), config: config(deadline), era }
    }
}

/// A connection; what is wrong in words of ours. A server that speaks TLS hears nonsense without it, and the other way round.
pub(crate) async fn open(client: &Client, config: &AsyncConnectionConfig) -> Result<MultiplexedConnection, String> {
    let is_tls = matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. });
    client.get_multiplexed_async_connection_with_config(config).await.map_err(|error| match is_tls {
        true if error.is_timeout() => "it gave no answer in time: does it speak TLS?".to_owned(),
        false if error.is_connection_dropped() && !error.is_connection_refusal() => {
            "it closed the connection: does it want TLS?".to_owned()
        }
        _ => words(&error),
    })
}

/// How a connection is made by a call that may take until `deadline`: in a little less, so that there is time to say what it
/// failed with.
pub(crate) fn config(deadline: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(deadline * 9 / 10)).set_response_timeout(None)
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = NoConnection;

    async fn create(&self) -> Result<Connection, NoConnection> {
        let era = self.era.now();
        let connected = match &self.way {
            Way::Server(client) => open(client, &self.config).await.map_err(NoConnection)?,
            Way::Primary(primary) => primary.connect(era, &self.config).await?,
        };
        Ok(Connection { open: connected, era })
    }

    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<NoConnection> {
        if connection.era != self.era.now() {
            return Err(RecycleError::message("the server was away since"));
        }
        if metrics.last_used() < IDLE {
            return Ok(());
        }
        let answer = redis::cmd("PING").query_async::<()>(&mut connection.open).await;
        answer.map_err(|error| RecycleError::Backend(NoConnection(words(&error))))
    }
}
