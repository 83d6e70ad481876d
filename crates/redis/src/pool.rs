//! Connections that are used one call at a time.

use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection};

use crate::Address;

/// Connections that have been idle for so long are tried before they are used. Trying each would cost each call a second
/// round trip; what breaks a connection that is in use is met by the call itself.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) type Pool = managed::Pool<Manager>;

/// Makes connections, and knows whether one can be used again.
#[derive(Debug)]
pub(crate) struct Manager {
    client: Client,
    config: AsyncConnectionConfig,
}

impl Manager {
    pub(crate) fn new(address: &Address, deadline: Duration) -> Result<Self, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(deadline)).set_response_timeout(Some(deadline));
        Ok(Self { client: Client::open(address.info())?, config })
    }
}

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.client.get_multiplexed_async_connection_with_config(&self.config).await
    }

    async fn recycle(&self, connection: &mut MultiplexedConnection, metrics: &Metrics) -> RecycleResult<RedisError> {
        if metrics.last_used() < IDLE {
            return Ok(());
        }
        redis::cmd("PING").query_async::<()>(connection).await.map_err(RecycleError::Backend)
    }
}
