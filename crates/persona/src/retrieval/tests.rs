use super::questions::{Kind, Question, Questions};
use crate::{Persona, PromptSize};

/// A little less than was measured: of the questions that nobody tuned on, how many of 100 have to find a note that
/// fits, and how many of those without one nothing. `RETRIEVAL.md` has the figures.
const ON_TOPIC: usize = 83;
const SILENT: usize = 91;

fn first(persona: &Persona, question: &str, previous: Option<&str>) -> Option<String> {
    persona.select_notes(question, previous, PromptSize::Full).into_iter().next()
}

#[test]
fn two_subjects_find_two_notes() {
    let persona = Persona::builtin("hitesh").unwrap();
    let mut found = persona.select_notes("docker mein mongodb kaise chalau", None, PromptSize::Full);
    found.sort_unstable();
    assert_eq!(found, ["docker", "mongodb"]);
    assert_eq!(persona.select_notes("docker mein mongodb kaise chalau", None, PromptSize::Compact).len(), 1);
}

#[test]
fn a_follow_up_leans_on_the_question_before() {
    let persona = Persona::builtin("hitesh").unwrap();
    let cases = [
        ("aur iska code?", "fastapi kya hai", Some("fastapi")),
        ("thoda detail mein batao", "docker kya hai", Some("docker")),
        ("ek example do", "rag kya hai", Some("rag")),
        ("how does it work?", "what is redis", Some("redis-caching")),
        ("redis kya hai", "docker kya hai", Some("redis-caching")),
        ("IPL kaun jeeta", "docker kya hai", None),
        ("aur batao", "IPL kaun jeeta", None),
    ];
    for (question, previous, expected) in cases {
        assert_eq!(first(&persona, question, Some(previous)).as_deref(), expected, "{previous} → {question}");
    }
    let both = persona.select_notes("isme mongodb kaise connect karu", Some("express kya hai"), PromptSize::Full);
    assert_eq!(both, ["mongodb", "express"]);
}

#[test]
fn no_question_is_too_strange() {
    let persona = Persona::builtin("hitesh").unwrap();
    for question in ["🍵🍵", "\u{94d}\u{93c}", "a\u{301}\u{301}", "ﷺ", &"docker ".repeat(400), &"x".repeat(2000)]
    {
        persona.select_notes(question, Some(question), PromptSize::Full);
    }
}

#[test]
fn every_label_names_a_note() {
    let persona = Persona::builtin("hitesh").unwrap();
    let ids: Vec<_> = persona.note_ids().collect();
    for question in Questions::tune().iter().chain(Questions::measure().iter()) {
        let silent = matches!(question.kind, Kind::OffTopic | Kind::Tricky);
        assert!(question.notes.iter().all(|label| ids.contains(&label.as_str())), "{question:?}");
        assert!(question.notes.is_empty() || !silent, "{question:?}");
    }
}

/// What `select_notes` gets wrong: the first note does not fit, or there should be none.
fn wrong<'a>(persona: &'a Persona, questions: impl Iterator<Item = &'a Question>) -> Vec<String> {
    questions
        .filter_map(|asked| {
            let found = persona.select_notes(&asked.ask, asked.before(), PromptSize::Full);
            let right = found.first().map_or(!asked.is_on_topic(), |first| asked.fits(first));
            (!right).then(|| format!("{asked:?} but {found:?}"))
        })
        .collect()
}

#[test]
fn questions_that_were_tuned_on_find_their_note_or_silence() {
    let persona = Persona::builtin("hitesh").unwrap();
    let questions = Questions::tune();
    for on_topic in [true, false] {
        let part: Vec<_> = questions.iter().filter(|asked| asked.is_on_topic() == on_topic).collect();
        let wrong = wrong(&persona, part.iter().copied());
        println!("{} of {} wrong: {wrong:#?}", wrong.len(), part.len());
        assert!(wrong.len() * 20 <= part.len(), "{} of {} wrong: {wrong:#?}", wrong.len(), part.len());
    }
}

/// It counts only: who reads which questions are wrong tunes on them.
#[test]
fn questions_that_nobody_tuned_on_find_their_note_or_silence() {
    let persona = Persona::builtin("hitesh").unwrap();
    let questions = Questions::measure();
    for (on_topic, floor) in [(true, ON_TOPIC), (false, SILENT)] {
        let part: Vec<_> = questions.iter().filter(|asked| asked.is_on_topic() == on_topic).collect();
        let right = part.len() - wrong(&persona, part.iter().copied()).len();
        assert!(right * 100 >= floor * part.len(), "only {right} of {} right", part.len());
    }
}

#[test]
fn half_of_a_keyword_finds_nothing() {
    let persona = Persona::builtin("hitesh").unwrap();
    for (half, whole, note) in [
        ("petrol ka rate kya hai", "api ka rate limit kya hai", "rate-limiting"),
        ("I am fine", "what is fine tuning", "rag-vs-fine-tuning"),
        ("translate to English", "english weak hai", "english-fear"),
        ("railway ticket kaise book kare", "railway pe deploy kaise kare", "render-railway"),
    ] {
        assert_eq!(first(&persona, half, None), None, "{half}");
        assert_eq!(first(&persona, whole, None).as_deref(), Some(note), "{whole}");
    }
}

#[test]
fn a_subject_that_sounds_like_a_stop_word_is_found() {
    let persona = Persona::builtin("hitesh").unwrap();
    for (question, note) in [
        ("oauth kya hai", "oauth"),
        ("bash kya hai", "linux-bash"),
        ("next.js kya hai", "nextjs"),
        ("nextjs kya hai", "nextjs"),
        ("next js kya hai", "nextjs"),
        ("node.js kya hai", "nodejs"),
    ] {
        assert_eq!(first(&persona, question, None).as_deref(), Some(note), "{question}");
    }
    for question in ["bas bhai", "baas kijiye", "kaisey karain", "mumbai se goa", "how do I go there"] {
        assert_eq!(first(&persona, question, None), None, "{question}");
    }
}
