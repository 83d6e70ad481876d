//! Everything that a provider can do wrong, in every phase of a call, with and without another provider behind it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code"
)]

mod after_a_token;
mod at_the_end;
mod before_a_token;
mod before_the_head;
mod breaker;
mod budget;
mod every_turn;
mod failover;
mod in_time;
mod leaving;
mod overload;
mod row;
mod table;
mod wait;

use hitesh_tests_api::{ServerBuilder, Upstream};

/// A server whose providers are named `first`, `second` and so on; `more` adds to the entry of each.
fn asking_in_turn(upstreams: &[&Upstream], more: &str) -> ServerBuilder {
    let names = ["first", "second", "third"];
    let listed = names.into_iter().zip(upstreams);
    listed.fold(ServerBuilder::bare(), |builder, (name, upstream)| builder.listed(name, upstream, more))
}
