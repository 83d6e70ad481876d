use std::collections::VecDeque;

use hitesh_domain::Usage;

use super::event::{Block, Event, WireUsage};
use crate::{
    FinishReason, ProviderError, ProviderEvent,
    http::{Complaint, More, Reader, Size},
};

/// What the events of a message say: an answer, from its first piece to its end.
#[derive(Debug, Default)]
pub(super) struct Answer {
    ready: VecDeque<ProviderEvent>,
    size: Size,
    counted: WireUsage,
    usage: Option<Usage>,
    is_finished: bool,
}

impl Reader for Answer {
    fn read(&mut self, data: &str) -> Result<More, ProviderError> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(More::Expected);
        }
        let event: Event = serde_json::from_str(data)
            .map_err(|_| ProviderError::Broken { reason: "it sent no event of a message" })?;
        if let Some(error) = &event.error {
            return Err(Complaint::of(error).in_a_stream());
        }
        match event.kind.as_str() {
            "message_start" => self.count(event.message.usage),
            "content_block_start" => self.read_block(event.content_block)?,
            "content_block_delta" => self.read_block(event.delta)?,
            "message_delta" => self.end(event.delta.stop_reason, event.usage)?,
            "message_stop" => return Ok(More::Done),
            "error" => return Err(Complaint::default().in_a_stream()),
            // Not streamed.
            "message" => {
                for block in event.content {
                    self.read_block(block)?;
                }
                self.end(event.stop_reason, event.usage)?;
            }
            _ => {}
        }
        Ok(More::Expected)
    }

    fn take(&mut self) -> Option<ProviderEvent> {
        self.ready.pop_front()
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}

impl Answer {
    fn read_block(&mut self, block: Block) -> Result<(), ProviderError> {
        if self.is_finished {
            return Ok(());
        }
        if let Some(text) = block.thinking.filter(|text| !text.is_empty()) {
            self.size.add_reasoning(&text)?;
            self.ready.push_back(ProviderEvent::Reasoning(text));
        }
        if let Some(text) = block.text.filter(|text| !text.is_empty()) {
            self.size.add_answer(&text)?;
            self.ready.push_back(ProviderEvent::Delta(text));
        }
        Ok(())
    }

    fn end(&mut self, stop_reason: Option<String>, usage: Option<WireUsage>) -> Result<(), ProviderError> {
        if let Some(reason) = stop_reason.filter(|_| !self.is_finished) {
            let reason = finish_reason(&reason)?;
            self.is_finished = true;
            self.ready.push_back(ProviderEvent::Finish(reason));
        }
        self.count(usage);
        Ok(())
    }

    fn count(&mut self, usage: Option<WireUsage>) {
        let Some(usage) = usage else { return };
        self.counted = usage.over(self.counted);
        let usage = Usage::from(self.counted);
        if self.usage != Some(usage) {
            self.usage = Some(usage);
            self.ready.push_back(ProviderEvent::Usage(usage));
        }
    }
}

