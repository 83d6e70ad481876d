//! Which notes fit a question: lexical, without a model, and forgiving about how Hinglish is spelt.
//!
//! A note is found by its keywords and its title; its body only decides between notes that these found, so that an
//! analogy ("chai", "dhaba") finds nothing. A keyword of several words counts in full when the question holds them all,
//! and the less the more are missing: "rate" alone says little for `rate limiting`.

pub(crate) mod devanagari;
pub(crate) mod fold;
mod letters;
mod vocabulary;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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

/// What an everyday word counts that stands among words unknown to the handbook.
const EVERYDAY: f32 = 0.3;

/// A word in the keywords or titles of so many notes is one of the trade, and shows what a question is about.
const TRADE: usize = 4;

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
    /// Words that are whole keywords and belong to daily life too ("rest", "cookie"). By the word's number.
    everyday: Vec<bool>,
    /// Words that show that a question is about what the handbook is about. By the word's number.
    telling: Vec<bool>,
    /// The notes that hold a word, by its key, in gist or body.
    bodies: HashMap<String, Vec<usize>>,
}

struct Entry {
    id: String,
    /// Each keyword as the numbers of its words, without stop words.
    keywords: Vec<Vec<usize>>,
    title: Vec<usize>,
    /// The keywords that are nothing but stop words, such as greetings: they have to be the whole question.
    phrases: Vec<Vec<String>>,
}

impl Entry {
    /// Whether `words` are nothing but phrases of the note, one after the other.
    fn says(&self, words: &[String]) -> bool {
        let mut rests = self.phrases.iter().filter_map(|phrase| words.strip_prefix(phrase.as_slice()));
        rests.any(|rest| rest.is_empty() || self.says(rest))
    }
}

/// What a question holds of the vocabulary.
#[derive(Default)]
struct Meant {
    /// A word's number to how surely it was meant, 0 to 1.
    sureness: BTreeMap<usize, f32>,
    /// The words that one word of the question may mean: of each group a note counts the best only, so that a keyword
    /// and its misspelling don't count twice. No word is in two groups.
    groups: Vec<Vec<usize>>,
    /// The notes for which everyday words mean little: the question holds words that neither the vocabulary nor the
    /// note knows, and none that is telling.
    doubted: BTreeSet<usize>,
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
        let mut shared_with_life: HashSet<usize> = HashSet::new();
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
            shared_with_life.extend(note.everyday.iter().flat_map(|word| numbers(word)));
            let title = numbers(&note.title);
            let phrases = note.keywords.iter().map(|keyword| Words::of(keyword)).filter(Words::is_phrase);
            let phrases = phrases.map(|words| words.phrase).collect();
            entries.push(Entry { id: note.id.clone(), keywords, title, phrases });
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
        let everyday: Vec<_> = (0..vocabulary.len()).map(|word| shared_with_life.contains(&word)).collect();
        let mut telling: Vec<_> = holders.iter().map(|notes| notes.len() >= TRADE).collect();
        for keyword in entries.iter().flat_map(|entry| &entry.keywords) {
            if let [word] = keyword.as_slice()
                && let Some(telling) = telling.get_mut(*word)
            {
                *telling = true;
            }
        }
        telling.iter_mut().zip(&everyday).for_each(|(telling, everyday)| *telling &= !everyday);
        Self { notes: entries, vocabulary, rarity, holders, everyday, telling, bodies }
    }

    /// The ids of at most `most` notes, best first.
    pub(crate) fn select(&self, question: &str, previous: Option<&str>, most: usize) -> Vec<&str> {
        let (mut scored, meant) = self.scored(question, previous);
        scored.retain(|(_, score)| *score >= THRESHOLD);
        self.picked(&scored, &meant, most)
    }

    /// The notes that share a word with the question, best first, and what the question holds.
    fn scored(&self, question: &str, previous: Option<&str>) -> (Vec<(usize, f32)>, Meant) {
        let words = Words::of_question(question);
        let mut meant = self.meant(&words);
        if let Some(note) = self.notes.iter().position(|entry| words.is_phrase() && entry.says(&words.phrase)) {
            return (vec![(note, 1.0)], meant);
        }
        let leans = words.points_back || words.content.is_empty();
        let previous = previous.filter(|_| leans);
        if let Some(previous) = previous {
            let before = self.meant(&Words::of_question(previous));
            for group in &before.groups {
                meant.add(group.iter().filter_map(|word| Some((*word, before.of(*word)? * PREVIOUS))));
            }
        }
        if previous.is_none() && !words.of_computing {
            self.doubt(&mut meant, &words.content);
        }
        let mut scored = self.scores(&meant, &words.content);
        if previous.is_some() {
            scored.iter_mut().for_each(|(_, score)| *score /= PREVIOUS);
        }
        scored.sort_by(|(left, a), (right, b)| b.total_cmp(a).then(left.cmp(right)));
        (scored, meant)
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

    fn doubt(&self, meant: &mut Meant, words: &[Word]) {
        let tells = |word: &usize| self.telling.get(*word).copied().unwrap_or(false);
        if meant.sureness.iter().any(|(word, sureness)| *sureness >= 0.8 && tells(word)) {
            return;
        }
        let unknown = words.iter().filter(|word| self.vocabulary.find(&word.key, word.devanagari).is_empty());
        for word in unknown {
            let knowing = self.bodies.get(&word.key).map_or(&[][..], Vec::as_slice);
            meant.doubted.extend((0..self.notes.len()).filter(|note| !knowing.contains(note)));
        }
    }

    fn scores(&self, meant: &Meant, words: &[Word]) -> Vec<(usize, f32)> {
        let mut candidates: BTreeMap<usize, f32> = BTreeMap::new();
        for word in meant.sureness.keys() {
            for note in self.holders.get(*word).into_iter().flatten() {
                candidates.entry(*note).or_insert(0.0);
            }
        }
        for (note, score) in &mut candidates {
            let best =
                |group: &Vec<usize>| group.iter().map(|word| self.weight(*note, *word, meant)).fold(0.0, f32::max);
            *score = meant.groups.iter().map(best).sum();
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
    fn weight(&self, note: usize, word: usize, meant: &Meant) -> f32 {
        let Some(entry) = self.notes.get(note) else { return 0.0 };
        let doubted = meant.doubted.contains(&note) && self.everyday.get(word).copied().unwrap_or(false);
        let alone = if doubted { EVERYDAY } else { 1.0 };
        let keyword = entry
            .keywords
            .iter()
            .filter(|keyword| keyword.contains(&word))
            .map(|keyword| self.share(keyword, meant) * if keyword.len() == 1 { alone } else { 1.0 })
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
        let second = scored.iter().skip(1).find(|(note, score)| {
            let mut words = meant.sureness.keys();
            let news =
                words.any(|word| self.weight(*note, *word, meant) > self.weight(*first, *word, meant) + THRESHOLD);
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
    let words = Words::of(keyword);
    words.content.is_empty() && !(words.is_phrase() && keyword.trim().contains(' '))
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
mod compare;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod tests;
