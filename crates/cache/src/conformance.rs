//! The conformance suite that every cache passes.
