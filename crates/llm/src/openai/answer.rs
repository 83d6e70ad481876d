use std::collections::VecDeque;

use hitesh_domain::Usage;

use super::chunk::{Choice, Chunk, Delta};
use crate::{
    FinishReason, ProviderError, ProviderEvent,
    http::{Complaint, More, Reader, Size},
};

/// What chunks say: an answer, from its first piece to its end.
#[derive(Debug, Default)]
pub(super) struct Answer {
    ready: VecDeque<ProviderEvent>,
    size: Size,
    usage: Option<Usage>,
    is_refused: bool,
    is_finished: bool,
}

impl Reader for Answer {
    fn take(&mut self) -> Option<ProviderEvent> {
        self.ready.pop_front()
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }

    fn read(&mut self, data: &str) -> Result<More, ProviderError> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(More::Expected);
        }
        if data == "[DONE]" {
            return Ok(More::Done);
        }
        let chunk: Chunk =
            serde_json::from_str(data).map_err(|_| ProviderError::Broken { reason: "it sent no completion chunk" })?;
        if let Some(error) = &chunk.error {
            return Err(Complaint::of(error).in_a_stream());
        }
        if chunk.object.as_deref() == Some("error") {
            return Err(Complaint::of_body(data.as_bytes()).in_a_stream());
        }
        // One answer is asked for; what a server sends beside it is not it.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            if !self.is_finished {
                self.read_choice(choice)?;
            }
        }
        if let Some(usage) = chunk.usage.map(Usage::from)
            && self.usage != Some(usage)
        {
            self.usage = Some(usage);
            self.ready.push_back(ProviderEvent::Usage(usage));
        }
        Ok(More::Expected)
    }
}

impl Answer {
    fn read_choice(&mut self, mut choice: Choice) -> Result<(), ProviderError> {
        let thought = choice.delta.take_reasoning();
        if !thought.is_empty() {
            self.size.add_reasoning(&thought)?;
            self.ready.push_back(ProviderEvent::Reasoning(thought));
        }
        let Delta { content, refusal, .. } = choice.delta;
        self.is_refused |= refusal.as_ref().is_some_and(|text| !text.is_empty());
        for text in [Some(content.text), refusal].into_iter().flatten().filter(|text| !text.is_empty()) {
            self.size.add_answer(&text)?;
            self.ready.push_back(ProviderEvent::Delta(text));
        }
        // Some servers send an empty reason with every chunk.
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            let reason = finish_reason(&reason)?;
            self.is_finished = true;
            let reason = if self.is_refused { FinishReason::Refusal } else { reason };
            self.ready.push_back(ProviderEvent::Finish(reason));
        }
        Ok(())
    }
}

