//! Durable sessions behind one trait. This crate knows how turns are kept, and must not know prompts or providers.

pub mod conformance;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod store;

pub use store::{
    Claim, Context, ContextTurn, Durable, NewTurn, Page, SessionStore, StoreError, StoreStats, StoredTurn,
};
