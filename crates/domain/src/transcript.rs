use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{JournalEvent, Status, Step, Usage};

/// A journal in its stored form: the texts whole, and where the deltas were cut, so that
/// [`events`](Self::events) gives back exactly what was [pushed](Self::push), number for number.
///
/// Stores keep it, the cache keeps it (coalesced), checkpoints are it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// What the answer waited for, before its first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Status>,
    /// The steps so far, in the order in which they came, each at most once.
    pub steps: Vec<StepRecord>,
    /// What the upstream call cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// One step of a [`Transcript`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which one.
    pub step: Step,
    /// Its text so far.
    pub content: String,
    /// The length of each delta in bytes; their sum is the length of `content`.
    pub deltas: Vec<u32>,
    /// When it was whole; none if it was cut.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<OffsetDateTime>,
}

impl Transcript {
    /// Takes the next event of the journal. An event that is out of order (see [`JournalEvent`]) is left out.
    pub fn push(&mut self, event: &JournalEvent) {
        match event {
            JournalEvent::Status(status) => {
                if self.steps.is_empty() && self.usage.is_none() {
                    self.statuses.push(status.clone());
                }
            }
            JournalEvent::StepStarted(step) => {
                let finished = self.steps.last().is_none_or(|last| last.finished_at.is_some() && last.step < *step);
                if finished {
                    self.steps.push(StepRecord {
                        step: *step,
                        content: String::new(),
                        deltas: Vec::new(),
                        finished_at: None,
                    });
                }
            }
            JournalEvent::StepDelta(step, text) => {
                if let Some(open) = self.open(*step)
                    && let Ok(length) = u32::try_from(text.len())
                {
                    open.content.push_str(text);
                    open.deltas.push(length);
                }
            }
            JournalEvent::StepFinished(step, at) => {
                if let Some(open) = self.open(*step) {
                    open.finished_at = Some(*at);
                }
            }
            JournalEvent::Usage(usage) => self.usage = Some(*usage),
        }
    }

    /// The journal that this transcript was made of.
    pub fn events(&self) -> Vec<JournalEvent> {
        let mut events = Vec::with_capacity(self.event_count());
        events.extend(self.statuses.iter().cloned().map(JournalEvent::Status));
        for record in &self.steps {
            events.push(JournalEvent::StepStarted(record.step));
            events.extend(record.pieces().map(|piece| JournalEvent::StepDelta(record.step, Arc::from(piece))));
            events.extend(record.finished_at.map(|at| JournalEvent::StepFinished(record.step, at)));
        }
        events.extend(self.usage.map(JournalEvent::Usage));
        events
    }

    /// How many events [`events`](Self::events) gives.
    pub fn event_count(&self) -> usize {
        let steps: usize = self.steps.iter().map(|s| 1 + s.deltas.len() + usize::from(s.finished_at.is_some())).sum();
        self.statuses.len() + steps + usize::from(self.usage.is_some())
    }

    /// The record of `step`, whole or not.
    pub fn step(&self, step: Step) -> Option<&StepRecord> {
        self.steps.iter().find(|record| record.step == step)
    }

    /// The text of the `output` step so far; empty when there is none.
    pub fn output(&self) -> &str {
        self.step(Step::Output).map_or("", |record| &record.content)
    }

    /// The same answer as a later turn gets it from the cache: one delta a step, without statuses, each step
    /// finished at `at`.
    pub fn coalesced(&self, at: OffsetDateTime) -> Self {
        let steps = self
            .steps
            .iter()
            .map(|record| StepRecord {
                step: record.step,
                content: record.content.clone(),
                deltas: u32::try_from(record.content.len()).ok().filter(|length| *length > 0).into_iter().collect(),
                finished_at: record.finished_at.map(|_| at),
            })
            .collect();
        Self { statuses: Vec::new(), steps, usage: self.usage }
    }

    fn open(&mut self, step: Step) -> Option<&mut StepRecord> {
        self.steps.last_mut().filter(|last| last.step == step && last.finished_at.is_none())
    }
}

impl StepRecord {
    /// The deltas' texts. Lengths that do not fit the content (a damaged record) give the rest as one piece.
    fn pieces(&self) -> impl Iterator<Item = &str> {
        let mut rest = self.content.as_str();
        let mut lengths = self.deltas.iter();
        std::iter::from_fn(move || {
            let length = usize::try_from(*lengths.next()?).ok()?;
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            rest = after;
            Some(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn journal() -> impl Strategy<Value = Vec<JournalEvent>> {
        let texts = || proptest::collection::vec("[a-zé🍵\n]{1,6}", 0..6);
        let statuses = proptest::collection::vec(
            prop_oneof![
                (1u32..9).prop_map(|position| Status::Queued { position }),
                Just(Status::Loading),
                Just(Status::Working),
                Just(Status::Retrying { provider: None }),
                Just(Status::Retrying { provider: "other".parse().ok() })
            ],
            0..3,
        );
        (statuses, texts(), texts(), texts(), any::<bool>(), any::<bool>()).prop_map(|(s, a, t, o, whole, usage)| {
            let at = OffsetDateTime::UNIX_EPOCH;
            let mut events: Vec<_> = s.into_iter().map(JournalEvent::Status).collect();
            for (step, texts) in Step::ALL.into_iter().zip([a, t, o]) {
                events.push(JournalEvent::StepStarted(step));
                events.extend(texts.into_iter().map(|text| JournalEvent::StepDelta(step, text.into())));
                if step != Step::Output || whole {
                    events.push(JournalEvent::StepFinished(step, at));
                }
            }
            if usage {
                events.push(JournalEvent::Usage(Usage::default()));
            }
            events
        })
    }

    proptest! {
        #[test]
        fn a_journal_survives_storage_number_for_number(events in journal(), cut in 0usize..40) {
            let prefix: Vec<_> = events.into_iter().take(cut).collect();
            let mut transcript = Transcript::default();
            prefix.iter().for_each(|event| transcript.push(event));
            let stored = serde_json::to_string(&transcript).unwrap();
            let read: Transcript = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(read.events(), prefix);
            prop_assert_eq!(read.event_count(), read.events().len());
        }
    }

    #[test]
    fn coalescing_keeps_the_texts() {
        let mut transcript = Transcript::default();
        transcript.push(&JournalEvent::Status(Status::Loading));
        transcript.push(&JournalEvent::StepStarted(Step::Output));
        transcript.push(&JournalEvent::StepDelta(Step::Output, "ch".into()));
        transcript.push(&JournalEvent::StepDelta(Step::Output, "ai".into()));
        transcript.push(&JournalEvent::StepFinished(Step::Output, OffsetDateTime::UNIX_EPOCH));
        let coalesced = transcript.coalesced(OffsetDateTime::now_utc());
        assert_eq!(coalesced.output(), "chai");
        assert_eq!(coalesced.events().len(), 3);
    }

    #[test]
    fn a_step_out_of_order_is_left_out() {
        let mut transcript = Transcript::default();
        transcript.push(&JournalEvent::StepStarted(Step::Output));
        transcript.push(&JournalEvent::StepFinished(Step::Output, OffsetDateTime::UNIX_EPOCH));
        transcript.push(&JournalEvent::StepStarted(Step::Think));
        transcript.push(&JournalEvent::StepDelta(Step::Think, "late".into()));
        assert_eq!(transcript.steps.len(), 1);
    }
}
