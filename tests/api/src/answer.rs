use serde_json::{Value, json};

/// An answer that the upstream gives, before it is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The first step.
    pub analyze: String,
    /// The second step.
    pub think: String,
    /// The third step.
    pub output: String,
    /// What the usage chunk says.
    pub prompt_tokens: u64,
    /// What the usage chunk says.
    pub completion_tokens: u64,
}

/// How the steps are marked in an answer's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON object with the keys `analyze`, `think`, `output`.
    Json,
    /// `<analyze>…</analyze><think>…</think><output>…</output>`.
    Tagged,
}

impl Answer {
    /// A short answer whose every step names `mark`, with what makes texts hard: quotes, line breaks, code,
    /// Devanagari and characters of four bytes.
    pub fn about(mark: &str) -> Self {
        Self {
            analyze: format!("Sawaal {mark} ka hai: pehle samajhte hain, phir \"todte\" hain."),
            think: format!("Socho {mark} ek tapri hai ☕ — chai pehle ubalti hai,\nphir chhanti hai. चाय 🫖"),
            output: format!(
                "Haanji! {mark} simple hai.\n\n```python\nprint(\"{mark}\\n\")  # C:\\chai\n```\n\tAaj hi build karo 🚀"
            ),
            prompt_tokens: 1000,
            completion_tokens: 90,
        }
    }

    /// An answer of three small steps.
    pub fn short(analyze: &str, think: &str, output: &str) -> Self {
        Self {
            analyze: analyze.to_owned(),
            think: think.to_owned(),
            output: output.to_owned(),
            prompt_tokens: 1000,
            completion_tokens: 12,
        }
    }

    /// The steps in their order, by name.
    pub fn steps(&self) -> [(&'static str, &str); 3] {
        [("analyze", &self.analyze), ("think", &self.think), ("output", &self.output)]
    }

    /// The text as a model would write it.
    pub fn text(&self, format: Format) -> String {
        match format {
            // Written by hand: the order of the keys matters, and a map might sort them.
            Format::Json => format!(
                "{{\"analyze\":{},\"think\":{},\"output\":{}}}",
                json!(self.analyze),
                json!(self.think),
                json!(self.output)
            ),
            Format::Tagged => format!(
                "<analyze>{}</analyze>\n<think>{}</think>\n<output>{}</output>",
                self.analyze, self.think, self.output
            ),
        }
    }

    /// The text in pieces about as long as tokens are.
    pub fn pieces(&self, format: Format) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for c in self.text(format).chars() {
            let last = pieces.last_mut().expect("there is one");
            if !last.is_empty() && (c == ' ' || !c.is_alphanumeric() || last.chars().count() >= 6) {
                pieces.push(c.to_string());
            } else {
                last.push(c);
            }
        }
        pieces
    }

    /// The answer as OpenAI streams it, one event each: the role, the pieces, the finish reason, the usage and
    /// `[DONE]`.
    pub fn events(&self, format: Format) -> Vec<String> {
        let mut events = vec![event(&chunk(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null))];
        events.extend(self.pieces(format).iter().map(|piece| event(&content_chunk(piece))));
        events.push(event(&finish_chunk("stop")));
        events.push(event(&self.usage_chunk()));
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    /// The chunk that carries the usage and no choice.
    pub fn usage_chunk(&self) -> Value {
        let mut chunk = chunk(json!({}), Value::Null);
        chunk["choices"] = json!([]);
        chunk["usage"] = json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        });
        chunk
    }
}

/// One Server-Sent Event.
pub fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A chunk with a piece of the answer.
pub fn content_chunk(piece: &str) -> Value {
    chunk(json!({"content": piece}), Value::Null)
}

/// The chunk that says why the answer ended.
pub fn finish_chunk(reason: &str) -> Value {
    chunk(json!({}), json!(reason))
}

fn chunk(delta: Value, finish_reason: Value) -> Value {
    json!({
        "id": "chatcmpl-Bscripted",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
        "usage": null,
    })
}
