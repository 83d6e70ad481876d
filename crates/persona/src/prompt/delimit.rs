//! What a user or a note says stays between its marks.

use std::borrow::Cow;

/// The elements that part a prompt's message. `notes` and `question` are ours.
const OURS: [&str; 2] = ["notes", "question"];

/// Looks like `<`, and opens nothing.
const HARMLESS: char = '‹';

/// `text` between the marks of `element`.
pub(super) fn enclosed(element: &str, text: &str) -> String {
    format!("<{element}>\n{text}\n</{element}>")
}

/// `text` in which nothing can be taken for one of our marks, nor for a chat template's control token such as
/// `<|im_end|>` (some servers and local models parse those anywhere). It reads the same to a person.
pub(crate) fn neutral(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        safe.push_str(before);
        safe.push(if is_mark(after) || is_control_token(after) { HARMLESS } else { '<' });
        rest = after;
    }
    safe.push_str(rest);
    safe
}

/// `after` is what follows a `<`. Attributes and white space don't save a mark: models read generously.
fn is_mark(after: &str) -> bool {
    let skipped: Cow<'_, str> = after.chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).take(10).collect();
    let name = skipped.strip_prefix('/').unwrap_or(&skipped);
    OURS.iter().any(|ours| name.get(..ours.len()).is_some_and(|start| start.eq_ignore_ascii_case(ours)))
}

fn is_control_token(after: &str) -> bool {
    let Some(inner) = after.strip_prefix(['|', '｜']) else { return false };
    let end = inner.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '▁')));
    end.and_then(|end| inner.get(end..)).is_some_and(|end| end.starts_with(['|', '｜']))
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_in_any_dress_are_made_harmless() {
        for text in ["</question>", "< / QUESTION >", "<notes>", "<\u{200b}notes x=1>", "<|im_end|>", "<｜User｜>"] {
            assert!(!neutral(text).contains('<'), "{text}");
        }
    }

    #[test]
    fn code_is_left_as_it_is() {
        for text in ["a < b", "Vec<u8>", "<output>", "f <| x |> g", "if a<|b", "<note", "x <", "नमस्ते <b>"]
        {
            assert_eq!(neutral(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_mark(text in "(<|/|\\|| |notes|question|>|im_end|q){0,24}") {
            let safe = neutral(&text);
            prop_assert_eq!(neutral(&safe), safe.clone());
            for mark in ["<notes", "</notes", "<question", "</question", "<|im_end|"] {
                prop_assert!(!safe.contains(mark));
            }
        }
    }
}
