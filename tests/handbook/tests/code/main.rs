//! The code that the packs teach has to parse. Whether it runs is not asked: it needs servers, keys and accounts.

#![expect(clippy::unwrap_used, reason = "these are tests, with functions of their own")]

mod fences;
mod languages;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{fences::fenced, languages::check};

/// The files of all built-in packs. They are read from the disk, not through the persona: what is not sent to a model
/// today is checked too.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/persona/packs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The texts of a file that may hold code, each with where it stands.
fn texts(path: &Path) -> Vec<(String, String)> {
    let name = path.display().to_string();
    let text = || fs::read_to_string(path).unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("md") => vec![(name, text())],
        Some("toml") => {
            let mut texts = Vec::new();
            strings(&name, &toml::Value::Table(toml::from_str(&text()).unwrap()), &mut texts);
            texts
        }
        _ => Vec::new(),
    }
}

/// The strings of a TOML value, each with its path.
fn strings(path: &str, value: &toml::Value, found: &mut Vec<(String, String)>) {
    match value {
        toml::Value::String(text) => found.push((path.to_owned(), text.clone())),
        toml::Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| strings(&format!("{path}/{at}"), value, found));
        }
        // An opening begins a block that the model's code ends.
        toml::Value::Table(table) => {
            table
                .iter()
                .filter(|(key, _)| *key != "openings")
                .for_each(|(key, value)| strings(&format!("{path}/{key}"), value, found));
        }
        _ => {}
    }
}

#[test]
fn every_code_block_of_the_packs_parses() {
    let (mut blocks, mut mistakes) = (0, Vec::new());
    for (place, text) in files().iter().flat_map(|path| texts(path)) {
        match fenced(&text) {
            Ok(found) => {
                blocks += found.len();
                let wrong = found.iter().filter_map(|block| Some((block, check(&block.language, &block.code).err()?)));
                mistakes.extend(wrong.map(|(block, why)| format!("{place}:{}: {}: {why}", block.line, block.language)));
            }
            Err(why) => mistakes.push(format!("{place}: {why}")),
        }
    }
    assert!(mistakes.is_empty(), "{} of {blocks} code blocks:\n{}", mistakes.len(), mistakes.join("\n"));
    assert!(blocks > 50, "only {blocks} code blocks were found");
    println!("{blocks} code blocks parse");
}
