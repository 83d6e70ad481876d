//! Decorators: lines like `@@depth 4` before the text of a lorebook entry. Those that can't be followed here (where a
//! text stands in a chat that has no such place, greetings, icons, prompts of other programs) are passed over, and
//! their fallbacks (`@@@…`) are tried in their place.

use std::{collections::HashSet, fmt::Write};

use toml::Spanned;

use crate::lorebook::{LoreTable, Position};

/// The lines of decorators, and the text after them.
pub(super) fn parted(content: &str) -> (&str, &str) {
    let (mut end, mut at) = (0, 0);
    for line in content.split_inclusive('\n') {
        at += line.len();
        let line = line.trim();
        if line.starts_with("@@") {
            end = at;
        } else if !line.is_empty() {
            break;
        }
    }
    match content.split_at_checked(end) {
        Some((decorators, text)) if end > 0 => (decorators, text.trim_start_matches(['\r', '\n'])),
        _ => ("", content),
    }
}

/// Writes into `table` what the decorators say.
pub(super) fn apply(decorators: &str, table: &mut LoreTable) {
    let mut reader = Reader { table, given: HashSet::new() };
    // Whether the decorator that the next fallbacks belong to was followed.
    let mut followed = false;
    for line in decorators.lines().map(str::trim) {
        let Some(line) = line.strip_prefix("@@") else { continue };
        let fallback = line.strip_prefix('@');
        if fallback.is_some() && followed {
            continue;
        }
        let line = fallback.unwrap_or(line);
        let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        followed = reader.follow(name, value.trim());
    }
    let positioned = reader.given.contains("position");
    if positioned {
        table.depth = None;
    }
}

struct Reader<'a> {
    table: &'a mut LoreTable,
    given: HashSet<String>,
}

impl Reader<'_> {
    /// Whether the decorator is known and its value valid. Of several of one name the first counts, but for additional
    /// keys.
    fn follow(&mut self, name: &str, value: &str) -> bool {
        if name == "additional_keys" {
            self.table.additional_keys.push(keys(value));
            return !value.is_empty();
        }
        if self.given.contains(name) {
            return true;
        }
        // Less than nothing is nothing.
        let number = value.parse::<i64>().ok().map(|number| usize::try_from(number).unwrap_or_default());
        let table = &mut *self.table;
        let known = match name {
            "depth" => set(&mut table.depth, number),
            "scan_depth" => set(&mut table.scan_depth, number),
            "activate_only_after" => set(&mut table.activate_only_after, number),
            "activate_only_every" => set(&mut table.activate_only_every, number),
            "keep_activate_after_match" => {
                table.keep_activate_after_match = true;
                true
            }
            "dont_activate_after_match" => {
                table.dont_activate_after_match = true;
                true
            }
            "activate" => {
                table.activate = Some(true);
                true
            }
            "dont_activate" => {
                table.activate.get_or_insert(false);
                true
            }
            "exclude_keys" => {
                table.exclude_keys = keys(value);
                !value.is_empty()
            }
            "position" => {
                let position = match value {
                    "before_desc" => Some(Position::BeforeChar),
                    // All of them are one text here.
                    "after_desc" | "personality" | "scenario" => Some(Position::AfterChar),
                    _ => None,
                };
                set(&mut table.position, position)
            }
            _ => false,
        };
        if known {
            self.given.insert(name.to_owned());
        }
        known
    }
}

fn set<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    let known = value.is_some();
    if known {
        *field = value;
    }
    known
}

fn keys(value: &str) -> Vec<Spanned<String>> {
    value.split(',').map(str::trim).filter(|key| !key.is_empty()).map(unplaced).collect()
}

/// A key that stands in no file yet.
pub(super) fn unplaced(key: &str) -> Spanned<String> {
    Spanned::new(0..0, key.to_owned())
}

/// The decorators that say what of `table` has no field in a card.
pub(super) fn written(table: &LoreTable) -> String {
    let mut lines = String::new();
    let numbers = [
        ("depth", table.depth),
        ("scan_depth", table.scan_depth),
        ("activate_only_after", table.activate_only_after),
        ("activate_only_every", table.activate_only_every),
    ];
    // Writing to a String can't fail.
    for (name, number) in numbers {
        if let Some(number) = number {
            let _ = writeln!(lines, "@@{name} {number}");
        }
    }
    let flags = [
        ("activate", table.activate == Some(true)),
        ("dont_activate", table.activate == Some(false)),
        ("keep_activate_after_match", table.keep_activate_after_match),
        ("dont_activate_after_match", table.dont_activate_after_match),
    ];
    for (name, _) in flags.iter().filter(|(_, given)| *given) {
        let _ = writeln!(lines, "@@{name}");
    }
    let groups = table.additional_keys.iter().map(|group| ("additional_keys", group));
    for (name, group) in groups.chain([("exclude_keys", &table.exclude_keys)]) {
        if !group.is_empty() {
            let keys: Vec<_> = group.iter().map(|key| key.get_ref().as_str()).collect();
            let _ = writeln!(lines, "@@{name} {}", keys.join(","));
        }
    }
    lines
}
