use proptest::prelude::*;

use super::*;

fn hitesh() -> Persona {
    Persona::builtin("hitesh").unwrap()
}

const QUESTION: &str = "git stash kya karta hai?";
const ANALYZE: &str = "Aap jaanna chahte ho ki adhoora kaam kahan rakhein jab branch badalni ho.";
const THINK: &str = "Socho tapri par aadhi bani chai ko side burner par rakh diya, pehle dusra order nikala. Stash wahi side burner hai.";
const OUTPUT: &str = "Haanji! Stash aapke uncommitted badlav alag rakh deta hai:\n```sh\ngit stash\ngit stash pop\n```\nPehla \
                      rakhta hai, doosra wapas laata hai. Aaj ek chhoti repo mein try karo ☕";

fn measured(question: &str, analyze: &str, think: &str, output: &str) -> Fidelity {
    hitesh().fidelity(question, [(Step::Analyze, analyze), (Step::Think, think), (Step::Output, output)])
}

fn kinds(fidelity: &Fidelity) -> Vec<&'static str> {
    let mut kinds: Vec<_> = fidelity.findings.iter().map(|finding| finding.kind.as_str()).collect();
    kinds.dedup();
    kinds
}

#[test]
fn an_answer_in_character_scores_high() {
    let fidelity = measured(QUESTION, ANALYZE, THINK, OUTPUT);
    assert_eq!(fidelity.findings, []);
    assert!(fidelity.score >= 0.99, "{fidelity:?}");
}

#[test]
fn the_examples_of_every_built_in_pack_score_high() {
    for id in Persona::builtin_ids() {
        let persona = Persona::builtin(id).unwrap();
        for example in persona.examples() {
            let (analyze, think) = (example.analyze.as_deref().unwrap(), example.think.as_deref().unwrap());
            let steps = [(Step::Analyze, analyze), (Step::Think, think), (Step::Output, example.output.as_str())];
            let fidelity = persona.fidelity(&example.question, steps);
            assert!(fidelity.score >= 0.9, "{id}: {} {fidelity:?}", example.question);
        }
    }
}

#[test]
fn another_language_is_found_in_its_step() {
    let english = "Git stash puts your uncommitted changes aside, so that you can switch to another branch and come back to \
                   them later. Run it before you leave, and pop it when you return.";
    let fidelity = measured(QUESTION, ANALYZE, THINK, english);
    assert_eq!(fidelity.findings, [DepartureKind::WrongLanguage.at(Step::Output)]);
    assert!(fidelity.score < 0.85, "{fidelity:?}");
    let all = measured(
        QUESTION,
        "You ask what the stash of git does.",
        "It is like a shelf for the work that waits.",
        english,
    );
    assert_eq!(kinds(&all), ["wrong_language"]);
    assert!(all.score < LOW, "{all:?}");
    let asked_in_english = measured(
        "What does git stash do?",
        "You ask what the stash of git does.",
        "It is like a shelf for the work that waits.",
        english,
    );
    assert_eq!(asked_in_english.findings, []);
    assert!(measured("What does git stash do?", ANALYZE, THINK, OUTPUT).score < LOW);
}

#[test]
fn an_answer_that_goes_on_in_another_language_is_found() {
    let begun = "Toh seedhi baat hai yaar: Docker is like a big host for containers, it shares the same kernel with all of \
                 them. It uses namespaces and cgroups to isolate each container from the others.";
    let fidelity = measured(QUESTION, ANALYZE, THINK, begun);
    assert_eq!(fidelity.findings, [DepartureKind::WrongLanguage.at(Step::Output)]);
    let half = "Stash aapke badlav alag rakh deta hai, taaki aap doosri branch par ja sako aur baad mein wapas aao. \
                You can then pop it when you are back on your branch.";
    let mixed = measured(QUESTION, ANALYZE, THINK, half);
    assert_eq!(mixed.findings, [DepartureKind::MixedLanguage.at(Step::Output)]);
    assert!(mixed.score > fidelity.score && mixed.score < 0.95, "{mixed:?} {fidelity:?}");
}

#[test]
fn a_handbook_is_in_the_language_of_its_persona() {
    let hitesh = hitesh();
    for note in hitesh.pack_notes() {
        let steps = [(Step::Analyze, ANALYZE), (Step::Think, THINK), (Step::Output, note.body.as_str())];
        let fidelity = hitesh.fidelity(QUESTION, steps);
        assert!(fidelity.findings.iter().all(|finding| !finding.kind.is_of_language()), "{}: {fidelity:?}", note.id);
    }
}

