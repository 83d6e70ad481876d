//! How the steps of an answer begin, and how it ends, where the server writes that: a small model keeps the language and
//! the manner that an answer began in, and the handbook tells a story better than it does.

use hitesh_domain::{Scaffold, Step};
use serde::{Deserialize, Serialize};

use crate::{Language, pack::Note};

/// The longest opening of a pack, in characters: it is a beginning, the answer is the model's.
const LONGEST: usize = 80;

/// The longest sentence of a note that is told, in bytes.
const LONGEST_STORY: usize = 200;

/// Stands for the story that a note begins with.
const STORY: &str = "{story}";

/// Stands for the first sentence of a note's gist.
const FACT: &str = "{fact}";

/// `[openings]` of `persona.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Openings {
    hinglish: Option<InLanguage>,
    en: Option<InLanguage>,
    hi: Option<InLanguage>,
}

/// The openings in one language, for each step some to choose from.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct InLanguage {
    /// Whether `analyze` and `think` are for questions that no note fits, too.
    #[serde(default)]
    always: bool,
    /// If a note fits the question, …
    #[serde(default)]
    analyze: Vec<String>,
    #[serde(default)]
    think: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
    /// … if none does, …
    #[serde(default)]
    output_without_note: Vec<String>,
    /// … and if code is asked for, whether one does or not.
    #[serde(default)]
    output_with_code: Vec<String>,
}

/// `[say]` of a note: what an answer to its question begins its output with, word for word, in each language. For what a
/// small model must not get wrong, such as the number of a helpline.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Say {
    hinglish: Option<String>,
    en: Option<String>,
    hi: Option<String>,
}

impl Say {
    /// The longest, in characters.
    const LONGEST: usize = 400;

    fn of(&self, language: Language) -> Option<&str> {
        match language {
            Language::Hinglish => self.hinglish.as_deref(),
            Language::English => self.en.as_deref(),
            Language::Hindi => self.hi.as_deref(),
        }
    }

    /// (key, what is wrong) of those that can't stand in an answer.
    pub(crate) fn mistakes(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = Language::ALL.map(|language| (language, self.of(language)));
        all.into_iter().filter_map(|(language, text)| {
            let text = text?;
            let wrong = text.trim().is_empty() || text.chars().count() > Self::LONGEST || text.contains('<');
            wrong.then_some((language.code(), "what is said has 1 to 400 characters, and no `<`"))
        })
    }
}

/// What is known of a question before it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a str,
    /// The language that its answer is to be in.
    pub(crate) language: Language,
    /// The best note that fits.
    pub(crate) note: Option<&'a Note>,
    /// Whether the notes are in that language, so that a sentence of them can stand in the answer.
    pub(crate) note_speaks_it: bool,
}

impl Openings {
    /// What the server writes of the answer: always the same for the same question.
    pub(crate) fn scaffold(&self, asked: Asked<'_>) -> Scaffold {
        let Some(of) = self.of(asked.language) else { return Scaffold::default() };
        let told = asked.note.filter(|_| asked.note_speaks_it);
        let story = told.and_then(|note| first_sentence(&note.body));
        let fact = told.and_then(|note| first_sentence(&note.gist));
        let dice = *blake3::hash(asked.question.trim().as_bytes()).as_bytes();
        let (analyze, think): (&[String], &[String]) =
            if asked.note.is_some() || of.always { (&of.analyze, &of.think) } else { (&[], &[]) };
        let output = if asks_for_code(asked.question) {
            &of.output_with_code
        } else if asked.note.is_some() {
            &of.output
        } else {
            &of.output_without_note
        };
        let openings = [(Step::Analyze, analyze), (Step::Think, think), (Step::Output, output)];
        let said = asked.note.and_then(|note| note.say.of(asked.language));
        let openings = openings.into_iter().zip(dice).filter_map(|((step, some), die)| {
            if let (Step::Output, Some(said)) = (step, said) {
                return Some((step, said.trim().to_owned()));
            }
            let usable = some.iter().filter(|opening| {
                (story.is_some() || !opening.contains(STORY)) && (fact.is_some() || !opening.contains(FACT))
            });
            let usable: Vec<_> = usable.collect();
            let chosen = usable.get(usize::from(die).checked_rem(usable.len())?)?;
            let told = chosen.replace(STORY, story.unwrap_or_default()).replace(FACT, fact.unwrap_or_default());
            Some((step, told.trim().to_owned()))
        });
        Scaffold {
            openings: openings.collect(),
            closing: told.and_then(|note| next_step(&note.body)).map(str::to_owned),
        }
    }

