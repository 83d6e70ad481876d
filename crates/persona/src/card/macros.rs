//! `{{char}}`, `{{user}}` and the like. They are replaced once, when a card is made into a pack: a prompt's prefix has to
//! be the same bytes for every question, so nothing may be left to chance or to who asks. What chooses at random
//! (`random`, `pick`, `roll`) chooses by a hash of the character's name, the macro and how many came before it.
//!
//! What was put in is not looked at again: a character named `{{user}}` stays that.

use std::{borrow::Cow, cell::Cell, collections::HashMap};

/// How deep macros may stand in macros.
const DEPTH: usize = 8;

pub(super) struct Macros<'a> {
    /// What `{{char}}` becomes.
    pub(super) char: &'a str,
    /// What `{{user}}` becomes.
    pub(super) user: &'a str,
    /// What `{{original}}` becomes.
    pub(super) original: &'a str,
}

/// A text whose macros have been replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    pub(super) text: String,
    /// What `{{hidden_key:…}}` held.
    pub(super) hidden: Vec<String>,
}

impl Macros<'_> {
    pub(super) fn text(&self, text: &str) -> String {
        self.expand(text).text
    }

    pub(super) fn expand(&self, text: &str) -> Expanded {
        let mut expansion = Expansion { macros: self, chances: Cell::new(0), hidden: Vec::new() };
        let text = expansion.of(text, 0);
        Expanded { text, hidden: expansion.hidden }
    }
}

struct Expansion<'a> {
    macros: &'a Macros<'a>,
    /// How often was chosen.
    chances: Cell<u64>,
    hidden: Vec<String>,
}

impl Expansion<'_> {
    fn of(&mut self, text: &str, depth: usize) -> String {
        let ends = ends(text);
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(found) = rest.find(['{', '<']) else {
                out.push_str(rest);
                break;
            };
            let (before, here) = rest.split_at_checked(found).unwrap_or((rest, ""));
            out.push_str(before);
            at += found;
            if let Some(end) = ends.get(&at)
                && let Some(inside) = text.get(at + 2..*end)
            {
                match self.value(inside, depth) {
                    Some(value) => out.push_str(&value),
                    // Another program's macro: only what is known inside of it is replaced.
                    None if depth < DEPTH => {
                        out.push_str("{{");
                        out.push_str(&self.of(inside, depth + 1));
                        out.push_str("}}");
                    }
                    None => out.push_str(text.get(at..end + 2).unwrap_or_default()),
                }
                at = end + 2;
            } else if let Some((value, length)) = self.magic(here) {
                out.push_str(value);
                at += length;
            } else {
                // Both signs are one byte.
                out.push_str(here.get(..1).unwrap_or_default());
                at += 1;
            }
        }
        out
    }

    /// The names that the first version of cards wrote between angle brackets.
    fn magic(&self, text: &str) -> Option<(&str, usize)> {
        let names = [("<user>", self.macros.user), ("<bot>", self.macros.char), ("<char>", self.macros.char)];
        let (name, value) = names
            .into_iter()
            .find(|(name, _)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))?;
        Some((value, name.len()))
    }

    /// What stands for the macro; nothing for an unknown one.
    fn value(&mut self, inside: &str, depth: usize) -> Option<String> {
        if inside.starts_with("//") {
            return Some(String::new());
        }
        let (name, argument) = inside.split_once(':').map_or((inside, None), |(name, rest)| (name, Some(rest)));
        match (name.to_ascii_lowercase().as_str(), argument) {
            ("char" | "bot", None) => Some(self.macros.char.to_owned()),
            ("user", None) => Some(self.macros.user.to_owned()),
            ("original", None) => Some(self.macros.original.to_owned()),
            ("comment", Some(_)) => Some(String::new()),
            ("hidden_key", Some(key)) => {
                self.hidden.push(key.trim().to_owned());
                Some(String::new())
            }
            ("reverse", Some(text)) if depth < DEPTH => Some(self.of(text, depth + 1).chars().rev().collect()),
            ("random" | "pick", Some(argument)) if depth < DEPTH => {
                let choices = choices(argument);
                let count = u64::try_from(choices.len()).unwrap_or(1);
                let chosen = usize::try_from(self.chance(inside) % count.max(1)).unwrap_or_default();
                choices.get(chosen).map(|choice| self.of(choice, depth + 1))
            }
            ("roll", Some(argument)) => {
                let sides = argument.trim().trim_start_matches(':');
                let sides = sides.strip_prefix(['d', 'D']).unwrap_or(sides).parse::<u32>().ok()?;
                (sides > 0).then(|| (1 + self.chance(inside) % u64::from(sides)).to_string())
            }
            _ => None,
        }
    }

    /// A number that is the same whenever the same card is read.
    fn chance(&self, inside: &str) -> u64 {
        let number = self.chances.get();
        self.chances.set(number + 1);
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.macros.char.as_bytes()).update(&[0]).update(inside.as_bytes()).update(&number.to_le_bytes());
        hasher.finalize().as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// Where each `{{` is closed. One pass: no text makes it slow.
