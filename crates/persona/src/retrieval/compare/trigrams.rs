use std::collections::{BTreeMap, HashMap};

use super::{Ranked, Ranker, with_previous};
use crate::retrieval::words::STOP_WORDS;

/// Cosine of the TF-IDF vectors of character trigrams, within words: each begins and ends with a space.
pub(super) struct Trigrams {
    rarity: HashMap<String, f32>,
    /// A trigram to the notes that hold it, with its part of their vectors, which have length 1.
    postings: HashMap<String, Vec<(usize, f32)>>,
}

impl Trigrams {
    pub(super) fn new(texts: &[String]) -> Self {
        let notes: Vec<_> = texts.iter().map(|text| frequencies(text)).collect();
        let mut holders: HashMap<&str, f32> = HashMap::new();
        for trigram in notes.iter().flat_map(BTreeMap::keys) {
            *holders.entry(trigram).or_default() += 1.0;
        }
        let rarity = holders.iter().map(|(trigram, notes)| ((*trigram).to_owned(), (texts.len() as f32 / notes).ln()));
        let mut index = Self { rarity: rarity.collect(), postings: HashMap::new() };
        for (at, note) in notes.iter().enumerate() {
            for (trigram, weight) in index.vector(note) {
                index.postings.entry(trigram).or_default().push((at, weight));
            }
        }
        index
    }

    fn vector(&self, frequencies: &BTreeMap<String, f32>) -> Vec<(String, f32)> {
        // A trigram of no note still makes the question longer.
        let unknown = self.rarity.values().copied().fold(0.0, f32::max);
        let mut vector: Vec<_> = frequencies
            .iter()
            .map(|(trigram, frequency)| {
                let rarity = self.rarity.get(trigram).copied().unwrap_or(unknown);
                (trigram.clone(), (1.0 + frequency.ln()) * rarity)
            })
            .collect();
        let length = vector.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|(_, weight)| *weight /= length);
        }
        vector
    }
}

fn frequencies(text: &str) -> BTreeMap<String, f32> {
    let mut frequencies = BTreeMap::new();
    let text = text.to_lowercase();
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\u{900}'..='\u{97f}')));
    for word in words.filter(|word| !word.is_empty() && !STOP_WORDS.contains(word)) {
        let padded: Vec<char> = format!(" {word} ").chars().collect();
        for trigram in padded.windows(3) {
            *frequencies.entry(trigram.iter().collect()).or_insert(0.0) += 1.0;
        }
    }
    frequencies
}

impl Ranker for Trigrams {
    fn rank(&self, question: &str, previous: Option<&str>) -> Ranked {
        let question = self.vector(&frequencies(&with_previous(question, previous)));
        let products = question.iter().flat_map(|(trigram, weight)| {
            let notes = self.postings.get(trigram).into_iter().flatten();
            notes.map(move |(note, other)| (*note, weight * other))
        });
        super::ranked(products)
    }
}
