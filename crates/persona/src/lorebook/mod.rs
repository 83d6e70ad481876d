//! Keyed notes: chosen when one of their keys was said, as in the lorebook of a character card.
//!
//! A note with a `[lore]` table in its front matter is chosen by that alone, and never by the fuzzy search, which would
//! find what is switched off. What is chosen for every question stands in the stable prefix; the rest stands before
//! the question that it is chosen for.

mod key;
mod lore;
mod pattern;
mod table;
#[cfg(test)]
mod tests;

use std::{cmp::Reverse, collections::HashSet};

use self::key::Text;
pub(crate) use self::{
    lore::{Lore, Moment},
    table::{BookTable, LoreTable, Position},
};
use crate::{PastTurn, estimate_tokens, pack::Note, prompt::neutral};

/// How many messages are looked at when the pack does not say: the question, the answer before it, and that one's
/// question.
const SCAN_DEPTH: usize = 3;

/// The most that a pack may ask for, in tokens: a card of a stranger must not eat the window.
const MOST_TOKENS: usize = 2048;

/// How often the texts of notes that were just found are searched for further keys.
const ROUNDS: usize = 8;

/// The keyed notes of a pack. Notes are named by their place in the pack.
pub(crate) struct Lorebook {
    /// Chosen for every question, in the order in which they stand.
    standing: Vec<usize>,
    keyed: Vec<Entry>,
    /// The texts of the standing notes, where they are to be searched.
    standing_texts: Vec<Text>,
    scan_depth: usize,
    recursive: bool,
    /// What the notes of one question may take, and of that, what is for keyed ones.
    notes_budget: usize,
    keyed_budget: usize,
}

struct Entry {
    note: usize,
    /// What the note takes as a whole and as its gist.
    costs: [usize; 2],
}

impl Lorebook {
    /// `notes_budget` is what the notes of one question may take where the pack asks for no more.
    pub(crate) fn new(notes: &[Note], table: &BookTable, notes_budget: usize) -> Self {
        let all = || notes.iter().enumerate().filter_map(|(at, note)| Some((at, note, note.lore.as_ref()?)));
        let mut standing: Vec<_> = all().filter(|(_, _, lore)| lore.always()).collect();
        // A stable sort: what is equal stays in the order of the ids.
        standing.sort_by_key(|(_, _, lore)| Reverse(lore.priority()));
        let most = table.token_budget.unwrap_or(MOST_TOKENS).min(MOST_TOKENS);
        let mut spent = 0;
        standing.retain(|(_, note, _)| {
            let cost = estimate_tokens(&neutral(&note.body));
            let fits = spent + cost <= most;
            spent += if fits { cost } else { 0 };
            fits
        });
        standing.sort_by_key(|(at, _, lore)| (lore.table.insertion_order, *at));
        let keyed = all().filter(|(_, _, lore)| !lore.always()).map(|(note, of, _)| Entry {
            note,
            costs: [&of.body, &of.gist].map(|text| estimate_tokens(&neutral(text))),
        });
        let recursive = table.recursive_scanning;
        let searched = standing.iter().filter(|_| recursive);
        Self {
            standing_texts: searched.flat_map(|(_, note, lore)| texts_of(note, lore)).collect(),
            keyed: keyed.collect(),
            scan_depth: table.scan_depth.unwrap_or(SCAN_DEPTH),
            recursive,
            notes_budget: table.token_budget.map_or(notes_budget, |tokens| tokens.clamp(notes_budget, MOST_TOKENS)),
            keyed_budget: table.token_budget.map_or(notes_budget, |tokens| tokens.min(MOST_TOKENS) - spent),
            standing: standing.into_iter().map(|(at, _, _)| at).collect(),
        }
    }

    /// What the notes of one question may take, in tokens.
    pub(crate) fn notes_budget(&self) -> usize {
        self.notes_budget
    }

