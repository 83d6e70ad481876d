use std::fmt::Write;

use hitesh_domain::{Step, StepFormat, StepRecord, Transcript};

use crate::{PastTurn, Persona, PersonaError, Prompt, PromptOptions, PromptSize};

const ABOUT: &str = r#"
id = "nani"
name = "Nani"
description = "Tests."
languages = ["en"]
topics = []
sample_questions = []
disclosure = "An AI."
identity = "You are Nani."
voice = []
rules = []
phrases = []
"#;

/// A persona with these notes (id, the lines of `[lore]`, text) and these lines of `[lorebook]`.
fn pack(book: &str, notes: &[(&str, &str, &str)]) -> Result<Persona, PersonaError> {
    let mut files = vec![
        ("persona.toml".to_owned(), format!("{ABOUT}[lorebook]\n{book}\n")),
        ("examples.toml".to_owned(), "examples = []\n".to_owned()),
    ];
    for (id, lore, body) in notes {
        let front = format!("title = \"{id}\"\ngist = \"{id} in short\"\n[lore]\n{lore}");
        files.push((format!("notes/{id}.md"), format!("+++\n{front}\n+++\n{body}\n")));
    }
    Persona::from_files(files)
}

fn said(text: &str) -> Transcript {
    let record = StepRecord {
        step: Step::Output,
        content: text.to_owned(),
        deltas: vec![text.len() as u32],
        reasoning: 0,
        finished_at: None,
    };
    Transcript { steps: vec![record], ..Transcript::default() }
}

/// Asks the last question after the others, each answered with "Beta!".
fn ask(persona: &Persona, questions: &[&str]) -> Prompt {
    let answer = said("Beta!");
    let mut prompts: Vec<Prompt> = Vec::new();
    for (at, question) in questions.iter().enumerate() {
        let notes: Vec<_> = prompts.iter().map(|prompt| prompt.notes.clone()).collect();
        let turns = questions.iter().zip(&notes);
        let past: Vec<_> = turns.map(|(question, notes)| PastTurn { question, notes, transcript: &answer }).collect();
        let options = PromptOptions::new(StepFormat::Tagged, PromptSize::Full);
        // As the engine does: no more turns than the prompt may hold.
        let newest = at.saturating_sub(options.max_history_messages / 2);
        prompts.push(persona.prompt(question, &past[newest..], &options));
    }
    prompts.pop().unwrap()
}

/// How many of its messages hold notes.
fn standing(prompt: &Prompt) -> usize {
    prompt.messages.iter().filter(|message| message.content.starts_with("<notes>")).count()
}

fn chosen(lore: &str, questions: &[&str]) -> bool {
    !ask(&pack("", &[("note", lore, "text")]).unwrap(), questions).notes.is_empty()
}

#[test]
fn a_key_chooses_its_note_in_any_case_and_inside_of_words() {
    for (lore, question, wanted) in [
        ("keys = ['Oven']", "is the OVENS hot?", true),
        ("keys = ['Oven']", "is the pan hot?", false),
        ("keys = ['Oven']\ncase_sensitive = true", "my oven", false),
        ("keys = ['Oven']\ncase_sensitive = true", "my Oven", true),
        ("keys = ['नानी']", "मेरी नानी", true),
        ("keys = ['', 'x9']", "nothing", false),
        ("keys = ['oven']\nenabled = false", "oven", false),
        ("keys = ['oven']\nactivate = false", "oven", false),
        ("keys = ['/ov.n/']", "oven", false),
        ("keys = ['/ov.n/']\nuse_regex = true", "oven", true),
        ("keys = ['/ov.n/']\nuse_regex = true", "OVEN", false),
        ("keys = ['/ov.n/i']\nuse_regex = true", "OVEN", true),
        ("keys = ['C++ (g++']\nuse_regex = true", "C++ (G++ 14)", true),
    ] {
        assert_eq!(chosen(lore, &[question]), wanted, "{lore} / {question}");
    }
}

