use Completeness::{Complete, Cut, NoOutput};
use Step::{Analyze, Output, Think};
use StepFormat::{JsonObject, JsonSchema, Tagged};
use proptest::prelude::*;

use super::*;

pub(super) const FORMATS: [StepFormat; 3] = [JsonSchema, JsonObject, Tagged];

/// What came of an answer, without how it was cut into deltas. Checks the promises of [`StepEvent`] on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Read {
    pub(super) steps: Vec<(Step, String, bool)>,
    pub(super) end: Completeness,
}

fn read_pieces<'a>(format: StepFormat, pieces: impl IntoIterator<Item = &'a str>, ended: bool) -> Read {
    read_by(StepParser::new(format), pieces, ended)
}

/// The same by a parser of one's own; reasoning is a part of its step's text.
pub(super) fn read_by<'a>(mut parser: StepParser, pieces: impl IntoIterator<Item = &'a str>, ended: bool) -> Read {
    let mut events: Vec<StepEvent> = pieces.into_iter().flat_map(|piece| parser.push(piece)).collect();
    let (last, end) = parser.finish(ended);
    events.extend(last);
    let mut steps: Vec<(Step, String, bool)> = Vec::new();
    for event in events {
        match event {
            StepEvent::Started(step) => {
                assert!(steps.last().is_none_or(|(last, _, finished)| *last < step && *finished), "order: {step}");
                steps.push((step, String::new(), false));
            }
            StepEvent::Reasoning(text) => {
                let open = steps.last_mut().unwrap();
                assert!(!text.is_empty() && open.0 == Think && open.1.is_empty() && !open.2);
                open.1.push_str(&text);
            }
            StepEvent::Delta(step, text) => {
                let open = steps.last_mut().unwrap();
                assert!(!text.is_empty() && open.0 == step && !open.2);
                open.1.push_str(&text);
            }
            StepEvent::Finished(step) => {
                let open = steps.last_mut().unwrap();
                assert!(open.0 == step && !open.2);
                open.2 = true;
            }
        }
    }
    assert!(steps.iter().all(|(_, text, _)| !text.trim().is_empty()));
    assert_eq!(end == Complete, steps.iter().any(|(step, _, finished)| *step == Output && *finished));
    Read { steps, end }
}

pub(super) fn characters(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()])
}

/// Reads `text` whole, character by character and split in two at every place; all must agree.
fn read(format: StepFormat, text: &str, ended: bool) -> Read {
    let whole = read_pieces(format, [text], ended);
    assert_eq!(whole, read_pieces(format, characters(text), ended), "character by character: {text:?}");
    for (at, _) in text.char_indices() {
        let (left, right) = text.split_at(at);
        assert_eq!(whole, read_pieces(format, [left, right], ended), "{left:?} | {right:?}");
    }
    whole
}

pub(super) fn whole(steps: &[(Step, &str)]) -> Read {
    Read { steps: steps.iter().map(|(step, text)| (*step, (*text).to_owned(), true)).collect(), end: Complete }
}

pub(super) fn part(steps: &[(Step, &str, bool)], end: Completeness) -> Read {
    Read { steps: steps.iter().map(|(step, text, whole)| (*step, (*text).to_owned(), *whole)).collect(), end }
}

fn abc() -> Read {
    whole(&[(Analyze, "A1"), (Think, "T2"), (Output, "O3 🍵")])
}

