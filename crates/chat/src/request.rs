use hitesh_domain::{Content, IdempotencyKey, Owner, PersonaId, SessionId, TurnId};

/// One question, validated.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// Who asks.
    pub owner: Owner,
    /// In which session; `None` makes a new one.
    pub session: Option<SessionId>,
    /// Who shall answer; `None` is the default persona.
    pub persona: Option<PersonaId>,
    /// The question.
    pub content: Content,
    /// What the response cache may do.
    pub cache: CachePolicy,
    /// Whether the turn belongs to the session's history; `false` reads and writes none.
    pub store: bool,
    /// The caller's mark for "the same request again".
    pub idempotency: Option<IdempotencyKey>,
}

/// A question in the place of one that was answered, validated. Session and persona are those of the old turn.
#[derive(Debug, Clone)]
pub struct ReplaceRequest {
    /// Who asks.
    pub owner: Owner,
    /// The turn whose place the new one takes.
    pub turn: TurnId,
    /// Another question, with which what followed the old one goes out of the context; `None` asks the same one again.
    pub content: Option<Content>,
    /// The caller's mark for "the same request again".
    pub idempotency: Option<IdempotencyKey>,
}

/// What the response cache may do for a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CachePolicy {
    /// Give an answer and keep the new one; join an equal question that is being answered.
    #[default]
    Use,
    /// Ask the model, and keep its answer.
    Bypass,
    /// Ask the model, and keep nothing.
    Off,
}

impl CachePolicy {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            CachePolicy::Use => "use",
            CachePolicy::Bypass => "bypass",
            CachePolicy::Off => "off",
        }
    }
}
