#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod log;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "redis")]
mod redis;

pub use log::{Batch, Ending, Lease, LogError, LogTimes, Tail, TurnLog};
#[cfg(feature = "memory")]
pub use memory::MemoryTurnLog;
#[cfg(feature = "redis")]
pub use redis::RedisTurnLog;
