//! Language and script, against what the question wants.

use hitesh_domain::Step;

use super::{Departure, DepartureKind, Part, Text, share};
use crate::{Language, LanguageMix, retrieval::devanagari};

/// Shorter sentences tell nothing: they are a phrase, a name, an item of a list.
const FEWEST_WORDS: usize = 4;

/// What Hindi in the other script counts: the language is right, and not everybody can read it.
const OTHER_SCRIPT: f32 = 0.3;

/// A step keeps to its language if so many of the words that tell are in it: a borrowed sentence is no fault.
const KEPT: f32 = 0.85;

/// With less than this in it, it is in another language; between the two, it mixes them.
const LOST: f32 = 0.5;

/// The share of foreign letters from which on they are no accident.
const FOREIGN: f32 = 0.01;

pub(super) fn part(question: &str, expected: Option<Language>, texts: &[Text<'_>]) -> Part {
    let mut findings = Vec::new();
    let (mut score, mut weights) = (0.0, 0.0);
    for text in texts {
        let weight = if text.step == Step::Output { 0.6 } else { 0.2 };
        let Some((own, found)) = expected.and_then(|expected| kept(expected, text)) else { continue };
        score += weight * own;
        weights += weight;
        findings.extend(found);
    }
    let mut score = if weights > 0.0 { score / weights } else { 1.0 };
    let foreign = foreign_letters(texts.iter().map(|text| text.prose.as_str()));
    if foreign > FOREIGN && foreign_letters([question].into_iter()) == 0.0 {
        score *= (0.7 - 3.0 * foreign).max(0.0);
        findings.push(DepartureKind::ForeignScript.anywhere());
    }
    Part { score, findings }
}

/// How well one step keeps to the language, sentence by sentence: a model that was given the first words in it often
/// goes on in another. None if no sentence tells.
fn kept(expected: Language, text: &Text<'_>) -> Option<(f32, Option<Departure>)> {
    let (mut right, mut other_script, mut wrong) = (0, 0, 0);
    let mut count = |mix: LanguageMix| {
        let hindi = |language| matches!(language, Language::Hinglish | Language::Hindi);
        match mix.language() {
            None => {}
            Some(found) if found == expected => right += mix.words,
            Some(found) if hindi(found) && hindi(expected) => other_script += mix.words,
            Some(_) => wrong += mix.words,
        }
    };
    let ends = |c| matches!(c, '.' | '?' | '!' | '।' | ':' | '\n');
    let sentences = text.prose.split(ends).map(LanguageMix::of_prose);
    sentences.filter(|mix| mix.words >= FEWEST_WORDS).for_each(&mut count);
    let all = right + other_script + wrong;
    if all == 0 {
        return None;
    }
    let score = share(right, all) + OTHER_SCRIPT * share(other_script, all);
    let finding = if score >= KEPT {
        return Some((1.0, None));
    } else if share(right, all) >= LOST {
        DepartureKind::MixedLanguage
    } else if wrong >= other_script {
        DepartureKind::WrongLanguage
    } else {
        DepartureKind::WrongScript
    };
    Some((score / KEPT, Some(finding.at(text.step))))
}

/// The share of the letters that are of neither the Latin script, nor Devanagari, nor Greek (which formulas use).
fn foreign_letters<'a>(texts: impl Iterator<Item = &'a str>) -> f32 {
    let (mut all, mut foreign) = (0, 0);
    for c in texts.flat_map(str::chars) {
        if c.is_ascii_alphabetic() {
            all += 1;
        } else if c.is_alphabetic() {
            all += 1;
            // Latin with its marks and phonetic letters, Greek; and the letter-like symbols.
            let known = matches!(c, '\u{80}'..='\u{3ff}' | '\u{1d00}'..='\u{24ff}') || devanagari::is_letter_or_sign(c);
            foreign += usize::from(!known);
        }
    }
    share(foreign, all)
}