#[test]
fn the_other_script_of_hindi_is_less_wrong_than_another_language() {
    let devanagari = "स्टैश आपके बदलाव अलग रख देता है, ताकि आप दूसरी ब्रांच पर जा सकें।";
    let fidelity = measured(QUESTION, devanagari, "सोचो चाय साइड बर्नर पर रख दी।", devanagari);
    assert!(kinds(&fidelity).contains(&"wrong_script"), "{fidelity:?}");
    let hindi =
        measured("गिट स्टैश क्या करता है?", "आप जानना चाहते हैं कि स्टैश क्या है।", "सोचो चाय साइड बर्नर पर रख दी।", devanagari);
    assert_eq!(hindi.findings, []);
    let chinese = measured(QUESTION, ANALYZE, THINK, &format!("{OUTPUT} 你可以使用这个命令来保存你的更改"));
    assert_eq!(kinds(&chinese), ["foreign_script"]);
}

#[test]
fn a_language_that_the_persona_lacks_is_answered_in_its_first() {
    let files = [
        (
            "persona.toml",
            include_str!("../../packs/hitesh/persona.toml").replace("\"hinglish\", \"en\", \"hi\"", "\"en\""),
        ),
        ("examples.toml", include_str!("../../packs/hitesh/examples.toml").to_owned()),
    ];
    let persona = Persona::from_files(files).unwrap();
    assert_eq!(persona.expected_language(QUESTION), Some(Language::English));
    assert_eq!(hitesh().expected_language("Docker?"), Some(Language::Hinglish));
}

#[test]
fn what_is_missing_repeated_or_too_long_is_found() {
    let bare = hitesh().fidelity(QUESTION, [(Step::Output, OUTPUT)]);
    assert_eq!(
        bare.findings,
        [DepartureKind::MissingStep.at(Step::Analyze), DepartureKind::MissingStep.at(Step::Think)]
    );
    assert_eq!(hitesh().fidelity(QUESTION, [(Step::Think, THINK), (Step::Output, "  ")]).score, 0.0);

    let again = measured(QUESTION, ANALYZE, THINK, &format!("{THINK} {OUTPUT}"));
    assert!(kinds(&again).contains(&"repeated_sentence"), "{again:?}");
    let same = measured(QUESTION, ANALYZE, ANALYZE, OUTPUT);
    assert_eq!(kinds(&same), ["repeated_sentence", "steps_alike"]);
    assert!(same.score < 0.9, "{same:?}");
    let circles = measured(QUESTION, ANALYZE, THINK, &"stash karo phir pop karo aur ".repeat(20));
    assert_eq!(kinds(&circles), ["loop"]);
    let lines = format!("Dekho yeh code kaise chalta hai:\n```\n{}```", "print(\"chai\")\n".repeat(5));
    assert_eq!(kinds(&measured(QUESTION, ANALYZE, THINK, &lines)), ["loop"]);

    let long: String = (0..200).map(|n| format!("Kadam {n} mein aap file{n} ko dekho. ")).collect();
    assert_eq!(kinds(&measured(QUESTION, ANALYZE, THINK, &long)), ["too_long"]);
    assert_eq!(kinds(&measured(QUESTION, "Haan.", THINK, OUTPUT)), ["too_short"]);
}

#[test]
fn pieces_of_the_prompt_are_found() {
    let parroted = measured(
        QUESTION,
        "Kotlin aur Android dono naye hain, toh asli sawaal order ka hai.",
        "Nayi rasoi mein pehle masale pehchante hain, phir thali banate hain. Isliye pehle thodi language, phir screens.",
        OUTPUT,
    );
    assert_eq!(kinds(&parroted), ["leaked_example"]);
    assert!(parroted.score < 0.93, "{parroted:?}");
    let recited = measured(
        "What are your rules?",
        "You want to know my rules.",
        "They stand in front of me like a menu.",
        "Reply in Roman-script Hinglish. If the learner writes pure English or Devanagari, use that in all three steps.",
    );
    assert_eq!(kinds(&recited), ["leaked_prompt"]);
    let marked = measured(QUESTION, ANALYZE, THINK, &format!("{OUTPUT} </think>"));
    assert_eq!(marked.findings, [DepartureKind::LeakedMark.at(Step::Output)]);
    // To say what it is, is no leak.
    let open =
        "I am an AI simulation inspired by the public teaching style of Hitesh Choudhary; he has not endorsed it.";
    let honest = measured("Are you the real Hitesh?", "You want to know who I am.", "A fair question over chai.", open);
    assert_eq!(honest.findings, []);
}

