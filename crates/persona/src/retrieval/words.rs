use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

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
pub(super) static STOP_WORDS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("stopwords.txt").split_whitespace().collect());

/// The keys of the stop words, for the spellings that the list lacks. A short key is too many words at once: "bas" is
/// also "bash".
static STOP_KEYS: LazyLock<HashSet<String>> =
    LazyLock::new(|| STOP_WORDS.iter().map(|word| fold(word)).filter(|key| key.len() > 3).collect());

/// The keys again without any `a` but the first letter: Devanagari does not write whether one is spoken ("लगता").
static STOP_KEYS_DEVANAGARI: LazyLock<HashSet<String>> =
    LazyLock::new(|| STOP_WORDS.iter().map(|word| without_a(&fold(word))).filter(|key| key.len() > 2).collect());

/// Words of computing, folded: what else such a question says is meant technically.
static COMPUTING: LazyLock<HashSet<String>> =
    LazyLock::new(|| include_str!("computing.txt").split_whitespace().map(fold).collect());

/// Hindi words, folded, with the key of the English ones that are said as often: "naukri" is "job". The first of a line
/// stands for the others.
static SYNONYMS: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let mut synonyms = HashMap::new();
    for line in include_str!("synonyms.txt").lines() {
        let mut words = line.split_whitespace().map(fold);
        if let Some(first) = words.next() {
            synonyms.extend(words.map(|word| (word, first.clone())));
        }
    }
    synonyms
});

/// Words that point at what was said before, folded.
static POINTERS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let words = "iska iski iske isko isme ismein isse uska uski uske usko usme usmein usse inka inke unka unke yeh ye \
                 woh it its this that these those them they इसका उसका इसमें उसमें यह वह";
    words.split_whitespace().map(|word| fold(&devanagari::romanized(word))).collect()
});

/// Words with which a question goes on with the one before it, when they are its first.
static CONTINUING: [&str; 9] = ["aur", "or", "and", "also", "phir", "fir", "lekin", "but", "agar"];

/// The most words that a question may bring of its own and still go on with the one before it.
const FEW: usize = 2;

/// Words with which somebody is spoken to, or which make a phrase politer.
static ADDRESS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let words = "sir sirji mam maam bhai bhaiya bhaiyya bro brother dost yaar yar ji guru guruji mentor teacher aap aaj \
                 hello hi hey oh are so very much a bahut bahot thoda ok okay haan haanji sar bhaiyaa";
    words.split_whitespace().collect()
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
    /// Whether it speaks of computing.
    pub(super) of_computing: bool,
    /// All its words but for forms of address: of a text without content, a phrase such as a greeting.
    pub(super) phrase: Vec<String>,
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

    /// Whether it names nothing, and yet says something.
    pub(super) fn is_phrase(&self) -> bool {
        self.content.is_empty() && !self.phrase.is_empty()
    }

    fn of_tokens(tokens: Vec<String>) -> Self {
        let mut words = Self::default();
        let mut before: Option<String> = None;
        let continues = tokens.first().is_some_and(|first| CONTINUING.contains(&first.as_str()));
        for token in tokens {
            let devanagari = devanagari::is_in(&token);
            let roman = if devanagari { devanagari::romanized(&token) } else { token };
            let key = fold(&roman);
            let key = SYNONYMS.get(&key).cloned().unwrap_or(key);
            words.of_computing |= COMPUTING.contains(&key);
            words.points_back |= POINTERS.contains(&key);
            if let Some(before) = &before {
                words.joined.push(fold(&format!("{before}{roman}")));
            }
            let stops = STOP_WORDS.contains(roman.as_str())
                || STOP_KEYS.contains(&key)
                || (devanagari && STOP_KEYS_DEVANAGARI.contains(&without_a(&key)));
            if !ADDRESS.contains(roman.as_str()) {
                words.phrase.push(key.clone());
            }
            if !key.is_empty() && !stops {
                words.content.push(Word { key, devanagari });
            }
            before = Some(roman);
        }
        words.points_back |= continues && words.content.len() <= FEW;
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
    let text = text.replace(['\'', '’'], "");
    let text = text.replace("c++", " cplusplus ").replace("c#", " csharp ").replace(".net", " dotnet ");
    let text = text.replace("c plus plus", " cplusplus ").replace("सी प्लस प्लस", " cplusplus ");
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
