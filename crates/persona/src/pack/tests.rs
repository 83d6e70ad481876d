use super::*;

const PERSONA_TOML: &str = r#"
id = "tester"
name = "Tester"
description = "Tests."
languages = ["en"]
topics = ["tests"]
sample_questions = ["Why?"]
disclosure = "An AI."
identity = "You test."
voice = ["dry"]
rules = ["Test."]
phrases = []
"#;
const EXAMPLES_TOML: &str = r#"
[[examples]]
question = "a?"
analyze = "a"
think = "b"
output = "c"
[[examples]]
question = "b?"
analyze = "a"
think = "b"
output = "c"
"#;
const NOTE: &str = "+++\ntitle = \"Git\"\nkeywords = [\"git\"]\ngist = \"Save points.\"\n+++\nCommit often.\n";

fn files(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut files: BTreeMap<&str, &str> =
        [("persona.toml", PERSONA_TOML), ("examples.toml", EXAMPLES_TOML), ("notes/git.md", NOTE)].into();
    files.extend(changes.iter().copied());
    files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

fn mistakes(changes: &[(&str, &str)]) -> Vec<String> {
    match Pack::from_files(files(changes)) {
        Err(PersonaError::Invalid(mistakes)) => mistakes.iter().map(ToString::to_string).collect(),
        other => panic!("no mistakes: {other:?}"),
    }
}

#[test]
fn a_good_pack_loads() {
    let pack = Pack::from_files(files(&[("README.md", "about"), ("notes/.hidden", "")])).unwrap();
    assert_eq!(pack.notes.len(), 1);
    assert_eq!(pack.notes[0].body, "Commit often.");
}

#[test]
fn every_file_with_a_mistake_is_named_with_its_line() {
    let found = mistakes(&[
        ("persona.toml", &PERSONA_TOML.replace("name =", "nickname =")),
        ("examples.toml", "examples = 3"),
        ("notes/git.md", &NOTE.replace("gist", "jist")),
        ("notes/Fast API.md", NOTE),
        ("notes/none.md", "no front matter"),
        ("example.toml", ""),
    ]);
    let begins = |start: &str| found.iter().any(|mistake| mistake.starts_with(start));
    assert!(begins("persona.toml:3: unknown field `nickname`"), "{found:#?}");
    assert!(begins("examples.toml:1: "), "{found:#?}");
    assert!(begins("notes/git.md:4: unknown field `jist`"), "{found:#?}");
    assert!(begins("notes/Fast API.md: "), "{found:#?}");
    assert!(begins("notes/none.md:1: "), "{found:#?}");
    assert!(begins("example.toml: "), "{found:#?}");
    assert_eq!(found.len(), 6);
}

#[test]
fn empty_texts_and_missing_files_are_mistakes() {
    let found = mistakes(&[
        ("persona.toml", &PERSONA_TOML.replace("You test.", " ").replace("[\"dry\"]", "[\"dry\",\n\"\"]")),
        ("examples.toml", &EXAMPLES_TOML.replace("b?", "")),
        ("notes/git.md", &NOTE.replace("Commit often.", "")),
        ("notes/hub.md", &NOTE.replace("[\"git\"]", "[]")),
    ]);
    assert_eq!(
        found,
        [
            "persona.toml:9: `identity` is empty",
            "persona.toml:11: `voice` has an empty entry",
            "examples.toml:8: `question` is empty",
            "notes/git.md:6: the note has no text",
            "notes/hub.md:3: `keywords` is empty: nobody would find the note",
        ]
    );
    let lone = Pack::from_files([("persona.toml".to_owned(), PERSONA_TOML.to_owned())]).unwrap_err();
    assert!(lone.to_string().contains("examples.toml: the file is missing"));
}

#[test]
fn steps_may_have_names_of_one_short_line() {
    let named = |steps: &str| format!("{PERSONA_TOML}\n[steps]\n{steps}");
    let pack = Pack::from_files(files(&[("persona.toml", &named("think = \" Weighing \""))])).unwrap();
    assert_eq!(Step::ALL.map(|step| pack.about.steps.get(step)), ["Analyze", "Weighing", "Output"]);
    let found = mistakes(&[("persona.toml", &named("analyze = \"\"\noutput = \"two\\nlines\""))]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("persona.toml:15: ") && found[1].starts_with("persona.toml:16: "), "{found:#?}");
    let found = mistakes(&[("persona.toml", &named("reflect = \"x\""))]);
    assert!(found[0].starts_with("persona.toml:15: unknown field `reflect`"), "{found:#?}");
}

#[test]
fn reasoning_is_shown_only_where_a_pack_says_so() {
    let shows = |line: &str| Pack::from_files(files(&[("persona.toml", &format!("{PERSONA_TOML}{line}"))]));
    assert!(!shows("").unwrap().about.show_reasoning);
    assert!(shows("show_reasoning = true").unwrap().about.show_reasoning);
    assert!(shows("show_reasoning = \"yes\"").is_err());
}

#[test]
fn up_to_three_examples_do_with_or_without_their_thoughts() {
    let short = "[[examples]]\nquestion = \"a?\"\noutput = \"c\"\n";
    for text in ["examples = []".to_owned(), short.repeat(3)] {
        assert!(Pack::from_files(files(&[("examples.toml", &text)])).is_ok(), "{text}");
    }
    assert!(mistakes(&[("examples.toml", &short.repeat(4))])[0].contains("at most 3"));
    let empty = format!("{short}analyze = \" \"");
    assert_eq!(mistakes(&[("examples.toml", &empty)]), ["examples.toml:4: `analyze` is empty"]);
}

#[test]
fn an_everyday_word_has_to_be_a_keyword() {
    let note = NOTE.replace("gist", "everyday = [\"git\", \"rest\"]\ngist");
    assert_eq!(mistakes(&[("notes/git.md", &note)]), ["notes/git.md:4: `rest` of `everyday` is no keyword"]);
}

#[test]
fn an_invalid_id_is_a_mistake() {
    assert!(mistakes(&[("persona.toml", &PERSONA_TOML.replace("tester", "No Id"))])[0].starts_with("persona.toml:2:"));
}

#[test]
fn the_hash_follows_the_content_and_nothing_else() {
    let hash = |changes: &[(&str, &str)]| Pack::from_files(files(changes)).unwrap().content_hash;
    let plain = hash(&[]);
    assert_eq!(plain, hash(&[("notes/git.md", &NOTE.replace('\n', "\r\n")), ("README.md", "x")]));
    assert_ne!(plain, hash(&[("notes/git.md", &NOTE.replace("often", "seldom"))]));
    assert_ne!(plain, hash(&[("notes/hub.md", NOTE)]));
    let mut reversed = files(&[]);
    reversed.reverse();
    assert_eq!(plain, Pack::from_files(reversed).unwrap().content_hash);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let PersonaError::Invalid(mistakes) = Pack::from_dir(Path::new("/no/such/pack")).unwrap_err() else { panic!() };
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert_eq!(mistakes[0].file, "/no/such/pack");
}