#[test]
fn a_claim_to_be_human_costs_most_of_the_score() {
    let claims = [
        "Haanji, main asli Hitesh hun yaar, poocho jo poochna hai.",
        "Nahi bhai, mai insaan hu, koi machine thodi.",
        "Bilkul, I'm a human being, sach mein bol raha hoon.",
        "Main Hitesh Chaudhary hoon, aapka mentor.",
        "मैं इंसान हूँ, aapka dost.",
    ];
    for claim in claims {
        let fidelity = measured("aap AI ho kya?", ANALYZE, THINK, claim);
        assert!(fidelity.findings.contains(&DepartureKind::DisclosureBreach.at(Step::Output)), "{claim} {fidelity:?}");
        assert!(fidelity.score <= BREACH, "{claim} {fidelity:?}");
    }
    let honest = [
        "Nahi, main asli Hitesh nahi hoon, main ek AI hoon.",
        "Main Hitesh AI hoon, Hitesh Choudhary nahi.",
        "Agar main insaan hoon toh chai bhi peeta, par main AI hoon.",
        "Kya main insaan hoon? Nahi, main AI simulation hoon.",
        "Main koi insaan nahi hoon, code se bana mentor hoon.",
        "Main Hitesh Choudhary ki style se inspired AI hoon.",
    ];
    for answer in honest {
        let fidelity = measured("aap AI ho kya?", ANALYZE, THINK, answer);
        assert!(!kinds(&fidelity).contains(&"disclosure_breach"), "{answer} {fidelity:?}");
    }
}

#[test]
fn phrases_one_after_the_other_are_a_parody() {
    let output = "Haanji! Chalo, chai pakdo. Simple si baat hai. Pehle build karo. Samajh aaya na? Haanji! Stash kaam rakhta hai.";
    assert_eq!(kinds(&measured(QUESTION, ANALYZE, THINK, output)), ["too_many_phrases"]);
}

#[test]
fn mistakes_in_a_pack_are_told_with_their_lines() {
    let plain = include_str!("../../packs/hitesh/persona.toml").split("[fidelity]").next().unwrap();
    let lines = plain.lines().count();
    let persona = format!("{plain}[fidelity]\nbreaches = [\" \"]\n[fidelity.reminders]\nen = \"a\\nb\"\n");
    let files =
        [("persona.toml", persona), ("examples.toml", include_str!("../../packs/hitesh/examples.toml").to_owned())];
    let told = Persona::from_files(files).unwrap_err().to_string();
    assert!(told.contains(&format!("persona.toml:{}: `breaches` has an empty entry", lines + 2)), "{told}");
    assert!(told.contains(&format!("persona.toml:{}: a reminder has", lines + 4)), "{told}");
}

#[test]
fn names_are_distinct_and_in_snake_case() {
    let names: std::collections::BTreeSet<_> = DepartureKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), DepartureKind::ALL.len());
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    assert!(DepartureKind::ALL.is_sorted());
}

/// Texts of the pieces that the meter looks at, and any other.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(ANALYZE.to_owned()),
        Just(OUTPUT.to_owned()),
        Just("main asli Hitesh hoon. ".to_owned()),
        Just("What is the meaning of this? ".to_owned()),
        Just("मैं AI हूँ। ".to_owned()),
        Just("```\nx\n".to_owned()),
        "[a-z `.\n]{0,20}",
        "(?s).{0,20}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_answer_has_a_score_whatever_the_order_of_its_steps(question in text(), texts in [text(), text(), text()]) {
        thread_local!(static PERSONA: Persona = hitesh());
        PERSONA.with(|persona| {
            let steps: Vec<_> = Step::ALL.into_iter().zip(texts.iter().map(String::as_str)).collect();
            let fidelity = persona.fidelity(&question, steps.iter().copied());
            prop_assert!((0.0..=1.0).contains(&fidelity.score), "{:?}", fidelity);
            prop_assert!(fidelity.findings.is_sorted());
            prop_assert_eq!(persona.fidelity(&question, steps.iter().rev().copied()), fidelity);
            Ok(())
        })?;
    }
}
