//! Length, against the persona's own.

use hitesh_domain::Step;

use super::{DepartureKind, Part, Text, share, words::words};
use crate::{language::prose::prose, pack::Example};

/// A step may have so many times the words of the longest of the examples' own: they are as short as they can be.
const TIMES: usize = 4;

/// It may always have so many: two or three sentences, and for an output a page of a phone's screen.
const ALWAYS: usize = 60;
const ALWAYS_OUTPUT: usize = 240;

/// It has at least so many, or as many as the shortest of the examples' own, if that has fewer.
const FEWEST: usize = 4;

/// Bounds on the words of each step's prose. Code does not count; beside code, a step may be without any words.
///
/// A step that keeps to the bounds scores 1, one that exceeds the upper one the less the longer it is, down to 0 at three
/// times as many words; one that is too short scores 0.3. The output counts half.
pub(super) struct Lengths {
    bounds: [(Step, usize, usize); 3],
}

impl Lengths {
    pub(super) fn new(examples: &[Example]) -> Self {
        let bounds = Step::ALL.map(|step| {
            let lengths = || {
                examples.iter().filter_map(|example| {
                    let text = match step {
                        Step::Analyze => example.analyze.as_deref()?,
                        Step::Think => example.think.as_deref()?,
                        Step::Output => &example.output,
                    };
                    Some(words(&prose(text)).len())
                })
            };
            let always = if step == Step::Output { ALWAYS_OUTPUT } else { ALWAYS };
            let most = (TIMES * lengths().max().unwrap_or(0)).max(always);
            (step, lengths().min().unwrap_or(FEWEST).min(FEWEST), most)
        });
        Self { bounds }
    }

    pub(super) fn part(&self, texts: &[Text<'_>]) -> Part {
        let mut findings = Vec::new();
        let (mut score, mut weights) = (0.0, 0.0);
        for text in texts {
            let Some((_, fewest, most)) = self.bounds.iter().find(|(step, ..)| *step == text.step) else { continue };
            let weight = if text.step == Step::Output { 0.5 } else { 0.25 };
            let has_code = text.whole.contains('`');
            let length = text.words.len();
            weights += weight;
            score += weight
                * if length > *most {
                    findings.push(DepartureKind::TooLong.at(text.step));
                    (1.0 - share(length - most, 2 * most)).max(0.0)
                } else if length < *fewest && !has_code {
                    findings.push(DepartureKind::TooShort.at(text.step));
                    0.3
                } else {
                    1.0
                };
        }
        Part { score: if weights > 0.0 { score / weights } else { 0.0 }, findings }
    }
}
