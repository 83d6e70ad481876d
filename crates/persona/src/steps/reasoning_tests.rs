use Completeness::{Cut, NoOutput};
use Step::{Analyze, Output, Think};
use proptest::prelude::*;

use super::{
    leading::HELD,
    tests::{FORMATS, Read, characters, format, part, read_by, whole, wild},
    *,
};

/// What must never be seen in an output.
const SECRET: &str = "secret";

const ANSWERS: [&str; 4] = [
    "<analyze>A</analyze><think>T</think><output>O</output>",
    "<analyze>A</analyze>\n<think>T</think>\nO",
    r#"{"analyze":"A","think":"T","output":"O"}"#,
    "```json\n{\"analyze\":\"A\",\"think\":\"T\",\"output\":\"O\"}\n```",
];

fn parser(format: StepFormat, reasons: bool, shown: bool) -> StepParser {
    StepParser::new(format).of_reasoning_model(reasons).showing_reasoning(shown)
}

/// Reads `text` whole, character by character and split in two at every place; all must agree.
fn read(format: StepFormat, reasons: bool, shown: bool, text: &str, ended: bool) -> Read {
    let parser = || parser(format, reasons, shown);
    let whole = read_by(parser(), [text], ended);
    assert_eq!(whole, read_by(parser(), characters(text), ended), "character by character: {text:?}");
    for (at, _) in text.char_indices() {
        let (left, right) = text.split_at(at);
        assert_eq!(whole, read_by(parser(), [left, right], ended), "{left:?} | {right:?}");
    }
    whole
}

fn answer() -> Read {
    whole(&[(Analyze, "A"), (Think, "T"), (Output, "O")])
}