fn ends(text: &str) -> HashMap<usize, usize> {
    let (mut open, mut ends) = (Vec::new(), HashMap::new());
    let mut signs = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = signs.next() {
        if matches!(byte, b'{' | b'}') && signs.next_if(|(_, next)| *next == byte).is_some() {
            if byte == b'{' {
                open.push(at);
            } else if let Some(start) = open.pop() {
                ends.insert(start, at);
            }
        }
    }
    ends
}

/// `A,B,C`, where a comma may be escaped, or `:A::B::C` as some write it.
fn choices(argument: &str) -> Vec<Cow<'_, str>> {
    let argument = argument.strip_prefix(':').unwrap_or(argument);
    if argument.contains("::") {
        return argument.split("::").map(Cow::from).collect();
    }
    let (mut choices, mut current, mut depth) = (Vec::new(), String::new(), 0_usize);
    let mut signs = argument.chars().peekable();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' if signs.next_if_eq(&',').is_some() => current.push(','),
            // A comma inside of another macro belongs to that.
            ',' if depth == 0 => choices.push(Cow::from(std::mem::take(&mut current))),
            '{' => {
                depth += 1;
                current.push(sign);
            }
            '}' => {
                depth = depth.saturating_sub(1);
                current.push(sign);
            }
            _ => current.push(sign),
        }
    }
    choices.push(Cow::from(current));
    choices
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MACROS: Macros<'_> = Macros { char: "Nani", user: "friend", original: "" };

    #[test]
    fn names_are_put_in_however_they_are_written() {
        for (text, wanted) in [
            ("{{char}} and {{USER}}", "Nani and friend"),
            ("<BOT>, <user>, <Char>", "Nani, friend, Nani"),
            ("{{original}}Be kind.", "Be kind."),
            ("a{{// not said}}b{{comment: neither}}c", "abc"),
            ("{{reverse:abc}} {{reverse:{{char}}}}", "cba inaN"),
            ("{{unknown}} {{x:{{user}}}} {{", "{{unknown}} {{x:friend}} {{"),
            ("{{ user }} {% if a < b %}", "{{ user }} {% if a < b %}"),
            ("}} {{ {{char}}", "}} {{ Nani"),
            ("{{roll:x}}{{roll:0}}", "{{roll:x}}{{roll:0}}"),
        ] {
            assert_eq!(MACROS.text(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_was_put_in_is_not_looked_at_again() {
        let macros = Macros { char: "{{user}}", user: "<BOT>{{char}}", original: "" };
        assert_eq!(macros.text("{{char}} {{user}} {{pick:{{char}}}}"), "{{user}} <BOT>{{char}} {{user}}");
    }

    #[test]
    fn chance_is_the_same_each_time_and_not_the_same_everywhere() {
        let text = "{{random:a,b\\,c,{{pick:d,e}}}} {{pick:f::g}} {{roll:d6}} {{roll:100}}".repeat(20);
        let (first, second) = (MACROS.text(&text), MACROS.text(&text));
        assert_eq!(first, second);
        assert!(first.contains('a') && first.contains("b,c") && !first.contains("{{"), "{first}");
        assert!(first.contains('f') && first.contains('g'));
    }

    #[test]
    fn hidden_keys_are_kept_aside() {
        let expanded = MACROS.expand("tea{{hidden_key: chai }}");
        assert_eq!(expanded, Expanded { text: "tea".to_owned(), hidden: vec!["chai".to_owned()] });
    }

    #[test]
    fn deep_nesting_and_endless_openings_take_little_time() {
        let begun = std::time::Instant::now();
        MACROS.text(&"{{".repeat(200_000));
        MACROS.text(&format!("{}x{}", "{{reverse:".repeat(20_000), "}}".repeat(20_000)));
        MACROS.text(&format!("{}x{}", "{{a".repeat(20_000), "}}".repeat(20_000)));
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\{\\{|\\}\\}|random|pick|roll|reverse|:|,|\\\\|é|<BOT>|6){0,40}") {
            prop_assert_eq!(MACROS.text(&text), MACROS.text(&text));
        }
    }
}
