//! A regular expression as cards write it, `/…/flags` in the manner of JavaScript, in the terms of the `regex` crate.
//!
//! That crate's expressions take linear time whatever they are and whatever they read, which matters for patterns that
//! come out of a stranger's card. It has no look-around and no back-references: a pattern with them is refused.

use regex::{Regex, RegexBuilder};

/// The most that one compiled pattern may take, in bytes.
const SIZE: usize = 128 << 10;

/// The most that the lazily built automaton of one pattern may take, in bytes.
const CACHE: usize = 256 << 10;

/// How deep groups may nest.
const NESTING: u32 = 32;

/// The parts of `/pattern/flags`; nothing when `text` is not written that way.
pub(crate) fn literal(text: &str) -> Option<(&str, &str)> {
    let (pattern, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    let flags_only = flags.chars().all(|flag| flag.is_ascii_lowercase());
    (flags_only && !pattern.is_empty()).then_some((pattern, flags))
}

/// Compiles the pattern; what can't be said is told in half a sentence.
pub(crate) fn compile(pattern: &str, flags: &str) -> Result<Regex, String> {
    let mut insensitive = false;
    let mut multi_line = false;
    let mut dot_matches_new_line = false;
    for flag in flags.chars() {
        match flag {
            'i' => insensitive = true,
            'm' => multi_line = true,
            's' => dot_matches_new_line = true,
            // They change what is found in how many places, or how text is counted; here it only matters whether.
            'g' | 'u' | 'd' => {}
            other => return Err(format!("the flag `{other}` is not supported")),
        }
    }
    RegexBuilder::new(&translated(pattern))
        .case_insensitive(insensitive)
        .multi_line(multi_line)
        .dot_matches_new_line(dot_matches_new_line)
        .size_limit(SIZE)
        .dfa_size_limit(CACHE)
        .nest_limit(NESTING)
        .build()
        .map_err(|error| reason(&error))
}

/// The error without the drawing of where it is: the mistake names the line, and a pattern has one.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// What JavaScript reads in another way than the `regex` crate: `[` and doubled signs inside a class, `[]` and `[^]`,
/// braces that repeat nothing, and escaped letters without a meaning.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        let (text, length) = if c == '\\' {
            escape(after)
        } else if in_class {
            in_class = c != ']';
            // The first sign of a class operation such as `&&` is taken for itself.
            let operates = matches!(c, '&' | '-' | '~') && after.starts_with(c);
            (if c == '[' || operates { format!("\\{c}") } else { c.to_string() }, c.len_utf8())
        } else if rest.starts_with("[^]") {
            ("(?s:.)".to_owned(), 3)
        } else if rest.starts_with("[]") {
            ("[^\\s\\S]".to_owned(), 2)
        } else if c == '{' && !repeats(after) {
            ("\\{".to_owned(), 1)
        } else {
            in_class = c == '[';
            (c.to_string(), c.len_utf8())
        };
        out.push_str(&text);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// What follows a backslash, with how long both are together.
fn escape(after: &str) -> (String, usize) {
    let Some(c) = after.chars().next() else { return ("\\".to_owned(), 1) };
    // What stands in braces belongs to the escape.
    let braced = matches!(c, 'u' | 'p' | 'P') && after.get(1..).is_some_and(|rest| rest.starts_with('{'));
    let end = after.find('}').filter(|_| braced).map_or(c.len_utf8(), |end| end + 1);
    let text = match c {
        // Left to the other side: classes, control characters, code points, and what it refuses, like `\1` and `\k`.
        'b'
        | 'B'
        | 'd'
        | 'D'
        | 's'
        | 'S'
        | 'w'
        | 'W'
        | 't'
        | 'n'
        | 'r'
        | 'v'
        | 'f'
        | 'u'
        | 'x'
        | 'c'
        | 'k'
        | 'p'
        | 'P'
        | '1'..='9' => format!("\\{}", after.get(..end).unwrap_or_default()),
        '0' => "\\x00".to_owned(),
        // Escaped, angle brackets would be the edges of a word.
        c if c.is_ascii_punctuation() && !matches!(c, '<' | '>') => format!("\\{c}"),
        // Any other letter stands for itself.
        c => c.to_string(),
    };
    (text, 1 + end)
}

/// Whether a brace with this behind it says how often something comes: `3}`, `3,}`, `3,5}`.
fn repeats(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && number(least) && number(most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(text: &str, within: &str) -> bool {
        let (pattern, flags) = literal(text).unwrap();
        compile(pattern, flags).unwrap().is_match(within)
    }

    #[test]
    fn what_is_written_between_slashes_is_a_pattern() {
        assert_eq!(literal("/a\\/b/i"), Some(("a\\/b", "i")));
        assert_eq!(literal("/usr/bin"), Some(("usr", "bin")));
        for plain in ["and/or", "/", "//", "/etc", "/x/I9", ""] {
            assert_eq!(literal(plain), None, "{plain}");
        }
    }

    #[test]
    fn flags_and_forms_of_javascript_are_understood() {
        for (pattern, within) in [
            ("/trace ?back/i", "A TraceBack!"),
            ("/a\\/b/", "a/b"),
            ("/[[]x/", "[x"),
            ("/[a&&b]{2}/", "&b"),
            ("/^b$/m", "a\nb"),
            ("/a.b/s", "a\nb"),
            ("/a[^]b/", "a\nb"),
            ("/x{y/", "x{y"),
            ("/x{2,3}z/", "xxz"),
            ("/(?<verb>fix|mend)ing/g", "mending"),
            ("/\\u0928\\u0940/u", "नी"),
            ("/\\p{Script=Devanagari}/u", "न"),
            ("/\\-\\_\\q/", "-_q"),
            ("/\\z\\A/", "zA"),
        ] {
            assert!(finds(pattern, within), "{pattern}");
        }
        assert!(!finds("/[]/", "anything") && !finds("/abc/", "ABC"));
    }

    #[test]
    fn what_cannot_be_said_is_refused_with_its_reason() {
        for (pattern, flags, reason) in [
            ("a(?=b)", "", "look-around"),
            ("(?<!a)b", "", "look-around"),
            ("(a)\\1", "", "backreferences"),
            ("(", "", "unclosed group"),
            ("a", "y", "flag `y`"),
            ("(\\w{100}){100}", "", "size limit"),
            (&"(".repeat(500), "", "unclosed group"),
        ] {
            let told = compile(pattern, flags).unwrap_err();
            assert!(told.contains(reason) && !told.contains('\n'), "{pattern}: {told}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "\\PC{0,40}", odd in "[\\[\\]{}()\\\\&~^$0-9,?<=!a-z-]{0,40}") {
            let _ = (compile(&pattern, "i"), compile(&odd, ""));
        }
    }
}
