use serde::{Deserialize, Serialize};

use crate::TurnId;

/// The earlier turn of its session whose place a turn takes, once it has ended with some `output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Replaces {
    /// That turn.
    pub turn: TurnId,
    /// The question is another one, so what followed that turn goes out of the context with it.
    pub with_followers: bool,
}
