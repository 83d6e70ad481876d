#![doc = include_str!("../README.md")]

mod answer;
mod ask;
mod begin;
mod course;
mod elsewhere;
mod engine;
mod error;
mod fidelity;
mod figures;
mod flights;
mod generation;
mod health;
mod idempotency;
mod journal;
mod key;
mod live;
mod logged;
mod personas;
mod reader;
mod reasoning;
mod registry;
mod replace;
mod request;
mod runner;
mod setup;
mod turn;

pub use engine::{Engine, EngineParts, EngineSettings, OnDisconnect};
pub use error::EngineError;
pub use fidelity::FidelityFigures;
pub use figures::{CacheFigures, Performance, ProviderFigures};
pub use health::Health;
pub use personas::{Personas, PersonasError};
pub use reader::Reader;
pub use request::{CachePolicy, ReplaceRequest, TurnRequest};
pub use turn::{Snapshot, Turn};
