//! Which notes fit a question: lexical, without a model, and forgiving about how Hinglish is spelt.
//!
//! A note is found by its keywords and its title; its body only decides between notes that these found, so that an
//! analogy ("chai", "dhaba") finds nothing. A keyword of several words counts in full when the question holds them all,
//! and the less the more are missing: "rate" alone says little for `rate limiting`.

pub(crate) mod devanagari;
pub(crate) mod fold;
mod vocabulary;
mod words;

use std::collections::{BTreeMap, HashMap};

use self::{
    vocabulary::Vocabulary,
    words::{Word, Words},
};
use crate::pack::Note;

/// A whole keyword of one rare word scores 1; a note has to reach this.
const THRESHOLD: f32 = 0.42;

/// What a word of the title counts, where one of a whole keyword counts 1.
const TITLE: f32 = 0.3;

/// What a word of the gist or the body counts, and the most that they may add.
const BODY: f32 = 0.04;
const BODY_MOST: f32 = 0.15;

/// A second note has to come this close to the first, or to bring words that the first lacks.
const SECOND: f32 = 0.5;

/// How much the words of the previous question count in one that leans on it.
const PREVIOUS: f32 = 0.6;

/// The notes of a pack, prepared for being searched.
pub(crate) struct NoteIndex {
    notes: Vec<Entry>,
    vocabulary: Vocabulary,
    /// How rare a word of the keywords and titles is: 1 in one note, toward 0 in all. By the word's number.
    rarity: Vec<f32>,
    /// The notes that hold a word in their keywords or titles.
    holders: Vec<Vec<usize>>,
    /// The notes that hold a word, by its key, in gist or body.
    bodies: HashMap<String, Vec<usize>>,
}

struct Entry {
    id: String,
    /// Each keyword as the numbers of its words, without stop words.
    keywords: Vec<Vec<usize>>,
    title: Vec<usize>,
}

/// What a question holds of the vocabulary.
#[derive(Default)]
struct Meant {
    /// A word's number to how surely it was meant, 0 to 1.
    sureness: BTreeMap<usize, f32>,
    /// The words that one word of the question may mean: of each group a note counts the best only, so that a keyword
    /// and its misspelling don't count twice. No word is in two groups.
    groups: Vec<Vec<usize>>,
}

impl Meant {
    fn add(&mut self, group: impl IntoIterator<Item = (usize, f32)>) {
        let mut fresh = Vec::new();
        for (word, sureness) in group {
            let known = self.sureness.entry(word).or_insert_with(|| {
                fresh.push(word);
                0.0
            });
            *known = known.max(sureness);
        }
        self.groups.push(fresh);
    }

    fn of(&self, word: usize) -> Option<f32> {
        self.sureness.get(&word).copied()
    }
}

impl NoteIndex {
    pub(crate) fn new(notes: &[Note]) -> Self {
        let mut vocabulary = Vocabulary::default();
        let mut bodies: HashMap<String, Vec<usize>> = HashMap::new();
        let mut entries = Vec::with_capacity(notes.len());
        for (at, note) in notes.iter().enumerate() {
            let mut numbers = |text: &str| -> Vec<usize> {
                let mut numbers: Vec<_> =
                    Words::of(text).content.into_iter().map(|word| vocabulary.number(word.key)).collect();
                numbers.sort_unstable();
                numbers.dedup();
                numbers
            };
            let mut keywords: Vec<_> = note.keywords.iter().map(|keyword| numbers(keyword)).collect();
            keywords.retain(|keyword| !keyword.is_empty());
            keywords.sort_unstable();
            keywords.dedup();
            let title = numbers(&note.title);
            entries.push(Entry { id: note.id.clone(), keywords, title });
            for word in [&note.gist, &note.body].into_iter().flat_map(|text| Words::of(text).content) {
                let holders = bodies.entry(word.key).or_default();
                if holders.last() != Some(&at) {
                    holders.push(at);
                }
            }
        }
        vocabulary.finish();
        let holders = holders(&entries, vocabulary.len());
        let most = (1.0 + count(entries.len())).ln();
        let rarity =
            holders.iter().map(|notes| (1.0 + count(entries.len()) / count(notes.len())).ln() / most).collect();
        Self { notes: entries, vocabulary, rarity, holders, bodies }
    }

    /// The ids of at most `most` notes, best first.
    pub(crate) fn select(&self, question: &str, previous: Option<&str>, most: usize) -> Vec<&str> {
        let words = Words::of_question(question);
        let mut meant = self.meant(&words);
        let leans = words.points_back || words.content.is_empty();
        let previous = previous.filter(|_| leans);
        if let Some(previous) = previous {
            let before = self.meant(&Words::of_question(previous));
            for group in &before.groups {
                meant.add(group.iter().filter_map(|word| Some((*word, before.of(*word)? * PREVIOUS))));
            }
        }
        let mut scored = self.scores(&meant, &words.content);
        let threshold = if previous.is_some() { THRESHOLD * PREVIOUS } else { THRESHOLD };
        scored.retain(|(_, score)| *score >= threshold);
        scored.sort_by(|(left, a), (right, b)| b.total_cmp(a).then(left.cmp(right)));
        self.picked(&scored, &meant, most)
    }

