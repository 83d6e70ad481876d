#![doc = include_str!("../README.md")]

mod content;
mod event;
mod feedback;
mod ids;
mod message;
mod outcome;
mod replaces;
mod scaffold;
mod step;
mod transcript;
mod usage;

pub use content::{Content, ContentError};
pub use event::{JournalEvent, Status, TurnEvent, TurnInfo};
pub use feedback::{Comment, CommentError, Feedback, Rating};
pub use ids::{IdError, IdempotencyKey, LogId, MessageId, Owner, PersonaId, ProviderId, SessionId, TurnId};
pub use message::{Message, Role};
pub use outcome::{End, ErrorCode, IncompleteReason, Outcome, Source};
pub use replaces::Replaces;
pub use scaffold::Scaffold;
pub use step::{Step, StepFormat};
pub use transcript::{StepRecord, Transcript};
pub use usage::Usage;
