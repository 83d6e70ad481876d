//! How far an answer is in its persona's character: measured by rules, without a model, the same for the same answer.
//!
//! The score is a weighted mean of six parts, each from 0 to 1, of which a claim to be human leaves two fifths. An answer
//! without an output scores 0, since it is none.
//!
//! | part | weight | what it asks |
//! | --- | --- | --- |
//! | language | 0.35 | is each step in the language and script that the question wants? |
//! | steps | 0.20 | are all three there? |
//! | repetition | 0.15 | is everything said once? |
//! | leaks | 0.15 | does it speak for itself, rather than recite the examples or the prompt? |
//! | length | 0.10 | is each step as long as the persona's own, within wide bounds? |
//! | manner | 0.05 | does it have a phrase of the persona's, or an emoji, and not too many? Weak evidence, hence the weight |

mod breaches;
mod language;
mod leaks;
mod length;
mod manner;
mod repetition;
mod rules;
mod words;

use std::fmt;

use hitesh_domain::Step;

pub(crate) use self::rules::{FidelityRules, REMINDER, Reminders};
use self::{breaches::Breaches, leaks::Leaks, length::Lengths, manner::Manner};
use crate::{Language, Persona, language::prose, pack::Pack};

/// What is left of the score of an answer that claims to be human, or to be the person whom the persona imitates.
const BREACH: f32 = 0.4;

/// An answer that scores less is out of character.
pub(crate) const LOW: f32 = 0.7;

/// How far an answer is in character.
#[derive(Debug, Clone, PartialEq)]
pub struct Fidelity {
    /// From 0, not at all, to 1.
    pub score: f32,
    /// What is not as it should be, in the order of [`DepartureKind::ALL`] and of the steps.
    pub findings: Vec<Departure>,
}

/// One way in which an answer departs from its persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Departure {
    /// Which way.
    pub kind: DepartureKind,
    /// The step in which it does; none for what concerns the whole answer.
    pub step: Option<Step>,
}

/// A kind of [`Departure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DepartureKind {
    /// A claim to be human, or to be the person whom the persona imitates.
    DisclosureBreach,
    /// Another language than the question wants.
    WrongLanguage,
    /// Sentences in another language than the question wants, among others in the right one.
    MixedLanguage,
    /// Hindi in the other script than the question wants.
    WrongScript,
    /// Letters of a script that neither the question nor the persona uses.
    ForeignScript,
    /// A step is not there.
    MissingStep,
    /// A sentence is said again, in the same step or in another one.
    RepeatedSentence,
    /// A text that goes round in circles.
    Loop,
    /// Two steps that say the same.
    StepsAlike,
    /// A piece of an example, for another question than that example's.
    LeakedExample,
    /// A piece of the system message.
    LeakedPrompt,
    /// A mark of the prompt or of the answer's form in the text.
    LeakedMark,
    /// A step that is much longer than the persona's own.
    TooLong,
    /// A step of hardly a word.
    TooShort,
    /// The persona's phrases, one after the other.
    TooManyPhrases,
}

impl DepartureKind {
    /// All of them, in their order.
    pub const ALL: [DepartureKind; 15] = [
        DepartureKind::DisclosureBreach,
        DepartureKind::WrongLanguage,
        DepartureKind::MixedLanguage,
        DepartureKind::WrongScript,
        DepartureKind::ForeignScript,
        DepartureKind::MissingStep,
        DepartureKind::RepeatedSentence,
        DepartureKind::Loop,
        DepartureKind::StepsAlike,
        DepartureKind::LeakedExample,
        DepartureKind::LeakedPrompt,
        DepartureKind::LeakedMark,
        DepartureKind::TooLong,
        DepartureKind::TooShort,
        DepartureKind::TooManyPhrases,
    ];

