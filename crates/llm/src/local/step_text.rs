//! From the model's bytes to the text of one step: whole characters, no step tags, no endless repetition, no white
//! space at either end. Knows nothing of the model.

use hitesh_domain::Step;

/// The text of one step as it grows.
#[derive(Debug)]
pub(super) struct StepText {
    own_tag: String,
    /// Bytes of a character whose rest has not come.
    partial: Vec<u8>,
    /// Text that may be the beginning of a tag.
    pending: String,
    repeats: Repeats,
    /// White space that is sent only if something follows it.
    space: String,
    /// What was let through so far.
    sent: String,
    end: Option<TextEnd>,
}

/// Why a text is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextEnd {
    /// A tag came: its own closing tag, or one that belongs to another step.
    Tag,
    /// It had begun to say the same again and again.
    Repeating,
}

impl StepText {
    pub(super) fn new(step: Step) -> Self {
        Self {
            own_tag: open_tag(step),
            partial: Vec::new(),
            pending: String::new(),
            repeats: Repeats::default(),
            space: String::new(),
            sent: String::new(),
            end: None,
        }
    }

    /// From now on nothing is let through that stands in `earlier`, the texts of the steps before. What was pushed
    /// before, the server's own opening, may stand there.
    pub(super) fn avoid(&mut self, earlier: &str) {
        let mut known = Repeats::default();
        known.push(earlier);
        known.finish();
        // The opening may end with the fence that a block of code begins with.
        if self.repeats.current.trim_start().starts_with("```") {
            self.repeats.in_code = !self.repeats.in_code;
        }
        self.repeats.current.clear();
        self.repeats.seen.extend(known.seen);
    }

    /// Takes a token's bytes, and gives what may be sent now; possibly nothing.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        if self.end.is_some() {
            return String::new();
        }
        self.partial.extend_from_slice(bytes);
        let text = take_whole_characters(&mut self.partial);
        self.pending.push_str(&text);
        let clean = self.without_tags();
        self.let_through(&clean)
    }

    /// The model had nothing more to say, or may not: what was held back and is harmless.
    pub(super) fn finish(&mut self) -> String {
        if self.end.is_some() {
            return String::new();
        }
        self.partial.clear();
        let rest = std::mem::take(&mut self.pending);
        // What is held back is the beginning of a tag: a single `<` may be a sign of its own, more is not.
        let rest = if rest == "<" { rest } else { String::new() };
        let mut out = self.let_through(&rest);
        let held = self.repeats.finish();
        out.push_str(&self.without_outer_space(&held));
        out
    }

    pub(super) fn end(&self) -> Option<TextEnd> {
        self.end
    }

    /// Everything that was let through.
    pub(super) fn sent(&self) -> &str {
        &self.sent
    }

    /// Whether the text is inside a fenced block of code.
    pub(super) fn in_code(&self) -> bool {
        self.sent.lines().filter(|line| line.trim_start().starts_with("```")).count() % 2 == 1
    }

    /// Whether the text, as it stands, ends with a sentence.
    pub(super) fn ends_a_sentence(&self) -> bool {
        let text = self.sent.trim_end_matches(|c: char| matches!(c, '"' | '\'' | ')' | '*') || is_emoji(c) || c == ' ');
        let Some(before) = text.strip_suffix(SENTENCE_ENDS) else { return false };
        // "1." begins an item of a list.
        !before.ends_with(|c: char| c.is_ascii_digit())
    }

    /// Moves what can't belong to a tag out of `pending`. The step's own opening tag at its very beginning is
    /// dropped (the model repeats what the server has written); any other tag ends the text.
    fn without_tags(&mut self) -> String {
        let mut clean = String::new();
        loop {
            let Some(at) = self.pending.find('<') else {
                clean.push_str(&std::mem::take(&mut self.pending));
                return clean;
            };
            let rest = self.pending.split_off(at);
            clean.push_str(&std::mem::replace(&mut self.pending, rest));
            let at_the_beginning = self.sent.is_empty() && clean.trim().is_empty();
            if let Some(length) = strip_tag(&self.pending, &self.own_tag).filter(|_| at_the_beginning) {
                self.pending.drain(..length);
            } else if all_tags().any(|tag| strip_tag(&self.pending, &tag).is_some()) {
                self.end = Some(TextEnd::Tag);
                self.pending.clear();
                return clean;
            } else if all_tags().any(|tag| begins_tag(&self.pending, &tag)) {
                return clean;
            } else {
                clean.push('<');
                self.pending.drain(..1);
            }
        }
    }

    /// Whether the text has become one sign again and again, as a model that lost its thread writes it.
    fn runs_on(&self) -> bool {
        const LONGEST_RUN: usize = 24;
        let mut end = self.sent.chars().rev().take(LONGEST_RUN);
        let last = end.next().filter(|c| c.is_alphanumeric());
        last.is_some_and(|last| self.sent.len() >= LONGEST_RUN && end.all(|c| c == last))
    }

    fn let_through(&mut self, clean: &str) -> String {
        let fresh = self.repeats.push(clean);
        if self.repeats.stuck {
            self.end = Some(TextEnd::Repeating);
        }
        if self.end == Some(TextEnd::Tag) {
            let held = self.repeats.finish();
            return self.without_outer_space(&(fresh + &held));
        }
        let out = self.without_outer_space(&fresh);
        if self.runs_on() {
            self.end = Some(TextEnd::Repeating);
        }
        out
    }

    fn without_outer_space(&mut self, text: &str) -> String {
        let solid = text.trim_end();
        let tail = text.get(solid.len()..).unwrap_or_default();
        let mut out = String::new();
        if !solid.is_empty() {
            out = std::mem::take(&mut self.space) + solid;
            if self.sent.is_empty() {
                out = out.trim_start().to_owned();
            }
            self.sent.push_str(&out);
        }
        self.space.push_str(tail);
        out
    }
}

