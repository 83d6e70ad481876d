use serde::Deserialize;

/// The longest reminder, in characters: it goes into a prompt beside the question.
pub(crate) const REMINDER: usize = 160;

/// `[fidelity]` of `persona.toml`: what answers are held against, beside the pack's other texts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FidelityRules {
    /// What the persona must never say of itself, in any spelling: "main asli Hitesh hoon".
    pub(crate) breaches: Vec<String>,
    pub(crate) reminders: Reminders,
}

/// The line that calls an answer back to a language, for each of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reminders {
    pub(crate) hinglish: Option<String>,
    pub(crate) en: Option<String>,
    pub(crate) hi: Option<String>,
}

impl Reminders {
    /// Each with its language's code.
    pub(crate) fn entries(&self) -> [(&'static str, Option<&str>); 3] {
        let Self { hinglish, en, hi } = self;
        [("hinglish", hinglish.as_deref()), ("en", en.as_deref()), ("hi", hi.as_deref())]
    }

    /// The one for the language of this code.
    pub(crate) fn get(&self, code: &str) -> Option<&str> {
        let found = self.entries().into_iter().find(|(known, _)| *known == code);
        found.and_then(|(_, reminder)| reminder).map(str::trim)
    }
}
