use super::{
    Language,
    lexicon::{Told, told},
    prose::prose,
};
use crate::retrieval::devanagari;

/// The least share of Hindi among the words that hold its sentences together, for a text to be Hinglish.
const LEAST_HINDI: f32 = 0.2;

/// The same when there is but one Hindi word: it may be a quoted one.
const LEAST_HINDI_OF_ONE: f32 = 0.4;

/// From so many Hindi words in it on, and in such a share, a single line is beyond doubt.
const CLEAR_WORDS: usize = 3;
const CLEAR_SHARE: f32 = 0.5;

/// The words of a text by what they tell, as shares that sum to 1 (all 0 if there are no words). Code, between fences or
/// backticks, and URLs don't count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LanguageMix {
    /// Hindi words in Roman script.
    pub hinglish: f32,
    /// English words.
    pub english: f32,
    /// Words in Devanagari.
    pub devanagari: f32,
    /// What tells nothing: names, techniques, numbers in letters, words of both languages, other languages.
    pub other: f32,
    /// How many words there are.
    pub words: usize,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    hindi: usize,
    /// English words that Hinglish does not borrow.
    grammar: usize,
    english: usize,
    devanagari: usize,
}

impl LanguageMix {
    /// The mix of `text`.
    pub fn of(text: &str) -> Self {
        Self::of_prose(&prose(text))
    }

    /// The same of a text whose code was taken out.
    pub(crate) fn of_prose(prose: &str) -> Self {
        let mut counts = Counts::default();
        let mut words = 0;
        // Where all is in capitals, capitals mark no names.
        let has_small = prose.bytes().any(|byte| byte.is_ascii_lowercase());
        let mut lower = String::new();
        for chunk in prose.split_whitespace() {
            if is_address(chunk) {
                words += 1;
                continue;
            }
            for word in chunk.split(|c: char| !is_part_of_word(c)).filter(|word| word.chars().any(is_letter)) {
                words += 1;
                if devanagari::is_in(word) {
                    counts.devanagari += 1;
                    continue;
                }
                let name = has_small && word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
                if name || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                    continue;
                }
                lower.clear();
                lower.extend(word.chars().map(|c| c.to_ascii_lowercase()));
                match told(&lower) {
                    Told::Hindi => counts.hindi += 1,
                    Told::Grammar => counts.grammar += 1,
                    Told::English => counts.english += 1,
                    Told::Nothing => {}
                }
            }
        }
        let known = counts.hindi + counts.grammar + counts.english + counts.devanagari;
        Self {
            hinglish: share(counts.hindi, words),
            english: share(counts.grammar + counts.english, words),
            devanagari: share(counts.devanagari, words),
            other: share(words.saturating_sub(known), words),
            words,
            counts,
        }
    }

    /// The language that a text with this mix is written in; none if nothing tells.
    ///
    /// Devanagari if there are at least as many words in it as there are Hindi words in Roman script and English ones that
    /// Hinglish does not borrow. Else Hinglish, if of the latter two a fifth is Hindi (two fifths of it, if that is one
    /// word only): Hinglish takes its nouns from English, an English text takes no Hindi beyond a greeting. Else English.
    pub fn language(&self) -> Option<Language> {
        let Counts { hindi, grammar, english, devanagari } = self.counts;
        if devanagari > 0 && devanagari >= hindi + grammar {
            return Some(Language::Hindi);
        }
        let least = if hindi == 1 { LEAST_HINDI_OF_ONE } else { LEAST_HINDI };
        if hindi > 0 && share(hindi, hindi + grammar) >= least {
            return Some(Language::Hinglish);
        }
        (grammar + english > 0).then_some(Language::English)
    }

    pub(super) fn is_clearly_hinglish(&self) -> bool {
        let Counts { hindi, grammar, .. } = self.counts;
        hindi >= CLEAR_WORDS && share(hindi, hindi + grammar) >= CLEAR_SHARE
    }
}

/// URLs, mail addresses, paths and identifiers: one word each, of no language.
fn is_address(chunk: &str) -> bool {
    ["://", "www.", "@", "_", "::", "()", "\\"].iter().any(|mark| chunk.contains(mark))
        || chunk.matches('/').count() > 1
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || devanagari::is_letter_or_sign(c)
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || devanagari::is_letter_or_sign(c)
}

#[expect(clippy::cast_precision_loss, reason = "a text has few words")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}