    /// Its name in figures; it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            DepartureKind::DisclosureBreach => "disclosure_breach",
            DepartureKind::WrongLanguage => "wrong_language",
            DepartureKind::MixedLanguage => "mixed_language",
            DepartureKind::WrongScript => "wrong_script",
            DepartureKind::ForeignScript => "foreign_script",
            DepartureKind::MissingStep => "missing_step",
            DepartureKind::RepeatedSentence => "repeated_sentence",
            DepartureKind::Loop => "loop",
            DepartureKind::StepsAlike => "steps_alike",
            DepartureKind::LeakedExample => "leaked_example",
            DepartureKind::LeakedPrompt => "leaked_prompt",
            DepartureKind::LeakedMark => "leaked_mark",
            DepartureKind::TooLong => "too_long",
            DepartureKind::TooShort => "too_short",
            DepartureKind::TooManyPhrases => "too_many_phrases",
        }
    }

    fn at(self, step: Step) -> Departure {
        Departure { kind: self, step: Some(step) }
    }

    fn anywhere(self) -> Departure {
        Departure { kind: self, step: None }
    }

    /// Whether it is about the language or the script.
    pub(crate) fn is_of_language(self) -> bool {
        matches!(
            self,
            DepartureKind::WrongLanguage
                | DepartureKind::MixedLanguage
                | DepartureKind::WrongScript
                | DepartureKind::ForeignScript
        )
    }
}

impl fmt::Display for DepartureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What of a persona its answers are held against, made once.
pub(crate) struct Yardstick {
    breaches: Breaches,
    leaks: Leaks,
    lengths: Lengths,
    manner: Manner,
}

impl Yardstick {
    pub(crate) fn new(pack: &Pack) -> Self {
        Self {
            breaches: Breaches::new(&pack.about.fidelity.breaches),
            leaks: Leaks::new(pack),
            lengths: Lengths::new(&pack.examples),
            manner: Manner::new(&pack.about.phrases),
        }
    }
}

/// One step of the answer that is measured.
struct Text<'a> {
    step: Step,
    /// As it stands.
    whole: &'a str,
    /// Without code.
    prose: String,
    /// The words of the prose, in lower case.
    words: Vec<String>,
}

impl<'a> Text<'a> {
    fn new(step: Step, whole: &'a str) -> Self {
        let prose = prose::prose(whole);
        let words = words::words(&prose);
        Self { step, whole, prose, words }
    }
}

/// A part's score, from 0 to 1, and what it found.
struct Part {
    score: f32,
    findings: Vec<Departure>,
}

impl Persona {
    /// How far the answer of these steps to `question` is in this persona's character. The order of the steps does not
    /// matter; of several for one step, the first counts. Steps without visible text are missing.
    pub fn fidelity<'a>(&self, question: &str, steps: impl IntoIterator<Item = (Step, &'a str)>) -> Fidelity {
        let mut texts: Vec<Text<'_>> = Vec::with_capacity(Step::ALL.len());
        for (step, text) in steps {
            let text = text.trim();
            if !text.is_empty() && texts.iter().all(|known| known.step != step) {
                texts.push(Text::new(step, text));
            }
        }
        texts.sort_unstable_by_key(|text| text.step);
        let yardstick = self.yardstick();
        let parts = [
            (0.35, language::part(question, self.expected_language(question), &texts)),
            (0.20, present(&texts)),
            (0.15, repetition::part(&texts)),
            (0.15, yardstick.leaks.part(question, &texts)),
            (0.10, yardstick.lengths.part(&texts)),
            (0.05, yardstick.manner.part(&texts)),
        ];
        let mut score: f32 = parts.iter().map(|(weight, part)| weight * part.score.clamp(0.0, 1.0)).sum();
        let mut findings: Vec<_> = parts.into_iter().flat_map(|(_, part)| part.findings).collect();
        let breaches = yardstick.breaches.found(&texts);
        if !breaches.is_empty() {
            score *= BREACH;
        }
        findings.extend(breaches);
        findings.sort_unstable();
        findings.dedup();
        if texts.iter().all(|text| text.step != Step::Output) {
            score = 0.0;
        }
        Fidelity { score: score.clamp(0.0, 1.0), findings }
    }

    /// The language that an answer to `question` is to be in; none if the persona speaks only languages that nobody can
    /// tell here.
    pub(crate) fn expected_language(&self, question: &str) -> Option<Language> {
        let known = self.languages().iter().any(|code| Language::from_code(code).is_some());
        known.then(|| self.language_for(question))
    }
}

/// The output is half of it.
fn present(texts: &[Text<'_>]) -> Part {
    let mut part = Part { score: 1.0, findings: Vec::new() };
    for step in Step::ALL {
        if texts.iter().all(|text| text.step != step) {
            part.score -= if step == Step::Output { 0.5 } else { 0.25 };
            part.findings.push(DepartureKind::MissingStep.at(step));
        }
    }
    part
}

#[expect(clippy::cast_precision_loss, reason = "a text has few words")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

#[cfg(test)]
mod tests;