    fn meant(&self, words: &Words) -> Meant {
        let mut meant = Meant::default();
        for Word { key, devanagari } in &words.content {
            meant.add(self.vocabulary.find(key, *devanagari));
        }
        for joined in &words.joined {
            meant.add(self.vocabulary.exact(joined).map(|word| (word, 1.0)));
        }
        meant
    }

    fn scores(&self, meant: &Meant, words: &[Word]) -> Vec<(usize, f32)> {
        let mut candidates: BTreeMap<usize, f32> = BTreeMap::new();
        for word in meant.sureness.keys() {
            for note in self.holders.get(*word).into_iter().flatten() {
                candidates.entry(*note).or_insert(0.0);
            }
        }
        for (note, score) in &mut candidates {
            if let Some(entry) = self.notes.get(*note) {
                let best =
                    |group: &Vec<usize>| group.iter().map(|word| self.weight(entry, *word, meant)).fold(0.0, f32::max);
                *score = meant.groups.iter().map(best).sum();
            }
        }
        // Among notes that were found, the one that speaks more of the question's words.
        let mut extra: HashMap<usize, f32> = HashMap::new();
        for word in words {
            for note in self.bodies.get(&word.key).into_iter().flatten() {
                *extra.entry(*note).or_insert(0.0) += BODY;
            }
        }
        candidates
            .into_iter()
            .map(|(note, score)| (note, score + extra.get(&note).map_or(0.0, |extra| extra.min(BODY_MOST))))
            .collect()
    }

    /// What `word` says for a note: its rarity, as far as a keyword that holds it is surely in the question.
    fn weight(&self, entry: &Entry, word: usize, meant: &Meant) -> f32 {
        let keyword = entry
            .keywords
            .iter()
            .filter(|keyword| keyword.contains(&word))
            .map(|keyword| self.share(keyword, meant))
            .fold(0.0, f32::max);
        let title = if entry.title.contains(&word) { TITLE * meant.of(word).unwrap_or(0.0) } else { 0.0 };
        self.rarity_of(word) * keyword.max(title)
    }

    /// How much a keyword's words count, 0 to 1: as surely as they were meant, and as many of them as were said. A word
    /// that stands alone for half of its keyword thus counts about a quarter, and finds nothing.
    fn share(&self, keyword: &[usize], meant: &Meant) -> f32 {
        let (mut all, mut surely, mut said) = (0.0, 0.0, 0);
        for word in keyword {
            let rarity = self.rarity_of(*word);
            all += rarity;
            if let Some(sureness) = meant.of(*word) {
                surely += rarity * sureness;
                said += 1;
            }
        }
        surely / all * count(said) / count(keyword.len())
    }

    fn rarity_of(&self, word: usize) -> f32 {
        self.rarity.get(word).copied().unwrap_or(0.0)
    }

    fn picked(&self, scored: &[(usize, f32)], meant: &Meant, most: usize) -> Vec<&str> {
        let Some((first, best)) = scored.first() else { return Vec::new() };
        let explained =
            |note: usize, word: usize| self.notes.get(note).map_or(0.0, |entry| self.weight(entry, word, meant));
        let second = scored.iter().skip(1).find(|(note, score)| {
            let news = meant.sureness.keys().any(|word| explained(*note, *word) > explained(*first, *word) + THRESHOLD);
            *score >= best * SECOND && (news || *score >= best * 0.85)
        });
        let picked = [Some(first), second.map(|(note, _)| note)];
        picked
            .into_iter()
            .flatten()
            .take(most)
            .filter_map(|note| self.notes.get(*note))
            .map(|e| e.id.as_str())
            .collect()
    }
}

/// Whether every word of a keyword is one that any question may hold: such a keyword finds nothing.
pub(crate) fn says_nothing(keyword: &str) -> bool {
    Words::of(keyword).content.is_empty()
}

fn holders(entries: &[Entry], words: usize) -> Vec<Vec<usize>> {
    let mut holders = vec![Vec::new(); words];
    for (at, entry) in entries.iter().enumerate() {
        for word in entry.keywords.iter().flatten().chain(&entry.title) {
            if let Some(notes) = holders.get_mut(*word)
                && notes.last() != Some(&at)
            {
                notes.push(at);
            }
        }
    }
    holders
}

#[expect(clippy::cast_precision_loss, reason = "there are few notes")]
fn count(number: usize) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests;