#[test]
fn each_form_is_recognised_whatever_was_asked_for() {
    let answers = [
        "<analyze>A1</analyze><think>T2</think><output>O3 🍵</output>",
        "\u{feff}\n <ANALYZE>\n A1\n</ANALYZE >\n\n< think >T2</think>\n<output>\nO3 🍵\n</output>\n",
        "```xml\n<analyze>A1</analyze>\n<think>T2</think>\n<output>O3 🍵</output>\n```",
        "Sure! Here it is: <analyze>A1</analyze> And now: <think>T2</think> So:\n<output>O3 🍵</output> Bye!",
        "<analyze>A1\n<think>T2\n<output>O3 🍵",
        "<analyze>A1.<think>T2.<output>O3 🍵",
        "<analyze>A1</think><think>T2</analyze><output>O3 🍵</output>",
        "<analyze><analyze>A1</analyze><think>T2</think><output><output>O3 🍵</output></output>",
        "<analyze>A1</analyze><think>T2</think>O3 🍵",
        "<analyze>A1</analyze><think>T2</think>\nO3 🍵</output>\n",
        r#"{"analyze":"A1","think":"T2","output":"O3 🍵"}"#,
        "\u{feff} {\r\n \"analyze\" : \"A1\" ,\n\"think\": \" T2\\n\", \"output\":\"O3 \\ud83c\\udf75\"}\n\n",
        "```json\n{\"analyze\":\"A1\",\"think\":\"T2\",\"output\":\"O3 🍵\"}\n```",
        "Here is the JSON:\n{\"analyze\":\"A1\",\"think\":\"T2\",\"output\":\"O3 🍵\"}",
        r#"{"analyze":"A1","mood":{"a":["}",1,null,"\""]},"n":-1.5e3,"ok":true,"think":"T2","output":"O3 🍵","x":1}"#,
        r#"{"Analyze":"A1","THINK":"T2","output":"O3 🍵"#.to_owned().leak(),
        "{\"analyze\":\"A1\"\n\"think\":\"T2\"\n\"output\":\"O3 🍵\"",
        r#"{"analyze":"A1"} {"think":"T2"} {"output":"O3 🍵"}"#,
    ];
    for format in FORMATS {
        for answer in answers {
            let mut found = read(format, answer, true);
            if answer.ends_with("\"O3 🍵") {
                // Its last quote is missing: the output may be cut.
                assert_eq!((found.end, found.steps[2].2), (Cut, false));
                found = Read { end: Complete, ..found };
                found.steps[2].2 = true;
            }
            for (_, text, _) in &mut found.steps {
                *text = text.trim_end_matches('.').to_owned();
            }
            assert_eq!(found, abc(), "{format:?} {answer}");
        }
    }
}

#[test]
fn a_text_without_marks_is_an_output() {
    let long = "Simple si baat hai: ".repeat(40);
    let texts = [
        "Haanji!",
        "  Haanji, <b>bold</b> < 3 {x} \n",
        "{ let x = 1; }",
        "[{\"step\": 1}]",
        "`<output>` HTML ka element hai",
        "HTML ka <output> element form ka result dikhata hai: <output>5</output> aise.",
        "<html><output></html>",
        "42",
        "\"quoted\"",
        "Trailing <",
        &long,
    ];
    for format in FORMATS {
        for text in texts {
            assert_eq!(read(format, text, true), whole(&[(Output, text.trim())]), "{format:?}");
        }
    }
}

#[test]
fn a_long_text_without_marks_streams() {
    let mut parser = StepParser::new(Tagged);
    let shown: usize = (0..100).map(|_| parser.push("chai aur code ").len()).sum();
    assert!(shown > 80);
}

#[test]
fn a_text_comes_out_as_soon_as_it_is_safe() {
    let mut parser = StepParser::new(Tagged);
    assert_eq!(parser.push("<analyze>"), []);
    assert_eq!(parser.push("Ab"), [StepEvent::Started(Analyze), StepEvent::Delta(Analyze, "Ab".to_owned())]);
    assert_eq!(parser.push(" x <"), [StepEvent::Delta(Analyze, " x".to_owned())]);
    assert_eq!(parser.push("= 3 </"), [StepEvent::Delta(Analyze, " <= 3".to_owned())]);
    assert_eq!(parser.push("analyze>"), [StepEvent::Finished(Analyze)]);
    let mut parser = StepParser::new(JsonSchema);
    assert_eq!(
        parser.push("{\"analyze\":\"A\\u00"),
        [StepEvent::Started(Analyze), StepEvent::Delta(Analyze, "A".to_owned())]
    );
    assert_eq!(parser.push("e9"), [StepEvent::Delta(Analyze, "é".to_owned())]);
}

