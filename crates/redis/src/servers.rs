use std::fmt;

use crate::{Access, Address};

/// The servers that a [`Link`](crate::Link) speaks to, in one of three forms.
#[derive(Debug, Clone, PartialEq)]
pub enum Servers {
    /// One server.
    Single(Address),
    /// The primary that Sentinels name.
    Sentinel(Sentinels),
    /// A cluster, by some of its nodes: one that answers is enough, it knows the others. All of them are spoken to as it is.
    Cluster(Vec<Address>),
}

/// Those who watch a primary and its replicas, and say which one is the primary now.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentinels {
    /// Where they are; one that answers is enough. User and password are a Sentinel's own.
    pub sentinels: Vec<Address>,
    /// What they call the primary.
    pub primary: String,
    /// How the primary is spoken to.
    pub access: Access,
}

impl From<Address> for Servers {
    fn from(address: Address) -> Self {
        Self::Single(address)
    }
}

/// Without users and passwords.
impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = match self {
            Self::Single(address) => return address.fmt(f),
            Self::Sentinel(Sentinels { sentinels, primary, .. }) => {
                write!(f, "primary {primary} of the Sentinels ")?;
                sentinels
            }
            Self::Cluster(nodes) => {
                f.write_str("cluster of ")?;
                nodes
            }
        };
        for (index, address) in addresses.iter().enumerate() {
            write!(f, "{}{address}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_shown_with_their_kind_and_without_passwords() {
        let addresses = || [1, 2].map(|n| Address::parse(&format!("redis://:hunter2@h{n}:7000")).unwrap()).to_vec();
        let access = Access { password: Some("hunter2".to_owned()), ..Access::default() };
        let sentinels = Sentinels { sentinels: addresses(), primary: "chai".to_owned(), access };
        assert_eq!(
            [Servers::Sentinel(sentinels), Servers::Cluster(addresses())].map(|servers| servers.to_string()),
            [
                "primary chai of the Sentinels redis://h1:7000, redis://h2:7000",
                "cluster of redis://h1:7000, redis://h2:7000"
            ]
        );
    }
}
