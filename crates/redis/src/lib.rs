#![doc = include_str!("../README.md")]

mod address;
mod link;
mod pool;
#[cfg(feature = "testing")]
pub mod testing;

pub use redis::{Cmd, FromRedisValue, Pipeline, Script, ScriptInvocation, Value, cmd, pipe};

pub use self::{
    address::{Address, AddressError},
    link::{Link, LinkError, LinkSettings},
};
