//! From a persona, a past and a question to the messages that a model is asked with.

mod delimit;
mod prefix;
mod reminder;

use std::collections::HashSet;

use hitesh_domain::{Message, Role, Scaffold, Step, StepFormat, Transcript};

use self::delimit::enclosed;
pub(crate) use self::{
    delimit::neutral,
    prefix::{Prefixes, instructions},
};
use crate::{Language, Persona, estimate_tokens, language_of, pack::Note, render_steps};

/// The most that the notes of one question may take: 300 tokens, which the estimator, being cautious, counts as about
/// 320 in notes. A test holds every pair of built-in notes to the true 300.
pub(crate) const NOTES_BUDGET: usize = 320;

/// What a chat template adds to each message, in tokens.
const MESSAGE_OVERHEAD: usize = 4;

/// How long a prompt is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromptSize {
    /// Whole notes, up to two.
    Full,
    /// One note's gist: for small models.
    Compact,
}

/// How a prompt is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptOptions {
    /// How the model is asked to mark the steps.
    pub format: StepFormat,
    /// How long the prompt is to be.
    pub size: PromptSize,
    /// The most messages of the past, two for each turn. The design's default is 10.
    pub max_history_messages: usize,
    /// The most tokens that the prompt may have; none is no limit.
    pub context_window: Option<usize>,
    /// Whether the question carries a reminder of its language after two answers that drifted. By default not: what it
    /// helps has not been measured.
    pub reminders: bool,
}

impl PromptOptions {
    /// The default length of the past: five turns.
    pub const MAX_HISTORY_MESSAGES: usize = 10;

    /// The defaults for a format and a size: [`Self::MAX_HISTORY_MESSAGES`], no window, no reminders.
    pub fn new(format: StepFormat, size: PromptSize) -> Self {
        let max_history_messages = Self::MAX_HISTORY_MESSAGES;
        Self { format, size, max_history_messages, context_window: None, reminders: false }
    }
}

/// A turn that was finished before.
#[derive(Debug, Clone, Copy)]
pub struct PastTurn<'a> {
    /// What was asked, as it stood in that turn's prompt.
    pub question: &'a str,
    /// The [`Prompt::notes`] of that turn.
    pub notes: &'a [String],
    /// What was answered.
    pub transcript: &'a Transcript,
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// All messages; the last one is the question.
    pub messages: Vec<Message>,
    /// How many leading messages are the same for every question.
    pub stable: usize,
    /// The ids of the notes that stand before the question, to be kept with the turn (see [`PastTurn::notes`]). The id of
    /// a reminder, which holds a colon, may be the first of them.
    pub notes: Vec<String>,
    /// How many tokens the messages have, by [`estimate_tokens`].
    pub tokens: usize,
    /// How many of the past turns are in it.
    pub history_turns: usize,
    /// How the steps begin and the answer ends, for a provider that writes the steps' marks itself. Only a compact prompt
    /// has it, and only for the languages and steps that the pack has openings for.
    pub scaffold: Scaffold,
}

impl Persona {
    /// The ids of the notes that fit `question`, best first: 0 to 2, or 0 to 1 in a compact prompt. Keyed notes are
    /// not among them: they depend on more than two questions, and [`prompt`](Self::prompt) chooses them. `previous` is the
    /// question before it, for a question that leans on it ("aur iska code?").
    pub fn select_notes(&self, question: &str, previous: Option<&str>, size: PromptSize) -> Vec<String> {
        let most = match size {
            PromptSize::Full => 2,
            PromptSize::Compact => 1,
        };
        self.index().select(question, previous, most).into_iter().map(str::to_owned).collect()
    }

    /// The stable prefix: the system message and the fixed examples, byte for byte the same for every question.
    /// Today it is the same for both sizes.
    pub fn prefix(&self, format: StepFormat, size: PromptSize) -> Vec<Message> {
        let _ = size;
        self.prefixes().get(format).messages.clone()
    }

