//! How the steps begin where the server writes their beginning: small models keep the language and the manner that an
//! answer began in.

use hitesh_domain::Step;
use serde::Deserialize;

use crate::Language;

/// The longest opening, in characters: it is a beginning, the answer is the model's.
pub(crate) const LONGEST: usize = 80;

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
    #[serde(default)]
    analyze: Vec<String>,
    #[serde(default)]
    think: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
    /// In place of `output` if no note fits the question.
    #[serde(default)]
    output_without_note: Vec<String>,
}

impl Openings {
    /// The openings of an answer to `question`: always the same for the same question.
    pub(crate) fn choose(&self, language: Language, question: &str, with_note: bool) -> Vec<(Step, String)> {
        let Some(of) = self.of(language) else { return Vec::new() };
        let output = if with_note || of.output_without_note.is_empty() { &of.output } else { &of.output_without_note };
        let dice = *blake3::hash(question.trim().as_bytes()).as_bytes();
        [(Step::Analyze, &of.analyze), (Step::Think, &of.think), (Step::Output, output)]
            .into_iter()
            .zip(dice)
            .filter_map(|((step, some), die)| {
                let chosen = some.get(usize::from(die).checked_rem(some.len())?)?;
                Some((step, chosen.trim().to_owned()))
            })
            .collect()
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
            let InLanguage { analyze, think, output, output_without_note } = of;
            let lists = [
                ("analyze", analyze),
                ("think", think),
                ("output", output),
                ("output_without_note", output_without_note),
            ];
            for (key, list) in lists {
                for (number, text) in list.iter().enumerate() {
                    let text = text.trim();
                    let wrong = if text.is_empty() || text.chars().count() > LONGEST {
                        "an opening has 1 to 80 characters"
                    } else if text.contains(|c: char| c.is_control() || c == '<') {
                        "an opening is one line, without `<`"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn openings() -> Openings {
        toml::from_str(
            r#"
            [hinglish]
            analyze = ["Sawaal yeh hai ki"]
            output = ["Dekho,", "Suno,", "Chalo,"]
            output_without_note = ["Sach kahun toh"]
            "#,
        )
        .unwrap()
    }

    #[test]
    fn a_question_always_gets_the_same_and_questions_differ() {
        let of = |question: &str| openings().choose(Language::Hinglish, question, true);
        assert_eq!(of(" docker kya hai "), of("docker kya hai"));
        assert_eq!(of("docker kya hai").len(), 2, "think has none");
        let outputs: std::collections::HashSet<_> = (0..50).map(|n| of(&n.to_string()).pop().unwrap()).collect();
        assert_eq!(outputs.len(), 3);
    }

    #[test]
    fn without_a_note_the_output_begins_otherwise() {
        let chosen = openings().choose(Language::Hinglish, "zig kya hai", false);
        assert_eq!(chosen.last(), Some(&(Step::Output, "Sach kahun toh".to_owned())));
        assert!(openings().choose(Language::English, "what is zig", false).is_empty());
    }

    #[test]
    fn what_can_not_stand_in_an_answer_is_a_mistake() {
        assert!(openings().mistakes().is_empty());
        let bad: Openings = toml::from_str("[en]\nthink = [\"ok\", \"<b>\", \" \"]").unwrap();
        let keys: Vec<_> = bad.mistakes().into_iter().map(|(keys, _)| keys.join(".")).collect();
        assert_eq!(keys, ["openings.en.think.1", "openings.en.think.2"]);
    }
}
