//! Turns a tree of settings into their types. Says where it failed, and never what the value was.

use std::collections::btree_map;

use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::{
    error::Mistakes,
    origin::{KeyPath, Segment},
    tree::{Node, Value},
};

/// Reads `tree` as a `T` and lists every mistake: a wrong setting is taken out, and the rest is read again. None
/// if `T` can't be made even of `defaults`.
pub(super) fn read<T: de::DeserializeOwned>(tree: &mut Node, defaults: &Node, mistakes: &mut Mistakes) -> Option<T> {
    loop {
        match T::deserialize(Reader { node: tree }) {
            Ok(value) => return Some(value),
            Err(error) => {
                mistakes.add(&error.path, Some(tree.origin_of(&error.path)), error.problem);
                // An item of a list that a variable holds can't be taken out alone: then the list is.
                let mut wrong = error.path;
                while !tree.restore(&wrong, defaults) {
                    wrong = wrong.parent()?;
                }
            }
        }
    }
}

/// Why a setting has not the type that it should have.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}")]
pub(super) struct ReadError {
    path: KeyPath,
    problem: String,
}

impl ReadError {
    fn within(self, outer: Segment) -> Self {
        Self { path: self.path.within(outer), problem: self.problem }
    }
}

impl de::Error for ReadError {
    fn custom<T: std::fmt::Display>(problem: T) -> Self {
        Self { path: KeyPath::default(), problem: problem.to_string() }
    }

    // Serde's own words for the next two quote the value, which may be a key in the wrong place.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {}, found {}", plainly(expected), kind_of(found)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("expected one of: {}", expected.join(", ")))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("there is no such setting here; there are: {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { path: KeyPath::of(&[field]), problem: "is missing".to_owned() }
    }
}

/// Serde's words for what it expects, without the names of our types.
fn plainly(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "a string" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ if words.starts_with("struct ") => "a table".to_owned(),
        _ => words,
    }
}

fn kind_of(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) => "text",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else",
    }
}

struct Reader<'a> {
    node: &'a Node,
}

impl Reader<'_> {
    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Text(text) = &self.node.value else { return self.deserialize_any(visitor) };
        if let Ok(number) = text.trim().parse::<i64>() {
            visitor.visit_i64(number)
        } else if let Ok(number) = text.trim().parse::<f64>() {
            visitor.visit_f64(number)
        } else {
            Err(de::Error::invalid_type(Unexpected::Str(text), &visitor))
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.number(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Text(text) | Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(yes) => visitor.visit_bool(*yes),
            Value::Datetime => Err(de::Error::invalid_type(Unexpected::Other("date"), &visitor)),
            Value::Removed => visitor.visit_unit(),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter().enumerate() }),
            Value::Table(table) => visitor.visit_map(Entries { entries: table.iter(), value: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Text(text) = &self.node.value else { return self.deserialize_any(visitor) };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => visitor.visit_bool(true),
            "false" | "0" | "no" | "off" => visitor.visit_bool(false),
            _ => Err(de::Error::invalid_type(Unexpected::Str(text), &"true or false")),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.node.value {
            Value::Removed => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Value::Text(text) = &self.node.value else { return self.deserialize_any(visitor) };
        let items: Vec<Node> = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| Node { value: Value::Text(item.to_owned()), origin: self.node.origin.clone() })
            .collect();
        visitor.visit_seq(Items { items: items.iter().enumerate() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Text(text) | Value::String(text) => {
                visitor.visit_enum(text.trim().to_ascii_lowercase().into_deserializer())
            }
            _ => Err(de::Error::custom("expected text")),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader { node }).map(Some).map_err(|error| error.within(Segment::Index(index)))
    }
}

struct Entries<'a> {
    entries: btree_map::Iter<'a, String, Node>,
    value: Option<(&'a String, &'a Node)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key, node));
        let key_reader: de::value::StrDeserializer<'_, ReadError> = key.as_str().into_deserializer();
        seed.deserialize(key_reader).map(Some).map_err(|error| error.within(Segment::Key(key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((key, node)) = self.value.take() else { return Err(de::Error::custom("a value without a key")) };
        seed.deserialize(Reader { node }).map_err(|error| error.within(Segment::Key(key.clone())))
    }
}
