use std::{
    fmt::Debug,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use hitesh_domain::Owner;

use crate::settings::Rate;

/// So many checks lie between two looks for keys that can be forgotten.
const SWEEP_EVERY: u32 = 1024;
/// At most about so many keys are remembered; strangers beyond that share one allowance.
const MAX_KEYS: usize = 100_000;

/// Where instances count the requests of one caller together.
pub trait SharedLimit: Debug + Send + Sync + 'static {
    /// Counts one request of `who`. How long that caller has to wait if there were too many; none also if nobody can say.
    fn check<'a>(&'a self, who: &'a str) -> BoxFuture<'a, Option<Duration>>;
}

/// How often somebody may ask.
#[derive(Debug)]
pub(super) struct RequestLimit {
    limiter: DefaultKeyedRateLimiter<Who>,
    clock: DefaultClock,
    checks: AtomicU32,
    max_keys: usize,
    shared: Option<Arc<dyn SharedLimit>>,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// The holder of an API key.
    Owner(Owner),
    /// A client without one.
    Address(IpAddr),
    /// All that there was no room for.
    Others,
}

impl Who {
    /// One household or machine has a whole /64 of IPv6 addresses to ask from: it counts as one.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        })
    }

    /// Its name where instances count together. Those that there was no room for are each instance's own.
    fn shared_name(&self) -> Option<String> {
        match self {
            Self::Owner(owner) => Some(format!("key/{owner}")),
            Self::Address(address) => Some(format!("address/{address}")),
            Self::Others => None,
        }
    }
}

impl RequestLimit {
    /// `shared`: where other instances count too.
    pub(super) fn new(rate: Rate, shared: Option<Arc<dyn SharedLimit>>) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
            max_keys: MAX_KEYS,
            shared,
        }
    }

    /// Counts one request, here and then with the other instances: who asks too much here costs them nothing.
    ///
    /// # Errors
    /// With the time to wait, when there were too many.
    pub(super) async fn check(&self, who: Who) -> Result<(), Duration> {
        let name = who.shared_name();
        self.check_here(who)?;
        match (&self.shared, name) {
            (Some(shared), Some(name)) => shared.check(&name).await.map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    fn check_here(&self, who: Who) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let who = if self.limiter.len() >= self.max_keys { Who::Others } else { who };
        self.limiter.check_key(&who).map_err(|not_yet| not_yet.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limit(max_keys: usize) -> RequestLimit {
        let rate = Rate { per_minute: NonZeroU32::new(1).unwrap(), burst: NonZeroU32::new(2).unwrap() };
        RequestLimit { max_keys, ..RequestLimit::new(rate, None) }
    }

    fn at(address: &str) -> Who {
        Who::at(address.parse().unwrap())
    }

    #[test]
    fn each_has_an_allowance_of_its_own() {
        let limit = limit(10);
        assert!(limit.check_here(at("192.0.2.1")).is_ok());
        assert!(limit.check_here(at("192.0.2.1")).is_ok());
        let wait = limit.check_here(at("192.0.2.1")).unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
        assert!(limit.check_here(at("192.0.2.2")).is_ok());
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }

    #[test]
    fn strangers_beyond_the_bound_share_one_allowance() {
        let limit = limit(1);
        assert!(limit.check_here(at("192.0.2.1")).is_ok());
        assert!(limit.check_here(at("192.0.2.2")).is_ok());
        assert!(limit.check_here(at("192.0.2.3")).is_ok());
        assert!(limit.check_here(at("192.0.2.4")).is_err());
    }
}