/// An answer that ended for a reason that is not known, or to be continued (`pause_turn`), is not called whole.
fn finish_reason(reason: &str) -> Result<FinishReason, ProviderError> {
    match reason {
        // Tools were not offered. If the model calls one nonetheless, its text shows what the answer lacks.
        "end_turn" | "stop_sequence" | "tool_use" => Ok(FinishReason::Stop),
        "max_tokens" | "model_context_window_exceeded" => Ok(FinishReason::Length),
        // A classifier ended it, wherever it was; no words of a refusal come. A model that refuses by itself says so
        // in a text that ends as any other.
        "refusal" => Ok(FinishReason::Filtered),
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

    fn usage(prompt_tokens: u64, completion_tokens: u64, cached_tokens: u64) -> String {
        format!("{:?}", ProviderEvent::Usage(Usage { prompt_tokens, completion_tokens, cached_tokens }))
    }

    #[test]
    fn a_message_is_read_from_its_start_to_its_end() {
        let told = events(&[
            r#"{"type":"message_start","message":{"id":"m","role":"assistant","content":[],"usage":{"input_tokens":5,"cache_read_input_tokens":900,"cache_creation_input_tokens":20,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"chai"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        assert_eq!(told, [&usage(925, 1, 900), "chai", "Finish(Stop)", &usage(925, 7, 900), "done"]);
    }

    #[test]
    fn thinking_is_no_part_of_the_answer() {
        let told = events(&[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwK"}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a"}}"#,
        ]);
        assert_eq!(told, [r#"Reasoning("hm")"#, "a"]);
    }

    #[test]
    fn events_that_lack_things_are_read_for_what_they_have() {
        let rows = [
            r#"{}"#,
            r#"{"type":null}"#,
            r#"{"type":"message_start","message":null}"#,
            r#"{"type":"message_start","message":{"usage":"none"}}"#,
            r#"{"type":"content_block_start"}"#,
            r#"{"type":"content_block_delta","delta":null}"#,
            r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":{"x":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":null}}"#,
            r#"{"type":"something_new","delta":{"text":"of another kind"}}"#,
            "",
        ];
        assert_eq!(events(&rows), Vec::<String>::new());
    }

    #[test]
    fn every_reason_to_end_is_called_what_it_is() {
        let rows = [
            ("end_turn", "Finish(Stop)"),
            ("stop_sequence", "Finish(Stop)"),
            ("tool_use", "Finish(Stop)"),
            ("max_tokens", "Finish(Length)"),
            ("model_context_window_exceeded", "Finish(Length)"),
            ("refusal", "Finish(Filtered)"),
            ("pause_turn", "Broken"),
            ("something_new", "Broken"),
        ];
        for (reason, expected) in rows {
            let told = events(&[&format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}}}}"#)]);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{reason}: {told:?}");
        }
    }

    #[test]
    fn an_end_is_told_once_and_only_usage_follows_it() {
        let end = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#;
        let text = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"late"}}"#;
        assert_eq!(events(&[end, end, text]), ["Finish(Stop)", &usage(0, 2, 0)]);
    }

    #[test]
    fn a_message_that_was_not_streamed_is_read_whole() {
        let told = events(&[
            r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#,
        ]);
        assert_eq!(told, [r#"Reasoning("hm")"#, "a", "Finish(Stop)", &usage(3, 2, 0)]);
    }

    #[test]
    fn an_error_within_the_stream_ends_it() {
        let rows = [
            ("overloaded_error", "Unavailable"),
            ("api_error", "Unavailable"),
            ("rate_limit_error", "RateLimited"),
            ("authentication_error", "Unauthorized"),
            ("not_found_error", "Misconfigured"),
            ("invalid_request_error", "Broken"),
        ];
        for (kind, expected) in rows {
            let told = events(&[&format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"secret"}}}}"#)]);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{kind}: {told:?}");
            assert!(!told[0].contains("secret"));
        }
        assert!(events(&[r#"{"type":"error"}"#])[0].starts_with("Broken"));
    }

    #[test]
    fn data_that_is_no_event_is_refused() {
        for data in ["{", "hello", "1", "null", "[DONE]", r#"{"type":"content_block_delta","delta":{"text":7}}"#] {
            assert!(events(&[data])[0].starts_with("Broken"), "{data}");
        }
    }

    #[test]
    fn an_answer_without_end_is_broken_off() {
        let kib = "x".repeat(1024);
        for (name, limit) in [("text", MAX_ANSWER), ("thinking", MAX_REASONING)] {
            let event = format!(r#"{{"type":"content_block_delta","delta":{{"{name}":"{kib}"}}}}"#);
            let told = events(&vec![event.as_str(); limit / 1024 + 1]);
            assert_eq!(told.len(), limit / 1024 + 1);
            assert!(told.last().unwrap().starts_with("Broken"));
        }
    }
}
