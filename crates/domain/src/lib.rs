//! The words that every layer of Hitesh AI speaks: validated ids and texts, messages, steps, the events of a
//! generation and of a turn, the transcript that stores them, and the outcome of a turn.
//!
//! This crate knows no I/O, no HTTP and no backend. Its types are validated when they are made: a value that
//! exists is a valid one. Serde forms are the *stored* forms; what goes over the wire is the server's affair.

mod content;
mod event;
mod ids;
mod message;
mod outcome;
mod step;
mod transcript;
mod usage;

pub use content::{Content, ContentError};
pub use event::{JournalEvent, Status, TurnEvent, TurnInfo};
pub use ids::{IdError, IdempotencyKey, MessageId, Owner, PersonaId, ProviderId, SessionId, TurnId};
pub use message::{Message, Role};
pub use outcome::{End, ErrorCode, IncompleteReason, Outcome, Source};
pub use step::{Step, StepFormat};
pub use transcript::{StepRecord, Transcript};
pub use usage::Usage;
