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

/// A note about `subject` without a fault, but for `changes` of its text.
fn note(subject: &str, changes: &[(&str, &str)]) -> String {
    let keywords: Vec<_> = (1..=6).map(|number| format!("\"{subject}{number}{number}\"")).collect();
    let mut text = format!(
        "+++\ntitle = \"About {subject}\"\nkeywords = [{}]\ngist = \"In short.\"\n+++\n{}\n",
        keywords.join(", "),
        "Every word counts. ".repeat(25)
    );
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    text
}

fn found(changes: &[(&str, &str)]) -> Vec<String> {
    let note = note("git", &[]);
    let mut files: BTreeMap<&str, &str> =
        [("persona.toml", PERSONA_TOML), ("examples.toml", EXAMPLES_TOML), ("notes/git.md", &note)].into();
    files.extend(changes.iter().copied());
    lint(files).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_pack_has_no_findings() {
    assert_eq!(found(&[]), [""; 0]);
}

#[test]
fn a_pack_with_mistakes_names_each_with_its_line() {
    let persona = PERSONA_TOML.replace("[\"dry\"]", "[\"\"]");
    let found = found(&[("persona.toml", &persona), ("notes/hub.md", "no front matter"), ("note.md", "")]);
    assert_eq!(
        found,
        [
            "note.md: mistake: no such file belongs to a pack",
            "notes/hub.md:1: mistake: a note begins with front matter between two lines of `+++`",
            "persona.toml:10: mistake: `voice` has an empty entry",
        ]
    );
}

#[test]
fn every_key_without_a_meaning_is_a_mistake_of_its_own() {
    let persona = PERSONA_TOML.replace("name =", "nom =").replace("phrases", "phrazes");
    let found = found(&[("persona.toml", &persona)]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("persona.toml:3: mistake: unknown field `nom`"), "{found:#?}");
    assert!(found[1].starts_with("persona.toml:12: mistake: unknown field `phrazes`"), "{found:#?}");
}

#[test]
fn each_warning_stands_at_its_line() {
    let long = "counted ".repeat(161);
    let words = "Every word counts. ".repeat(25);
    let words = words.trim_end();
    let gist = format!("gist = \"{}\"", "A word too many. ".repeat(30));
    for (changes, expected) in [
        (&[("gist = \"In short.\"", gist.as_str())][..], "4: warning: about "),
        (&[(words, "Short.")], "6: warning: 1 words of prose"),
        (&[(words, "```sh\ngit log\n```")], "6: warning: the note says nothing beside its code"),
        (&[(words, long.as_str())], "6: warning: 161 words of prose"),
        (&[(words, &format!("{words} ``` {words}"))], "6: warning: a block of code is not closed"),
        (&[("\"git11\"", "\"the\"")], "3: warning: `the` finds nothing"),
        (&[("\"git11\", ", "")], "3: warning: 5 keywords"),
        (&[("\"git11\"", "\"git22\"")], "3: warning: `git22` is a keyword of notes/git.md already"),
    ] {
        let found = found(&[("notes/git.md", &note("git", changes))]);
        let expected = format!("notes/git.md:{expected}");
        assert!(found.iter().any(|finding| finding.starts_with(&expected)), "{expected} is not in {found:#?}");
    }
}

#[test]
fn notes_that_share_a_title_or_a_keyword_are_told() {
    let twin = note("hub", &[("About hub", "about GIT"), ("hub11", "GIT11")]);
    assert_eq!(
        found(&[("notes/hub.md", &twin)]),
        [
            "notes/hub.md:2: warning: notes/git.md has this title too",
            "notes/hub.md:3: warning: `GIT11` is a keyword of notes/git.md already",
        ]
    );
}

#[test]
fn a_note_or_a_prefix_over_its_budget_is_told() {
    let huge = note("git", &[("Every word", &format!("```text\n{}\n```\nEvery word", "x = 1;\n".repeat(200)))]);
    let found_in_note = found(&[("notes/git.md", &huge)]);
    assert!(found_in_note.iter().any(|finding| finding.contains("only the gist is ever sent")), "{found_in_note:#?}");
    let persona = PERSONA_TOML.replace("You test.", &"You test everything twice. ".repeat(250));
    let found = found(&[("persona.toml", &persona)]);
    assert!(found[0].contains("which every question pays for"), "{found:#?}");
    assert_eq!(found.len(), 1);
}

#[test]
fn the_built_in_packs_are_as_packs_should_be() {
    for id in Persona::builtin_ids() {
        let mut found = lint_dir(format!("{}/packs/{id}", env!("CARGO_MANIFEST_DIR")));
        // A greeting finds no note, and that is well; the keyword says when the note was meant to be found.
        found.retain(|finding| !finding.message.contains("finds nothing"));
        assert!(found.is_empty(), "{id}: {found:#?}");
    }
}
