//! Bytes that mean harm, or were hurt.

use proptest::prelude::*;

use super::*;

fn error(bytes: &[u8]) -> String {
    Card::read(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_no_card_is_told() {
    for bytes in [&b""[..], b"GIF89a", b"[]", b"name: Nani", b"\x89PNG", b"PK\x05\x06"] {
        assert!(matches!(Card::read(bytes), Err(CardError::Unrecognised)), "{bytes:?}");
    }
    for json in [r#"{"a": 1}"#, r#"{"spec": "lorebook_v3", "data": {}}"#, r#"{"name": "x"}"#] {
        assert!(matches!(Card::read(json.as_bytes()), Err(CardError::NoCard { form: "JSON" })), "{json}");
    }
    assert!(matches!(Card::read(&portrait::of("x")), Err(CardError::NoCard { form: "PNG" })));
    assert!(matches!(Card::read(&archive(&[("a.txt", b"x")])), Err(CardError::NoCard { form: "charx" })));
    let nameless = r#"{"spec": "chara_card_v2", "data": {"name": " ", "secret": "text"}}"#;
    assert_eq!(error(nameless.as_bytes()), "the JSON is damaged: the character has no name");
    assert_eq!(error(b"{\"secret"), "the JSON is damaged: its JSON is not valid at line 1, column 8");
    assert!(error(&picture(&[("chara", "%%%")])).contains("not base64"));
}

#[test]
fn a_file_cut_anywhere_is_no_card() {
    for whole in [NANI.trim_end().as_bytes().to_vec(), nani().to_png(), nani().to_charx().unwrap()] {
        // Every place near the ends, and many between.
        let places = (0..whole.len()).filter(|at| *at < 300 || whole.len() - at < 300 || at % 97 == 0);
        for at in places {
            assert!(Card::read(&whole[..at]).is_err(), "cut at {at} of {}", whole.len());
        }
        assert!(Card::read(&whole).is_ok());
    }
}

#[test]
fn declared_lengths_are_not_believed() {
    let png = nani().to_png();
    for length in [u32::MAX, i32::MAX as u32, png.len() as u32, 0] {
        let mut bytes = png.clone();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        assert!(Card::read(&bytes).is_err(), "{length}");
    }
    let mut flipped = png.clone();
    let middle = png.len() / 2;
    flipped[middle] ^= 1;
    assert!(error(&flipped).contains("checksum"));
}

#[test]
fn an_archive_that_swells_is_stopped() {
    let zeros = vec![b' '; TEXT.0 + 1];
    let bomb = archive(&[("card.json", &zeros)]);
    assert!(bomb.len() < 64 << 10, "it is a bomb: {}", bomb.len());
    assert!(matches!(Card::read(&bomb), Err(CardError::TooLarge { what: "the card's text", .. })));
    // What several files hold together, with a limit that is quickly reached.
    let zeros = vec![0; 300 << 10];
    let files = [("card.json", NANI.as_bytes()), ("a", &zeros), ("b", &zeros), ("c", &zeros), ("d", &zeros)];
    let bomb = archive(&files);
    assert!(bomb.len() < 16 << 10, "it is a bomb: {}", bomb.len());
    let stopped = charx::read_within(&bomb, 1 << 20);
    assert!(matches!(stopped, Err(CardError::TooLarge { what: "the archive's content", .. })));
    assert_eq!(charx::read_within(&bomb, 2 << 20).unwrap().1.len(), 4);
}

#[test]
fn names_that_lead_out_of_an_archive_are_refused() {
    for path in ["../evil", "/etc/passwd", "a/../../b"] {
        let bytes = archive(&[("card.json", NANI.as_bytes()), (path, b"x")]);
        assert!(Card::read(&bytes).is_err(), "{path}");
    }
}

#[test]
fn texts_and_lorebooks_beyond_measure_are_refused() {
    let large = format!(r#"{{"spec": "chara_card_v2", "data": {{"name": "{}"}}}}"#, "x".repeat(TEXT.0));
    assert!(matches!(Card::read(large.as_bytes()), Err(CardError::TooLarge { .. })));
    let entries = vec!["{}"; 2001].join(",");
    let many = format!(
        r#"{{"spec": "chara_card_v3", "data": {{"name": "x", "character_book": {{"entries": [{entries}]}}}}}}"#
    );
    assert!(error(many.as_bytes()).contains("2,000 entries"));
    let deep = format!("{{\"data\":{}", "[".repeat(100_000));
    assert!(Card::read(deep.as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Card::read(&bytes);
        let _ = Card::read(&[png::SIGNATURE, &bytes].concat());
        let _ = Card::read(&[b"PK\x03\x04", bytes.as_slice()].concat());
        let _ = Card::read(&[b"{", bytes.as_slice()].concat());
    }

    #[test]
    fn no_chunks_panic(
        chunks in prop::collection::vec(
            (prop::sample::select(vec![*b"IHDR", *b"tEXt", *b"IEND", *b"abcd"]), "(ccv3|chara|x)?\0?[A-Za-z0-9+/=]{0,20}"),
            0..6,
        ),
    ) {
        let mut bytes = png::SIGNATURE.to_vec();
        for (kind, data) in &chunks {
            bytes.extend(chunk(kind, data.as_bytes()));
        }
        let _ = Card::read(&bytes);
    }

    #[test]
    fn one_changed_byte_does_no_harm(form in 0..3_usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let forms = [NANI.as_bytes().to_vec(), nani().to_png(), nani().to_charx().unwrap()];
        let mut bytes = forms[form].clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(card) = Card::read(&bytes) {
            let files = card.into_pack(&ImportOptions::default());
            let _ = crate::Persona::from_files(files);
        }
    }
}
