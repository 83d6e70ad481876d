//! Other ways to find a note, against the one that ships. `cargo test -p hitesh-persona compare -- --nocapture` prints
//! the table of `RETRIEVAL.md`.
//!
//! Each way ranks the notes and has one threshold under which it is silent. The threshold, and whether the whole text of
//! the notes is searched or their keywords and titles only, are chosen on the tune part. What a question borrows of the
//! one before it is decided alike for all.

mod bm25;
mod trigrams;

use std::{borrow::Cow, collections::BTreeMap, fmt};

use self::{
    bm25::{Bm25, Terms},
    trigrams::Trigrams,
};
use super::{
    NoteIndex, THRESHOLD,
    questions::{Question, Questions},
    words::Words,
};
use crate::{Persona, pack::Note};

/// A note's number and its score, best first.
type Ranked = Vec<(usize, f32)>;

trait Ranker {
    fn rank(&self, question: &str, previous: Option<&str>) -> Ranked;
}

impl Ranker for NoteIndex {
    fn rank(&self, question: &str, previous: Option<&str>) -> Ranked {
        self.scored(question, previous).0
    }
}

/// The sums of what speaks for each note.
fn ranked(parts: impl Iterator<Item = (usize, f32)>) -> Ranked {
    let mut scores: BTreeMap<usize, f32> = BTreeMap::new();
    for (note, score) in parts {
        *scores.entry(note).or_default() += score;
    }
    let mut ranked: Vec<_> = scores.into_iter().collect();
    ranked.sort_by(|(left, a), (right, b)| b.total_cmp(a).then(left.cmp(right)));
    ranked
}

/// What is searched for by a way that knows nothing of conversations.
fn with_previous<'a>(question: &'a str, previous: Option<&str>) -> Cow<'a, str> {
    let words = Words::of_question(question);
    match previous.filter(|_| words.points_back || words.content.is_empty()) {
        Some(previous) => Cow::Owned(format!("{question} {previous}")),
        None => Cow::Borrowed(question),
    }
}

/// How much of a note is searched.
#[derive(Debug, Clone, Copy)]
enum Searched {
    KeywordsAndTitle,
    Everything,
}

impl Searched {
    fn of(self, note: &Note) -> String {
        let found_by = format!("{} {}", note.keywords.join(" "), note.title);
        match self {
            Self::KeywordsAndTitle => found_by,
            Self::Everything => format!("{found_by} {} {}", note.gist, note.body),
        }
    }
}

/// How a way did.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figures {
    /// Of the questions with a subject, the share whose first note fits.
    first: f64,
    /// The share of which one of the first two fits.
    first_two: f64,
    /// Of the questions without one, the share that found nothing.
    silent: f64,
}

impl Figures {
    fn of<'a>(answers: impl Iterator<Item = (&'a Question, Vec<&'a str>)>) -> Self {
        let (mut on, mut first, mut first_two, mut off, mut silent) = (0, 0, 0, 0, 0);
        for (question, found) in answers {
            if question.is_on_topic() {
                on += 1;
                first += usize::from(found.first().is_some_and(|note| question.fits(note)));
                first_two += usize::from(found.iter().take(2).any(|note| question.fits(note)));
            } else {
                off += 1;
                silent += usize::from(found.is_empty());
            }
        }
        Self { first: share(first, on), first_two: share(first_two, on), silent: share(silent, off) }
    }

    /// What tuning makes as large as it can.
    fn worth(&self) -> f64 {
        f64::midpoint(self.first, self.silent)
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are few questions")]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, first_two, silent } = *self;
        write!(f, "{:.1} % | {:.1} % | {:.1} %", 100.0 * first, 100.0 * first_two, 100.0 * silent)
    }
}

struct Comparison<'a> {
    notes: &'a [Note],
    tune: Questions,
    measure: Questions,
}

impl Comparison<'_> {
    fn figures(&self, questions: &Questions, ranker: &dyn Ranker, thresholds: &[f32]) -> Vec<Figures> {
        let ranked: Vec<_> = questions.iter().map(|asked| (asked, ranker.rank(&asked.ask, asked.before()))).collect();
        let at = |threshold: &f32| {
            let found = |ranked: &Ranked| {
                let kept = ranked.iter().filter(|(_, score)| score >= threshold);
                kept.map(|(note, _)| self.notes[*note].id.as_str()).collect()
            };
            Figures::of(ranked.iter().map(|(asked, ranked)| (*asked, found(ranked))))
        };
        thresholds.iter().map(at).collect()
    }

    /// The best threshold of a grid on the tune part, and what it comes to there.
    fn tuned(&self, ranker: &dyn Ranker, grid: &[f32]) -> (f32, Figures) {
        let figures = self.figures(&self.tune, ranker, grid);
        let tuned = grid.iter().copied().zip(figures);
        tuned.max_by(|(_, left), (_, right)| left.worth().total_cmp(&right.worth())).unwrap()
    }

    /// The best way of a kind on the tune part: over how much of a note is searched, and the thresholds.
    fn best(&self, grid: &[f32], make: impl Fn(&[String]) -> Box<dyn Ranker>) -> (String, Figures, Figures) {
        let tuned = [Searched::KeywordsAndTitle, Searched::Everything].map(|searched| {
            let texts: Vec<_> = self.notes.iter().map(|note| searched.of(note)).collect();
            let ranker = make(&texts);
            let (threshold, tune) = self.tuned(&*ranker, grid);
            let measure = self.figures(&self.measure, &*ranker, &[threshold])[0];
            (format!("{searched:?} from {threshold:.2}"), tune, measure)
        });
        let [first, second] = tuned;
        if second.1.worth() > first.1.worth() { second } else { first }
    }
}

fn grid(most: f32) -> Vec<f32> {
    (0..=400u16).map(|step| most * f32::from(step) / 400.0).collect()
}

#[test]
fn what_ships_is_the_best_way_on_questions_that_nobody_tuned_on() {
    let persona = Persona::builtin("hitesh").unwrap();
    let comparison = Comparison { notes: persona.pack_notes(), tune: Questions::tune(), measure: Questions::measure() };
    let index = persona.index();
    let others = [
        ("BM25, plain words", comparison.best(&grid(20.0), |texts| Box::new(Bm25::new(texts, Terms::Plain)))),
        ("character trigrams, TF-IDF", comparison.best(&grid(1.0), |texts| Box::new(Trigrams::new(texts)))),
        ("BM25, folded words", comparison.best(&grid(20.0), |texts| Box::new(Bm25::new(texts, Terms::Folded)))),
    ];
    let shipped = |questions| comparison.figures(questions, index, &[THRESHOLD])[0];
    let (tune, measure) = (shipped(&comparison.tune), shipped(&comparison.measure));

    println!("| way | part | first | first two | silent |\n|---|---|---|---|---|");
    for (name, (chosen, tune, measure)) in &others {
        println!("| {name} ({chosen}) | tune | {tune} |\n| | measure | {measure} |");
    }
    println!("| what ships, from {THRESHOLD} | tune | {tune} |\n| | measure | {measure} |");
    let (best, figures) = comparison.tuned(index, &grid(2.0));
    println!("\nThe best threshold of what ships would be {best:.2} on the tune part: {figures}");
    for (name, (_, _, other)) in &others {
        assert!(measure.worth() > other.worth(), "{name} is better than what ships");
    }
}
