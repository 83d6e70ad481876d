use std::{collections::HashSet, sync::LazyLock};

use unicode_normalization::UnicodeNormalization;

use super::{devanagari, fold::fold};

/// The most words that are looked at, at either end of a text: the middle of a long question is code or a log.
const MAX_WORDS: usize = 40;

/// A word that says what a text is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Word {
    /// The word as its sounds: spelling variants share it.
    pub(super) key: String,
    /// Whether the word came in Devanagari, whose spelling of English words follows their sound only.
    pub(super) devanagari: bool,
}

/// Words that every question may hold, in spellings that people type.
static STOP_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("stopwords.txt").split_whitespace().collect());

/// The keys of the stop words, for the spellings that the list lacks. A short key is too many words at once: "bas" is
/// also "bash".
static STOP_KEYS: LazyLock<HashSet<String>> =
    LazyLock::new(|| STOP_WORDS.iter().map(|word| fold(word)).filter(|key| key.len() > 3).collect());

/// The keys again without any `a` but the first letter: Devanagari does not write whether one is spoken ("लगता").
static STOP_KEYS_DEVANAGARI: LazyLock<HashSet<String>> =
    LazyLock::new(|| STOP_WORDS.iter().map(|word| without_a(&fold(word))).filter(|key| key.len() > 2).collect());

/// Words that point at what was said before, folded.
static POINTERS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let words = "iska iski iske isko isme ismein isse uska uski uske usko usme usmein usse inka inke unka unke yeh ye \
                 woh it its this that these those them they इसका उसका इसमें उसमें यह वह";
    words.split_whitespace().map(|word| fold(&devanagari::romanized(word))).collect()
});

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Its words but for stop words, in order.
    pub(super) content: Vec<Word>,
    /// Pairs of words that stand side by side, written as one: "fast api" is also "fastapi".
    pub(super) joined: Vec<String>,
    /// Whether it points at what was said before.
    pub(super) points_back: bool,
}

impl Words {
    /// The words of a question.
    pub(super) fn of_question(text: &str) -> Self {
        let mut tokens = tokens(text);
        if tokens.len() > 2 * MAX_WORDS {
            tokens.drain(MAX_WORDS..tokens.len() - MAX_WORDS);
        }
        let mut words = Self::of_tokens(tokens);
        let mut seen = HashSet::new();
        words.content.retain(|word| seen.insert(word.key.clone()));
        words
    }

    /// The words of a note.
    pub(super) fn of(text: &str) -> Self {
        Self::of_tokens(tokens(text))
    }

    fn of_tokens(tokens: Vec<String>) -> Self {
        let mut words = Self::default();
        let mut before: Option<String> = None;
        for token in tokens {
            let devanagari = devanagari::is_in(&token);
            let roman = if devanagari { devanagari::romanized(&token) } else { token };
            let key = fold(&roman);
            words.points_back |= POINTERS.contains(&key);
            if let Some(before) = &before {
                words.joined.push(fold(&format!("{before}{roman}")));
            }
            let stops = STOP_WORDS.contains(roman.as_str())
                || STOP_KEYS.contains(&key)
                || (devanagari && STOP_KEYS_DEVANAGARI.contains(&without_a(&key)));
            if !key.is_empty() && !stops {
                words.content.push(Word { key, devanagari });
            }
            before = Some(roman);
        }
        words
    }
}

fn without_a(key: &str) -> String {
    key.char_indices().filter(|(at, c)| *at == 0 || *c != 'a').map(|(_, c)| c).collect()
}

/// Lower-case words of letters and digits. `c++`, `c#` and `.net` keep their signs, in letters; a trailing `js` is a
/// word of its own, so that "nodejs", "node.js" and "node js" are the same. Where a stop word would be left ("next"),
/// it stays.
fn tokens(text: &str) -> Vec<String> {
    let text: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let text = text.replace("c++", " cplusplus ").replace("c#", " csharp ").replace(".net", " dotnet ");
    let text = text.replace(".js", "js");
    let mut tokens = Vec::new();
    for token in text.split(|c: char| !is_part_of_word(c)).filter(|token| !token.is_empty()) {
        match token.strip_suffix("js").filter(|stem| stem.len() > 2 && !STOP_WORDS.contains(stem)) {
            Some(stem) => tokens.extend([stem.to_owned(), "js".to_owned()]),
            None => tokens.push(token.to_owned()),
        }
    }
    tokens
}

/// The vowel signs and the virama of Devanagari are marks, not letters.
fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || devanagari::is_letter_or_sign(c)
}
