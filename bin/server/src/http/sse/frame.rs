//! How one frame is written.

use hitesh_domain::TurnId;
use serde::Serialize;

/// `data: {json}` and the empty line that ends every frame.
pub(super) fn data(body: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    if let Err(error) = serde_json::to_writer(&mut *out, body) {
        tracing::error!(%error, "an event could not be written");
    }
    out.extend_from_slice(b"\n\n");
}

/// The lines before `data:` of a frame that has a number, and a name unless it is one of the unnamed.
pub(super) fn head(id: &str, name: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(id.as_bytes());
    out.push(b'\n');
    if let Some(name) = name {
        self::name(name, out);
    }
}

/// The line that names an event.
pub(super) fn name(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
}

/// `<turn_id>:<n>`: what a reader comes back with.
pub(super) fn event_id(turn: TurnId, number: u64) -> String {
    format!("{turn}:{number}")
}