pub(super) fn open_tag(step: Step) -> String {
    format!("<{step}>")
}

pub(super) fn close_tag(step: Step) -> String {
    format!("</{step}>")
}

fn all_tags() -> impl Iterator<Item = String> {
    Step::ALL.into_iter().flat_map(|step| [open_tag(step), close_tag(step)])
}

/// The length of `tag` if `text` begins with it, in any case.
fn strip_tag(text: &str, tag: &str) -> Option<usize> {
    text.get(..tag.len()).filter(|head| head.eq_ignore_ascii_case(tag)).map(str::len)
}

/// Whether `text` is a beginning of `tag`.
fn begins_tag(text: &str, tag: &str) -> bool {
    tag.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text))
}

const SENTENCE_ENDS: [char; 5] = ['.', '!', '?', '।', '…'];

fn is_emoji(c: char) -> bool {
    matches!(u32::from(c), 0x2600..=0x27bf | 0xfe0f | 0x200d | 0x1f300..=0x1faff)
}

/// Takes the whole characters out of `bytes` and leaves a last one that is not whole. Bytes that are no UTF-8
/// become U+FFFD.
fn take_whole_characters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut taken = 0;
    let mut rest = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        taken += chunk.valid().len();
        let invalid = chunk.invalid();
        let at_the_end = taken + invalid.len() == bytes.len();
        if at_the_end && could_grow(invalid) {
            rest = invalid.len();
        } else if !invalid.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        taken += invalid.len();
    }
    bytes.drain(..bytes.len() - rest);
    text
}

