//! TOML into a form that knows all its keys; every key that it does not know is told, not only the first.

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, Deserializer, Error},
};

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where, in bytes.
    pub(crate) at: Option<usize>,
    pub(crate) message: String,
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self { at: error.span().map(|span| span.start), message: error.message().trim().to_owned() }
    }
}

/// Reads `text`, or says what is wrong with it, in its order: each fault of the syntax, else each key without a meaning
/// up to the first value of a wrong type.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Wrong>> {
    let (mut document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.into_iter().map(Wrong::from).collect());
    }
    let mut found: Vec<Wrong> = Vec::new();
    loop {
        let wrong = match T::deserialize(Deserializer::from(document.clone())) {
            Ok(value) if found.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => Wrong::from(error),
        };
        // The reading goes on without a key that has no meaning. What is missing then was most likely misspelt.
        let unknown = wrong.message.starts_with("unknown field");
        let goes_on = unknown && wrong.at.is_some_and(|at| taken_out(document.get_mut(), at));
        if found.is_empty() || !wrong.message.starts_with("missing field") {
            found.push(wrong);
        }
        if !goes_on {
            break;
        }
    }
    found.sort_by_key(|wrong| wrong.at);
    Err(found)
}

/// Takes the key that begins at byte `at` out of the table, or out of one inside of it.
fn taken_out(table: &mut DeTable<'_>, at: usize) -> bool {
    let found = table.keys().find(|key| key.span().start == at).cloned();
    match found {
        Some(key) => table.remove(&key).is_some(),
        None => table.iter_mut().any(|(_, value)| taken_out_of(value, at)),
    }
}

fn taken_out_of(value: &mut Spanned<DeValue<'_>>, at: usize) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => taken_out(table, at),
        DeValue::Array(values) => values.iter_mut().any(|value| taken_out_of(value, at)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        size: u8,
    }

    fn messages(text: &str) -> Vec<(usize, String)> {
        let found = read::<Outer>(text).unwrap_err();
        found.into_iter().map(|wrong| (wrong.at.unwrap(), wrong.message[..13].to_owned())).collect()
    }

    #[test]
    fn a_good_text_is_read() {
        let read = read::<Outer>("name = \"n\"\n[[inner]]\nsize = 1").unwrap();
        assert_eq!(read, Outer { name: "n".to_owned(), inner: vec![Inner { size: 1 }] });
    }

    #[test]
    fn every_key_without_a_meaning_is_told() {
        let text = "zoo = 1\nname = \"n\"\nant = 2\n[[inner]]\nsize = 1\n[[inner]]\nsize = 2\nsice = 3";
        let at = |key: &str| text.find(key).unwrap();
        let unknown = |key| (at(key), "unknown field".to_owned());
        assert_eq!(messages(text), [unknown("zoo"), unknown("ant"), unknown("sice")]);
    }

    #[test]
    fn a_misspelt_key_is_one_mistake() {
        assert_eq!(messages("nome = \"n\""), [(0, "unknown field".to_owned())]);
    }

    #[test]
    fn a_wrong_value_ends_the_reading_and_is_told() {
        let found = messages("ant = 1\nname = 3");
        assert_eq!(found.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 15]);
        assert!(messages("name = \n[").len() >= 2, "every fault of the syntax");
    }
}