/// An answer that ended for a reason that is not known (`error`, `abort`, `insufficient_system_resource`) is not
/// called whole.
fn finish_reason(reason: &str) -> Result<FinishReason, ProviderError> {
    match reason.to_ascii_lowercase().as_str() {
        // Tools were not offered. If the model calls one nonetheless, its text shows what the answer lacks.
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" | "tool_calls" | "function_call" => {
            Ok(FinishReason::Stop)
        }
        "length" | "max_tokens" => Ok(FinishReason::Length),
        "refusal" => Ok(FinishReason::Refusal),
        "content_filter" | "safety" => Ok(FinishReason::Filtered),
        _ => Err(ProviderError::Broken { reason: "it ended the answer for a reason that is not known" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{MAX_ANSWER, MAX_REASONING};

    /// What comes of the data of these events, and the error that ended it.
    fn events(data: &[&str]) -> Vec<String> {
        let mut answer = Answer::default();
        let mut events = Vec::new();
        for data in data {
            let more = answer.read(data);
            events.extend(std::iter::from_fn(|| answer.take()).map(|event| match event {
                ProviderEvent::Delta(text) => text,
                other => format!("{other:?}"),
            }));
            match more {
                Ok(More::Expected) => {}
                Ok(More::Done) => events.push("done".to_owned()),
                Err(error) => {
                    events.push(format!("{error:?}"));
                    break;
                }
            }
        }
        events
    }

    #[test]
    fn chunks_that_lack_things_are_read_for_what_they_have() {
        let rows = [
            r#"{}"#,
            r#"{"choices":null,"usage":null,"error":null}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":[{}]}"#,
            r#"{"choices":[{"delta":null,"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"role":"assistant"},"finish_reason":""}]}"#,
            r#"{"choices":[{"delta":{"content":null,"tool_calls":null}}]}"#,
            r#"{"choices":[{"delta":{"content":""}}],"nonsense":{"x":[1]}}"#,
            r#"{"choices":[{"delta":{"reasoning":{"x":1}}}],"usage":"none"}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"another answer"}}]}"#,
            "",
            "  ",
        ];
        assert_eq!(events(&rows), Vec::<String>::new());
    }

    #[test]
    fn an_end_is_told_once_and_only_usage_follows_it() {
        let told = events(&[
            r#"{"choices":[{"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"delta":{"content":"c"},"finish_reason":"length"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}"#,
            "[DONE]",
        ]);
        let usage = "Usage(Usage { prompt_tokens: 3, completion_tokens: 2, cached_tokens: 1 })";
        assert_eq!(told, ["a", "b", "Finish(Stop)", usage, "done"]);
    }

    #[test]
    fn the_same_usage_is_told_once() {
        let usage = r#"{"usage":{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":null}}"#;
        let later = r#"{"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        assert_eq!(events(&[usage, usage, later]).len(), 2);
    }

    #[test]
    fn every_reason_to_end_is_called_what_it_is() {
        let rows = [
            ("stop", "Finish(Stop)"),
            ("length", "Finish(Length)"),
            ("content_filter", "Finish(Filtered)"),
            ("tool_calls", "Finish(Stop)"),
            ("MAX_TOKENS", "Finish(Length)"),
            ("error", "Broken"),
            ("abort", "Broken"),
        ];
        for (reason, expected) in rows {
            let told = events(&[&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{reason}"}}]}}"#)]);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{reason}: {told:?}");
        }
    }

    #[test]
    fn a_refusal_is_text_and_its_end_says_so() {
        let told = events(&[
            r#"{"choices":[{"delta":{"content":null,"refusal":"I can't"}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        ]);
        assert_eq!(told, ["I can't", "Finish(Refusal)"]);
    }

    #[test]
    fn reasoning_of_any_name_is_no_part_of_the_answer() {
        for name in ["reasoning", "reasoning_content", "thinking"] {
            let told = events(&[&format!(r#"{{"choices":[{{"delta":{{"{name}":"hm","content":"a"}}}}]}}"#)]);
            assert_eq!(told, [r#"Reasoning("hm")"#, "a"]);
        }
    }

    #[test]
    fn content_in_parts_is_text_and_reasoning_each_for_itself() {
        let rows = [
            (r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#, vec!["ab"]),
            (
                r#"[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]}]"#,
                vec![r#"Reasoning("hm")"#],
            ),
            (r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}]"#, vec![r#"Reasoning("hm")"#, "a"]),
            (r#"[{"type":"reference","reference_ids":[1]},{"type":"text","text":null}]"#, vec![]),
            (
                r#"[{"type":"reasoning","text":"hm"},{"type":"output_text","text":"a"}]"#,
                vec![r#"Reasoning("hm")"#, "a"],
            ),
            ("[]", vec![]),
        ];
        for (content, expected) in rows {
            let told = events(&[&format!(r#"{{"choices":[{{"delta":{{"content":{content}}}}}]}}"#)]);
            assert_eq!(told, expected, "{content}");
        }
    }

    #[test]
    fn reasoning_that_is_said_twice_is_told_once() {
        let rows = [
            r#"{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
            r#"{"reasoning":"hm","reasoning_content":"hm"}"#,
            r#"{"reasoning":null,"reasoning_details":[{"type":"reasoning.summary","summary":"hm"},{"data":"x"}]}"#,
        ];
        for delta in rows {
            let told = events(&[&format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#)]);
            assert_eq!(told, [r#"Reasoning("hm")"#], "{delta}");
        }
    }

    #[test]
    fn an_error_within_the_stream_ends_it() {
        let rows = [
            (r#"{"error":{"message":"secret","type":"server_error","code":null}}"#, "Unavailable"),
            (r#"{"error":{"code":429,"message":"slow"},"choices":[]}"#, "RateLimited"),
            (r#"{"error":{"code":502}}"#, "Unavailable"),
            (r#"{"error":"secret"}"#, "Broken"),
            (r#"{"object":"error","message":"secret","type":"X","code":400}"#, "Rejected"),
        ];
        for (data, expected) in rows {
            let told = events(&[data]);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{data}: {told:?}");
            assert!(!told[0].contains("secret"));
        }
    }

    #[test]
    fn data_that_is_no_chunk_is_refused() {
        for data in [
            "{",
            "hello",
            "1",
            "null",
            r#""text""#,
            r#"{"choices":[{"delta":{"content":7}}]}"#,
            r#"{"choices":[{"delta":{"content":[7]}}]}"#,
            "<html>",
        ] {
            assert!(events(&[data])[0].starts_with("Broken"), "{data}");
        }
    }

    #[test]
    fn an_answer_without_end_is_broken_off() {
        let kib = "x".repeat(1024);
        for (name, limit) in [("content", MAX_ANSWER), ("reasoning", MAX_REASONING)] {
            let chunk = format!(r#"{{"choices":[{{"delta":{{"{name}":"{kib}"}}}}]}}"#);
            let told = events(&vec![chunk.as_str(); limit / 1024 + 1]);
            assert_eq!(told.len(), limit / 1024 + 1);
            assert!(told.last().unwrap().starts_with("Broken"));
        }
    }
}
