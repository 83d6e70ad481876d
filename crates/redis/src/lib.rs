#![doc = include_str!("../README.md")]

mod address;
mod call;
mod error;
mod link;
mod node;
mod pool;
mod servers;
#[cfg(feature = "testing")]
pub mod testing;

pub use redis::{Cmd, FromRedisValue, Pipeline, Script, ScriptInvocation, Value, cmd, pipe};

pub use self::{
    address::{Access, Address, AddressError, Certificates},
    error::LinkError,
    link::{Link, LinkSettings, Wait},
    servers::{Sentinels, Servers},
};
