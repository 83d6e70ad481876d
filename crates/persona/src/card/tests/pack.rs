//! From cards to packs and back.

use hitesh_domain::StepFormat;

use super::*;
use crate::{Persona, PersonaError, PromptOptions, PromptSize};

fn files(card: Card) -> Vec<(String, String)> {
    card.into_pack(&ImportOptions::default())
}

fn file<'a>(files: &'a [(String, String)], path: &str) -> &'a str {
    &files.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no {path}")).1
}

fn changed(mut files: Vec<(String, String)>, path: &str, from: &str, to: &str) -> Vec<(String, String)> {
    let text = &mut files.iter_mut().find(|(name, _)| name == path).unwrap().1;
    assert!(text.contains(from), "{text}");
    *text = text.replace(from, to);
    files
}

/// The files of a built-in pack.
fn builtin(id: &str) -> Vec<(String, String)> {
    let folder = format!("{}/packs/{id}", env!("CARGO_MANIFEST_DIR"));
    let read = |folder: &str, prefix: &str| -> Vec<(String, String)> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files
            .map(|entry| {
                (format!("{prefix}{}", entry.file_name().display()), std::fs::read_to_string(entry.path()).unwrap())
            })
            .collect()
    };
    [read(&folder, ""), read(&format!("{folder}/notes"), "notes/")].concat()
}

fn notes(persona: &Persona, question: &str) -> Vec<String> {
    persona.prompt(question, &[], &PromptOptions::new(StepFormat::Tagged, PromptSize::Full)).notes
}

#[test]
fn the_example_card_becomes_a_persona() {
    let files = files(nani());
    let persona = Persona::from_files(files.clone()).unwrap();
    assert_eq!((persona.id().as_str(), persona.name()), ("nani-debugger", "Nani Debugger"));
    assert_eq!(persona.languages(), ["en"]);
    assert_eq!(persona.topics(), ["Python", "debugging", "mentor"]);
    assert_eq!(persona.sample_questions(), ["My loop never ends!", "Should I wrap everything in try and except?"]);
    assert!(persona.disclosure().contains("AI that plays Nani Debugger"));
    let system = &persona.prefix(StepFormat::Tagged, PromptSize::Full)[0].content;
    for part in [
        "You are Nani Debugger.\n\nWrite short answers.",
        "Nani is a grandmother from Jaipur",
        "She calls friend \"beta\"",
        "Personality: patient, dry",
        "Scenario: friend sits at Nani's kitchen table",
        "Nani's kitchen has one rule",
        "- End with one small thing that friend can try right now.",
        "Q: My loop never ends!\nA: Then something in it never changes, beta.",
    ] {
        assert!(system.contains(part), "{part}\n\n{system}");
    }
    for kept_out in ["{{", "example card of this project", "Come in, beta", "founders"] {
        assert!(!system.contains(kept_out), "{kept_out}\n\n{system}");
    }
    let renamed = ImportOptions { user: "learner".to_owned(), id: "nani".try_into().ok() };
    let renamed = Persona::from_files(nani().into_pack(&renamed)).unwrap();
    assert_eq!(renamed.id().as_str(), "nani");
    assert!(renamed.prefix(StepFormat::Tagged, PromptSize::Full)[0].content.contains("She calls learner"));
}

#[test]
fn the_lorebook_of_the_example_chooses_as_it_says() {
    let persona = Persona::from_files(files(nani())).unwrap();
    for (question, wanted) in [
        ("hello", &[][..]),
        ("what is a traceback?", &["reading-a-traceback"]),
        ("I get a KeyError", &["reading-a-traceback"]),
        ("I get a keyerror", &[]),
        ("my loop is slow", &[]),
        ("my loop drops the LAST item", &["off-by-one"]),
        ("what is the GIL?", &["the-gil"]),
        ("do fish have a gill?", &[]),
        ("why is a mutable default bad?", &["mutable-defaults"]),
        ("does JavaScript have a mutable default?", &[]),
        ("in python 2?", &[]),
        (
            "TypeError on the last index of a mutable default",
            &["reading-a-traceback", "off-by-one", "mutable-defaults"],
        ),
    ] {
        assert_eq!(notes(&persona, question), wanted, "{question}");
    }
}

#[test]
fn a_card_that_went_through_a_pack_is_what_it_was() {
    for card in [
        nani(),
        Card::read(&nani().to_png()).unwrap(),
        Card::read(&archive(&[("card.json", NANI.as_bytes()), ("x", b"\xff")])).unwrap(),
    ] {
        assert_eq!(Card::from_pack(files(card.clone())).unwrap(), card);
    }
}

