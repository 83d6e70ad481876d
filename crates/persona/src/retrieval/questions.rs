//! The labelled questions of `tests/retrieval/`.

use serde::Deserialize;

/// A learner's question and the notes that fit it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) ask: String,
    /// The question before it.
    #[serde(default)]
    pub(super) before: Option<String>,
    pub(super) kind: Kind,
    /// The notes of which the first that is found has to be one; none: it has to be silent.
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Hinglish,
    English,
    Devanagari,
    Typo,
    FollowUp,
    /// Of daily life.
    OffTopic,
    /// Of daily life too, with words that technology has taken.
    Tricky,
}

/// The questions of one file: those that came with the handbook, and those that were written to cover it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Questions {
    pub(super) earlier: Vec<Question>,
    pub(super) questions: Vec<Question>,
}

impl Questions {
    /// Those that retrieval may be tuned on.
    pub(super) fn tune() -> Self {
        toml::from_str(include_str!("../../tests/retrieval/tune.toml")).unwrap()
    }

    /// Those that only measure it.
    pub(super) fn measure() -> Self {
        toml::from_str(include_str!("../../tests/retrieval/measure.toml")).unwrap()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Question> {
        self.earlier.iter().chain(&self.questions)
    }
}

impl Question {
    pub(super) fn before(&self) -> Option<&str> {
        self.before.as_deref()
    }

    pub(super) fn is_on_topic(&self) -> bool {
        !self.notes.is_empty()
    }

    pub(super) fn fits(&self, note: &str) -> bool {
        self.notes.iter().any(|wanted| wanted == note)
    }
}