#[test]
fn a_models_own_reasoning_is_never_shown() {
    let rest = [
        "<analyze>A1</analyze><think>T2</think><output>O3 🍵</output>",
        r#"{"analyze":"A1","think":"T2","output":"O3 🍵"}"#,
        "```json\n{\"analyze\":\"A1\",\"think\":\"T2\",\"output\":\"O3 🍵\"}\n```",
    ];
    let reasoning = [
        "<think>Let me see. I should use <output> and </analyze> and {\"output\":\"no\"} here.</think>\n\n",
        "<think>\n\n</think>\n",
        "<THINK>one</THINK><think>two</think>",
        "short one, whose mark the server took</think>",
    ];
    for format in FORMATS {
        for reasoning in reasoning {
            for rest in rest {
                assert_eq!(read(format, &format!("{reasoning}{rest}"), true), abc(), "{reasoning}{rest}");
            }
            let text = format!("{reasoning}Haanji, plain text");
            assert_eq!(read(format, &text, true), whole(&[(Output, "Haanji, plain text")]));
        }
        assert_eq!(read(format, "<think>endless, <output>no</output>", true), part(&[], NoOutput));
        assert_eq!(read(format, "<think>only reasoning</think> ", true), part(&[], NoOutput));
        assert_eq!(read(format, "<think>cut", false), part(&[], Cut));
    }
}

#[test]
fn a_leading_think_before_the_output_is_our_step() {
    for format in FORMATS {
        let text = "<think>T2</think><output>O3</output>";
        assert_eq!(read(format, text, true), whole(&[(Think, "T2"), (Output, "O3")]));
        let text = format!("<think>not this</think>{text}");
        assert_eq!(read(format, &text, true), whole(&[(Think, "T2"), (Output, "O3")]));
    }
}

#[test]
fn late_and_repeated_steps_are_dropped() {
    let texts = [
        "<analyze>A</analyze><analyze>late</analyze><output>O</output><think>late</think><output>late</output>",
        r#"{"analyze":"A","analyze":"late","output":"O","think":"late","output":"late"}"#,
        r#"{"ANALYZE":"","analyze":"A","think":null,"output":["no"],"output":"O"}"#,
    ];
    for text in texts {
        assert_eq!(read(Tagged, text, true), whole(&[(Analyze, "A"), (Output, "O")]));
    }
    let text = "<analyze>A</analyze><think>T</think><analyze>late, and <think>later</think><output>O</output>";
    assert_eq!(read(Tagged, text, true), whole(&[(Analyze, "A"), (Think, "T"), (Output, "O")]));
}

#[test]
fn an_output_may_teach_the_output_element() {
    let lesson =
        "`<output>` dikhata hai:\n```html\n<form>\n<output for=\"a\">5</output></form>\n```\nband: `</output>`, ok";
    for tail in ["</output>", "\n</output>\n", ""] {
        let text =
            format!("<analyze>Learner `<output>` puchh raha hai</analyze><think>t</think><output>{lesson}{tail}");
        let found = read(Tagged, &text, true);
        assert_eq!(found, whole(&[(Analyze, "Learner `<output>` puchh raha hai"), (Think, "t"), (Output, lesson)]));
    }
    let asked = "<analyze>HTML ka <output> element</analyze><output>o</output>";
    assert_eq!(read(Tagged, asked, true), whole(&[(Analyze, "HTML ka <output> element"), (Output, "o")]));
    let unbalanced = "<output>Likho <output> aur band karo</output>";
    assert_eq!(read(Tagged, unbalanced, true), whole(&[(Output, "Likho <output> aur band karo")]));
    let code = "<output>```js\nlet x;\n```</output> bye";
    assert_eq!(read(Tagged, code, true), whole(&[(Output, "```js\nlet x;\n```")]));
}