    /// The texts that stand in the prefix before or after who the persona is.
    pub(crate) fn standing<'a>(&'a self, notes: &'a [Note], position: Position) -> impl Iterator<Item = String> + 'a {
        let wanted = move |note: &&Note| {
            let lore = note.lore.as_ref();
            lore.and_then(|lore| lore.table.position).unwrap_or(Position::AfterChar) == position
        };
        self.standing.iter().filter_map(|at| notes.get(*at)).filter(wanted).map(|note| neutral(&note.body))
    }

    /// The notes that `question` calls for after `past`, oldest turn first. `whole_past` says that no turn was left out
    /// of it. `by_priority`: the most important first; otherwise in the order in which they stand.
    pub(crate) fn select<'a>(
        &self,
        notes: &'a [Note],
        question: &str,
        past: &[PastTurn<'_>],
        whole_past: bool,
        by_priority: bool,
    ) -> Vec<&'a Note> {
        if self.keyed.is_empty() {
            return Vec::new();
        }
        let mut chosen = self.within_budget(notes, self.matched(notes, question, past, whole_past));
        if !by_priority {
            chosen.sort_by_key(|(at, lore)| {
                let table = &lore.table;
                (table.depth.is_some(), Reverse(table.depth), table.position, table.insertion_order, *at)
            });
        }
        chosen.into_iter().filter_map(|(at, _)| notes.get(at)).collect()
    }

    fn matched(&self, notes: &[Note], question: &str, past: &[PastTurn<'_>], whole_past: bool) -> Vec<&Entry> {
        let newest_first = past.iter().rev().flat_map(|turn| [turn.transcript.output(), turn.question]);
        let messages: Vec<Text> = std::iter::once(question).chain(newest_first).map(Text::new).collect();
        let answers = past.iter().filter(|turn| !turn.transcript.output().trim().is_empty()).count();
        let answers = whole_past.then_some(answers);
        let seen: HashSet<&str> = past.iter().flat_map(|turn| turn.notes).map(String::as_str).collect();

        let mut found: Vec<&Entry> = Vec::new();
        let mut open: Vec<&Entry> = self.keyed.iter().collect();
        let mut texts: Vec<Text> = Vec::new();
        for _ in 0..ROUNDS {
            let (fresh, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|entry| {
                let note = notes.get(entry.note);
                note.and_then(|note| Some((note, note.lore.as_ref()?))).is_some_and(|(note, lore)| {
                    let depth = lore.table.scan_depth.unwrap_or(self.scan_depth);
                    let scanned = messages.iter().take(depth).chain(&self.standing_texts).chain(&texts);
                    lore.matches(scanned, Moment { answers, seen: seen.contains(note.id.as_str()) })
                })
            });
            found.extend(&fresh);
            open = rest;
            if !self.recursive || fresh.is_empty() || open.is_empty() {
                break;
            }
            let with_lore =
                fresh.iter().filter_map(|entry| notes.get(entry.note)).filter_map(|n| Some((n, n.lore.as_ref()?)));
            texts.extend(with_lore.flat_map(|(note, lore)| texts_of(note, lore)));
        }
        found
    }

    /// The most important first, as many as the budget holds.
    fn within_budget<'a>(&self, notes: &'a [Note], found: Vec<&Entry>) -> Vec<(usize, &'a Lore)> {
        let lore = |entry: &Entry| notes.get(entry.note).and_then(|note| note.lore.as_ref());
        let mut found: Vec<_> = found.into_iter().filter_map(|entry| Some((entry, lore(entry)?))).collect();
        found.sort_by_key(|(entry, lore)| (Reverse(lore.priority()), entry.note));
        let mut left = self.keyed_budget;
        found.retain(|(entry, _)| {
            let cost = entry.costs.into_iter().find(|cost| *cost <= left);
            left -= cost.unwrap_or_default();
            cost.is_some()
        });
        found.into_iter().map(|(entry, lore)| (entry.note, lore)).collect()
    }
}

/// What of a note is searched for the keys of others.
fn texts_of<'a>(note: &'a Note, lore: &'a Lore) -> impl Iterator<Item = Text> + 'a {
    std::iter::once(&note.body).chain(&lore.table.hidden_keys).map(|text| Text::new(text))
}
