//! What is said twice.

use std::collections::{HashMap, HashSet};

use hitesh_domain::Step;

use super::{
    DepartureKind, Part, Text, share,
    words::{number, overlap, rows, words},
};

/// Shorter sentences ("Chalo!") may come again.
const SENTENCE: usize = 4;

/// A text is going round in circles if more than this share of its rows of [`ROW`] words has stood in it before.
const LOOP: f32 = 0.3;
const ROW: usize = 4;

/// So many equal lines in a row are a loop also in code.
const EQUAL_LINES: usize = 4;

/// Two steps are alike if the shorter one, of at least so many words, shares so many of its rows with the longer one.
const ALIKE: f32 = 0.5;
const ALIKE_WORDS: usize = 6;

pub(super) fn part(texts: &[Text<'_>]) -> Part {
    let mut part = Part { score: 1.0, findings: Vec::new() };
    sentences(texts, &mut part);
    for text in texts {
        if goes_round(text) {
            part.score -= 0.7;
            part.findings.push(DepartureKind::Loop.at(text.step));
        }
    }
    for (at, text) in texts.iter().enumerate() {
        for other in texts.iter().skip(at + 1) {
            let long_enough = text.words.len().min(other.words.len()) >= ALIKE_WORDS;
            if long_enough && overlap(&text.words, &other.words, ROW) >= ALIKE {
                part.score -= 0.5;
                part.findings.push(DepartureKind::StepsAlike.at(other.step));
            }
        }
    }
    part
}

fn sentences(texts: &[Text<'_>], part: &mut Part) {
    let mut said: HashMap<u64, Step> = HashMap::new();
    let (mut all, mut again) = (0, 0);
    for text in texts {
        let ends = |c| matches!(c, '.' | '?' | '!' | '।' | '\n');
        for sentence in text.prose.split(ends).map(words).filter(|sentence| sentence.len() >= SENTENCE) {
            all += 1;
            if said.insert(number(&sentence), text.step).is_some() {
                again += 1;
                part.findings.push(DepartureKind::RepeatedSentence.at(text.step));
            }
        }
    }
    part.score -= 2.0 * share(again, all);
}

fn goes_round(text: &Text<'_>) -> bool {
    let mut seen = HashSet::new();
    let (mut all, mut again) = (0, 0);
    for row in rows(&text.words, ROW) {
        all += 1;
        again += usize::from(!seen.insert(row));
    }
    let mut before = "";
    let mut equal = 0;
    let circles_by_line = text.whole.lines().map(str::trim).filter(|line| line.len() > ROW).any(|line| {
        equal = if line == before { equal + 1 } else { 1 };
        before = line;
        equal >= EQUAL_LINES
    });
    circles_by_line || (all > 2 * ROW && share(again, all) > LOOP)
}
