//! What a pack, or a card, was when it was made out of the other: whether somebody has changed it since decides whose
//! words are taken on the way back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    decorator,
    document::{Document, count, flag, list, number, text},
};
use crate::pack::{About, Example, FrontMatter};

/// The parts of `persona.toml` and `examples.toml`, as they go into different fields of a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parts {
    pub(super) name: String,
    /// Identity, voice, rules and phrases.
    pub(super) who: String,
    pub(super) topics: String,
    pub(super) examples: String,
    pub(super) lorebook: String,
    /// What a card has no field for.
    pub(super) rest: String,
}

impl Parts {
    pub(super) fn of(about: &About, examples: &[Example]) -> Self {
        let About { id, name, description, languages, topics, .. } = about;
        let About { sample_questions, disclosure, identity, voice, rules, phrases, .. } = about;
        let About { steps, show_reasoning, openings, lorebook, .. } = about;
        let steps = hitesh_domain::Step::ALL.map(|step| steps.get(step));
        let trimmed = |texts: &[String]| texts.iter().map(|text| text.trim().to_owned()).collect::<Vec<_>>();
        let examples: Vec<_> = examples
            .iter()
            .map(|Example { question, notes, analyze, think, output }| {
                let steps = [analyze.as_deref(), think.as_deref(), Some(output.as_str())];
                (question.trim(), notes, steps.map(|step| step.map(str::trim)))
            })
            .collect();
        Self {
            name: of(&name.trim()),
            who: of(&(identity.trim(), trimmed(voice), trimmed(rules), trimmed(phrases))),
            topics: of(&trimmed(topics)),
            examples: of(&examples),
            lorebook: of(lorebook),
            rest: of(&(
                id,
                description.trim(),
                languages,
                sample_questions,
                disclosure.trim(),
                steps,
                show_reasoning,
                format!("{openings:?}"),
            )),
        }
    }
}

/// Of a note.
pub(super) fn of_note(front: &FrontMatter, body: &str) -> String {
    let FrontMatter { title, keywords, everyday, gist, lore, say } = front;
    of(&(title.trim(), keywords, everyday, gist.trim(), lore, say, body.trim()))
}

/// Of those fields of a card that a pack's files are made into, the lorebook's entries apart.
pub(super) fn of_card(document: &Document) -> String {
    let fields =
        ["name", "description", "personality", "scenario", "system_prompt", "post_history_instructions", "mes_example"];
    let texts = fields.map(|field| document.text(field));
    let book = document.book().map(|book| {
        (count(book, "scan_depth"), count(book, "token_budget"), flag(book, "recursive_scanning").unwrap_or_default())
    });
    of(&(texts, document.list("tags"), book.filter(|book| *book != (None, None, false))))
}

/// Of those fields of a lorebook's entry that a note is made into.
pub(super) fn of_entry(entry: &Map<String, Value>) -> String {
    let flags = ["selective", "case_sensitive", "constant"].map(|key| flag(entry, key).unwrap_or_default());
    let keys = ["keys", "secondary_keys"].map(|key| list(entry, key));
    let numbers = ["insertion_order", "priority"].map(|key| number(entry, key));
    let body = decorator::parted(text(entry, "content")).1.trim();
    of(&(keys, body, flags, flag(entry, "enabled").unwrap_or(true), numbers, text(entry, "position")))
}

/// 16 hexadecimal digits: this tells accidents apart, and guards nothing.
fn of(value: &impl Serialize) -> String {
    // What is given here is always JSON.
    let json = serde_json::to_vec(value).unwrap_or_default();
    blake3::hash(&json).to_hex().chars().take(16).collect()
}
