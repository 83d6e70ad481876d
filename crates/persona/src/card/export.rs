//! From a pack to a card.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    Card, book,
    document::{Document, set_own_extension},
    example, fingerprint,
    fingerprint::Parts,
    sidecar::{self, Kept},
};
use crate::{
    PersonaError,
    pack::{About, CARD, EXAMPLES, FrontMatter, NOTES, Note, PERSONA, Pack, normalized},
    places::parted,
};

impl Card {
    /// The card of a pack's files: (path relative to its folder, text), `card.json` among them if there is one.
    ///
    /// Of a pack that was made [of a card](Self::into_pack), what nobody changed is as it was in that card, to the
    /// letter; what was changed in the pack is the pack's. A pack's files are also kept in the card's `extensions`,
    /// so that the pack can come back with all that a card has no field for.
    ///
    /// # Errors
    /// [`PersonaError::Invalid`] with the mistakes of the pack.
    pub fn from_pack<P, T>(files: impl IntoIterator<Item = (P, T)>) -> Result<Self, PersonaError>
    where
        P: Into<String>,
        T: Into<String>,
    {
        let files: BTreeMap<String, String> =
            files.into_iter().map(|(path, text)| (path.into(), normalized(&text.into()))).collect();
        let pack = Pack::from_files(files.clone())?;
        let kept = files.get(CARD).map(|text| sidecar::read(text)).transpose();
        let kept = kept.map_err(|mistake| PersonaError::Invalid(vec![mistake]))?;
        Ok(Exporter { pack: &pack, files: &files }.card(kept))
    }
}

struct Exporter<'a> {
    pack: &'a Pack,
    files: &'a BTreeMap<String, String>,
}

impl Exporter<'_> {
    fn card(&self, kept: Option<Kept>) -> Card {
        let about = &self.pack.about;
        let new = || Kept {
            card: Card { document: Document::new(about.name.trim()), image: None, assets: Vec::new() },
            made: None,
            notes: Vec::new(),
        };
        let is_new = kept.is_none();
        let Kept { mut card, made, notes } = kept.unwrap_or_else(new);
        let now = Parts::of(about, &self.pack.examples);
        let changed = |of: fn(&Parts) -> &String| made.as_ref().is_none_or(|made| of(made) != of(&now));
        let document = &mut card.document;
        if changed(|parts| &parts.name) {
            document.set("name", json!(about.name.trim()));
        }
        if changed(|parts| &parts.who) {
            set_who(document, about);
        }
        if changed(|parts| &parts.topics) {
            document.set("tags", json!(about.topics));
        }
        if changed(|parts| &parts.examples) {
            document.set("mes_example", json!(example::written(&self.pack.examples)));
        }
        if is_new {
            // Whoever meets the character elsewhere is told too what it is.
            document.set("first_mes", json!(about.disclosure.trim()));
            document
                .set("creator_notes", json!(format!("{}\n\n{}", about.description.trim(), about.disclosure.trim())));
        }
        let book_changed = self.set_book(document, &notes, changed(|parts| &parts.lorebook));
        if made.as_ref() != Some(&now) || book_changed {
            self.set_extension(document);
        }
        card
    }

    /// Whether anything of the lorebook had to be changed.
    fn set_book(&self, document: &mut Document, made: &[Option<sidecar::MadeNote>], table_changed: bool) -> bool {
        let mut changed = false;
        let mut claimed: HashSet<&str> = HashSet::new();
        let mut entries: Vec<Value> = Vec::new();
        for (at, entry) in document.entries().iter().enumerate() {
            let Some(made) = made.get(at).and_then(Option::as_ref) else {
                entries.push(entry.clone());
                continue;
            };
            let Some((note, file)) = self.note(&made.id) else {
                // Whoever removed the note wants the entry removed.
                changed = true;
                continue;
            };
            claimed.insert(&note.id);
            if fingerprint_of(file).as_deref() == Some(made.fingerprint.as_str()) {
                entries.push(entry.clone());
            } else {
                changed = true;
                entries.push(book::entry(entry.as_object(), note, file, at));
            }
        }
        for note in self.pack.notes.iter().filter(|note| !claimed.contains(note.id.as_str())) {
            changed = true;
            let file = self.file(&note.id).unwrap_or_default();
            entries.push(book::entry(None, note, file, entries.len()));
        }
        let table = &self.pack.about.lorebook;
        let wanted =
            document.book().is_some() || !entries.is_empty() || *table != crate::lorebook::BookTable::default();
        if !wanted || !(changed || table_changed) {
            return false;
        }
        let mut book =
            document.book().cloned().unwrap_or_else(|| Map::from_iter([("extensions".to_owned(), json!({}))]));
        book.insert("entries".to_owned(), Value::Array(entries));
        if table_changed {
            let numbers = [("scan_depth", table.scan_depth), ("token_budget", table.token_budget)];
            for (key, number) in numbers {
                match number {
                    Some(number) => drop(book.insert(key.to_owned(), json!(number))),
                    None => drop(book.remove(key)),
                }
            }
            book.insert("recursive_scanning".to_owned(), json!(table.recursive_scanning));
        }
        document.set("character_book", Value::Object(book));
        true
    }

    fn set_extension(&self, document: &mut Document) {
        let text = |path: &str| self.files.get(path).cloned().unwrap_or_default();
        let own = json!({
            "fingerprint": fingerprint::of_card(document),
            "files": { PERSONA: text(PERSONA), EXAMPLES: text(EXAMPLES) },
        });
        document.change_data(|data| set_own_extension(data, own));
    }

    fn note(&self, id: &str) -> Option<(&Note, &str)> {
        Some((self.pack.notes.iter().find(|note| note.id == id)?, self.file(id)?))
    }

    fn file(&self, id: &str) -> Option<&str> {
        self.files.get(&format!("{NOTES}{id}.md")).map(String::as_str)
    }
}

/// A card's fields for who a persona is. Its rules stand where they add to what the other program says of itself.
fn set_who(document: &mut Document, about: &About) {
    let lines = |entries: &[String]| entries.iter().map(|entry| entry.trim()).collect::<Vec<_>>().join("\n");
    let bullets: String = about.rules.iter().map(|rule| format!("\n- {}", rule.trim())).collect();
    let mut personality = lines(&about.voice);
    if !about.phrases.is_empty() {
        let gap = if personality.is_empty() { "" } else { "\n" };
        personality = format!("{personality}{gap}Phrases, sparingly: {}", about.phrases.join(" | "));
    }
    let rules = if bullets.is_empty() { String::new() } else { format!("{{{{original}}}}\n\nRules:{bullets}") };
    document.set("description", json!(about.identity.trim()));
    document.set("personality", json!(personality));
    document.set("scenario", json!(""));
    document.set("system_prompt", json!(rules));
    document.set("post_history_instructions", json!(""));
}

fn fingerprint_of(file: &str) -> Option<String> {
    let (front, body) = parted(file)?;
    let front: FrontMatter = toml::from_str(front).ok()?;
    Some(fingerprint::of_note(&front, body))
}