/// Whether these bytes are the beginning of a character.
fn could_grow(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Holds back a sentence that was said already, in this step or an earlier one, and stops a text that says it once more;
/// a line of code may come twice.
#[derive(Debug, Default)]
struct Repeats {
    seen: Vec<(String, u32)>,
    /// The sentence or line that is being said.
    current: String,
    /// The part of it that was not let through.
    held: String,
    in_code: bool,
    stuck: bool,
}

impl Repeats {
    /// Shorter ones, such as a brace on a line of its own, come often in good answers.
    const SHORTEST: usize = 16;

    /// How often a sentence may be said.
    fn often_enough(&self) -> u32 {
        if self.in_code { 2 } else { 1 }
    }

    fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            if self.stuck {
                break;
            }
            let over = c == '\n' || (c.is_whitespace() && self.current.ends_with(SENTENCE_ENDS));
            self.held.push(c);
            if over {
                self.close(&mut out);
            } else {
                self.current.push(c);
                if !self.may_repeat() {
                    out.push_str(&std::mem::take(&mut self.held));
                }
            }
        }
        out
    }

    fn close(&mut self, out: &mut String) {
        let said = std::mem::take(&mut self.current);
        let said = said.trim();
        if said.starts_with("```") {
            self.in_code = !self.in_code;
        }
        let often_enough = self.often_enough();
        if said.len() >= Self::SHORTEST {
            match self.seen.iter_mut().find(|(known, _)| known == said) {
                Some((_, count)) if *count >= often_enough => {
                    self.stuck = true;
                    self.held.clear();
                    return;
                }
                Some((_, count)) => *count += 1,
                None => self.seen.push((said.to_owned(), 1)),
            }
        }
        out.push_str(&std::mem::take(&mut self.held));
    }

    /// Whether what is being said may become a thing that was said often enough.
    fn may_repeat(&self) -> bool {
        let current = self.current.trim_start();
        let often_enough = self.often_enough();
        self.seen.iter().any(|(known, count)| *count >= often_enough && known.starts_with(current))
    }

    /// What was held back and did not become a repetition.
    fn finish(&mut self) -> String {
        let said = std::mem::take(&mut self.current);
        let said = said.trim();
        let often_enough = self.often_enough();
        let again = self.seen.iter().any(|(known, count)| *count >= often_enough && known == said);
        if !again && said.len() >= Self::SHORTEST {
            self.seen.push((said.to_owned(), 1));
        }
        let held = std::mem::take(&mut self.held);
        if again || self.stuck { String::new() } else { held }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(step: Step, pieces: &[&[u8]]) -> (String, Option<TextEnd>) {
        let mut text = StepText::new(step);
        let mut out: String = pieces.iter().map(|piece| text.push(piece)).collect();
        out.push_str(&text.finish());
        assert_eq!(out, text.sent());
        (out, text.end())
    }

    #[test]
    fn its_closing_tag_ends_a_step() {
        let (text, end) = said(Step::Think, &[b" Chai ", b"pehle.", b"\n</th", b"ink>", b" more"]);
        assert_eq!((text.as_str(), end), ("Chai pehle.", Some(TextEnd::Tag)));
    }

    #[test]
    fn a_tag_of_another_step_ends_it_and_its_own_is_dropped() {
        assert_eq!(said(Step::Analyze, &[b"<analyze>x <Think>y"]), ("x".into(), Some(TextEnd::Tag)));
        assert_eq!(said(Step::Output, &[b"a</analyze>b"]), ("a".into(), Some(TextEnd::Tag)));
    }

    #[test]
    fn what_only_looks_like_a_tag_is_text() {
        assert_eq!(said(Step::Output, &[b"a < b and <", b"b>x</b> </", b"p>"]).0, "a < b and <b>x</b> </p>");
        assert_eq!(said(Step::Output, &[b"i <"]).0, "i <");
        assert_eq!(said(Step::Output, &[b"i </out"]).0, "i");
    }

    #[test]
    fn a_character_split_between_tokens_is_whole() {
        let chai = "☕ चाय".as_bytes();
        for at in 0..=chai.len() {
            assert_eq!(said(Step::Output, &[&chai[..at], &chai[at..]]).0, "☕ चाय");
        }
        assert_eq!(said(Step::Output, &[b"a\xff", b"b"]).0, "a\u{fffd}b");
    }

    #[test]
    fn a_sentence_that_was_said_ends_the_text() {
        let line = "Aap kar sakte hain yeh kaam.\n";
        let (text, end) = said(Step::Output, &[b"Start\n", line.repeat(5).as_bytes()]);
        assert_eq!(text, format!("Start\n{}", line.trim_end()));
        assert_eq!(end, Some(TextEnd::Repeating));
        let (text, end) = said(Step::Output, &["Aap kar sakte hain yeh kaam. ".repeat(3).as_bytes()]);
        assert_eq!((text.len(), end), (28, Some(TextEnd::Repeating)));
    }

    #[test]
    fn what_an_earlier_step_said_is_not_said_again() {
        let mut text = StepText::new(Step::Output);
        assert_eq!(text.push(b"Pehle chai banao yaar."), "Pehle chai banao yaar.");
        text.avoid("Pehle chai banao yaar. Phir code likho dost");
        assert_eq!(text.push(b" Dekho. Phir code likho dost\nAb"), " Dekho.");
        assert_eq!(text.end(), Some(TextEnd::Repeating));
        let mut text = StepText::new(Step::Output);
        text.avoid("Pehle chai banao yaar. ");
        let shown = text.push(b"Pehle chai banao yaar, phir code.");
        assert_eq!(shown + &text.finish(), "Pehle chai banao yaar, phir code.");
    }

    #[test]
    fn code_that_the_opening_began_may_repeat_a_line_too() {
        let mut text = StepText::new(Step::Output);
        text.push(b"Yeh raha code:\n```");
        text.avoid("Kuch aur.");
        let code = "js\nconsole.log('chai pi lo');\nconsole.log('chai pi lo');\n```\nBas itna hi karna hai. ";
        assert_eq!(text.push(code.as_bytes()) + &text.finish(), code.trim_end());
        assert!(text.end().is_none() && !text.in_code());
    }

    #[test]
    fn one_sign_without_end_ends_the_text() {
        let (text, end) = said(Step::Think, &[b"Jaise 1", "0".repeat(90).as_bytes()]);
        assert!(text.len() < 100 && end == Some(TextEnd::Repeating), "{text}");
        assert_eq!(said(Step::Output, &[b"| --- |\n|-----------------------------|\nx"]).1, None);
    }

    #[test]
    fn short_lines_beginnings_of_lines_and_code_may_repeat() {
        let code = "```js\n".to_owned() + &"}\n".repeat(6) + &"let chai = make_more_tea();\n".repeat(2) + "```";
        assert_eq!(said(Step::Output, &[code.as_bytes()]), (code.clone(), None));
        let lines = "Pehle chai banao yaar\n".to_owned() + "Pehle chai banao yaar, phir code";
        assert_eq!(said(Step::Output, &[lines.as_bytes()]).0, lines);
    }

    #[test]
    fn sentences_are_known_by_their_end() {
        for (text, ends) in
            [("Chalo karte hain.", true), ("Chalo! ☕", true), ("Node", false), ("Steps: 1.", false), ("ठीक है।", true)]
        {
            let mut step = StepText::new(Step::Think);
            step.push(text.as_bytes());
            assert_eq!(step.ends_a_sentence(), ends, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_tag_gets_through_and_any_split_gives_the_same(
            pieces in proptest::collection::vec(
                prop_oneof!["[a-z <>/\n.☕]{0,8}", Just("</think>".to_owned()), Just("<output>".to_owned()), Just("<think>".to_owned())],
                0..12,
            ),
            splits in proptest::collection::vec(1usize..5, 0..60),
        ) {
            let whole = pieces.concat();
            let mut rest = whole.as_bytes();
            let mut parts: Vec<&[u8]> = Vec::new();
            for size in splits {
                let (head, tail) = rest.split_at(size.min(rest.len()));
                parts.push(head);
                rest = tail;
            }
            parts.push(rest);
            let (text, end) = said(Step::Think, &parts);
            prop_assert_eq!((text.clone(), end), said(Step::Think, &[whole.as_bytes()]));
            prop_assert!(all_tags().all(|tag| !text.to_lowercase().contains(&tag)));
            prop_assert_eq!(text.trim(), text.as_str());
        }
    }
}
