use std::fmt;

use serde::{Deserialize, Serialize};

/// What a learner thinks of an answer: a rating, a comment, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Feedback {
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<Rating>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<Comment>,
}

/// Whether an answer was of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rating {
    /// It was.
    Up,
    /// It was not.
    Down,
}

/// A learner's words about an answer: 1 to [`Comment::MAX_CHARS`] Unicode scalar values once outer white space is
/// trimmed, without NUL.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Comment(String);

/// A text is no [`Comment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a comment has to be {}", Comment::RULE)]
pub struct CommentError;

/// Neither a rating nor a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("feedback has a rating or a comment")]
struct NoFeedback;

#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    rating: Option<Rating>,
    #[serde(default)]
    comment: Option<Comment>,
}

impl Feedback {
    /// `None` if there is neither.
    pub fn new(rating: Option<Rating>, comment: Option<Comment>) -> Option<Self> {
        (rating.is_some() || comment.is_some()).then_some(Self { rating, comment })
    }

    /// The rating, if there is one.
    pub fn rating(&self) -> Option<Rating> {
        self.rating
    }

    /// The comment, if there is one.
    pub fn comment(&self) -> Option<&Comment> {
        self.comment.as_ref()
    }
}

impl TryFrom<Parts> for Feedback {
    type Error = NoFeedback;

    fn try_from(parts: Parts) -> Result<Self, NoFeedback> {
        Self::new(parts.rating, parts.comment).ok_or(NoFeedback)
    }
}

impl Rating {
    /// Its name on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Rating::Up => "up",
            Rating::Down => "down",
        }
    }
}

impl Comment {
    /// The longest comment, in Unicode scalar values.
    pub const MAX_CHARS: usize = 1000;
    /// What a comment has to look like, as half a sentence.
    pub const RULE: &'static str = "1 to 1000 characters after trimming, without NUL";

    /// The trimmed text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Comment {
    type Error = CommentError;

    fn try_from(text: String) -> Result<Self, CommentError> {
        let text = text.trim();
        let fits = (1..=Self::MAX_CHARS).contains(&text.chars().count()) && !text.contains('\0');
        fits.then(|| Self(text.to_owned())).ok_or(CommentError)
    }
}

impl From<Comment> for String {
    fn from(comment: Comment) -> Self {
        comment.0
    }
}

/// The length only: a learner's words stay out of logs.
impl fmt::Debug for Comment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Comment({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(text: &str) -> Result<Comment, CommentError> {
        Comment::try_from(text.to_owned())
    }

    #[test]
    fn a_comment_is_trimmed_and_counted_in_characters() {
        assert_eq!(comment("  चाय \n").unwrap().as_str(), "चाय");
        assert!(comment(&"अ".repeat(1000)).is_ok());
        for wrong in ["", " \n", "a\0b", &"अ".repeat(1001)] {
            assert_eq!(comment(wrong), Err(CommentError));
        }
    }

    #[test]
    fn a_comments_debug_form_hides_the_text() {
        assert!(!format!("{:?}", comment("secret").unwrap()).contains("secret"));
    }

    #[test]
    fn feedback_is_read_as_it_was_stored_and_never_empty() {
        for (rating, text) in [(Some(Rating::Up), None), (None, Some("chai")), (Some(Rating::Down), Some("chai"))] {
            let feedback = Feedback::new(rating, text.map(|text| comment(text).unwrap())).unwrap();
            let stored = serde_json::to_string(&feedback).unwrap();
            assert_eq!(serde_json::from_str::<Feedback>(&stored).unwrap(), feedback);
        }
        assert_eq!(Feedback::new(None, None), None);
        assert!(serde_json::from_str::<Feedback>("{}").is_err());
    }
}
