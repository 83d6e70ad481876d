use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Why a text is no id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct IdError {
    kind: &'static str,
    rule: &'static str,
}

impl IdError {
    /// What such an id has to look like, as half a sentence.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

/// A text id whose characters are checked when it is made.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(IdError { kind: $kind, rule: $rule }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::try_from(text.as_str())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::try_from(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_token(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

fn is_slug(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

text_id!(
    /// One conversation: 1 to 128 characters of `A-Z a-z 0-9 _ - . :`. A capability: whoever has it may read it.
    SessionId,
    "session id",
    "1 to 128 characters of A-Z a-z 0-9 _ - . :",
    |text| is_token(text, 128)
);
text_id!(
    /// A persona pack: 1 to 64 characters of `a-z 0-9 - _`.
    PersonaId,
    "persona id",
    "1 to 64 characters of a-z 0-9 - _",
    is_slug
);
text_id!(
    /// Whose sessions these are: the id of an API key, or `public`. Same form as [`SessionId`].
    Owner,
    "owner",
    "1 to 128 characters of A-Z a-z 0-9 _ - . :",
    |text| is_token(text, 128)
);
text_id!(
    /// A configured LLM provider, by the name that the operator gave it. Same form as [`SessionId`].
    ProviderId,
    "provider name",
    "1 to 128 characters of A-Z a-z 0-9 _ - . :",
    |text| is_token(text, 128)
);
text_id!(
    /// A caller's mark for "the same request again": 1 to 255 visible ASCII characters.
    IdempotencyKey,
    "idempotency key",
    "1 to 255 visible ASCII characters",
    |text| (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
);

impl SessionId {
    /// A new random one.
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }
}

impl Owner {
    /// The owner of everything that is asked without an API key.
    pub fn public() -> Self {
        Self("public".to_owned())
    }
}

/// One user's question in one session. A UUID of version 7: ids sort by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(Uuid);

impl TurnId {
    /// A new one, of now.
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// When it was made, by the clock of whoever made it, in milliseconds. None of a UUID that has no time.
    pub fn made_at(&self) -> Option<OffsetDateTime> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        let whole = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        Some(whole + Duration::nanoseconds(nanos.into()))
    }

    /// Its 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From its 16 bytes, as a store kept them.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TurnId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::parse_str(text).map(Self).map_err(|_| IdError { kind: "turn id", rule: "a UUID" })
    }
}

/// The log of a generation, where processes that serve the same sessions can read it while it grows. Two parts: the
/// *flight*, which is the same for all generations that answer equal questions, and what tells these apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogId {
    flight: u128,
    own: u64,
}

impl LogId {
    /// A new one among those that answer what `digest` is the digest of.
    pub fn of_flight(digest: &[u8; 32]) -> Self {
        let (flight, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self { flight: u128::from_be_bytes(*flight), own: Self::random_own() }
    }

    /// A new one of a generation that nobody else joins.
    pub fn alone() -> Self {
        Self { flight: Uuid::new_v4().as_u128(), own: Self::random_own() }
    }

    /// The flight, in 32 digits.
    pub fn flight(&self) -> String {
        format!("{:032x}", self.flight)
    }

    /// What tells it from others of its flight, in 16 digits.
    pub fn own(&self) -> String {
        format!("{:016x}", self.own)
    }

    fn random_own() -> u64 {
        Uuid::new_v4().as_u64_pair().1
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}{:016x}", self.flight, self.own)
    }
}

impl FromStr for LogId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts =
            text.split_at_checked(32).filter(|_| text.len() == 48 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        let parsed = parts.and_then(|(flight, own)| {
            let flight = u128::from_str_radix(flight, 16).ok()?;
            Some(Self { flight, own: u64::from_str_radix(own, 16).ok()? })
        });
        parsed.ok_or(IdError { kind: "log id", rule: "48 hexadecimal digits" })
    }
}

impl TryFrom<String> for LogId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<LogId> for String {
    fn from(id: LogId) -> Self {
        id.to_string()
    }
}

/// A message of a session's history. Derived from its turn, so it is the same wherever it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Uuid);

impl MessageId {
    /// The learner's message of a turn.
    pub fn question_of(turn: TurnId) -> Self {
        Self(Uuid::new_v5(&turn.0, b"question"))
    }

    /// The mentor's message of a turn.
    pub fn answer_of(turn: TurnId) -> Self {
        Self(Uuid::new_v5(&turn.0, b"answer"))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_has_its_characters_and_length_checked() {
        assert!(SessionId::try_from("a-Z_0.9:x").is_ok());
        assert!(SessionId::try_from("x".repeat(128)).is_ok());
        for wrong in ["", "a b", "é", "a/b", &"x".repeat(129)] {
            assert!(SessionId::try_from(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_random_session_id_is_a_valid_one() {
        assert!(SessionId::try_from(SessionId::random().as_str()).is_ok());
    }

    #[test]
    fn message_ids_are_stable_and_differ() {
        let turn = TurnId::now();
        assert_eq!(MessageId::question_of(turn), MessageId::question_of(turn));
        assert_ne!(MessageId::question_of(turn), MessageId::answer_of(turn));
    }

    #[test]
    fn a_turn_id_survives_text_and_bytes() {
        let turn = TurnId::now();
        assert_eq!(turn.to_string().parse(), Ok(turn));
        assert_eq!(TurnId::from_bytes(*turn.as_bytes()), turn);
        assert!("nonsense".parse::<TurnId>().is_err());
    }

    #[test]
    fn a_turn_id_knows_when_it_was_made() {
        let (before, made, after) = (OffsetDateTime::now_utc(), TurnId::now().made_at(), OffsetDateTime::now_utc());
        let made = made.unwrap();
        assert!(made >= before - Duration::milliseconds(1) && made <= after, "{before} {made} {after}");
        assert_eq!("00000000-0000-4000-8000-000000000000".parse::<TurnId>().unwrap().made_at(), None);
    }

    #[test]
    fn a_log_id_survives_text() {
        for log in [LogId::alone(), LogId::of_flight(&[0; 32]), LogId::of_flight(&[0xFE; 32])] {
            let text = log.to_string();
            assert_eq!((text.parse(), text.len()), (Ok(log), 48));
            assert_eq!(format!("{}{}", log.flight(), log.own()), text);
        }
        for wrong in ["", "+f", &"g".repeat(48), &"é".repeat(24), &"0".repeat(47)] {
            assert!(wrong.parse::<LogId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn equal_questions_are_of_one_flight_and_have_logs_of_their_own() {
        let [a, b] = [LogId::of_flight(&[7; 32]), LogId::of_flight(&[7; 32])];
        assert_eq!(a.flight(), b.flight());
        assert_ne!(a, b);
        assert_ne!(LogId::alone().flight(), LogId::alone().flight());
    }
}
