use std::collections::{BTreeMap, BTreeSet};

use hitesh_domain::{PersonaId, ProviderId};
use hitesh_persona::{DepartureKind, Fidelity};

use crate::figures::ratio;

/// The upper bounds of the histogram's buckets. Most that goes wrong costs a third of the score or more.
const BOUNDS: [f32; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// How far the answers of one provider are in one persona's character, since start. Each upstream answer that came to an
/// orderly end counts once, however many turns it answered, and not again when it comes from the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct FidelityFigures {
    /// Who was to answer.
    pub persona: PersonaId,
    /// Who did.
    pub provider: ProviderId,
    /// How many answers.
    pub answers: u64,
    /// The mean of their [scores](Fidelity::score).
    pub avg_score: f64,
    /// How many of them scored at most this, and more than the bound before it.
    pub histogram: Vec<(f32, u64)>,
    /// How many of them had a finding of this kind; kinds that never came are left out.
    pub findings: Vec<(DepartureKind, u64)>,
}

/// The scores so far.
#[derive(Debug, Default)]
pub(crate) struct Scores(BTreeMap<(PersonaId, ProviderId), Tally>);

#[derive(Debug, Default)]
struct Tally {
    answers: u64,
    total: f64,
    histogram: [u64; BOUNDS.len()],
    findings: BTreeMap<DepartureKind, u64>,
}

impl Scores {
    pub(crate) fn count(&mut self, persona: &PersonaId, provider: &ProviderId, fidelity: &Fidelity) {
        let tally = self.0.entry((persona.clone(), provider.clone())).or_default();
        tally.answers += 1;
        tally.total += f64::from(fidelity.score);
        let bucket = BOUNDS.iter().position(|bound| fidelity.score <= *bound).unwrap_or(BOUNDS.len() - 1);
        if let Some(count) = tally.histogram.get_mut(bucket) {
            *count += 1;
        }
        let kinds: BTreeSet<_> = fidelity.findings.iter().map(|finding| finding.kind).collect();
        for kind in kinds {
            *tally.findings.entry(kind).or_default() += 1;
        }
    }

    pub(crate) fn figures(&self) -> Vec<FidelityFigures> {
        let figures = |((persona, provider), tally): (&(PersonaId, ProviderId), &Tally)| FidelityFigures {
            persona: persona.clone(),
            provider: provider.clone(),
            answers: tally.answers,
            avg_score: ratio(tally.total, tally.answers),
            histogram: BOUNDS.into_iter().zip(tally.histogram).collect(),
            findings: tally.findings.iter().map(|(kind, count)| (*kind, *count)).collect(),
        };
        self.0.iter().map(figures).collect()
    }
}

#[cfg(test)]
mod tests {
    use hitesh_domain::Step;
    use hitesh_persona::Departure;

    use super::*;

    #[test]
    fn scores_are_counted_by_persona_and_provider() {
        let (persona, other) = (PersonaId::try_from("hitesh").unwrap(), PersonaId::try_from("reviewer").unwrap());
        let provider = ProviderId::try_from("local").unwrap();
        let wrong = |step| Departure { kind: DepartureKind::WrongLanguage, step: Some(step) };
        let poor = Fidelity { score: 0.5, findings: vec![wrong(Step::Think), wrong(Step::Output)] };
        let good = Fidelity { score: 1.0, findings: Vec::new() };
        let mut scores = Scores::default();
        scores.count(&persona, &provider, &poor);
        scores.count(&persona, &provider, &good);
        scores.count(&other, &provider, &good);
        let figures = scores.figures();
        assert_eq!(figures.len(), 2);
        assert_eq!((figures[0].answers, figures[0].avg_score), (2, 0.75));
        assert_eq!(figures[0].histogram.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 0, 0, 0, 0, 1]);
        assert_eq!(figures[0].findings, [(DepartureKind::WrongLanguage, 1)]);
        assert_eq!((figures[1].persona.as_str(), figures[1].avg_score), ("reviewer", 1.0));
    }
}
