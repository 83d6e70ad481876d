//! Example conversations: one text in a card, questions and answers in a pack.

use std::fmt::Write;

use crate::pack::Example;

/// As many as a pack may have.
const MOST: usize = 3;

/// The first exchanges of the conversations, as (question, answer). Macros have been replaced; `char` and `user` are
/// how the two are called in it.
pub(super) fn parse(text: &str, char: &[&str], user: &[&str]) -> Vec<(String, String)> {
    let mut exchanges = Vec::new();
    for conversation in conversations(text) {
        let mut question: Option<String> = None;
        let mut answer: Option<String> = None;
        let mut speaks = Speaker::Nobody;
        for line in conversation.lines() {
            let by = |names: &[&str]| names.iter().find_map(|name| said_by(line, name));
            let words = if let Some(words) = by(user) {
                if let (Some(_), Some(answer)) = (&question, answer.take()) {
                    exchanges.extend(question.take().map(|question| (question, answer)));
                }
                speaks = Speaker::User;
                words
            } else if let Some(words) = by(char) {
                speaks = Speaker::Char;
                words
            } else {
                line
            };
            match speaks {
                Speaker::User => add_line(&mut question, words),
                // What nobody asked for is a greeting.
                Speaker::Char if question.is_some() => add_line(&mut answer, words),
                Speaker::Char | Speaker::Nobody => {}
            }
        }
        exchanges.extend(question.zip(answer));
    }
    exchanges.retain(|(question, answer)| !question.trim().is_empty() && !answer.trim().is_empty());
    exchanges.truncate(MOST);
    exchanges.into_iter().map(|(question, answer)| (question.trim().to_owned(), answer.trim().to_owned())).collect()
}

/// The text of a card for a pack's examples; of an answer, what is said aloud.
pub(super) fn written(examples: &[Example]) -> String {
    let mut text = String::new();
    for Example { question, output, .. } in examples {
        // Writing to a String can't fail.
        let _ = writeln!(text, "<START>\n{{{{user}}}}: {}\n{{{{char}}}}: {}", question.trim(), output.trim());
    }
    text
}

enum Speaker {
    Nobody,
    User,
    Char,
}

/// The parts between `<START>` marks, which may be in any case.
fn conversations(text: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for (at, _) in text.match_indices('<') {
        if text.get(at..at + 7).is_some_and(|mark| mark.eq_ignore_ascii_case("<start>")) {
            parts.extend(text.get(begin..at));
            begin = at + 7;
        }
    }
    parts.extend(text.get(begin..));
    parts
}

fn said_by<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let rest = line.get(name.len()..)?.trim_start().strip_prefix(':')?;
    let begins = line.get(..name.len()).is_some_and(|start| start.to_lowercase() == name.to_lowercase());
    (begins && !name.is_empty()).then_some(rest.trim())
}

fn add_line(text: &mut Option<String>, line: &str) {
    match text {
        Some(text) => {
            text.push('\n');
            text.push_str(line.trim_end());
        }
        None => *text = Some(line.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text, &["Nani"], &["friend", "You"])
    }

    fn pair(question: &str, answer: &str) -> (String, String) {
        (question.to_owned(), answer.to_owned())
    }

    #[test]
    fn exchanges_are_taken_out_of_conversations() {
        let text = "<START>\nNani: Welcome!\nfriend: Hi,\nwho are you?\nNANI : Your nani.\nfriend: Ok\nfriend: Bye\nNani: Eat first.\n<start>\nYou: 1+1?\nNani:\n2\n\nand chai.\n";
        assert_eq!(
            parsed(text),
            [pair("Hi,\nwho are you?", "Your nani."), pair("Ok\nBye", "Eat first."), pair("1+1?", "2\n\nand chai."),]
        );
    }

    #[test]
    fn what_is_no_conversation_has_no_exchanges() {
        for text in ["", "<START>", "Nani: I only talk.", "friend: and nobody answers", "*knits*", "friend:\nNani:\n"] {
            assert_eq!(parsed(text), [], "{text}");
        }
        assert_eq!(parsed(&"friend: a\nNani: b\n".repeat(9)).len(), 3);
    }
}
