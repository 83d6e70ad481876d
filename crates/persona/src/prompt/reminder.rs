//! The line that calls a persona back when its last answers drifted.
//!
//! It stands in the message of the question, so the stable prefix stays the same. Whether a turn had one is kept with it,
//! as an id among the ids of its notes that no note can have: so the turn is rendered later as it was first sent, also
//! when the turns that led to the reminder have fallen out of the prompt, or reminders were switched off since. Were it
//! derived again from the past, a turn whose past is gone would change; were it left out of past turns, every
//! prefix cache would end at it.

use hitesh_domain::Step;

use super::{PastTurn, PromptOptions};
use crate::{Persona, fidelity::LOW};

/// How many turns in a row have to have drifted. One may be an accident, or a language that the learner tried once.
const IN_A_ROW: usize = 2;

/// What stands before the language's code in a reminder's id. A note's id is the name of a file and has no colon.
const ID: &str = "reminder:";

impl Persona {
    /// The id of the reminder that `question` needs after `past` (oldest first): if the last two answered turns that a
    /// prompt may hold are each in another language or script than their questions wanted, or score low, one for the
    /// language that this question wants.
    pub(super) fn reminder(&self, question: &str, past: &[PastTurn<'_>], options: &PromptOptions) -> Option<String> {
        if !options.reminders || options.max_history_messages / 2 < IN_A_ROW {
            return None;
        }
        let answered = past.iter().rev().filter(|turn| !turn.transcript.output().trim().is_empty());
        let drifted = answered.take(IN_A_ROW).filter(|turn| self.drifts(turn)).count();
        if drifted < IN_A_ROW {
            return None;
        }
        let id = format!("{ID}{}", self.expected_language(question)?.code());
        self.reminder_text(&id).is_some().then_some(id)
    }

    /// The line of this id; none for a note's id, and for a reminder that the pack does not have.
    pub(super) fn reminder_text(&self, id: &str) -> Option<&str> {
        self.reminders().get(id.strip_prefix(ID)?)
    }

    fn drifts(&self, turn: &PastTurn<'_>) -> bool {
        let steps = Step::ALL.into_iter().filter_map(|step| turn.transcript.step(step));
        let fidelity = self.fidelity(turn.question, steps.map(|record| (record.step, record.own_text())));
        fidelity.score < LOW || fidelity.findings.iter().any(|finding| finding.kind.is_of_language())
    }
}
