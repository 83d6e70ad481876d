/// The inside of a JSON string, decoded character by character; an escape may be split anywhere. Lenient: an invalid
/// escape stands for its characters, a lone surrogate becomes U+FFFD.
#[derive(Debug, Default)]
pub(super) struct Unescape {
    state: Escape,
    /// The first half of a surrogate pair.
    high: Option<u32>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    Begun,
    Hex {
        value: u32,
        digits: usize,
    },
}

impl Unescape {
    /// Takes a character, and says whether it was the closing quote.
    pub(super) fn push(&mut self, c: char, text: &mut String) -> bool {
        match (self.state, c) {
            (Escape::None, '\\') => self.state = Escape::Begun,
            (Escape::None, '"') => {
                self.lone(text);
                return true;
            }
            (Escape::None, _) => self.plain(c, text),
            (Escape::Begun, 'u') => self.state = Escape::Hex { value: 0, digits: 0 },
            (Escape::Begun, _) => {
                self.state = Escape::None;
                self.plain(short(c), text);
            }
            (Escape::Hex { value, digits }, _) => match c.to_digit(16) {
                Some(digit) if digits == 3 => {
                    self.state = Escape::None;
                    self.unit(value * 16 + digit, text);
                }
                Some(digit) => self.state = Escape::Hex { value: value * 16 + digit, digits: digits + 1 },
                None => {
                    self.state = Escape::None;
                    self.plain('u', text);
                    if digits > 0 {
                        text.push_str(&format!("{value:0digits$x}"));
                    }
                    return self.push(c, text);
                }
            },
        }
        false
    }

    fn plain(&mut self, c: char, text: &mut String) {
        self.lone(text);
        text.push(c);
    }

    fn lone(&mut self, text: &mut String) {
        if self.high.take().is_some() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    /// A UTF-16 code unit.
    fn unit(&mut self, unit: u32, text: &mut String) {
        match (unit, self.high) {
            (0xD800..=0xDBFF, _) => {
                self.lone(text);
                self.high = Some(unit);
            }
            (0xDC00..=0xDFFF, Some(high)) => {
                self.high = None;
                let code = 0x1_0000 + ((high - 0xD800) << 10) + (unit - 0xDC00);
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => self.plain(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), text),
        }
    }
}

fn short(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> (String, bool) {
        let (mut unescape, mut decoded) = (Unescape::default(), String::new());
        let closed = text.chars().any(|c| unescape.push(c, &mut decoded));
        (decoded, closed)
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(decode(r#"a\n\t\"\\\/\u00e9\u091a\ud83c\udf75""#), ("a\n\t\"\\/éच🍵".to_owned(), true));
    }

    #[test]
    fn broken_escapes_keep_their_characters() {
        assert_eq!(decode(r#"\q\u12\uzz\u00e""#), ("qu12uzzu00e".to_owned(), true));
        assert_eq!(decode(r"\u12"), (String::new(), false));
    }

    #[test]
    fn lone_surrogates_are_replaced() {
        assert_eq!(decode(r#"\ud83ca\udf75\ud83c\ud83c\udf75\ud83c""#).0, "\u{fffd}a\u{fffd}\u{fffd}🍵\u{fffd}");
        assert_eq!(decode(r#"\ud83c\n""#).0, "\u{fffd}\n");
    }

    #[test]
    fn every_string_that_serde_writes_is_read() {
        let text = "\u{0}\u{1f}\u{7f} \"quote\" \\ / नमस्ते 🍵\r\n";
        let written = serde_json::to_string(text).unwrap();
        assert_eq!(decode(&written[1..]), (text.to_owned(), true));
    }
}
