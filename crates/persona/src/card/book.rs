//! The entries of a card's lorebook and the notes of a pack.

use std::collections::HashSet;

use hitesh_domain::PersonaId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use toml::Spanned;

use super::{
    decorator,
    document::{count, flag, list, number, own_extension, set_own_extension, text},
    fingerprint,
    macros::Macros,
    slug,
};
use crate::{
    lorebook::{BookTable, LoreTable, Position},
    pack::{FrontMatter, Note},
    places::{FENCE, parted},
};

/// How many words of a note make its gist, for small models.
const GIST_WORDS: usize = 40;

/// The longest gist and the longest title, in characters: not every script parts its words.
const GIST: usize = 280;
const TITLE: usize = 80;

/// A note as a file.
pub(super) struct NoteFile {
    pub(super) id: String,
    pub(super) text: String,
}

#[derive(Serialize)]
struct Front<'a> {
    title: &'a str,
    gist: &'a str,
    lore: &'a LoreTable,
}

/// `[lorebook]` of the pack.
pub(super) fn table(book: &Map<String, Value>) -> BookTable {
    BookTable {
        scan_depth: count(book, "scan_depth"),
        // Some programs write 0 where nothing was set; a lorebook without room would be none.
        token_budget: count(book, "token_budget").filter(|tokens| *tokens > 0),
        recursive_scanning: flag(book, "recursive_scanning").unwrap_or_default(),
    }
}

/// The note that an entry becomes; nothing for one without text, or which nothing would ever choose.
pub(super) fn note(
    entry: &Map<String, Value>,
    at: usize,
    macros: &Macros<'_>,
    ids: &mut HashSet<String>,
) -> Option<NoteFile> {
    if let Some(file) = own_note(entry, ids) {
        return Some(file);
    }
    let (decorators, content) = decorator::parted(text(entry, "content"));
    let expanded = macros.expand(content);
    let body = expanded.text.trim();
    if body.is_empty() {
        return None;
    }
    let keys = |key: &str| -> Vec<Spanned<String>> {
        // Of a key that is nothing but control characters nothing is left.
        let keys = list(entry, key).into_iter().map(|key| one_line(&macros.text(&key)));
        keys.filter(|key| !key.trim().is_empty()).map(|key| decorator::unplaced(&key)).collect()
    };
    let position = match text(entry, "position") {
        "before_char" => Some(Position::BeforeChar),
        "after_char" => Some(Position::AfterChar),
        _ => None,
    };
    let mut table = LoreTable {
        keys: keys("keys"),
        secondary_keys: keys("secondary_keys"),
        selective: flag(entry, "selective").unwrap_or_default(),
        case_sensitive: flag(entry, "case_sensitive").unwrap_or_default(),
        use_regex: flag(entry, "use_regex").unwrap_or_default(),
        constant: flag(entry, "constant").unwrap_or_default(),
        enabled: flag(entry, "enabled").unwrap_or(true),
        insertion_order: number(entry, "insertion_order").unwrap_or_default(),
        priority: number(entry, "priority"),
        position,
        hidden_keys: expanded.hidden.iter().map(|key| one_line(key)).filter(|key| !key.trim().is_empty()).collect(),
        ..LoreTable::default()
    };
    decorator::apply(decorators, &mut table);
    if table.keys.is_empty() && !table.constant && table.activate.is_none() && table.enabled {
        return None;
    }
    let fallback = format!("Lore {}", at + 1);
    let first_key = table.keys.first().map(|key| key.get_ref().as_str()).unwrap_or_default();
    let names = [text(entry, "name"), text(entry, "comment"), first_key, &fallback].map(|name| shortened(name, TITLE));
    let title = names.iter().find(|name| !name.is_empty())?;
    let slug = slug::of(title);
    let base = if slug.is_empty() { format!("lore-{}", at + 1) } else { slug };
    let gist = gist(body);
    let front = toml::to_string(&Front { title, gist: &gist, lore: &table }).ok()?;
    Some(NoteFile { id: unique(&base, ids), text: file(&front, body) })
}

