//! Settings as they were written, each with the place where that was.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{Mistake, Mistakes},
    origin::{KeyPath, Origin, Segment},
};

/// A setting, or a group of them, and where it was written. Has no `Debug`, since it may hold a secret.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

#[derive(Clone)]
pub(super) enum Value {
    /// From a variable: of whatever type the setting has, lists with commas.
    Text(String),
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// No setting has this type.
    Datetime,
    /// An item of a list that was wrong: the others keep their numbers.
    Removed,
    Array(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// Reads TOML; each place where it is none becomes a mistake, and the rest is read. `file` is none for the
    /// built-in defaults.
    pub(super) fn parse(text: &str, file: Option<&Arc<Path>>, mistakes: &mut Mistakes) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let origin_at = |offset: usize| match file {
            Some(path) => Origin::File { path: Arc::clone(path), line: line_of(text, offset) },
            None => Origin::BuiltIn,
        };
        for error in errors {
            // Not the error's own text: it quotes the line, which may hold a key.
            let origin = error.span().map(|span| origin_at(span.start));
            mistakes.push(Mistake { key: "TOML".to_owned(), origin, problem: error.message().to_owned() });
        }
        Self::from_table(table.get_ref(), origin_at(0), &origin_at)
    }

    fn from_table(table: &DeTable<'_>, origin: Origin, origin_at: &dyn Fn(usize) -> Origin) -> Self {
        let entries = table.iter().map(|(key, value)| {
            let origin = origin_at(key.span().start);
            (key.get_ref().to_string(), Self::from_value(value, origin, origin_at))
        });
        Self { value: Value::Table(entries.collect()), origin }
    }

    fn from_value(value: &Spanned<DeValue<'_>>, origin: Origin, origin_at: &dyn Fn(usize) -> Origin) -> Self {
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Integer(number),
                // Too large for any setting: a float of that size is out of every range too.
                Err(_) => Value::Float(f64::INFINITY),
            },
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(yes) => Value::Boolean(*yes),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(items) => Value::Array(
                items.iter().map(|item| Self::from_value(item, origin_at(item.span().start), origin_at)).collect(),
            ),
            DeValue::Table(table) => return Self::from_table(table, origin, origin_at),
        };
        Self { value, origin }
    }

    /// Lays `over` above this: tables key by key, all else as a whole.
    pub(super) fn merge(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(below), Value::Table(above)) => {
                self.origin = over.origin;
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => {
                            below.insert(key, node);
                        }
                    }
                }
            }
            (value, above) => {
                *value = above;
                self.origin = over.origin;
            }
        }
    }

    /// Sets one value; false if something on the way there is no table.
    pub(super) fn set(&mut self, keys: &[&str], node: Node) -> bool {
        let Value::Table(table) = &mut self.value else { return false };
        match keys {
            [] => false,
            [last] => {
                table.insert((*last).to_owned(), node);
                true
            }
            [first, rest @ ..] => table
                .entry((*first).to_owned())
                .or_insert_with(|| Node { value: Value::Table(BTreeMap::new()), origin: node.origin.clone() })
                .set(rest, node),
        }
    }

    /// What is written at `path`.
    pub(super) fn at(&self, path: &KeyPath) -> Option<&Node> {
        path.segments().iter().try_fold(self, |node, segment| match (&node.value, segment) {
            (Value::Table(table), Segment::Key(key)) => table.get(key),
            (Value::Array(items), Segment::Index(index)) => items.get(*index),
            _ => None,
        })
    }

    /// Where `path` was written, or else the nearest thing around it.
    pub(super) fn origin_of(&self, path: &KeyPath) -> &Origin {
        let mut node = self;
        for segment in path.segments() {
            let inner = match (&node.value, segment) {
                (Value::Table(table), Segment::Key(key)) => table.get(key),
                (Value::Array(items), Segment::Index(index)) => items.get(*index),
                _ => None,
            };
            match inner {
                Some(inner) => node = inner,
                None => break,
            }
        }
        &node.origin
    }

    /// Takes out what is at `path`, and puts what `defaults` has there in its place. False if that changes nothing.
    pub(super) fn restore(&mut self, path: &KeyPath, defaults: &Node) -> bool {
        let Some((last, outer)) = path.segments().split_last() else { return false };
        let Some(parent) = outer.iter().try_fold(&mut *self, |node, segment| match (&mut node.value, segment) {
            (Value::Table(table), Segment::Key(key)) => table.get_mut(key),
            (Value::Array(items), Segment::Index(index)) => items.get_mut(*index),
            _ => None,
        }) else {
            return false;
        };
        match (&mut parent.value, last) {
            (Value::Table(table), Segment::Key(key)) => match (table.remove(key), defaults.at(path)) {
                (Some(removed), Some(default)) => {
                    table.insert(key.clone(), default.clone());
                    removed.origin != Origin::BuiltIn
                }
                (removed, _) => removed.is_some(),
            },
            (Value::Array(items), Segment::Index(index)) => items
                .get_mut(*index)
                .is_some_and(|item| !matches!(std::mem::replace(&mut item.value, Value::Removed), Value::Removed)),
            _ => false,
        }
    }
}

/// The line, from 1, that the byte at `offset` is in.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
