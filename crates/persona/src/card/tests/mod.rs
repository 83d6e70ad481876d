mod hostile;
mod pack;
mod wild;

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{png::chunk, *};

pub(super) const NANI: &str = include_str!("../../../examples/cards/nani-debugger.json");

pub(super) fn nani() -> Card {
    Card::read(NANI.as_bytes()).unwrap()
}

pub(super) fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// An archive of these files.
pub(super) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A picture with these text chunks before its end.
pub(super) fn picture(texts: &[(&str, &str)]) -> Vec<u8> {
    let image = portrait::of("anybody");
    let (image, end) = image.split_at(image.len() - 12);
    let mut bytes = image.to_vec();
    for (keyword, text) in texts {
        bytes.extend(chunk(b"tEXt", format!("{keyword}\0{text}").as_bytes()));
    }
    [bytes.as_slice(), end].concat()
}

#[test]
fn each_form_gives_the_card_that_was_put_in() {
    let card = nani();
    assert_eq!((card.name(), card.version(), card.newer_version()), ("Nani Debugger", CardVersion::V3, None));
    assert_eq!(value(&card.to_json(CardVersion::V3)), value(NANI));
    let from_png = Card::read(&card.to_png()).unwrap();
    assert_eq!(from_png.document, card.document);
    // Made up for the card, and from then on its own.
    assert_eq!(Card::read(&from_png.to_png()).unwrap(), from_png);
    let from_charx = Card::read(&card.to_charx().unwrap()).unwrap();
    assert_eq!(from_charx, card);
}

#[test]
fn an_archive_keeps_its_files_and_a_picture_becomes_its_icon() {
    let files: [(&str, &[u8]); 3] =
        [("module.json", b"{}"), ("card.json", NANI.as_bytes()), ("assets/emotion/images/joy.png", b"\x00\xff")];
    let card = Card::read(&archive(&files)).unwrap();
    assert_eq!(card.assets.len(), 2);
    assert_eq!(Card::read(&card.to_charx().unwrap()).unwrap(), card);
    assert_eq!(card.to_charx().unwrap(), card.to_charx().unwrap());

    let portrayed = Card::read(&nani().to_png()).unwrap();
    let archived = Card::read(&portrayed.to_charx().unwrap()).unwrap();
    let assets = value(&archived.to_json(CardVersion::V3))["data"]["assets"].clone();
    assert_eq!(
        assets,
        json!([{"type": "icon", "uri": "embeded://assets/icon/images/main.png", "name": "main", "ext": "png"}])
    );
    assert_eq!(Card::read(&archived.to_png()).unwrap().image, portrayed.image);
}

#[test]
fn the_third_version_is_preferred_and_neither_stays_in_the_picture() {
    let encoded = |name: &str| {
        let json = json!({"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": name}});
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, json.to_string())
    };
    let read = |texts: &[(&str, &str)]| Card::read(&picture(texts)).unwrap();
    let (old, new) = (encoded("Old"), encoded("New"));
    assert_eq!(read(&[("Chara", &old)]).name(), "Old");
    let both = read(&[("chara", &old), ("Software", "a brush"), ("ccv3", &new)]);
    assert_eq!(both.name(), "New");
    let image = both.image.clone().unwrap();
    assert!(!String::from_utf8_lossy(&image).contains("ccv3") && String::from_utf8_lossy(&image).contains("a brush"));
    let unpadded = old.trim_end_matches('=').to_owned();
    let folded = format!("{}\n{}", &old[..8], &old[8..]);
    assert_eq!(read(&[("chara", &unpadded)]).name(), read(&[("chara", &folded)]).name());
}

#[test]
fn the_second_version_loses_what_only_the_third_knows() {
    let v2 = value(&nani().to_json(CardVersion::V2));
    assert_eq!((&v2["spec"], &v2["spec_version"]), (&json!("chara_card_v2"), &json!("2.0")));
    assert!(v2["data"].get("nickname").is_none() && v2["data"].get("assets").is_none());
    let entries = v2["data"]["character_book"]["entries"].as_array().unwrap();
    assert!(entries[4]["content"].as_str().unwrap().starts_with("A default like"));
    assert!(entries.iter().all(|entry| entry.get("use_regex").is_none()));
    assert_eq!(v2["data"]["extensions"], value(NANI)["data"]["extensions"]);

    let v2 = Card::read(v2.to_string().as_bytes()).unwrap();
    let v3 = value(&v2.to_json(CardVersion::V3));
    assert_eq!((&v3["spec"], &v3["data"]["group_only_greetings"]), (&json!("chara_card_v3"), &json!([])));
    assert!(v3["data"]["character_book"]["entries"].as_array().unwrap().iter().all(|e| e["use_regex"] == json!(false)));
}

#[test]
fn a_card_in_a_picture_says_to_older_programs_what_it_is() {
    let png = nani().to_png();
    // The chunk of the third version comes first, the other one is the last before the end.
    let start = png.windows(6).rposition(|bytes| bytes == b"chara\0").unwrap() + 6;
    let text = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, &png[start..png.len() - 16]).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("chara_card_v2"));
    assert!(text.contains("This is a Character Card V3, read as a Character Card V2"));
}

#[test]
fn flat_cards_of_the_first_version_are_read() {
    let flat = json!({"name": "Old", "description": "d", "personality": "p", "scenario": "", "first_mes": "f",
        "mes_example": "", "avatar": "none"});
    let card = Card::read(flat.to_string().as_bytes()).unwrap();
    assert_eq!((card.name(), card.version()), ("Old", CardVersion::V2));
    assert_eq!(value(&card.to_json(CardVersion::V2))["data"]["avatar"], json!("none"));
}

#[test]
fn a_newer_version_is_read_and_told() {
    let newer = NANI.replace(r#""spec_version": "3.0""#, r#""spec_version": "3.1""#);
    assert_eq!(Card::read(newer.as_bytes()).unwrap().newer_version(), Some("3.1"));
}

#[test]
fn the_example_picture_is_the_example_card() {
    let png = include_bytes!("../../../examples/cards/nani-debugger.png");
    assert_eq!(Card::read(png).unwrap().document, nani().document);
}
