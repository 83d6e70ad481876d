//! The persona's phrases. Their absence is no fault, since they are to be used sparingly, but it tells a little.

use super::{DepartureKind, Part, Text, words::words};

/// What an answer without any sign of the persona's manner scores.
const PLAIN: f32 = 0.5;

/// More of the persona's phrases than these in one answer are a parody.
const MOST: usize = 4;

pub(super) struct Manner {
    phrases: Vec<Vec<String>>,
}

impl Manner {
    pub(super) fn new(phrases: &[String]) -> Self {
        Self { phrases: phrases.iter().map(|phrase| words(phrase)).filter(|phrase| !phrase.is_empty()).collect() }
    }

    pub(super) fn part(&self, texts: &[Text<'_>]) -> Part {
        let said: usize = texts.iter().map(|text| self.said(&text.words)).sum();
        if said > MOST {
            return Part { score: 0.0, findings: vec![DepartureKind::TooManyPhrases.anywhere()] };
        }
        let shows = self.phrases.is_empty() || said > 0 || texts.iter().any(|text| text.prose.contains(is_emoji));
        Part { score: if shows { 1.0 } else { PLAIN }, findings: Vec::new() }
    }

    fn said(&self, words: &[String]) -> usize {
        let count = |phrase: &Vec<String>| words.windows(phrase.len()).filter(|row| row == phrase).count();
        self.phrases.iter().map(count).sum()
    }
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}
