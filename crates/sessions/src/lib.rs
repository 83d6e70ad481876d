#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod store;
#[cfg(any(feature = "redis", feature = "sqlite"))]
pub mod transfer;

#[cfg(feature = "redis")]
pub use redis::{Moved, RedisSessions, RedisSessionsSettings};
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenError, SqlitePath, SqliteSessions, SqliteSettings};
pub use store::{
    Claim, Context, ContextTurn, Durable, NewTurn, Orphan, Page, SessionStore, StoreError, StoreStats, StoredTurn,
};