#[test]
fn a_block_with_known_marks_is_reasoning() {
    let blocks = [
        "<think>secret</think>",
        "<think>\n<think>\nsecret</think>",
        "<think>secret <think>more secret</think> and secret</think>\n",
        "<think>I answer with <analyze>secret</analyze><think>secret</think><output>secret</output> then.</think>",
        "<think>The mark `<think>` is the secret, and \"</think>\" ends it: secret.</think>",
        "<think>secret <think> of a mark that never closes</think>\n",
        "<Thinking>secret </think> secret</thinking>\n\n",
        "<reasoning>secret</REASONING>",
        "<thought>secret</thought>",
        "[THINK]secret [/think]",
        "<|channel|>analysis<|message|>secret<|end|><|start|>assistant<|channel|>final<|message|>",
    ];
    for format in FORMATS {
        for block in blocks {
            for reasons in [true, false] {
                for text in ANSWERS {
                    let text = format!("{block}{text}");
                    assert_eq!(read(format, reasons, false, &text, true), answer(), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_block_before_a_plain_text_is_reasoning() {
    for block in
        ["<think>secret <think>more</think> and secret</think>\n", "<thinking>secret</thinking>", "[THINK]s[/THINK]"]
    {
        let text = format!("{block}Haanji");
        assert_eq!(read(StepFormat::Tagged, false, false, &text, true), whole(&[(Output, "Haanji")]), "{text}");
    }
}

#[test]
fn a_block_that_never_closes_leaves_no_output() {
    for text in ["<think>secret <think>secret</think> secret", "<thinking>secret </think>", "[THINK]secret"] {
        assert_eq!(read(StepFormat::JsonObject, false, true, text, true), part(&[], NoOutput), "{text}");
        assert_eq!(read(StepFormat::JsonObject, true, true, text, false), part(&[], Cut), "{text}");
    }
}

#[test]
fn a_model_that_reasons_may_have_lost_its_opening_mark() {
    let reasoning = [
        "secret".to_owned(),
        "Okay, the secret is long. ".repeat(30),
        "I write <analyze>secret</analyze>\n<think>secret</think>\n<output>secret</output> then.".to_owned(),
        "First\n{\"output\":\"secret\"}\nand then the secret".to_owned(),
    ];
    for format in FORMATS {
        for reasoning in &reasoning {
            for text in ANSWERS {
                let text = format!("{reasoning}</think>\n\n{text}");
                assert_eq!(read(format, true, false, &text, true), answer(), "{text}");
            }
            let text = format!("{reasoning}\n</think>\nHaanji");
            assert_eq!(read(format, true, false, &text, true), whole(&[(Output, "Haanji")]));
            assert_eq!(read(format, true, true, reasoning, false), part(&[], Cut), "cut while it reasons");
        }
    }
}

#[test]
fn a_model_that_reasons_may_also_not_do_so() {
    let long = "Simple si baat hai: ".repeat(40);
    for format in FORMATS {
        for text in ANSWERS {
            assert_eq!(read(format, true, false, text, true), answer(), "{text}");
            let text = format!("Sure, here it is: {text}");
            assert_eq!(read(format, true, false, &text, true), read(format, false, false, &text, true), "{text}");
        }
        for text in ["Haanji!", "```js\nlet x;\n```\nAise.", "[1, 2]", "`", "``", long.as_str()] {
            assert_eq!(read(format, true, false, text, true), read(format, false, false, text, true), "{text}");
        }
    }
}

#[test]
fn an_answer_with_marks_streams_whatever_the_model() {
    for begin in ["<analyze>", "{\"analyze\":\"", "<analyze>A</analyze><output>"] {
        let mut parser = parser(StepFormat::JsonSchema, true, false);
        parser.push(begin);
        assert!(!parser.is_in_reasoning());
        assert!(parser.push("Suno").iter().any(|event| matches!(event, StepEvent::Delta(_, text) if text == "Suno")));
    }
}

#[test]
fn a_text_streams_if_the_reasoning_came_apart_from_it() {
    let mut parser = parser(StepFormat::Tagged, true, false);
    parser.push_reasoning("secret");
    assert!(!parser.push(&"chai aur code ".repeat(20)).is_empty());
    let by_field = |shown| {
        let mut parser = self::parser(StepFormat::Tagged, true, shown);
        parser.push_reasoning("secret");
        read_by(parser, ["<think>T</think><output>O</output>"], true)
    };
    assert_eq!(by_field(false), whole(&[(Think, "T"), (Output, "O")]));
    assert_eq!(by_field(true), whole(&[(Think, "secret\n\nT"), (Output, "O")]));
}

#[test]
fn a_leading_think_before_the_output_is_no_step_of_a_model_that_reasons() {
    let text = "<think>secret</think><output>O</output>";
    assert_eq!(read(StepFormat::Tagged, true, false, text, true), whole(&[(Output, "O")]));
    assert_eq!(read(StepFormat::Tagged, true, true, text, true), whole(&[(Think, "secret"), (Output, "O")]));
    assert_eq!(read(StepFormat::Tagged, false, false, text, true), whole(&[(Think, "secret"), (Output, "O")]));
    let text = "<think>secret</think><think>T</think><output>O</output>";
    for reasons in [true, false] {
        assert_eq!(read(StepFormat::Tagged, reasons, false, text, true), whole(&[(Think, "T"), (Output, "O")]));
    }
}

#[test]
fn shown_reasoning_begins_the_think_step_or_is_it() {
    for format in FORMATS {
        for reasoning in ["<think>\n hm, \n so \n</think>", "<thinking>hm, \n so</thinking>", "hm, \n so</think>"] {
            for text in ANSWERS {
                let expected = whole(&[(Analyze, "A"), (Think, "hm, \n so\n\nT"), (Output, "O")]);
                assert_eq!(read(format, true, true, &format!("{reasoning}{text}"), true), expected);
            }
            for text in ["<analyze>A</analyze><output>O</output>", r#"{"analyze":"A","output":"O"}"#] {
                let expected = whole(&[(Analyze, "A"), (Think, "hm, \n so"), (Output, "O")]);
                assert_eq!(read(format, true, true, &format!("{reasoning}{text}"), true), expected);
            }
            let expected = whole(&[(Think, "hm, \n so"), (Output, "Haanji")]);
            assert_eq!(read(format, true, true, &format!("{reasoning}Haanji"), true), expected);
        }
        let two = "<think>one</think>\n<think>two</think><analyze>A</analyze>O";
        let expected = whole(&[(Analyze, "A"), (Think, "one\n\ntwo"), (Output, "O")]);
        assert_eq!(read(format, false, true, two, true), expected);
    }
}

#[test]
fn shown_reasoning_is_an_event_of_its_own() {
    let mut parser = parser(StepFormat::Tagged, false, true);
    parser.push_reasoning("hm, ");
    parser.push_reasoning("so");
    assert_eq!(parser.push("<analyze>A</analyze><think>").len(), 3);
    let think = [
        StepEvent::Started(Think),
        StepEvent::Reasoning("hm, so\n\n".to_owned()),
        StepEvent::Delta(Think, "T".to_owned()),
    ];
    assert_eq!(parser.push("T"), think);
    parser.push_reasoning("too late");
    let (rest, _) = parser.finish(true);
    assert!(!format!("{rest:?}").contains("late"), "{rest:?}");
}

#[test]
fn reasoning_without_an_output_is_not_shown() {
    let mut parser = parser(StepFormat::Tagged, true, true);
    parser.push_reasoning("hm");
    assert_eq!(read_by(parser, ["<analyze>A</analyze>"], true), part(&[(Analyze, "A", true)], NoOutput));
}

#[test]
fn a_very_long_block_is_reasoning_without_being_held() {
    let long = "secret 🍵".repeat(HELD / 8);
    for (open, reasons) in [("<think>", false), ("", true)] {
        let text = format!("{open}{long}</think>\n<output>O</output>");
        for pieces in [vec![text.as_str()], characters(&text).collect()] {
            assert_eq!(
                read_by(parser(StepFormat::Tagged, reasons, false), pieces.clone(), true),
                whole(&[(Output, "O")])
            );
            let shown = read_by(parser(StepFormat::Tagged, reasons, true), pieces, true);
            let (think, output) = (&shown.steps[0], &shown.steps[1]);
            assert!(think.1.starts_with("secret 🍵secret") && think.1.ends_with('…') && think.1.len() < 8_200);
            assert_eq!(output.1, "O");
        }
        let mut parser = parser(StepFormat::Tagged, reasons, true);
        parser.push(open);
        for piece in characters(&long) {
            parser.push(piece);
            assert!(parser.buffer.len() <= HELD + 4);
        }
        assert_eq!(parser.finish(true), (Vec::new(), NoOutput));
    }
}

#[test]
fn a_reader_can_tell_that_the_model_reasons() {
    let mut parser = parser(StepFormat::Tagged, false, false);
    let states = ["<th", "ink>", "hm", "</think", ">", "<analyze>A"].map(|piece| {
        parser.push(piece);
        parser.is_in_reasoning()
    });
    assert_eq!(states, [false, true, true, true, false, false]);
}

#[test]
fn time_is_linear_in_reasoning() {
    for start in ["<think>", "<think>a<think>", "<thinking>", "[THINK]", "hm "] {
        for piece in [
            "<think>",
            "</think>",
            "</think>`",
            "`<think>`",
            "</think> ",
            " ",
            "<",
            "[",
            "[/THINK] ",
            "{\"",
            "```\n",
            "x",
        ] {
            let mut parser = parser(StepFormat::Tagged, true, true);
            parser.push(start);
            parser.push(&piece.repeat(10_000));
            for _ in 0..10_000 {
                parser.push(piece);
            }
            parser.finish(true);
        }
    }
}

/// Reasoning that speaks about the form of the answer, and holds the secret at both of its ends.
fn reasoning() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "<analyze>",
        "</analyze>",
        "<output>",
        "</output>",
        "`<think>`",
        "\"</think>\"",
        // Then the answer would follow, if one did.
        "<think>x</think>, ",
        "{\"output\":\"secret\"}",
        "<",
        "</th",
        "\n",
        "🍵 ",
        "secret",
        "so ",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| format!("secret {} secret", parts.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_split_changes_what_is_read(text in wild(), format in format(), ended: bool, shown: bool) {
        let parser = || parser(format, true, shown);
        prop_assert_eq!(read_by(parser(), [text.as_str()], ended), read_by(parser(), characters(&text), ended));
    }

    #[test]
    fn reasoning_is_never_a_part_of_what_was_said(
        reasoning in reasoning(),
        marks in prop::sample::select(vec![("<think>", "</think>"), ("", "</think>")]),
        answer in prop::sample::select([&ANSWERS[..], &["Haanji", "<output>O</output>"]].concat()),
        format in format(),
        shown: bool,
        cut in 0usize..400,
        ended: bool,
    ) {
        let (open, close) = marks;
        let text = format!("{open}{reasoning}{close}\n{answer}");
        let begun = text.get(..cut.min(text.len())).unwrap_or(&text);
        // Without its last mark, and with an orderly end, a text that was not opened is an answer.
        let ended = ended && begun.len() == text.len();
        let found = read_by(parser(format, true, shown), characters(begun), ended);
        prop_assert_eq!(&found, &read_by(parser(format, true, shown), [begun], ended));
        for (step, text, _) in &found.steps {
            prop_assert!((shown && *step == Think) || !text.contains(SECRET), "{step}: {text}");
        }
        if ended {
            prop_assert!(found.steps.iter().any(|(step, text, whole)| *step == Output && *whole && text.len() < 8));
        }
    }
}