#[test]
fn further_keys_narrow_the_choice() {
    for (lore, question, wanted) in [
        ("keys = ['loop']\nsecondary_keys = ['while', 'for']\nselective = true", "a loop", false),
        ("keys = ['loop']\nsecondary_keys = ['while', 'for']\nselective = true", "a for loop", true),
        ("keys = ['loop']\nsecondary_keys = ['while']", "a loop", true),
        ("keys = ['loop']\nselective = true", "a loop", true),
        ("keys = ['loop']\nadditional_keys = [['a1', 'a2'], ['b1']]", "loop a2", false),
        ("keys = ['loop']\nadditional_keys = [['a1', 'a2'], ['b1']]", "loop a2 b1", true),
        ("keys = ['loop']\nexclude_keys = ['fruit']", "fruit loop", false),
        ("keys = ['/lo+p/']\nuse_regex = true\nexclude_keys = ['fruit']", "fruit loop", true),
        ("keys = ['/lo+p/']\nuse_regex = true\nadditional_keys = [['/ring/']]", "ring", true),
        ("constant = true\nexclude_keys = ['fruit']", "anything", true),
        ("constant = true\nexclude_keys = ['fruit']", "fruit", false),
        ("keys = ['/x/']\nuse_regex = true\nconstant = true", "anything", false),
    ] {
        assert_eq!(chosen(lore, &[question]), wanted, "{lore} / {question}");
    }
}

#[test]
fn older_messages_are_looked_at_as_far_as_is_asked() {
    let later = ["my oven", "and?"];
    assert!(chosen("keys = ['oven']\nscan_depth = 3\ndepth = 1", &["my oven"]));
    for (depth, first, wanted) in [(1, "beta", false), (2, "beta", true), (2, "oven", false), (0, "and", false)] {
        let lore = format!("keys = ['{first}']\nscan_depth = {depth}");
        assert_eq!(chosen(&lore, &later), wanted, "{lore}");
    }
    let persona = pack("scan_depth = 1", &[("note", "keys = ['beta']", "text")]).unwrap();
    assert!(ask(&persona, &later).notes.is_empty());
}

#[test]
fn what_is_always_chosen_stands_in_the_prefix_once() {
    let notes = [
        ("kitchen", "constant = true\nposition = 'before_char'", "The kitchen is in Jaipur."),
        ("rule", "activate = true", "Nani knits."),
        ("near", "constant = true\ndepth = 0", "It is late."),
        ("gone", "constant = true\nenabled = false", "Nobody reads this."),
    ];
    let prompt = ask(&pack("", &notes).unwrap(), &["hello"]);
    let system = &prompt.messages[0].content;
    assert!(system.starts_with("The kitchen is in Jaipur.\n\nYou are Nani.\n\nNani knits.\n\n"), "{system}");
    assert_eq!(prompt.notes, ["near"]);
    assert!(!system.contains("late") && !system.contains("Nobody"));
}

#[test]
fn notes_stand_in_their_order_and_the_unimportant_are_left_out() {
    let words = "knit one purl two ".repeat(10);
    let notes = [
        ("a", "keys = ['x']\ninsertion_order = 3\npriority = 9", words.as_str()),
        ("b", "keys = ['x']\ninsertion_order = 1\npriority = 1", words.as_str()),
        ("c", "keys = ['x']\ninsertion_order = 2\npriority = 5", words.as_str()),
        ("d", "keys = ['x']\ninsertion_order = 0\npriority = 7\ndepth = 1", words.as_str()),
    ];
    let of = |budget: &str| ask(&pack(budget, &notes).unwrap(), &["x"]).notes;
    assert_eq!(of("token_budget = 2000"), ["b", "c", "a", "d"]);
    let three = 3 * crate::estimate_tokens(words.trim());
    assert_eq!(
        of(&format!("token_budget = {three}")),
        ["c", "a", "d"],
        "the least important has no room, not even for its gist"
    );
    assert_eq!(of("token_budget = 0"), [""; 0]);
    let compact = PromptOptions::new(StepFormat::Tagged, PromptSize::Compact);
    assert_eq!(pack("", &notes).unwrap().prompt("x", &[], &compact).notes, ["a"]);
}

#[test]
fn one_note_calls_another_only_when_that_is_asked_for() {
    let notes = [
        ("a", "keys = ['oven']", "Next to it stands the kettle."),
        ("b", "keys = ['kettle']\nhidden_keys = ['sparrow']", "It whistles."),
        ("c", "keys = ['sparrow']", "Chirps."),
        ("d", "keys = ['knits']", "Wool."),
        ("e", "constant = true", "Nani knits."),
    ];
    assert_eq!(ask(&pack("", &notes).unwrap(), &["oven"]).notes, ["a"]);
    assert_eq!(ask(&pack("recursive_scanning = true", &notes).unwrap(), &["oven"]).notes, ["a", "b", "c", "d"]);
}

