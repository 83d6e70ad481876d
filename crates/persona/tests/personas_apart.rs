//! Two built-in personas on one engine: nothing of the one is in what a model is asked in the name of the other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::{collections::BTreeSet, fs, path::Path};

use hitesh_domain::{Step, StepFormat};
use hitesh_persona::{Persona, PromptOptions, PromptSize};

const FORMATS: [StepFormat; 3] = [StepFormat::JsonSchema, StepFormat::JsonObject, StepFormat::Tagged];
const SIZES: [PromptSize; 2] = [PromptSize::Full, PromptSize::Compact];

/// Questions that both could be asked, beside the samples of each.
const QUESTIONS: [&str; 5] = [
    "How does caching work, and what about the cache key?",
    "Is my docker container safe against SQL injection?",
    "Write a unit test for rate limiting with a retry and a timeout.",
    "REST API design: how do I version an endpoint?",
    "मेरा कोड देखो",
];

/// The pieces of a pack's texts that are long enough to be recognised: sentences, entries of lists, lines of notes.
fn pieces(id: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs").join(id);
    let mut pieces = BTreeSet::new();
    for file in ["persona.toml", "examples.toml"] {
        let table: toml::Table = toml::from_str(&fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        // Neither the languages nor the subjects are secrets of a pack.
        let own = table.into_iter().filter(|(key, _)| !["id", "languages", "topics", "steps"].contains(&key.as_str()));
        own.for_each(|(_, value)| strings(&value, &mut pieces));
    }
    for note in fs::read_dir(folder.join("notes")).unwrap() {
        let text = fs::read_to_string(note.unwrap().path()).unwrap();
        let (front, body) = text.strip_prefix("+++\n").unwrap().split_once("\n+++\n").unwrap();
        let front: toml::Table = toml::from_str(front).unwrap();
        pieces.insert(front["gist"].as_str().unwrap().to_owned());
        let prose = body.split("```").step_by(2).flat_map(|prose| prose.split(". "));
        pieces.extend(prose.map(|sentence| sentence.trim().to_owned()));
    }
    pieces.retain(|piece| piece.chars().count() >= 16);
    assert!(pieces.len() > 100, "{id}: {}", pieces.len());
    pieces
}

fn strings(value: &toml::Value, found: &mut BTreeSet<String>) {
    match value {
        toml::Value::String(text) => {
            found.insert(text.trim().to_owned());
            found.extend(text.split(". ").map(|sentence| sentence.trim().to_owned()));
        }
        toml::Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        toml::Value::Table(table) => table.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

fn sent(persona: &Persona, question: &str, format: StepFormat, size: PromptSize) -> String {
    let prompt = persona.prompt(question, &[], &PromptOptions::new(format, size));
    prompt.messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_of_one_pack_is_in_a_prompt_of_another() {
    let ids = Persona::builtin_ids();
    let personas: Vec<_> = ids.iter().map(|id| Persona::builtin(id).unwrap()).collect();
    let own: Vec<_> = ids.iter().map(|id| pieces(id)).collect();
    let samples = personas.iter().flat_map(|persona| persona.sample_questions()).map(String::as_str);
    let questions: Vec<_> = QUESTIONS.into_iter().chain(samples).collect();
    for (at, persona) in personas.iter().enumerate() {
        for question in &questions {
            for (format, size) in FORMATS.into_iter().flat_map(|format| SIZES.map(|size| (format, size))) {
                let sent = sent(persona, question, format, size);
                // What was asked may be anybody's sample question.
                let said = sent.replace(question, "");
                for pieces in own.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, pieces)| pieces) {
                    let foreign = pieces.iter().find(|piece| said.contains(piece.as_str()));
                    assert_eq!(foreign, None, "{persona:?} on {question}");
                }
            }
        }
    }
}

#[test]
fn the_reviewers_prompt_knows_no_mentor() {
    let reviewer = Persona::builtin("reviewer").unwrap();
    for (format, size) in FORMATS.into_iter().flat_map(|format| SIZES.map(|size| (format, size))) {
        for question in QUESTIONS {
            let sent = sent(&reviewer, question, format, size).to_lowercase();
            for word in ["hitesh", "hinglish", "mentor", "learner", "chai", "tapri", "dhaba", "haanji", "tele-manas"] {
                assert!(!sent.contains(word), "{word}: {sent}");
            }
        }
    }
}

#[test]
fn the_same_question_asks_for_two_voices() {
    let [hitesh, reviewer] = ["hitesh", "reviewer"].map(|id| Persona::builtin(id).unwrap());
    let options = PromptOptions::new(StepFormat::Tagged, PromptSize::Full);
    let question = "How do I write unit tests for caching?";
    let [his, hers] = [&hitesh, &reviewer].map(|persona| persona.prompt(question, &[], &options));
    assert!(his.messages.iter().take(his.stable).all(|message| !hers.messages.contains(message)));
    assert!(!his.notes.is_empty() && !hers.notes.is_empty());
    assert!(his.notes.iter().all(|note| !hers.notes.contains(note)));
    assert_ne!(hitesh.version(), reviewer.version());
    assert_eq!(Step::ALL.map(|step| reviewer.step_name(step)), ["Reading", "Weighing", "Review"]);
}

#[test]
fn the_reviewer_finds_her_notes_and_is_silent_on_the_rest() {
    let reviewer = Persona::builtin("reviewer").unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("What should I look at first in a pull request of 900 lines?", &["diff-size"]),
        ("Is it fine to retry a payment call three times?", &["retries-timeouts"]),
        ("How do I tell a colleague that a function name misleads?", &["naming", "review-manners"]),
        ("Does this check-then-insert have a race condition?", &["concurrency"]),
        ("My branch makes the endpoint 30% faster. What would you ask me?", &["performance-claims"]),
        ("Is this commit message good enough?", &["commit-messages"]),
        ("We want to rename a column, how do we do the database migration?", &["schema-migrations"]),
        ("Should I log the request body?", &["logging"]),
        ("When do we remove a feature flag?", &["feature-flags"]),
        ("Why is null dangerous here?", &["null-handling"]),
        ("How do I store timestamps with a time zone?", &["time-zones"]),
        ("Is my cache key right?", &["caching-review"]),
        ("Should this code have more comments?", &["comments"]),
        ("Is left-pad a good dependency?", &["dependency-choice"]),
        ("Can this query be an SQL injection?", &["security-review"]),
        ("is this a breaking change for our api?", &["api-design"]),
        ("I catch all exceptions and ignore them, fine?", &["error-handling"]),
        ("the test is flaky, what now", &["tests-in-review"]),
        ("two users book the same seat, is a mutex enough?", &["concurrency"]),
        ("requets without a timout", &["retries-timeouts"]),
        ("What is the weather in Lisbon?", &[]),
        ("Recommend me a film for tonight", &[]),
        ("Who won the election?", &[]),
        ("How do I bake bread?", &[]),
        ("hello", &[]),
        ("My train was late today", &[]),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .map(|(question, labels)| (question, labels, reviewer.select_notes(question, None, PromptSize::Full)))
        .filter(|(_, labels, found)| match found.first() {
            Some(first) => !labels.contains(&first.as_str()),
            None => !labels.is_empty(),
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong: {wrong:#?}", wrong.len(), cases.len());
}