    /// Builds the prompt for `question`, after `past` (oldest first).
    ///
    /// The prefix and the question are always in it. Notes that don't fit the window beside them are left out, last
    /// one first; then as many whole turns of the past as fit, the newest kept. A turn without an output is left out
    /// of the past: it would teach the model to give none.
    ///
    /// If prefix and question alone exceed the window, the prompt is built all the same and [`Prompt::tokens`] says
    /// so.
    pub fn prompt(&self, question: &str, past: &[PastTurn<'_>], options: &PromptOptions) -> Prompt {
        let prefix = self.prefixes().get(options.format);
        let window = options.context_window.unwrap_or(usize::MAX);
        let previous = past.last().map(|turn| turn.question);

        let mut wanted: Vec<String> = self.reminder(question, past, options).into_iter().collect();
        wanted.extend(self.keyed_notes(question, past, options));
        wanted.extend(self.select_notes(question, previous, options.size));
        let mut asked = self.asked(question, &wanted, options.size);
        while prefix.tokens + asked.tokens > window && !asked.notes.is_empty() {
            let fewer = asked.notes.len() - 1;
            asked = self.asked(question, asked.notes.get(..fewer).unwrap_or_default(), options.size);
        }

        let mut tokens = prefix.tokens + asked.tokens;
        let mut turns = Vec::new();
        let answered = past.iter().rev().filter(|turn| !turn.transcript.output().trim().is_empty());
        for turn in answered.take(options.max_history_messages / 2) {
            let question = self.asked(turn.question, turn.notes, options.size);
            let answer = Message::new(Role::Assistant, answer(turn.transcript, options.format));
            let turn_tokens = question.tokens + message_tokens(&answer);
            if tokens + turn_tokens > window {
                break;
            }
            tokens += turn_tokens;
            turns.push((question, answer));
        }

        let standing = self.standing_keyed(&turns, options.max_history_messages / 2);
        if asked.notes.iter().any(|id| standing.contains(id.as_str())) {
            wanted.retain(|id| !standing.contains(id.as_str()));
            let shorter = self.asked(question, &wanted, options.size);
            if tokens - asked.tokens + shorter.tokens <= window {
                tokens = tokens - asked.tokens + shorter.tokens;
                asked = shorter;
            }
        }

        let mut messages = Vec::with_capacity(prefix.messages.len() + 2 * turns.len() + 1);
        messages.extend_from_slice(&prefix.messages);
        let history_turns = turns.len();
        messages.extend(turns.into_iter().rev().flat_map(|(question, answer)| [question.message, answer]));
        messages.push(asked.message);
        let scaffold = match options.size {
            PromptSize::Full => Scaffold::default(),
            PromptSize::Compact => {
                let language = self.language_for(question);
                let note = asked.notes.first().and_then(|id| self.note(id));
                let notes_in = self.languages().first().and_then(|first| Language::from_code(first));
                let note_speaks_it = notes_in.is_some_and(|notes_in| notes_in.is_spoken_like(language));
                self.openings().scaffold(crate::openings::Asked { question, language, note, note_speaks_it })
            }
        };
        Prompt { messages, stable: prefix.messages.len(), notes: asked.notes, tokens, history_turns, scaffold }
    }

    /// The language that an answer to `question` is to be in: the question's, if the persona speaks it, else the first
    /// that the persona speaks.
    pub fn language_for(&self, question: &str) -> Language {
        let speaks: Vec<_> = self.languages().iter().filter_map(|code| Language::from_code(code)).collect();
        let wanted = language_of(question).filter(|language| speaks.contains(language));
        wanted.or(speaks.first().copied()).unwrap_or(Language::English)
    }

    fn keyed_notes(&self, question: &str, past: &[PastTurn<'_>], options: &PromptOptions) -> Vec<String> {
        // As many turns as a prompt may hold: there may be more of them than were given.
        let whole_past = past.len() < options.max_history_messages / 2;
        let by_priority = options.size == PromptSize::Compact;
        let chosen = self.lorebook().select(self.pack_notes(), question, past, whole_past, by_priority);
        chosen.into_iter().map(|note| note.id.clone()).collect()
    }

    /// The keyed notes that stand in the turns of the past, newest first, and needn't stand in the prompt again. One
    /// that stands only in the oldest of as many turns as there may be is about to fall out.
    fn standing_keyed<'a>(&self, turns: &'a [(Asked, Message)], most: usize) -> HashSet<&'a str> {
        let lasting = if turns.len() < most { turns.len() } else { turns.len().saturating_sub(1) };
        let ids = turns.iter().take(lasting).flat_map(|(asked, _)| asked.notes.iter().map(String::as_str));
        ids.filter(|id| self.note(id).is_some_and(|note| note.lore.is_some())).collect()
    }

    /// The user's message of one turn. It depends on the question, the notes' ids and the size only, so a past turn
    /// comes out as it was first sent: of `ids`, those are kept that fit, and giving the kept ones again gives the
    /// same text. An id without a note is left out. A reminder stands after the question, where small models heed it.
    fn asked(&self, question: &str, ids: &[String], size: PromptSize) -> Asked {
        let budget = self.lorebook().notes_budget();
        let mut text = String::new();
        let mut notes = Vec::new();
        let reminder = ids.iter().find_map(|id| Some((id, self.reminder_text(id)?)));
        notes.extend(reminder.map(|(id, _)| id.clone()));
        for note in ids.iter().filter_map(|id| self.note(id)) {
            let fits = |candidate: &str| estimate_tokens(&text) + estimate_tokens(candidate) <= budget;
            let rendered = match size {
                PromptSize::Compact => text.is_empty().then(|| gist(note)),
                PromptSize::Full => [whole(note), gist(note)].into_iter().find(|candidate| fits(candidate)),
            };
            if let Some(rendered) = rendered {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&rendered);
                notes.push(note.id.clone());
            }
        }
        let mut content = String::new();
        if !text.is_empty() {
            content.push_str(&enclosed("notes", &text));
            content.push('\n');
        }
        content.push_str(&enclosed("question", &neutral(question.trim())));
        if let Some((_, reminder)) = reminder {
            content.push('\n');
            content.push_str(&neutral(reminder));
        }
        let message = Message::new(Role::User, content);
        Asked { tokens: message_tokens(&message), message, notes }
    }
}

struct Asked {
    message: Message,
    notes: Vec<String>,
    tokens: usize,
}

fn whole(note: &Note) -> String {
    neutral(&note.body)
}

fn gist(note: &Note) -> String {
    neutral(&note.gist)
}

/// Without the reasoning of the model that gave it: no provider is told that again, least of all another one.
fn answer(transcript: &Transcript, format: StepFormat) -> String {
    let steps = Step::ALL.into_iter().filter_map(|step| transcript.step(step));
    render_steps(format, steps.map(|record| (record.step, record.own_text())))
}

fn message_tokens(message: &Message) -> usize {
    estimate_tokens(&message.content) + MESSAGE_OVERHEAD
}

#[cfg(test)]
mod reminder_tests;
#[cfg(test)]
mod tests;
