use proptest::prelude::*;

use super::{
    labelled::{MEASURED, TUNED},
    *,
};
use crate::Persona;

fn label(found: Option<Language>) -> char {
    match found {
        Some(Language::Hinglish) => 'h',
        Some(Language::English) => 'e',
        Some(Language::Hindi) => 'd',
        None => '-',
    }
}

/// How many of the texts come out as they are labelled, and those that don't.
fn measured(texts: &[(char, &str)]) -> (f64, Vec<String>) {
    let wrong: Vec<_> = texts
        .iter()
        .map(|(wanted, text)| (*wanted, label(language_of(text)), *text))
        .filter(|(wanted, found, _)| wanted != found)
        .map(|(wanted, found, text)| format!("{wanted} came out as {found}: {text}"))
        .collect();
    let rate = (texts.len() - wrong.len()) as f64 / texts.len() as f64;
    (rate, wrong)
}

#[test]
fn questions_come_out_as_they_are_labelled() {
    let (tuned, tuned_wrong) = measured(TUNED);
    let (held_out, held_out_wrong) = measured(MEASURED);
    println!("tuned on {}: {tuned:.3} {tuned_wrong:#?}", TUNED.len());
    println!("only measured {}: {held_out:.3} {held_out_wrong:#?}", MEASURED.len());
    assert!(tuned >= 0.97, "{tuned_wrong:#?}");
    assert!(held_out >= 0.97, "{held_out_wrong:#?}");
}

#[test]
fn the_texts_of_the_built_in_packs_are_in_one_of_their_languages() {
    for persona in Persona::builtin_ids().into_iter().map(|id| Persona::builtin(id).unwrap()) {
        let spoken = |text: &str| {
            let found = LanguageMix::of(text).language();
            assert!(found.is_some_and(|found| persona.languages().iter().any(|code| code == found.code())), "{text}");
        };
        persona.sample_questions().iter().for_each(|question| spoken(question));
        for id in persona.note_ids() {
            spoken(&persona.note(id).unwrap().body);
        }
    }
}

#[test]
fn long_texts_are_told_apart() {
    let hitesh = Persona::builtin("hitesh").unwrap();
    for id in hitesh.note_ids() {
        let note = hitesh.note(id).unwrap();
        assert_eq!(LanguageMix::of(&note.body).language(), Some(Language::Hinglish), "{id}");
        assert_eq!(LanguageMix::of(&note.gist).language(), Some(Language::Hinglish), "{id}");
    }
    // English with the flavour of the persona is English still.
    let english = "Haanji! Simple si baat hai. A container packs your app with everything that it needs, so it runs the \
                   same on your laptop and on a server. Think of a tiffin: the food travels, the kitchen stays. Write a \
                   small Dockerfile today, then run it. Chalo, chai pakdo ☕";
    assert_eq!(LanguageMix::of(english).language(), Some(Language::English));
    let readme = include_str!("../../README.md");
    assert_eq!(LanguageMix::of(readme).language(), Some(Language::English));
}

#[test]
fn code_and_addresses_do_not_count() {
    let mix = LanguageMix::of("dekho https://example.com/what/is ```\nwhat is this\n``` `the` get_the_value()\n");
    assert_eq!((mix.hinglish > 0.0, mix.english), (true, 0.0));
}

#[test]
fn codes_are_those_of_the_packs() {
    for language in Language::ALL {
        assert_eq!(Language::from_code(language.code()), Some(language));
    }
    assert_eq!(Language::from_code("fr"), None);
}

proptest! {
    #[test]
    fn shares_sum_to_one_for_any_text(text in "(?s).{0,200}|([a-z`~\n ]{0,60}|kya hai |the |है |```\n){0,12}") {
        let mix = LanguageMix::of(&text);
        let sum = mix.hinglish + mix.english + mix.devanagari + mix.other;
        prop_assert!(if mix.words == 0 { sum == 0.0 } else { (sum - 1.0).abs() < 1e-3 }, "{mix:?}");
        let _ = language_of(&text);
    }

    #[test]
    fn the_order_of_lines_does_not_matter(at in 0usize..MEASURED.len(), other in 0usize..MEASURED.len()) {
        let (a, b) = (MEASURED[at].1, MEASURED[other].1);
        prop_assert_eq!(LanguageMix::of(&format!("{a}\n{b}")), LanguageMix::of(&format!("{b}\n{a}")));
    }
}
