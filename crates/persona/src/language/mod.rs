//! Which language a text is in: by script, and by small lists of words. Without a model, the same for the same text, and
//! cheap enough for every question and every answer.

mod lexicon;
mod mix;
pub(crate) mod prose;
mod wish;

use std::fmt;

pub use self::mix::LanguageMix;

/// A language that a persona can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Hindi in Roman script, with as much English in it as people who speak it use.
    Hinglish,
    /// English.
    English,
    /// Hindi in Devanagari.
    Hindi,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 3] = [Language::Hinglish, Language::English, Language::Hindi];

    /// Its name in a pack's `languages`: `hinglish`, `en` or `hi`.
    pub fn code(self) -> &'static str {
        match self {
            Language::Hinglish => "hinglish",
            Language::English => "en",
            Language::Hindi => "hi",
        }
    }

    /// Whether the two differ at most in how they are written.
    pub(crate) fn is_spoken_like(self, other: Self) -> bool {
        (self == Language::English) == (other == Language::English)
    }

    /// The language of this [`code`](Self::code).
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The language in which `text`, something that a learner wrote, wants to be answered: the one that it asks for in words
/// ("explain closures in hindi plz", "answer in English: docker kya hai"), else the one that it is written in. None if
/// nothing tells: code only, an emoji, the bare name of a technique.
///
/// Who asks for Hindi in Roman script gets it in Roman script, as Hinglish; Devanagari has to be asked for by that name,
/// or by using it. One line in clear Hinglish decides, whatever else was pasted beside it (an English error message).
pub fn language_of(text: &str) -> Option<Language> {
    let prose = prose::prose(text);
    let mix = LanguageMix::of_prose(&prose);
    let written = mix.language();
    if written == Some(Language::Hindi) {
        return written;
    }
    if let Some(wished) = wish::wished(&prose) {
        return Some(wished);
    }
    let hinglish_line = || prose.lines().any(|line| LanguageMix::of_prose(line).is_clearly_hinglish());
    if written == Some(Language::English) && hinglish_line() { Some(Language::Hinglish) } else { written }
}

#[cfg(test)]
mod labelled;
#[cfg(test)]
mod tests;
