use regex::Regex;
use toml::Spanned;
use unicode_normalization::UnicodeNormalization;

use super::pattern;

/// A message, or a note's text, that is searched for keys.
pub(crate) struct Text {
    plain: String,
    folded: String,
}

impl Text {
    pub(crate) fn new(text: &str) -> Self {
        let plain: String = text.nfc().collect();
        Self { folded: plain.to_lowercase(), plain }
    }
}

/// One key of a note.
#[derive(Debug)]
pub(crate) enum Key {
    /// Is found wherever the text contains it, inside of words too, as cards expect.
    Exact(String),
    /// The same, in any case. Written in lower case.
    Folded(String),
    Pattern(Regex),
}

impl Key {
    pub(crate) fn is_in(&self, text: &Text) -> bool {
        match self {
            Self::Exact(key) => text.plain.contains(key.as_str()),
            Self::Folded(key) => text.folded.contains(key.as_str()),
            Self::Pattern(pattern) => pattern.is_match(&text.plain),
        }
    }

    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self, Self::Pattern(_))
    }
}

/// How keys are read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) case_sensitive: bool,
    pub(crate) use_regex: bool,
}

impl Reading {
    /// The keys without those that are empty, which would be in every text. What is wrong with one is told together
    /// with where it begins, in bytes.
    pub(crate) fn keys(self, written: &[Spanned<String>]) -> Result<Vec<Key>, (usize, String)> {
        let visible = written.iter().filter(|key| !key.get_ref().trim().is_empty());
        visible.map(|key| self.key(key.get_ref().trim()).map_err(|reason| (key.span().start, reason))).collect()
    }

    fn key(self, key: &str) -> Result<Key, String> {
        match pattern::literal(key).filter(|_| self.use_regex) {
            Some((pattern, flags)) => match pattern::compile(pattern, flags) {
                Ok(pattern) => Ok(Key::Pattern(pattern)),
                Err(reason) => Err(format!("the key `{key}` is no usable regular expression: {reason}")),
            },
            None if self.case_sensitive => Ok(Key::Exact(key.nfc().collect())),
            None => Ok(Key::Folded(key.nfc().collect::<String>().to_lowercase())),
        }
    }
}