    fn of(&self, language: Language) -> Option<&InLanguage> {
        match language {
            Language::Hinglish => self.hinglish.as_ref(),
            Language::English => self.en.as_ref(),
            Language::Hindi => self.hi.as_ref(),
        }
    }

    /// (keys, what is wrong) of those that can't stand in an answer.
    pub(crate) fn mistakes(&self) -> Vec<(Vec<String>, &'static str)> {
        let mut mistakes = Vec::new();
        for language in Language::ALL {
            let Some(of) = self.of(language) else { continue };
            let InLanguage { always: _, analyze, think, output, output_without_note, output_with_code } = of;
            let lists = [
                ("analyze", analyze),
                ("think", think),
                ("output", output),
                ("output_without_note", output_without_note),
                ("output_with_code", output_with_code),
            ];
            for (key, list) in lists {
                for (number, text) in list.iter().enumerate() {
                    let text = text.trim();
                    let wrong = if text.is_empty() || text.chars().count() > LONGEST {
                        "an opening has 1 to 80 characters"
                    } else if text.contains('<') {
                        "an opening has no `<`: it would look like a tag"
                    } else {
                        continue;
                    };
                    let keys = ["openings", language.code(), key].map(str::to_owned);
                    mistakes.push((keys.into_iter().chain([number.to_string()]).collect(), wrong));
                }
            }
        }
        mistakes
    }
}

/// The sentence that a note begins with, if it begins with prose.
fn first_sentence(body: &str) -> Option<&str> {
    let first = paragraphs(body).next().filter(|first| first.starts_with(char::is_alphabetic))?;
    let end = first.match_indices(['.', '!', '?']).map(|(at, _)| at + 1);
    let ends_word = |at: &usize| first.get(*at..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' '));
    let sentence = end.into_iter().find(ends_word).and_then(|end| first.get(..end)).unwrap_or(first);
    (sentence.len() <= LONGEST_STORY && !sentence.contains(['<', '\n'])).then_some(sentence)
}

/// What a note ends with, if that is a short paragraph of prose: what to do today.
fn next_step(body: &str) -> Option<&str> {
    let last = paragraphs(body).last().filter(|_| paragraphs(body).count() > 1)?;
    (last.len() <= LONGEST_STORY && last.starts_with(char::is_alphabetic) && !last.contains(['<', '\n']))
        .then_some(last)
}

fn paragraphs(body: &str) -> impl Iterator<Item = &str> {
    body.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty())
}

