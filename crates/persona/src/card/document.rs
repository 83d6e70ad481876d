//! A card's JSON. Fields are read leniently (one of a wrong type is as good as missing), and kept as they are.

use serde_json::{Map, Value, json};

use super::{CardError, CardVersion, TEXT, decorator};

/// The texts that every version has.
const TEXTS: [&str; 6] = ["name", "description", "personality", "scenario", "first_mes", "mes_example"];

/// The texts that came with the second version.
const TEXTS_V2: [&str; 5] =
    ["creator_notes", "system_prompt", "post_history_instructions", "creator", "character_version"];

/// What only the third version has.
const ONLY_V3: [&str; 7] = [
    "assets",
    "nickname",
    "creator_notes_multilingual",
    "source",
    "group_only_greetings",
    "creation_date",
    "modification_date",
];

/// The most entries that a lorebook may have.
const ENTRIES: (usize, &str) = (2000, "2,000 entries");

const NOTE_ON_VERSION: &str = "This is a Character Card V3, read as a Character Card V2: some of it may not work. A program for V3 cards shows all of it.";

/// The whole JSON object; it has `spec` and the object `data`, in which `name` has text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document(Map<String, Value>);

impl Document {
    pub(super) fn read(text: &[u8], form: &'static str) -> Result<Self, CardError> {
        if text.len() > TEXT.0 {
            return Err(CardError::TooLarge { what: "the card's text", most: TEXT.1 });
        }
        // Only what kind of mistake it is and where: the message itself may quote the card.
        let reason = |error: &serde_json::Error| {
            format!("its JSON is not valid at line {}, column {}", error.line(), error.column())
        };
        let value: Value = serde_json::from_slice(text).map_err(|error| CardError::damaged(form, reason(&error)))?;
        Self::of(value, form)
    }

    pub(super) fn of(value: Value, form: &'static str) -> Result<Self, CardError> {
        let Value::Object(mut map) = value else { return Err(CardError::NoCard { form }) };
        let spec = map.get("spec").and_then(Value::as_str);
        if spec.is_none() && is_first_version(&map) {
            map = Map::from_iter([
                ("spec".to_owned(), json!("chara_card_v2")),
                ("spec_version".to_owned(), json!("2.0")),
                ("data".to_owned(), Value::Object(map)),
            ]);
        } else if !spec.is_some_and(|spec| matches!(spec, "chara_card_v2" | "chara_card_v3")) {
            return Err(CardError::NoCard { form });
        }
        let document = Self(map);
        if document.text("name").trim().is_empty() {
            return Err(CardError::damaged(form, "the character has no name"));
        }
        if document.entries().len() > ENTRIES.0 {
            return Err(CardError::TooLarge { what: "the lorebook", most: ENTRIES.1 });
        }
        Ok(document)
    }

    /// An empty card of the third version.
    pub(super) fn new(name: &str) -> Self {
        let map = Map::from_iter([
            ("spec".to_owned(), json!("chara_card_v3")),
            ("spec_version".to_owned(), json!("3.0")),
            ("data".to_owned(), json!({ "name": name })),
        ]);
        let mut document = Self(map);
        document.fill(CardVersion::V3);
        document
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    pub(super) fn version(&self) -> CardVersion {
        match self.0.get("spec").and_then(Value::as_str) {
            Some("chara_card_v3") => CardVersion::V3,
            _ => CardVersion::V2,
        }
    }

    pub(super) fn newer_version(&self) -> Option<&str> {
        let given = self.0.get("spec_version").and_then(Value::as_str)?;
        let known = match self.version() {
            CardVersion::V2 => 2.0,
            CardVersion::V3 => 3.0,
        };
        given.parse::<f32>().is_ok_and(|version| version > known).then_some(given)
    }

    pub(super) fn data(&self) -> Option<&Map<String, Value>> {
        self.0.get("data").and_then(Value::as_object)
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        if let Some(data) = self.0.get_mut("data").and_then(Value::as_object_mut) {
            data.insert(key.to_owned(), value);
        }
        // Some programs write the first version's fields beside the second's; those would now be outdated.
        if TEXTS.contains(&key) {
            self.0.remove(key);
        }
    }

    pub(super) fn change_data(&mut self, change: impl FnOnce(&mut Map<String, Value>)) {
        self.0.get_mut("data").and_then(Value::as_object_mut).map(change);
    }

    /// A text of `data`.
    pub(super) fn text(&self, key: &str) -> &str {
        self.data().map_or("", |data| text(data, key))
    }

    /// A list of texts of `data`.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        self.data().map(|data| list(data, key)).unwrap_or_default()
    }

