//! Turns as Server-Sent Events. An encoder is a pure thing: numbered events in, bytes out. It may leave events out,
//! and never renumbers those that it shows.

mod body;
mod deltas;
mod frame;
mod opening;
mod seed;
mod test_stream;
mod whole_steps;

use hitesh_domain::TurnEvent;

pub(super) use self::{
    body::{event_stream, respond},
    deltas::DeltaFrames,
    opening::Opening,
    seed::SeedFrames,
    test_stream::sample_events,
};

/// One form of the events on the wire.
pub(super) trait Encoder: 'static {
    /// Appends the frames of event `number` to `out`; none if this form leaves it out.
    fn encode(&mut self, number: u64, event: &TurnEvent, out: &mut Vec<u8>);
}
