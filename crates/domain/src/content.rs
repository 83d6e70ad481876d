use std::fmt;

use serde::{Deserialize, Serialize};

/// A learner's question: 1 to [`Content::MAX_CHARS`] Unicode scalar values once outer white space is trimmed,
/// without NUL.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Content(String);

/// Why a text is no [`Content`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Nothing is left after trimming.
    #[error("the content is empty")]
    Empty,
    /// More than [`Content::MAX_CHARS`] characters.
    #[error("the content has {chars} characters, {max} are allowed", max = Content::MAX_CHARS)]
    TooLong {
        /// Unicode scalar values after trimming.
        chars: usize,
    },
    /// It holds a NUL character.
    #[error("the content holds a NUL character")]
    Invalid,
}

impl Content {
    /// The longest content, in Unicode scalar values.
    pub const MAX_CHARS: usize = 2000;

    /// The trimmed text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Content {
    type Error = ContentError;

    fn try_from(text: &str) -> Result<Self, ContentError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ContentError::Empty);
        }
        if text.contains('\0') {
            return Err(ContentError::Invalid);
        }
        let chars = text.chars().count();
        if chars > Self::MAX_CHARS {
            return Err(ContentError::TooLong { chars });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Content {
    type Error = ContentError;

    fn try_from(text: String) -> Result<Self, ContentError> {
        Self::try_from(text.as_str())
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.0
    }
}

/// The length only: a learner's words stay out of logs.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_trimmed_and_counted_in_characters() {
        assert_eq!(Content::try_from("  चाय \n").unwrap().as_str(), "चाय");
        assert!(Content::try_from("अ".repeat(2000)).is_ok());
        assert_eq!(Content::try_from("अ".repeat(2001)), Err(ContentError::TooLong { chars: 2001 }));
    }

    #[test]
    fn empty_and_nul_are_refused() {
        assert_eq!(Content::try_from(" \t\u{a0}\n"), Err(ContentError::Empty));
        assert_eq!(Content::try_from("a\0b"), Err(ContentError::Invalid));
    }

    #[test]
    fn its_debug_form_hides_the_text() {
        assert!(!format!("{:?}", Content::try_from("secret").unwrap()).contains("secret"));
    }

    #[test]
    fn a_stored_form_is_validated_too() {
        assert!(serde_json::from_str::<Content>("\"\"").is_err());
    }
}
