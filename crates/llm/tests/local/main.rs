//! The local provider on a real, very small model. Its answers make no sense; their form must.

mod answers;
mod faults;
mod model;
