//! What of a text is prose.

const FENCE: &str = "```";

/// The text without fenced and inline code. A fence may stand anywhere, as it does in chats, and one that is never closed
/// runs to the end, as in an answer that was cut.
pub(crate) fn prose(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    for part in text.split(FENCE).step_by(2) {
        for line in part.lines() {
            without_inline_code(line, &mut prose);
            prose.push('\n');
        }
    }
    prose
}

/// A backtick without a second one in its line is a backtick.
fn without_inline_code(line: &str, prose: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('`') {
        let Some((_, beyond)) = after.split_once('`') else { break };
        prose.push_str(before);
        prose.push(' ');
        rest = beyond;
    }
    prose.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::prose;

    fn words(text: &str) -> Vec<String> {
        prose(text).split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn code_is_no_prose() {
        let text = "Dekho `let x` aur:\n```js\nconst the = 1;\n```\nbas. Ek ` akela";
        assert_eq!(words(text), ["Dekho", "aur:", "bas.", "Ek", "`", "akela"]);
    }

    #[test]
    fn an_open_fence_runs_to_the_end_and_one_on_a_single_line_does_not() {
        assert_eq!(words("a\n```py\nb\nc"), ["a"]);
        assert_eq!(words("dekho ```x = 1``` b"), ["dekho", "b"]);
    }
}
