//! Languages that are asked for in words.

use super::Language;

/// What an answer is asked for with. "english me interview" is a subject, "english me batao" is a wish.
const ASKING: &[&str] = &[
    "explain",
    "answer",
    "reply",
    "respond",
    "tell",
    "teach",
    "describe",
    "write",
    "say",
    "speak",
    "talk",
    "translate",
    "batao",
    "btao",
    "bataye",
    "bataiye",
    "bata",
    "samjhao",
    "samjha",
    "samjhaiye",
    "smjhao",
    "bolo",
    "boliye",
    "likho",
    "jawab",
    "jawaab",
    "sikhao",
    "please",
    "plz",
    "pls",
];

/// The most words between "explain" and "in hindi".
const WITHIN: usize = 12;

/// The language that a text in Roman script asks for; the last one, if there are several.
pub(super) fn wished(prose: &str) -> Option<Language> {
    let lower = prose.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let asks = |word: Option<&&str>| word.is_some_and(|word| ASKING.contains(word));
    (0..words.len()).rev().find_map(|at| {
        let language = named(words.get(at)?)?;
        let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at));
        let after = words.get(at + 1).copied().unwrap_or_default();
        let english_order =
            before(1) == Some(&"in") && (asks(words.get(at + 1)) || (2..WITHIN).any(|n| asks(before(n))));
        let script = matches!(after, "script" | "font" | "lipi");
        let hindi_order = matches!(after, "me" | "mein" | "main" | "mai" | "mei") || script;
        let asked = (at + 2..at + 5).any(|near| asks(words.get(near))) || (1..3).any(|n| asks(before(n)));
        let wished = english_order || (hindi_order && asked);
        match language {
            Language::Hinglish if script && wished && words.get(at) == Some(&"hindi") => Some(Language::Hindi),
            language => wished.then_some(language),
        }
    })
}

/// "Hindi" in Roman script means the Hindi of who wrote it: in Roman script.
fn named(word: &str) -> Option<Language> {
    match word {
        "hindi" | "hinglish" => Some(Language::Hinglish),
        "english" | "angrezi" => Some(Language::English),
        "devanagari" | "devnagari" => Some(Language::Hindi),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_told_from_a_subject() {
        let wishes = [
            ("explain closures in hindi plz", Some(Language::Hinglish)),
            ("docker in hindi please", Some(Language::Hinglish)),
            ("Answer in English: docker kya hota hai", Some(Language::English)),
            ("docker kya hai english me batao", Some(Language::English)),
            ("react hooks samjhao hindi mein", Some(Language::Hinglish)),
            ("explain REST in devanagari", Some(Language::Hindi)),
            ("hindi script me samjhao api kya hai", Some(Language::Hindi)),
            ("mujhe english nahi aati, job milegi?", None),
            ("english me interview ka dar lagta hai", None),
            ("Is Hindi a hard language?", None),
            ("", None),
        ];
        for (text, wished) in wishes {
            assert_eq!(super::wished(text), wished, "{text}");
        }
    }
}
