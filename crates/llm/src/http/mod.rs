//! What every provider behind HTTP needs: a client that does only what it is told, an address and a key that are
//! checked once, bodies that are read within bounds, and failures in words of ours.

mod address;
mod client;
mod failure;
pub(crate) mod lenient;
mod probe;
mod proxy;
mod reading;
mod settings;
mod size;
mod upstream;

pub(crate) use address::{BaseUrl, key_header};
pub use client::build as http_client;
pub(crate) use failure::Complaint;
pub(crate) use probe::{List, Probe};
pub use proxy::check_proxy;
pub(crate) use reading::{More, Reader};
pub use secrecy::SecretString;
pub use settings::RemoteSettingsError;
pub(crate) use settings::check_sampling;
pub(crate) use size::Size;
#[cfg(test)]
pub(crate) use size::{MAX_ANSWER, MAX_REASONING};
pub(crate) use upstream::Upstream;
