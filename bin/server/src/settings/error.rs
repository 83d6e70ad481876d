use std::fmt;

use super::origin::{KeyPath, Origin};

/// Everything that is wrong with the settings, so that it can be mended in one go. Holds no value of any setting:
/// a misplaced key must not end up in a log.
#[derive(Debug, thiserror::Error)]
pub struct SettingsError {
    mistakes: Vec<Mistake>,
}

/// One wrong setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, as `section.key`, or the variable or file that could not be read at all.
    pub key: String,
    /// Where it was written; none for a setting that is missing, or a file as a whole.
    pub origin: Option<Origin>,
    /// What is wrong with it.
    pub problem: String,
}

impl SettingsError {
    pub(super) fn new(mistakes: Vec<Mistake>) -> Self {
        Self { mistakes }
    }

    /// Each mistake, in the order in which they were found. Never empty.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => write!(f, "the settings have a mistake:")?,
            many => write!(f, "the settings have {many} mistakes:")?,
        }
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} ({origin}): {}", self.key, self.problem),
            None => write!(f, "{}: {}", self.key, self.problem),
        }
    }
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, key: &KeyPath, origin: Option<&Origin>, problem: impl Into<String>) {
        self.0.push(Mistake { key: key.to_string(), origin: origin.cloned(), problem: problem.into() });
    }

    pub(super) fn add_about(&mut self, what: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Mistake { key: what.into(), origin: None, problem: problem.into() });
    }

    pub(super) fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// `value`, if nothing was wrong.
    pub(super) fn into_result<T>(self, value: Option<T>) -> Result<T, SettingsError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(SettingsError::new(self.0)),
        }
    }
}