#[test]
fn an_output_without_its_last_mark_counts_only_after_an_orderly_end() {
    let text = "<analyze>A</analyze><think>T</think><output>O";
    assert_eq!(read(Tagged, text, true), whole(&[(Analyze, "A"), (Think, "T"), (Output, "O")]));
    let cut = part(&[(Analyze, "A", true), (Think, "T", true), (Output, "O", false)], Cut);
    assert_eq!(read(Tagged, text, false), cut);
    assert_eq!(read(Tagged, &format!("{text}</outp"), false), cut);
    let text = r#"{"analyze":"A","think":"T","output":"O"#;
    assert_eq!(read(JsonSchema, text, true), cut);
    assert_eq!(read(JsonSchema, text, false), cut);
    assert_eq!(read(JsonSchema, "Haanji", false), part(&[(Output, "Haanji", false)], Cut));
}

#[test]
fn an_answer_without_output_says_so() {
    for text in ["", " \n", "<analyze>A</analyze>", "<output> \n</output>", r#"{"output":""}"#, "<output>", "```\n```"]
    {
        let found = read(Tagged, text, true);
        assert_eq!(found.end, NoOutput, "{text}");
        assert_eq!(read(Tagged, text, false).end, Cut, "{text}");
    }
    let text = r#"{"analyze":"A","think":"T","output":7}"#;
    assert_eq!(read(JsonObject, text, true), part(&[(Analyze, "A", true), (Think, "T", true)], NoOutput));
    assert_eq!(read(JsonObject, "{\"analyze\":\"A", true), part(&[(Analyze, "A", false)], NoOutput));
}

#[test]
fn quotes_that_a_weak_model_did_not_escape_are_text() {
    let text = r#"{"analyze":"A","output":"Usne "haan" bola, print("x") likho"}"#;
    assert_eq!(
        read(JsonObject, text, true),
        whole(&[(Analyze, "A"), (Output, r#"Usne "haan" bola, print("x") likho"#)])
    );
    // A quote at the very end of a broken stream may be one of these.
    assert_eq!(read(JsonObject, r#"{"output":"Usne ""#, false), part(&[(Output, "Usne", false)], Cut));
}

#[test]
fn foreign_json_is_no_answer_where_json_was_asked_for_and_code_elsewhere() {
    let text = r#"{"plan":{"a":1},"analyze":"A","output":"O"}"#;
    assert_eq!(read(JsonObject, text, true), whole(&[(Analyze, "A"), (Output, "O")]));
    assert_eq!(read(Tagged, text, true), whole(&[(Output, text)]));
    assert_eq!(read(JsonObject, r#"{"plan":"secret"#, false), part(&[], Cut));
    for wrong in [r#"{"plan":"a"}"#, "{}", " { }"] {
        assert_eq!(read(JsonObject, wrong, true), part(&[], NoOutput), "{wrong}");
        assert_eq!(read(Tagged, wrong, true), whole(&[(Output, wrong.trim())]), "{wrong}");
    }
}

#[test]
fn an_answer_cut_anywhere_is_never_whole() {
    let texts = [
        "<think>hm</think><analyze>A</analyze>\n<think>T</think>\n<output>code: `a<b` 🍵\n</output>",
        r#"{"analyze":"A","think":"T","output":"code: \"a\" \ud83c\udf75"}"#,
    ];
    for text in texts {
        for (at, _) in text.char_indices() {
            assert_eq!(read_pieces(JsonObject, [&text[..at]], false).end, Cut, "{}", &text[..at]);
        }
        assert_eq!(read_pieces(JsonObject, [text], false).end, Complete);
    }
}

#[test]
fn time_is_linear_in_the_text() {
    let nasty =
        ["<", "</", "<think>", "</think>", "<analyze></analyze>", "{\"", "{ ", "\\", " ", "`</output>`", "<output>"];
    for format in FORMATS {
        for start in ["", "<think>", "<analyze>", "<output>", "{\"x\":", "{\"output\":\""] {
            for piece in nasty {
                let mut parser = StepParser::new(format);
                parser.push(start);
                parser.push(&piece.repeat(4_000));
                for _ in 0..4_000 {
                    parser.push(piece);
                }
                parser.finish(true);
            }
        }
    }
}

/// Texts that look like answers gone wrong.
pub(super) fn wild() -> impl Strategy<Value = String> {
    let marks = prop_oneof![
        prop::sample::select(vec![
            "<analyze>",
            "</analyze>",
            "<think>",
            "</think>",
            "<thinking>",
            "</thinking>",
            "[THINK]",
            "<output>",
            "</output>",
            "<output x>",
            "< output",
            "{",
            "}",
            "{\"analyze\":\"",
            "\"think\":\"",
            "\"output\":\"",
            "\",",
            "\"",
            ":",
            ",",
            "\\",
            "\\u",
            "\\ud83c",
            "\\udf75",
            "[",
            "]",
            "```",
            "```json\n",
            "`",
            "\n",
            " ",
            "\u{feff}",
            "<",
            "</",
            "null",
            "🍵",
            "ह",
        ])
        .prop_map(str::to_owned),
        "[a-z .]{1,12}",
        "\\PC{0,3}",
        "x{180,210}",
    ];
    prop::collection::vec(marks, 0..24).prop_map(|parts| parts.concat())
}

pub(super) fn format() -> impl Strategy<Value = StepFormat> {
    prop::sample::select(FORMATS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_split_changes_what_is_read(text in wild(), format in format(), ended: bool, cuts in prop::collection::vec(0usize..400, 0..6)) {
        let whole = read_pieces(format, [text.as_str()], ended);
        prop_assert_eq!(&whole, &read_pieces(format, characters(&text), ended));
        let mut cuts: Vec<_> = cuts.into_iter().filter(|at| text.is_char_boundary(*at)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for at in cuts.into_iter().chain([text.len()]) {
            pieces.push(&text[from..at]);
            from = at;
        }
        prop_assert_eq!(whole, read_pieces(format, pieces, ended));
    }

    #[test]
    fn what_came_first_stays_whatever_follows(text in wild(), format in format()) {
        let whole = read_pieces(format, [text.as_str()], false);
        let mut parser = StepParser::new(format);
        let mut shown: Vec<(Step, String)> = Vec::new();
        for piece in characters(&text) {
            for event in parser.push(piece) {
                match event {
                    StepEvent::Started(step) => shown.push((step, String::new())),
                    StepEvent::Delta(_, text) => shown.last_mut().unwrap().1.push_str(&text),
                    StepEvent::Reasoning(_) | StepEvent::Finished(_) => {}
                }
            }
            for ((step, text), known) in shown.iter().zip(&whole.steps) {
                prop_assert!(*step == known.0 && known.1.starts_with(text.as_str()));
            }
        }
    }

    #[test]
    fn a_rendered_answer_is_read_back(
        format in format(), asked in format(),
        analyze in "[^<`]{0,40}", think in "[^<`]{0,40}", output in "\\PC{0,30}[a-z\"\\\\\n🍵]{1,300}",
    ) {
        let output = output.replace(['<', '`'], "");
        let texts = [(Analyze, analyze.trim()), (Think, think.trim()), (Output, output.trim())];
        // A lone leading `<think>` is reasoning unless an output follows it, which is so here.
        let expected: Vec<_> = texts.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        prop_assume!(!output.trim().is_empty());
        let rendered = render_steps(format, texts);
        prop_assert_eq!(read_pieces(asked, [rendered.as_str()], true), whole(&expected), "{}", rendered);
    }

    #[test]
    fn json_is_read_as_serde_reads_it(texts in prop::array::uniform3("\\PC{1,60}"), pretty: bool) {
        let map: std::collections::BTreeMap<_, _> = Step::ALL.iter().map(|step| step.as_str()).zip(&texts).collect();
        let text = if pretty { serde_json::to_string_pretty(&map) } else { serde_json::to_string(&map) }.unwrap();
        // The keys are sorted: analyze, output, think.
        let found = read_pieces(JsonSchema, characters(&text), true);
        let expected: Vec<_> = [(Analyze, &texts[0]), (Output, &texts[2])]
            .into_iter()
            .map(|(step, text)| (step, text.trim(), true))
            .filter(|(_, text, _)| !text.is_empty())
            .map(|(step, text, whole)| (step, text.to_owned(), whole))
            .collect();
        prop_assert_eq!(found.steps.iter().filter(|(step, ..)| *step != Think).cloned().collect::<Vec<_>>(), expected);
    }
}
