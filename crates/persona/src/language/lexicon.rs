//! The lists of words, and how a word is looked up in them.

use std::{collections::HashMap, sync::LazyLock};

use crate::retrieval::fold::fold;

/// What a word in Roman script tells of its text's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It is Hindi.
    Hindi,
    /// It holds an English sentence together.
    Grammar,
    /// It is ordinary English, of the kind that Hinglish borrows.
    English,
    /// Nothing: a name, a technique, a word of either language ("to", "main", "use"), or an unknown one.
    Nothing,
}

/// The forms of a regular verb, at its stem.
const ENDINGS: &[&str] = &[
    "na", "ne", "ni", "ta", "te", "ti", "o", "u", "un", "oon", "unga", "ungi", "oonga", "enge", "engi", "oge", "ogi",
    "ega", "egi", "iye", "iyega", "ein", "e", "i", "a", "kar", "ke", "aya", "ayi", "aye", "wana", "wao",
];

struct Lexicon {
    words: HashMap<String, Told>,
    /// The sounds of the Hindi words, for the spellings that the list lacks.
    sounds: HashMap<String, Told>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut words = HashMap::new();
    let mut sounds = HashMap::new();
    for entry in entries(include_str!("hinglish.txt")) {
        let forms: Vec<String> = match entry.strip_suffix('-') {
            Some(stem) => ENDINGS.iter().map(|ending| format!("{stem}{ending}")).collect(),
            None => vec![entry.to_owned()],
        };
        for form in forms {
            sounds.insert(fold(&form), Told::Hindi);
            words.insert(form, Told::Hindi);
        }
    }
    let lists =
        [(include_str!("english_grammar.txt"), Told::Grammar), (include_str!("english_words.txt"), Told::English)];
    for (list, told) in lists {
        for entry in entries(list) {
            words
                .entry(entry.to_owned())
                .and_modify(|known| {
                    if *known == Told::Hindi {
                        *known = Told::Nothing;
                    }
                })
                .or_insert(told);
        }
    }
    Lexicon { words, sounds }
});

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace)
}

/// What `word` (lower case, in Roman script) tells. A word that a list holds as it is spelt is that word; any other is
/// Hindi if it sounds like a Hindi one and is not spelt as only English is.
pub(super) fn told(word: &str) -> Told {
    if let Some(told) = LEXICON.words.get(word) {
        return *told;
    }
    let key = fold(word);
    if key.len() < 3 || is_spelt_as_english(word) {
        return Told::Nothing;
    }
    LEXICON.sounds.get(&key).copied().unwrap_or(Told::Nothing)
}

/// Whether it has an ending of English or a letter for which Hindi in Roman script has no use: `c` without `h`, `q`, `x`.
fn is_spelt_as_english(word: &str) -> bool {
    ["s", "ed", "ing", "ment"].into_iter().any(|ending| word.ends_with(ending))
        || word.contains(['q', 'x'])
        || word.split('c').skip(1).any(|rest| !rest.starts_with('h'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hindi_word_is_known_in_any_spelling() {
        for word in ["kaise", "kese", "kaisay", "kaisey", "zaroori", "jaruri", "seekhunga", "sikhenge", "samjhaiye"] {
            assert_eq!(told(word), Told::Hindi, "{word}");
        }
    }

    #[test]
    fn a_word_of_both_languages_tells_nothing() {
        for word in ["hen", "beach", "challenge", "carried", "cake"] {
            assert_ne!(told(word), Told::Hindi, "{word}");
        }
        for word in
            ["to", "me", "is", "the", "he", "use", "main", "log", "par", "do", "us", "in", "hi", "log", "docker"]
        {
            assert_eq!(told(word), Told::Nothing, "{word}");
        }
    }
}
