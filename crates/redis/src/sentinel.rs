//! The primary that Sentinels name.

use futures::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use redis::{AsyncConnectionConfig, Client, RedisError, Value, aio::MultiplexedConnection, cmd};

use crate::{
    Address, Sentinels,
    error::words,
    pool::{NoConnection, open},
};

/// Finds the primary. All Sentinels are asked at once, so that those which are away cost nothing.
#[derive(Debug)]
pub(crate) struct Primary {
    settings: Sentinels,
    sentinels: Vec<(String, Client)>,
    /// Where it was found in which era: it is not asked for again in the same one, as long as it is a primary there.
    found: Mutex<Option<(u64, Address)>>,
}

/// Why one Sentinel's word led to no primary; what tells more is greater.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// This Sentinel can't be asked.
    Sentinel(String),
    /// It knows no such primary.
    Unknown,
    /// What it named can't be used.
    Primary(String),
}

impl Primary {
    pub(crate) fn new(settings: Sentinels) -> Result<Self, RedisError> {
        let client = |sentinel: &Address| Ok((sentinel.to_string(), sentinel.client()?));
        let sentinels = settings.sentinels.iter().map(client).collect::<Result<_, RedisError>>()?;
        // What is wrong with the certificates is said now.
        Address::new("localhost", 0, settings.access.clone()).client()?;
        Ok(Self { settings, sentinels, found: Mutex::default() })
    }

    pub(crate) async fn connect(
        &self,
        era: u64,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, NoConnection> {
        let found = self.found.lock().clone();
        if let Some((then, address)) = found
            && then == era
            && let Ok(connection) = to_primary(&address, config).await
        {
            return Ok(connection);
        }
        let mut asked: FuturesUnordered<_> =
            self.sentinels.iter().map(|(shown, sentinel)| self.by(shown, sentinel, config)).collect();
        let mut fault = None;
        while let Some(result) = asked.next().await {
            match result {
                Ok((address, connection)) => {
                    *self.found.lock() = Some((era, address));
                    return Ok(connection);
                }
                Err(other) => fault = fault.max(Some(other)),
            }
        }
        Err(NoConnection(match fault {
            Some(Fault::Sentinel(reason) | Fault::Primary(reason)) => reason,
            Some(Fault::Unknown) => format!("its Sentinels know no primary named {}", self.settings.primary),
            None => "no Sentinel is named".to_owned(),
        }))
    }

    /// Where one of them says that it is, and a connection to it.
    async fn by(
        &self,
        shown: &str,
        sentinel: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<(Address, MultiplexedConnection), Fault> {
        let failed = |error: RedisError| Fault::Sentinel(format!("Sentinel {shown}: {}", sentinel_words(&error)));
        let connection = open(sentinel, config).await;
        let mut connection = connection.map_err(|reason| Fault::Sentinel(format!("Sentinel {shown}: {reason}")))?;
        let mut ask = cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.settings.primary);
        let place: Option<(String, u16)> = ask.query_async(&mut connection).await.map_err(failed)?;
        let (host, port) = place.ok_or(Fault::Unknown)?;
        let address = Address::new(host, port, self.settings.access.clone());
        let reached = to_primary(&address, config).await;
        let connection = reached.map_err(|reason| Fault::Primary(format!("the primary at {address}: {reason}")))?;
        Ok((address, connection))
    }
}

/// A connection to the server at `address`, if it is a primary.
async fn to_primary(address: &Address, config: &AsyncConnectionConfig) -> Result<MultiplexedConnection, String> {
    let client = address.client().map_err(|error| words(&error))?;
    let mut connection = open(&client, config).await?;
    match cmd("ROLE").query_async::<Vec<Value>>(&mut connection).await {
        Ok(role) => match role.first() {
            Some(Value::BulkString(role)) if role == b"master" => Ok(connection),
            _ => Err("it is a replica".to_owned()),
        },
        // A user may lack the right to ask; a replica then says what it is at the first write.
        Err(error) if error.code() == Some("NOPERM") => Ok(connection),
        Err(error) => Err(words(&error)),
    }
}

fn sentinel_words(error: &RedisError) -> String {
    match error.detail() {
        Some(detail) if detail.contains("unknown command") => "it is no Sentinel".to_owned(),
        _ => words(error),
    }
}