/// The note of a pack that has become a card and comes back unchanged.
fn own_note(entry: &Map<String, Value>, ids: &mut HashSet<String>) -> Option<NoteFile> {
    let own = own_extension(entry)?;
    if text(own, "fingerprint") != fingerprint::of_entry(entry) {
        return None;
    }
    let (id, front) = (text(own, "id"), text(own, "front"));
    PersonaId::try_from(id).ok()?;
    let table: FrontMatter = toml::from_str(front).ok()?;
    let body = decorator::parted(text(entry, "content")).1;
    let hidden = table.lore.as_ref().map(hidden).unwrap_or_default();
    let body = body.strip_suffix(hidden.as_str()).unwrap_or(body);
    Some(NoteFile { id: unique(id, ids), text: file(front, body) })
}

/// The entry that a note becomes, as a change of the one that it was made of, if there is one. `file` is the note's.
pub(super) fn entry(base: Option<&Map<String, Value>>, note: &Note, file: &str, at: usize) -> Value {
    let mut entry = base.cloned().unwrap_or_else(|| {
        let new = json!({ "id": at, "enabled": true, "insertion_order": 100, "selective": false, "constant": false });
        new.as_object().cloned().unwrap_or_default()
    });
    let mut put = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
    put("name", json!(note.title));
    match note.lore.as_ref().map(|lore| &lore.table) {
        None => {
            put("keys", json!(note.keywords));
            put("content", json!(note.body));
            put("use_regex", json!(false));
        }
        Some(table) => {
            let keys = |keys: &[Spanned<String>]| json!(keys.iter().map(Spanned::get_ref).collect::<Vec<_>>());
            put("keys", keys(&table.keys));
            put("secondary_keys", keys(&table.secondary_keys));
            put("selective", json!(table.selective));
            put("case_sensitive", json!(table.case_sensitive));
            put("use_regex", json!(table.use_regex));
            put("constant", json!(table.constant));
            put("enabled", json!(table.enabled));
            put("insertion_order", json!(table.insertion_order));
            put("content", json!(format!("{}{}{}", decorator::written(table), note.body, hidden(table))));
            match table.position {
                Some(position) => put("position", json!(position)),
                None => drop(entry.remove("position")),
            }
            match table.priority {
                Some(priority) => drop(entry.insert("priority".to_owned(), json!(priority))),
                None => drop(entry.remove("priority")),
            }
        }
    }
    let front = parted(file).map_or("", |(front, _)| front);
    let fingerprint = fingerprint::of_entry(&entry);
    set_own_extension(&mut entry, json!({ "id": note.id, "front": front, "fingerprint": fingerprint }));
    Value::Object(entry)
}

/// The hidden keys, as they stand behind a text.
fn hidden(table: &LoreTable) -> String {
    table.hidden_keys.iter().map(|key| format!("{{{{hidden_key:{key}}}}}")).collect()
}

fn file(front: &str, body: &str) -> String {
    format!("{FENCE}\n{}\n{FENCE}\n{}\n", front.trim_end(), body.trim())
}

fn unique(base: &str, ids: &mut HashSet<String>) -> String {
    let mut id = base.to_owned();
    let mut number = 2;
    while !ids.insert(id.clone()) {
        id = format!("{base}-{number}");
        number += 1;
    }
    id
}

/// The beginning of a text, whole words, in one line.
fn gist(body: &str) -> String {
    let words: Vec<_> = body.split_whitespace().take(GIST_WORDS).collect();
    let gist = shortened(&words.join(" "), GIST);
    let whole = body.split_whitespace().nth(GIST_WORDS).is_none() || gist.ends_with('…');
    if whole { gist } else { format!("{gist} …") }
}

/// A key is one line of a file, in which a line of its own could look like the end of the front matter.
fn one_line(key: &str) -> String {
    key.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// In one line, with at most `most` characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default().trim_end()),
        None => line,
    }
}
