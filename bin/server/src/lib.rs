//! The Hitesh AI server: settings, wiring, HTTP, and the commands of the binary. The only crate that knows HTTP, and
//! the only one that names backends; it must not know how anything behind the traits is done.

pub mod app;
pub mod args;
pub mod backends;
pub mod cli;
pub mod http;
#[cfg(feature = "local")]
mod local;
mod maintenance;
pub mod packs;
#[cfg(feature = "redis")]
mod redis;
mod reload;
pub mod settings;
pub mod shutdown;
pub mod start;
pub mod telemetry;
