//! Abbreviations that are spelt in Devanagari by the English names of their letters: "एपीआई" is "api".

/// The names of the letters. NFKC has made the dot of "ज़" a character of its own.
const NAMES: &[(&str, char)] = &[
    ("डब्ल्यू", 'w'),
    ("डब्लू", 'w'),
    ("एक्स", 'x'),
    ("क्यू", 'q'),
    ("ज\u{93c}ेड", 'z'),
    ("जेड", 'z'),
    ("वाई", 'y'),
    ("वाय", 'y'),
    ("आई", 'i'),
    ("आर", 'r'),
    ("एच", 'h'),
    ("एफ", 'f'),
    ("एल", 'l'),
    ("एम", 'm'),
    ("एन", 'n'),
    ("एस", 's'),
    ("ए", 'a'),
    ("बी", 'b'),
    ("सी", 'c'),
    ("डी", 'd'),
    ("ई", 'e'),
    ("जी", 'g'),
    ("जे", 'j'),
    ("के", 'k'),
    ("ओ", 'o'),
    ("पी", 'p'),
    ("टी", 't'),
    ("यू", 'u'),
    ("वी", 'v'),
];

/// The fewest letters of an abbreviation, and of one that ends a word ("चैटजीपीटी"): fewer are syllables by chance.
const FEWEST: usize = 2;
const FEWEST_AT_END: usize = 3;

/// Parts a word into what is no abbreviation and the letters of the one that it is or ends with.
pub(super) fn parted(word: &str) -> Option<(&str, String)> {
    word.char_indices().find_map(|(at, _)| {
        let (head, tail) = word.split_at_checked(at)?;
        let fewest = if head.is_empty() { FEWEST } else { FEWEST_AT_END };
        let letters = letters(tail)?;
        (letters.len() >= fewest).then_some((head, letters))
    })
}

/// The letters of which `word` is nothing but the names. Names begin alike ("ए", "एल"), so that a wrong one has to be
/// taken back.
fn letters(word: &str) -> Option<String> {
    if word.is_empty() {
        return Some(String::new());
    }
    NAMES.iter().find_map(|(name, letter)| {
        let rest = letters(word.strip_prefix(name)?)?;
        Some(format!("{letter}{rest}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_are_read_letter_by_letter() {
        for (word, expected) in [
            ("एपीआई", "api"),
            ("एलएलएम", "llm"),
            ("जेडब्ल्यूटी", "jwt"),
            ("एचटीएमएल", "html"),
            ("एसक्यूएल", "sql"),
            ("सीआई", "ci"),
        ] {
            assert_eq!(parted(word), Some(("", expected.to_owned())), "{word}");
        }
        assert_eq!(parted("चैटजीपीटी"), Some(("चैट", "gpt".to_owned())));
    }

    #[test]
    fn other_words_are_left_alone() {
        for word in ["के", "ए", "गिट", "पानी", "एरर", "सीखना", "", "नौकरी", "आई"]
        {
            assert_eq!(parted(word), None, "{word}");
        }
    }
}