    pub(super) fn book(&self) -> Option<&Map<String, Value>> {
        self.data()?.get("character_book")?.as_object()
    }

    pub(super) fn entries(&self) -> &[Value] {
        self.book().and_then(|book| book.get("entries")).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// This program's own corner of `extensions`.
    pub(super) fn own_extension(&self) -> Option<&Map<String, Value>> {
        own_extension(self.data()?)
    }

    /// The same card in a version of the specification.
    pub(super) fn in_version(&self, version: CardVersion) -> Self {
        let mut document = self.clone();
        if document.version() == version {
            return document;
        }
        let (spec, number) = match version {
            CardVersion::V2 => ("chara_card_v2", "2.0"),
            CardVersion::V3 => ("chara_card_v3", "3.0"),
        };
        document.0.insert("spec".to_owned(), json!(spec));
        document.0.insert("spec_version".to_owned(), json!(number));
        document.fill(version);
        if version == CardVersion::V2
            && let Some(data) = document.0.get_mut("data").and_then(Value::as_object_mut)
        {
            ONLY_V3.iter().for_each(|key| drop(data.remove(*key)));
        }
        document.each_entry(|entry| match version {
            CardVersion::V2 => {
                entry.remove("use_regex");
                let plain = decorator::parted(text(entry, "content")).1.to_owned();
                entry.insert("content".to_owned(), Value::String(plain));
            }
            CardVersion::V3 => {
                entry.entry("use_regex").or_insert(Value::Bool(false));
            }
        });
        document
    }

    /// For a card of the second version that stands beside the third's, in the same file.
    pub(super) fn with_note_on_version(mut self) -> Self {
        let notes = self.text("creator_notes").trim().to_owned();
        let notes = if notes.is_empty() { NOTE_ON_VERSION.to_owned() } else { format!("{NOTE_ON_VERSION}\n\n{notes}") };
        self.set("creator_notes", Value::String(notes));
        self
    }

    pub(super) fn each_entry(&mut self, change: impl FnMut(&mut Map<String, Value>)) {
        let book = self.0.get_mut("data").and_then(|data| data.get_mut("character_book"));
        let entries = book.and_then(|book| book.get_mut("entries")).and_then(Value::as_array_mut);
        entries.into_iter().flatten().filter_map(Value::as_object_mut).for_each(change);
    }

    /// What a version demands and the card has not.
    fn fill(&mut self, version: CardVersion) {
        let Some(data) = self.0.get_mut("data").and_then(Value::as_object_mut) else { return };
        let mut ensure = |key: &str, value: Value| {
            data.entry(key).or_insert(value);
        };
        TEXTS.iter().chain(&TEXTS_V2).for_each(|key| ensure(key, json!("")));
        ["tags", "alternate_greetings"].iter().for_each(|key| ensure(key, json!([])));
        ensure("extensions", json!({}));
        if version == CardVersion::V3 {
            ensure("group_only_greetings", json!([]));
        }
    }
}

/// The first version has no mark: it is known by its fields.
fn is_first_version(map: &Map<String, Value>) -> bool {
    let texts = TEXTS.iter().filter(|key| map.get(**key).is_some_and(Value::is_string)).count();
    !text(map, "name").is_empty() && texts >= 3
}

/// The corner of this program in an object's `extensions`.
pub(super) const EXTENSION: &str = "hitesh-ai";

pub(super) fn own_extension(object: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object.get("extensions")?.get(EXTENSION)?.as_object()
}

pub(super) fn set_own_extension(object: &mut Map<String, Value>, value: Value) {
    let extensions = object.entry("extensions").or_insert_with(|| json!({}));
    if !extensions.is_object() {
        *extensions = json!({});
    }
    if let Some(extensions) = extensions.as_object_mut() {
        extensions.insert(EXTENSION.to_owned(), value);
    }
}

pub(super) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An array of texts; one text is taken apart at its commas, as the specification's words have it for some.
pub(super) fn list(object: &Map<String, Value>, key: &str) -> Vec<String> {
    let texts: Vec<&str> = match object.get(key) {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

pub(super) fn flag(object: &Map<String, Value>, key: &str) -> Option<bool> {
    object.get(key).and_then(Value::as_bool)
}

/// A whole number; fractions are cut, as JavaScript's programs write what they please.
#[expect(clippy::cast_possible_truncation, reason = "what is out of range becomes the nearest number")]
pub(super) fn number(object: &Map<String, Value>, key: &str) -> Option<i64> {
    let value = object.get(key)?;
    value.as_i64().or_else(|| value.as_f64().map(|float| float as i64))
}

pub(super) fn count(object: &Map<String, Value>, key: &str) -> Option<usize> {
    number(object, key).and_then(|number| usize::try_from(number).ok())
}