/// Whether a question asks for code in so many words.
fn asks_for_code(question: &str) -> bool {
    const ASKS: [&str; 8] = ["code", "likho", "likh", "write", "snippet", "program", "कोड", "लिखो"];
    let lower = question.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| ASKS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: &str = r#"
        [hinglish]
        analyze = ["Sawaal yeh hai ki"]
        think = ["Aise samjho: {story}"]
        output = ["Dekho, {fact}", "Suno, {fact}", "Chalo, {fact}"]
        output_without_note = ["Sach kahun toh"]
        output_with_code = ["Yeh raha:\n```"]
        [en]
        think = ["Picture this: {story}", "Think of it like this:"]
        "#;

    fn note(body: &str) -> Note {
        Note {
            id: "tea".into(),
            title: "Tea".into(),
            keywords: Vec::new(),
            everyday: Vec::new(),
            gist: "Tea.".into(),
            body: body.into(),
            lore: None,
            say: Say { en: Some("Tea is hot.".into()), ..Say::default() },
        }
    }

    fn scaffold(question: &str, language: Language, body: Option<&str>) -> Scaffold {
        let openings: Openings = toml::from_str(PACK).unwrap();
        let note = body.map(note);
        let note_speaks_it = language == Language::Hinglish;
        openings.scaffold(Asked { question, language, note: note.as_ref(), note_speaks_it })
    }

    fn opening(scaffold: &Scaffold, step: Step) -> Option<&str> {
        scaffold.openings.iter().find(|(of, _)| *of == step).map(|(_, opening)| opening.as_str())
    }

    const BODY: &str = "Tapri par chai bante dekho. Phir code.\n\n1. Paani\n\nAaj: ek cup banao.";

    #[test]
    fn a_question_always_gets_the_same_and_questions_differ() {
        let of = |question: &str| scaffold(question, Language::Hinglish, Some(BODY));
        assert_eq!(of(" docker kya hai "), of("docker kya hai"));
        let outputs: std::collections::HashSet<_> =
            (0..50).map(|n| opening(&of(&n.to_string()), Step::Output).map(str::to_owned)).collect();
        assert_eq!(outputs.len(), 3);
    }

    #[test]
    fn the_notes_story_and_next_step_are_told_in_its_own_language_only() {
        let told = scaffold("chai kya hai", Language::Hinglish, Some(BODY));
        assert_eq!(opening(&told, Step::Think), Some("Aise samjho: Tapri par chai bante dekho."));
        assert!(opening(&told, Step::Output).is_some_and(|output| output.ends_with(", Tea.")));
        assert_eq!(told.closing.as_deref(), Some("Aaj: ek cup banao."));
        let english = scaffold("what is tea", Language::English, Some(BODY));
        assert_eq!(opening(&english, Step::Think), Some("Think of it like this:"));
        assert_eq!(english.closing, None);
        assert_eq!(opening(&english, Step::Output), Some("Tea is hot."), "word for word");
    }

    #[test]
    fn a_note_without_a_story_tells_none() {
        for body in ["```js\nx\n```\n\nAaj.", "- a\n- b", &"x".repeat(300)] {
            let told = scaffold("chai kya hai", Language::Hinglish, Some(body));
            assert_eq!(opening(&told, Step::Think), None, "{body}");
        }
        assert_eq!(first_sentence("Docker 2.0 mein badla. Aur."), Some("Docker 2.0 mein badla."));
        assert_eq!(next_step("Ek hi."), None);
    }

    #[test]
    fn without_a_note_only_the_output_begins_with_words_of_the_pack() {
        let unknown = scaffold("zig kya hai", Language::Hinglish, None);
        assert_eq!(unknown.openings, [(Step::Output, "Sach kahun toh".to_owned())]);
        assert_eq!(scaffold("क्या", Language::Hindi, None), Scaffold::default());
    }

    #[test]
    fn code_begins_as_code() {
        for question in ["factorial ka code do", "Write a loop", "ek function likho"] {
            let asked = scaffold(question, Language::Hinglish, None);
            assert_eq!(opening(&asked, Step::Output), Some("Yeh raha:\n```"), "{question}");
        }
        assert!(!asks_for_code("what is a codec") && !asks_for_code("How do I decode JWT?"));
    }

    #[test]
    fn what_can_not_stand_in_an_answer_is_a_mistake() {
        let good: Openings = toml::from_str(PACK).unwrap();
        assert!(good.mistakes().is_empty());
        let bad: Openings = toml::from_str("[en]\nthink = [\"ok\", \"<b>\", \" \"]").unwrap();
        let keys: Vec<_> = bad.mistakes().into_iter().map(|(keys, _)| keys.join(".")).collect();
        assert_eq!(keys, ["openings.en.think.1", "openings.en.think.2"]);
    }
}
