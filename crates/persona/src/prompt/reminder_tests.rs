use super::tests::{hitesh, transcript};
use super::*;

const ENGLISH: &str =
    "A container is a way to run your app with everything that it needs, on any machine that you have.";
const HINGLISH: &str = "Container matlab aapki app apne saare saamaan ke saath, kisi bhi machine par chale.";
const REMINDER: &str = "Reminder: all three steps in Roman-script Hinglish.";

fn options(reminders: bool) -> PromptOptions {
    PromptOptions { reminders, ..PromptOptions::new(StepFormat::Tagged, PromptSize::Full) }
}

fn answer(output: &str) -> Transcript {
    transcript(&[
        (Step::Analyze, "Sawaal yeh hai ki container kya hai."),
        (Step::Think, "Socho ek tiffin jo saath chale."),
        (Step::Output, output),
    ])
}

/// A session in which each question gets its answer; the prompts as they were sent.
fn session(persona: &Persona, turns: &[(&str, &str)], options: &PromptOptions) -> Vec<Prompt> {
    let answers: Vec<_> = turns.iter().map(|(_, output)| answer(output)).collect();
    let mut prompts: Vec<Prompt> = Vec::new();
    for (at, (question, _)) in turns.iter().enumerate() {
        let past: Vec<_> = (at.saturating_sub(options.max_history_messages / 2)..at)
            .map(|at| PastTurn { question: turns[at].0, notes: &prompts[at].notes, transcript: &answers[at] })
            .collect();
        let prompt = persona.prompt(question, &past, options);
        prompts.push(prompt);
    }
    prompts
}

fn reminded(prompt: &Prompt) -> bool {
    prompt.messages.last().unwrap().content.ends_with(&format!("</question>\n{REMINDER}"))
}

#[test]
fn two_answers_in_the_wrong_language_bring_a_reminder() {
    let question = "yeh kaise chalta hai?";
    let turns = [(question, ENGLISH), (question, ENGLISH), (question, HINGLISH), (question, ENGLISH)];
    let prompts = session(&hitesh(), &turns, &options(true));
    assert_eq!(prompts.iter().map(reminded).collect::<Vec<_>>(), [false, false, true, false]);
    assert_eq!(prompts[2].notes[0], "reminder:hinglish");
    assert!(session(&hitesh(), &turns, &options(false)).iter().all(|prompt| !reminded(prompt)));
}

#[test]
fn the_reminder_is_for_the_language_of_the_question_at_hand() {
    let turns = [("yeh kya hai?", ENGLISH), ("woh kya hai?", ENGLISH), ("What about images, then?", ENGLISH)];
    let prompts = session(&hitesh(), &turns, &options(true));
    let last = &prompts[2].messages.last().unwrap().content;
    assert!(last.ends_with("Reminder: all three steps in English."), "{last}");
}

/// The bytes of every prompt begin with those that the one before it ended with, reminders included; also when the turns
/// that led to a reminder have fallen out, and with reminders switched off in between.
#[test]
fn a_past_turn_keeps_its_reminder() {
    let question = "yeh kaise chalta hai?";
    let turns = [(question, ENGLISH); 9];
    let persona = hitesh();
    let prompts = session(&persona, &turns, &options(true));
    for pair in prompts.windows(2) {
        let asked = pair[0].messages.last().unwrap();
        let again = &pair[1].messages[pair[1].messages.len() - 3];
        assert_eq!(again, asked);
    }
    let last = prompts.last().unwrap();
    let reminders = last.messages.iter().filter(|message| message.content.ends_with(REMINDER)).count();
    assert_eq!(reminders, 6);
    let answers = answer(ENGLISH);
    let past = [PastTurn { question, notes: &prompts[7].notes, transcript: &answers }];
    let off = persona.prompt(question, &past, &options(false));
    assert_eq!(off.messages[off.stable], *prompts[7].messages.last().unwrap());
}

#[test]
fn a_pack_without_reminders_gives_none() {
    let files = [
        ("persona.toml", include_str!("../../packs/hitesh/persona.toml").split("[fidelity").next().unwrap().to_owned()),
        ("examples.toml", include_str!("../../packs/hitesh/examples.toml").to_owned()),
    ];
    let persona = Persona::from_files(files).unwrap();
    let turns = [("yeh kya hai?", ENGLISH); 3];
    assert!(session(&persona, &turns, &options(true)).iter().all(|prompt| prompt.notes.is_empty()));
}

#[test]
fn a_reminder_stays_when_the_window_has_no_room_for_notes() {
    let turns = [("docker kaise chalta hai?", ENGLISH); 2];
    let persona = hitesh();
    let answers = answer(ENGLISH);
    let past: Vec<_> =
        turns.iter().map(|(question, _)| PastTurn { question, notes: &[], transcript: &answers }).collect();
    let tight = PromptOptions { context_window: Some(persona.prefix_tokens(StepFormat::Tagged) + 45), ..options(true) };
    let prompt = persona.prompt("docker kaise chalta hai?", &past, &tight);
    assert_eq!(prompt.notes, ["reminder:hinglish"]);
}