#[test]
fn only_what_was_changed_in_the_pack_changes_in_the_card() {
    let before = value(NANI)["data"].clone();
    let of = |path: &str, from: &str, to: &str| {
        let card = Card::from_pack(changed(files(nani()), path, from, to)).unwrap();
        value(&card.to_json(CardVersion::V3))["data"].clone()
    };
    let differences = |after: &Value| -> Vec<String> {
        let keys = before.as_object().unwrap().keys().chain(after.as_object().unwrap().keys());
        let mut keys: Vec<_> = keys.filter(|key| before.get(key) != after.get(key)).cloned().collect();
        keys.sort();
        keys.dedup();
        keys
    };
    let after = of("persona.toml", "from Jaipur", "from Udaipur");
    assert_eq!(
        differences(&after),
        ["description", "extensions", "personality", "post_history_instructions", "scenario", "system_prompt"]
    );
    assert!(after["description"].as_str().unwrap().contains("Udaipur"));
    let after = of("persona.toml", "name = \"Nani Debugger\"", "name = \"Nani\"");
    assert_eq!(
        (differences(&after), &after["name"]),
        (vec!["extensions".to_owned(), "name".to_owned()], &json!("Nani"))
    );
    let after = of("notes/the-gil.md", "one thread run", "a single thread run");
    assert_eq!(differences(&after), ["character_book", "extensions"]);
    let [entries, old] = [&after, &before].map(|data| data["character_book"]["entries"].as_array().unwrap().clone());
    assert_eq!((&entries[..3], &entries[4..]), (&old[..3], &old[4..]));
    assert_eq!((&entries[3]["comment"], &entries[3]["case_sensitive"]), (&old[3]["comment"], &json!(true)));
    assert!(entries[3]["content"].as_str().unwrap().contains("a single thread"));

    let mut fewer = files(nani());
    fewer.retain(|(path, _)| path != "notes/off-by-one.md");
    let after = value(&Card::from_pack(fewer).unwrap().to_json(CardVersion::V3));
    assert_eq!(after["data"]["character_book"]["entries"].as_array().unwrap().len(), 5);
}

/// Every prompt of one is a prompt of the other.
fn assert_same_prompts(left: &Persona, right: &Persona, questions: &[&str]) {
    for format in [StepFormat::JsonSchema, StepFormat::Tagged] {
        for size in [PromptSize::Full, PromptSize::Compact] {
            for question in questions {
                let options = PromptOptions::new(format, size);
                assert_eq!(left.prompt(question, &[], &options), right.prompt(question, &[], &options), "{question}");
            }
        }
    }
}

#[test]
fn built_in_packs_come_back_from_a_card_with_the_same_prompts() {
    for id in Persona::builtin_ids() {
        let persona = Persona::builtin(id).unwrap();
        let card = Card::from_pack(builtin(id)).unwrap();
        let forms = [
            card.to_json(CardVersion::V3).into_bytes(),
            card.to_json(CardVersion::V2).into_bytes(),
            card.to_png(),
            card.to_charx().unwrap(),
        ];
        let mut questions = vec!["docker kya hai?", "redis vs mongodb", "kuch bhi"];
        questions.extend(persona.sample_questions().iter().map(String::as_str));
        for form in forms {
            let files = files(Card::read(&form).unwrap());
            for path in ["persona.toml", "examples.toml"] {
                assert_eq!(file(&files, path), file(&builtin(id), path));
            }
            let back = Persona::from_files(files).unwrap();
            assert!(back.note_ids().eq(persona.note_ids()));
            assert_same_prompts(&persona, &back, &questions);
        }
    }
}

#[test]
fn a_changed_pack_of_a_card_comes_back_from_that_with_the_same_prompts() {
    let edited = changed(files(nani()), "notes/the-gil.md", "one thread run", "a {{user}} run");
    let edited = changed(edited, "persona.toml", "phrases = []", "phrases = [\"Beta!\"]");
    let card = Card::from_pack(edited.clone()).unwrap();
    let again = files(Card::read(card.to_json(CardVersion::V3).as_bytes()).unwrap());
    assert!(file(&again, "notes/the-gil.md").contains("a {{user}} run"));
    let [left, right] = [edited, again].map(|files| Persona::from_files(files).unwrap());
    assert_same_prompts(&left, &right, &["what is the GIL?", "mutable default", "KeyError"]);
}

#[test]
fn what_was_changed_elsewhere_is_taken_from_the_card() {
    let id = Persona::builtin_ids()[0];
    let mut card = value(&Card::from_pack(builtin(id)).unwrap().to_json(CardVersion::V3));
    card["data"]["description"] = json!("Somebody else entirely.");
    card["data"]["character_book"]["entries"][0]["content"] = json!("Another text by {{char}}.");
    let files = files(Card::read(card.to_string().as_bytes()).unwrap());
    assert!(file(&files, "persona.toml").contains("Somebody else entirely."));
    let name = card["data"]["name"].as_str().unwrap();
    assert!(files.iter().any(|(_, text)| text.ends_with(&format!("Another text by {name}.\n"))));
    Persona::from_files(files).unwrap();
}

#[test]
fn a_pattern_that_cannot_be_used_is_a_mistake_with_its_place() {
    let lookaround = NANI.replace("/\\\\btrace ?back\\\\b/i", "/trace(?=back)/");
    let files = files(Card::read(lookaround.as_bytes()).unwrap());
    let Err(PersonaError::Invalid(mistakes)) = Persona::from_files(files.clone()) else { panic!("it was taken") };
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].file, "notes/reading-a-traceback.md");
    let line = file(&files, &mistakes[0].file).lines().nth(mistakes[0].line.unwrap() - 1).unwrap();
    assert!(line.contains("trace(?=back)") && mistakes[0].message.contains("look-around"), "{line}");
}

#[test]
fn a_pack_with_mistakes_becomes_no_card() {
    let broken = changed(files(nani()), "card.json", "{", "[");
    assert!(Card::from_pack(broken).unwrap_err().to_string().contains("card.json:"));
    assert!(Card::from_pack([("persona.toml", "")]).is_err());
}
