use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error};

use super::{AllowedHost, values};

/// The listening socket and what one connection may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    /// Address to listen on.
    #[serde(deserialize_with = "address")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes any free one.
    #[serde(deserialize_with = "values::within::<_, _, 0, 65_535>")]
    pub port: u16,
    /// Threads that speak HTTP; none: one for each core.
    #[serde(default, deserialize_with = "values::maybe_within::<_, _, 1, 512>")]
    pub workers: Option<usize>,
    /// Whether error bodies carry `details`.
    pub debug: bool,
    /// Open connections of one worker; more have to wait.
    #[serde(deserialize_with = "values::within::<_, _, 1, 1_000_000>")]
    pub max_connections: usize,
    /// How long an idle connection is kept for the next request.
    #[serde(rename = "keep_alive_seconds", deserialize_with = "values::seconds::<_, 1_000, 3_600_000>")]
    pub keep_alive: Duration,
    /// How long a request's head may take to arrive.
    #[serde(rename = "head_timeout_seconds", deserialize_with = "values::seconds::<_, 100, 600_000>")]
    pub head_timeout: Duration,
    /// How long a request's body may take to arrive.
    #[serde(rename = "body_timeout_seconds", deserialize_with = "values::seconds::<_, 100, 600_000>")]
    pub body_timeout: Duration,
    /// How long running turns have to end when the server drains.
    #[serde(rename = "drain_seconds", deserialize_with = "values::seconds::<_, 0, 600_000>")]
    pub drain: Duration,
    /// Values of `Host` that are answered; empty: all.
    #[serde(deserialize_with = "values::list")]
    pub allowed_hosts: Vec<AllowedHost>,
}

impl ServerSettings {
    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

fn address<'de, D: Deserializer<'de>>(reader: D) -> Result<IpAddr, D::Error> {
    match String::deserialize(reader)?.trim() {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text.parse().map_err(|_| D::Error::custom("expected an IP address, like 127.0.0.1 or 0.0.0.0")),
    }
}
