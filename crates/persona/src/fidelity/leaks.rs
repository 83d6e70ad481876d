//! Pieces of the prompt in an answer.

use std::collections::{HashMap, HashSet};

use hitesh_domain::{Step, StepFormat};

use super::{
    DepartureKind, Part, Text, share,
    words::{rows, words},
};
use crate::{language::prose::prose, pack::Pack, prompt::instructions};

/// So many words in the same order are no accident, and more than any of the phrases that a persona is to use.
const ROW: usize = 7;

/// The share of an example's question that another question has to hold for being the same question: then an answer
/// that is like the example's is a good one.
const SAME_QUESTION: f32 = 0.6;

/// Marks of the prompt, and of an answer's form, that the parser has to have taken away.
const MARKS: [&str; 8] =
    ["<question>", "</question>", "<notes>", "</notes>", "</analyze>", "</think>", "</output>", "<|im_"];

pub(super) struct Leaks {
    /// Rows of what the system message says of the persona and of the answer's form. The notes in it are to be used.
    prompt: HashSet<u64>,
    /// Rows of the examples' answers, and of which examples.
    examples: HashMap<u64, Vec<usize>>,
    /// The words of the examples' questions.
    questions: Vec<HashSet<String>>,
}

impl Leaks {
    pub(super) fn new(pack: &Pack) -> Self {
        // To say what it is, as it has to when it is asked, is no leak.
        let open: HashSet<u64> = rows(&words(&pack.about.disclosure), ROW).collect();
        let mut prompt = HashSet::new();
        let orders = [StepFormat::JsonSchema, StepFormat::JsonObject, StepFormat::Tagged].map(instructions);
        let own = [&pack.about.identity].into_iter().chain(&pack.about.voice).chain(&pack.about.rules);
        for text in own.map(String::as_str).chain(orders) {
            prompt.extend(rows(&words(text), ROW).filter(|row| !open.contains(row)));
        }
        let mut examples: HashMap<u64, Vec<usize>> = HashMap::new();
        for (number, example) in pack.examples.iter().enumerate() {
            for text in [&example.analyze, &example.think].into_iter().flatten().chain([&example.output]) {
                for row in rows(&words(&prose(text)), ROW) {
                    examples.entry(row).or_default().push(number);
                }
            }
        }
        let questions = pack.examples.iter().map(|example| words(&example.question).into_iter().collect()).collect();
        Self { prompt, examples, questions }
    }

    pub(super) fn part(&self, question: &str, texts: &[Text<'_>]) -> Part {
        let question = words(question);
        // What the question holds may be said again.
        let asked: HashSet<u64> = rows(&question, ROW).collect();
        let asked_words: HashSet<String> = question.into_iter().collect();
        let same: Vec<bool> = self
            .questions
            .iter()
            .map(|words| share(words.intersection(&asked_words).count(), words.len()) >= SAME_QUESTION)
            .collect();
        let foreign = |example: &usize| !same.get(*example).copied().unwrap_or(false);
        let mut findings = Vec::new();
        let (mut all, mut leaked) = (0, 0);
        for text in texts {
            for row in rows(&text.words, ROW) {
                all += 1;
                let kind = match self.examples.get(&row) {
                    Some(examples) if examples.iter().all(foreign) => DepartureKind::LeakedExample,
                    None if self.prompt.contains(&row) => DepartureKind::LeakedPrompt,
                    _ => continue,
                };
                if !asked.contains(&row) {
                    leaked += 1;
                    findings.push(kind.at(text.step));
                }
            }
            findings.extend(marked(text).then(|| DepartureKind::LeakedMark.at(text.step)));
        }
        let mut score = 1.0;
        if !findings.is_empty() {
            score = 0.5 - share(leaked, all);
        }
        Part { score, findings }
    }
}

/// An output may teach HTML: its tags stand in code.
fn marked(text: &Text<'_>) -> bool {
    MARKS.iter().any(|mark| text.prose.contains(mark)) && (text.step != Step::Output || !text.prose.contains("html"))
}
