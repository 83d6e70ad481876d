//! Words as their sounds, so that the many spellings of Hinglish meet.

/// Spellings that sound alike, of those that begin with a letter; the first that fits is taken. Longer ones come first.
fn sounds(first: char) -> &'static [(&'static str, &'static str)] {
    match first {
        'a' => &[("aay", "e"), ("aai", "e"), ("aa", "a"), ("ai", "e"), ("ay", "e"), ("au", "o")],
        'b' => &[("bh", "b")],
        'c' => &[("chh", "c"), ("ce", "se"), ("ci", "si"), ("cy", "si"), ("ck", "k"), ("ch", "c"), ("c", "k")],
        'd' => &[("dh", "d")],
        'e' => &[("eau", "o"), ("ee", "i"), ("ea", "i"), ("ei", "e"), ("ey", "e")],
        'g' => &[("gua", "gva"), ("gh", "g")],
        'i' => &[("iew", "iu"), ("ii", "i")],
        'j' => &[("jh", "j")],
        'k' => &[("kh", "k")],
        'o' => &[("oo", "u"), ("ou", "o"), ("ow", "o"), ("oa", "o")],
        'p' => &[("ph", "f")],
        'q' => &[("q", "k")],
        's' => &[("sh", "s")],
        't' => &[("tion", "sn"), ("th", "t")],
        'u' => &[("uu", "u")],
        'w' => &[("w", "v")],
        'x' => &[("x", "ks")],
        'y' => &[("y", "i")],
        'z' => &[("z", "j")],
        _ => &[],
    }
}

/// Endings that change a word's role and not its subject.
const ENDINGS: &[&str] = &["ment", "ing", "ed", "s"];

/// The key that all spellings of a lower-case word share. Names of two letters are too short to be folded, and words of
/// which no more would be left: "goa" is not "go".
pub(crate) fn fold(word: &str) -> String {
    if word.len() <= 2 {
        return word.to_owned();
    }
    let mut rest = stem(word);
    let mut key = String::with_capacity(rest.len());
    while let Some(first) = rest.chars().next() {
        // At the end only: "image", but "get".
        let sound = match rest {
            "ge" => Some(&("ge", "je")),
            _ => sounds(first).iter().find(|(spelling, _)| rest.starts_with(spelling)),
        };
        let length = match sound {
            Some((spelling, sound)) => {
                sound.chars().for_each(|c| push(&mut key, c));
                spelling.len()
            }
            None => {
                push(&mut key, first);
                first.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    if key.len() <= 2 { word.to_owned() } else { key }
}

/// Doubled letters sound once.
fn push(key: &mut String, c: char) {
    if !key.ends_with(c) || c.is_ascii_digit() {
        key.push(c);
    }
}

fn stem(word: &str) -> &str {
    let stem = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.len() >= 4));
    match stem {
        // The end of "class" and "service", as it is heard, is no plural.
        Some(stem) if stem.len() + 1 < word.len() || !stem.ends_with(['s', 'i', 'u']) => stem,
        _ => word,
    }
}

/// How a key begins, and its consonants: what is left when every other vowel is misheard.
pub(super) fn skeleton(key: &str) -> String {
    let mut skeleton = String::with_capacity(key.len());
    for (at, c) in key.char_indices() {
        if at == 0 || !matches!(c, 'a' | 'e' | 'i' | 'o' | 'u') {
            push(&mut skeleton, c);
        }
    }
    skeleton
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_word_share_a_key() {
        let words: &[&[&str]] = &[
            &["kaise", "kese", "kaisay", "kaisey"],
            &["seekhna", "sikhna", "siikhna"],
            &["zaroori", "zaruri", "jaruri", "jaroori"],
            &["phir", "fir"],
            &["wala", "vala"],
            &["deployment", "deploy", "deploying", "deployed"],
            &["container", "containers", "kontainer"],
            &["padhai", "padhaai", "padai"],
            &["service", "servise"],
        ];
        for spellings in words {
            let keys: Vec<_> = spellings.iter().map(|word| fold(word)).collect();
            assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
        }
    }

    #[test]
    fn names_that_differ_keep_apart() {
        for (left, right) in
            [("react", "redis"), ("rag", "rust"), ("docker", "django"), ("ai", "ei"), ("node", "note"), ("go", "goa")]
        {
            assert_ne!(fold(left), fold(right));
        }
    }
}