#[test]
fn the_number_of_answers_can_matter_as_far_as_it_is_known() {
    let after = "keys = ['x']\nactivate_only_after = 2";
    for (questions, wanted) in [(1, false), (2, false), (3, true), (9, true)] {
        let prompt = ask(&pack("", &[("note", after, "text")]).unwrap(), &vec!["x"; questions]);
        assert_eq!(standing(&prompt) > 0, wanted, "{questions}");
    }
    let every = "constant = true\nactivate_only_every = 2\nscan_depth = 1";
    let of =
        |questions: usize| !ask(&pack("", &[("note", every, "text")]).unwrap(), &vec!["x"; questions]).notes.is_empty();
    assert_eq!([of(1), of(2)], [true, false]);
}

#[test]
fn a_match_can_last_and_can_come_once() {
    let lasting = "keys = ['oven']\nscan_depth = 1\nkeep_activate_after_match = true";
    let persona = pack("", &[("note", lasting, "text")]).unwrap();
    let questions = [&["oven"][..], &["and?"; 12]].concat();
    for asked in 1..questions.len() {
        let prompt = ask(&persona, &questions[..=asked]);
        assert_eq!(standing(&prompt), if asked % 5 == 0 { 2 } else { 1 }, "after {asked} turns");
    }
    let once = "keys = ['oven']\ndont_activate_after_match = true";
    assert!(chosen(once, &["oven"]) && !chosen(once, &["oven", "oven"]));
}

#[test]
fn a_note_that_stands_in_the_past_is_not_said_again_and_the_past_does_not_change() {
    let persona = pack("", &[("note", "keys = ['oven']", "Two hundred degrees.")]).unwrap();
    let first = ask(&persona, &["oven?"]);
    assert_eq!(first.notes, ["note"]);
    let second = ask(&persona, &["oven?", "the oven, again?"]);
    assert!(second.notes.is_empty());
    assert!(second.messages.starts_with(&first.messages));
    let counted: usize = second.messages.iter().map(|m| crate::estimate_tokens(&m.content) + 4).sum();
    assert_eq!(second.tokens, counted);
}

#[test]
fn keyed_notes_are_no_prey_of_the_fuzzy_search() {
    let persona = pack("", &[("tandoor", "keys = ['zzz']", "tandoor tandoor")]).unwrap();
    assert!(persona.select_notes("tandoor", None, PromptSize::Full).is_empty());
}

#[test]
fn a_key_that_cannot_be_used_is_a_mistake_with_its_line() {
    let mistakes = |lore: &str| pack("", &[("note", lore, "text")]).unwrap_err().to_string();
    let told = mistakes("use_regex = true\nkeys = [\n  'fine',\n  '/a(?=b)/',\n]");
    assert!(told.contains("notes/note.md:8: ") && told.contains("look-around"), "{told}");
    assert!(mistakes("keys = [' ']").contains("nothing would choose the note"));
    assert!(mistakes("kyes = ['x']").contains("notes/note.md:5: unknown field"));
    let both = "+++\ntitle = \"t\"\ngist = \"g\"\nkeywords = [\"k\"]\n[lore]\nkeys = [\"k\"]\n+++\ntext\n";
    let files = [("persona.toml", ABOUT), ("examples.toml", "examples = []"), ("notes/n.md", both)];
    assert!(Persona::from_files(files).unwrap_err().to_string().contains("not both"));
}

#[test]
fn a_thousand_keyed_notes_are_searched_quickly() {
    let mut book = Vec::new();
    for at in 0..1000 {
        let mut keys = String::from("use_regex = true\nkeys = [");
        let _ = write!(keys, "'word{at}', 'other{at}', '/rare{at}.*[a-z]+$/']");
        book.push((format!("n{at}"), keys));
    }
    let notes: Vec<_> = book.iter().map(|(id, lore)| (id.as_str(), lore.as_str(), "text")).collect();
    let persona = pack("", &notes).unwrap();
    let question = "a question of some length, with words but none of those ".repeat(30);
    let begun = std::time::Instant::now();
    assert!(ask(&persona, &[&question]).notes.is_empty());
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}
