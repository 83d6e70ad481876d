//! The engine as a whole, over a real cache and a real store, with a provider that each test plays by hand.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod ends;
mod harness;
mod life;
mod logs;
mod reasoning;
mod replacing;
mod retries;
mod sharing;
mod store;
