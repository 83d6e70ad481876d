//! The local provider on a real, very small model. Its answers make no sense; their form must.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code as a whole"
)]

mod answers;
mod faults;
mod model;
mod together;
