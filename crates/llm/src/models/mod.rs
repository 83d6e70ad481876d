//! The catalog of local models and the store that keeps their files.
