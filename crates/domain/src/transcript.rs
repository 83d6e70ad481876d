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
    /// How many bytes of `content`, from its start, are the model's own reasoning: whole deltas, and only in `think`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning: u32,
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
                        reasoning: 0,
                        finished_at: None,
                    });
                }
            }
            JournalEvent::ThinkReasoning(text) => {
                if let Some(open) = self.open(Step::Think).filter(|open| open.is_all_reasoning())
                    && let Some(reasoning) = length(text).and_then(|length| open.reasoning.checked_add(length))
                {
                    open.append(text);
                    open.reasoning = reasoning;
                }
            }
            JournalEvent::StepDelta(step, text) => {
                if let Some(open) = self.open(*step) {
                    open.append(text);
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
            let mut reasoning = record.reasoning_bytes();
            events.extend(record.pieces().map(|piece| {
                let is_reasoning = reasoning > 0;
                reasoning = reasoning.saturating_sub(piece.len());
                let piece = Arc::from(piece);
                if is_reasoning {
                    JournalEvent::ThinkReasoning(piece)
                } else {
                    JournalEvent::StepDelta(record.step, piece)
                }
            }));
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

    /// The same answer as a later turn gets it from the cache: one delta a step (reasoning is one of its own), without
    /// statuses, each step finished at `at`.
    pub fn coalesced(&self, at: OffsetDateTime) -> Self {
        let steps = self
            .steps
            .iter()
            .map(|record| StepRecord {
                step: record.step,
                content: record.content.clone(),
                deltas: [Some(record.reasoning), length(record.own_text())]
                    .into_iter()
                    .flatten()
                    .filter(|length| *length > 0)
                    .collect(),
                reasoning: record.reasoning,
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
    /// Its text without the model's own reasoning: what may be told to a model, and what the persona said.
    pub fn own_text(&self) -> &str {
        self.content.get(self.reasoning_bytes()..).unwrap_or_default()
    }

    fn reasoning_bytes(&self) -> usize {
        usize::try_from(self.reasoning).unwrap_or(usize::MAX)
    }

    fn is_all_reasoning(&self) -> bool {
        self.reasoning_bytes() == self.content.len()
    }

    fn append(&mut self, text: &str) {
        if let Some(length) = length(text) {
            self.content.push_str(text);
            self.deltas.push(length);
        }
    }

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

fn length(text: &str) -> Option<u32> {
    u32::try_from(text.len()).ok()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(length: &u32) -> bool {
    *length == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn journal() -> impl Strategy<Value = Vec<JournalEvent>> {
        let texts = || proptest::collection::vec("[a-zé🍵\n]{1,6}", 0..6);
        let statuses = proptest::collection::vec(
            prop_oneof![
                (1u32..9, proptest::option::of(1u32..99))
                    .prop_map(|(position, wait_seconds)| Status::Queued { position, wait_seconds }),
                Just(Status::Loading),
                Just(Status::Working),
                Just(Status::Retrying { provider: None }),
                Just(Status::Retrying { provider: "other".parse().ok() }),
                Just(Status::Reasoning)
            ],
            0..3,
        );
        let parts = (statuses, texts(), texts(), texts(), texts(), any::<bool>(), any::<bool>());
        parts.prop_map(|(s, a, r, t, o, whole, usage)| {
            let at = OffsetDateTime::UNIX_EPOCH;
            let mut events: Vec<_> = s.into_iter().map(JournalEvent::Status).collect();
            for (step, texts) in Step::ALL.into_iter().zip([a, t, o]) {
                events.push(JournalEvent::StepStarted(step));
                if step == Step::Think {
                    events.extend(r.iter().map(|text| JournalEvent::ThinkReasoning(text.as_str().into())));
                }
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

    fn thought() -> Transcript {
        let mut transcript = Transcript::default();
        for event in [
            JournalEvent::StepStarted(Step::Think),
            JournalEvent::ThinkReasoning("hm, ".into()),
            JournalEvent::ThinkReasoning("so.\n\n".into()),
            JournalEvent::StepDelta(Step::Think, "cha".into()),
            JournalEvent::StepDelta(Step::Think, "i".into()),
            JournalEvent::StepFinished(Step::Think, OffsetDateTime::UNIX_EPOCH),
        ] {
            transcript.push(&event);
        }
        transcript
    }

    #[test]
    fn reasoning_is_a_part_of_what_is_shown_and_not_of_what_was_said() {
        for transcript in [thought(), thought().coalesced(OffsetDateTime::UNIX_EPOCH)] {
            let think = transcript.step(Step::Think).unwrap();
            assert_eq!((think.content.as_str(), think.own_text()), ("hm, so.\n\nchai", "chai"));
            let is_reasoning = |event: &JournalEvent| matches!(event, JournalEvent::ThinkReasoning(_));
            let texts: Vec<_> = transcript.events().iter().map(is_reasoning).skip(1).collect();
            assert!(texts.is_sorted_by(|earlier, later| earlier >= later), "{texts:?}");
            let mut again = Transcript::default();
            transcript.events().iter().for_each(|event| again.push(event));
            assert_eq!(again, transcript);
        }
        assert_eq!(thought().coalesced(OffsetDateTime::UNIX_EPOCH).events().len(), 4);
    }

    #[test]
    fn reasoning_stands_nowhere_but_before_what_think_says() {
        let mut transcript = thought();
        transcript.push(&JournalEvent::ThinkReasoning("too late".into()));
        transcript.push(&JournalEvent::StepStarted(Step::Output));
        transcript.push(&JournalEvent::ThinkReasoning("never here".into()));
        assert_eq!((transcript.event_count(), transcript.output()), (7, ""));
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
