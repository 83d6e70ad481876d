use std::{net::IpAddr, num::NonZeroU32};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};

use super::values;

/// How much may be asked at once and over time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsSettings {
    #[serde(deserialize_with = "values::within::<_, _, 0, 1_000_000>")]
    requests_per_minute: u32,
    #[serde(deserialize_with = "values::within::<_, _, 1, 1_000_000>")]
    burst: u32,
    /// Turns that run at once.
    #[serde(deserialize_with = "values::within::<_, _, 1, 1_000_000>")]
    pub max_in_flight: usize,
    /// Questions that wait for a place among them, for two seconds at most; more are answered with 503.
    #[serde(deserialize_with = "values::within::<_, _, 0, 1_000_000>")]
    pub queue: usize,
    /// Turns that run at once in one session.
    #[serde(deserialize_with = "values::within::<_, _, 1, 1_000>")]
    pub session_turns: usize,
    /// Peers whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
}

/// A rate limit for each key or client address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a minute, evenly.
    pub per_minute: NonZeroU32,
    /// Requests that may come at once.
    pub burst: NonZeroU32,
}

impl LimitsSettings {
    /// None when there is no rate limit.
    pub fn rate(&self) -> Option<Rate> {
        let per_minute = NonZeroU32::new(self.requests_per_minute)?;
        let burst = NonZeroU32::new(self.burst)?;
        Some(Rate { per_minute, burst })
    }
}

fn networks<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<IpNet>, D::Error> {
    let networks: Vec<Network> = values::list(reader)?;
    Ok(networks.into_iter().map(|network| network.0).collect())
}

/// A network, or one address.
struct Network(IpNet);

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        let text = text.trim();
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| D::Error::custom("expected a network or an address, like 10.0.0.0/8"))
    }
}
