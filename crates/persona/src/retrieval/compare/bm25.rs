use std::collections::{BTreeMap, HashMap};

use super::{Ranked, Ranker, with_previous};
use crate::retrieval::words::{STOP_WORDS, Words};

/// How soon saying a word again counts less, and how much a long note's words count less: the usual values.
const K1: f32 = 1.2;
const B: f32 = 0.75;

/// What a text is cut into.
#[derive(Debug, Clone, Copy)]
pub(super) enum Terms {
    /// Lower-case words without the stop words, as they are spelt.
    Plain,
    /// The words as what ships sees them: Devanagari in Roman letters, and folded to their sounds.
    Folded,
}

impl Terms {
    fn of(self, text: &str) -> Vec<String> {
        match self {
            Self::Plain => text
                .to_lowercase()
                .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\u{900}'..='\u{97f}')))
                .filter(|word| !word.is_empty() && !STOP_WORDS.contains(word))
                .map(str::to_owned)
                .collect(),
            Self::Folded => Words::of(text).content.into_iter().map(|word| word.key).collect(),
        }
    }
}

pub(super) struct Bm25 {
    terms: Terms,
    /// A term to the notes that hold it, with what it adds to their scores.
    postings: HashMap<String, Vec<(usize, f32)>>,
}

impl Bm25 {
    pub(super) fn new(texts: &[String], terms: Terms) -> Self {
        let notes: Vec<_> = texts.iter().map(|text| terms.of(text)).collect();
        let count = notes.len() as f32;
        let mean = notes.iter().map(Vec::len).sum::<usize>() as f32 / count;
        let mut postings: HashMap<String, Vec<(usize, f32)>> = HashMap::new();
        for (at, words) in notes.iter().enumerate() {
            let mut frequencies: BTreeMap<&str, f32> = BTreeMap::new();
            for word in words {
                *frequencies.entry(word).or_default() += 1.0;
            }
            let length = words.len() as f32 / mean;
            for (word, frequency) in frequencies {
                let weight = frequency * (K1 + 1.0) / (frequency + K1 * (1.0 - B + B * length));
                postings.entry(word.to_owned()).or_default().push((at, weight));
            }
        }
        for notes in postings.values_mut() {
            let holders = notes.len() as f32;
            let rarity = (1.0 + (count - holders + 0.5) / (holders + 0.5)).ln();
            notes.iter_mut().for_each(|(_, weight)| *weight *= rarity);
        }
        Self { terms, postings }
    }
}

impl Ranker for Bm25 {
    fn rank(&self, question: &str, previous: Option<&str>) -> Ranked {
        let mut terms = self.terms.of(&with_previous(question, previous));
        terms.sort_unstable();
        terms.dedup();
        super::ranked(terms.iter().filter_map(|term| self.postings.get(term)).flatten().copied())
    }
}
