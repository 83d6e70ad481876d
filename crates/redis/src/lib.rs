#![doc = include_str!("../README.md")]

mod address;
mod background;
mod call;
mod certificates;
mod cluster;
mod error;
mod link;
mod node;
mod pool;
mod sentinel;
mod servers;
mod slots;
#[cfg(feature = "testing")]
pub mod testing;

pub use redis::{Cmd, FromRedisValue, Pipeline, Script, ScriptInvocation, Value, cmd, pipe};

pub use self::{
    address::{Access, Address, AddressError},
    certificates::{Certificates, CertificatesError},
    error::LinkError,
    link::{Link, LinkSettings, Wait},
    servers::{Sentinels, Servers},
    slots::{SLOTS, slot_of, spread},
};
