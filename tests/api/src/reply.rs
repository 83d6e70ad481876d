use std::time::Duration;

use serde_json::Value;

use crate::{
    Answer, Format, Gate,
    answer::{content_chunk, event, finish_chunk},
};

/// One thing that the upstream does in a reply.
#[derive(Debug, Clone)]
pub enum Part {
    /// Writes these bytes of the body, as one TCP write where the system allows.
    Bytes(Vec<u8>),
    /// Waits for the test.
    Gate(Gate),
    /// Waits so long.
    Pause(Duration),
}

/// What the upstream replies to one request.
#[derive(Debug, Clone)]
pub struct Script {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) parts: Vec<Part>,
    pub(crate) end: ScriptEnd,
}

/// How a reply says where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By the last chunk; each write is a chunk.
    Chunked,
    /// By a `content-length`, true or not.
    Length(usize),
    /// By the end of the connection.
    Close,
    /// There is no head but what the parts say.
    Raw,
}

/// How a reply ends after its last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScriptEnd {
    /// As HTTP wants it: the body's last chunk, if it has chunks.
    Orderly,
    /// The connection is closed in the middle of the body.
    Abrupt,
    /// The connection is torn down without a farewell: the other side sees a reset.
    Reset,
    /// The writing side is closed in the middle of the body; the reading side stays open until the other closes.
    HalfClosed,
    /// Nothing more is sent; the connection stays open until the other side closes it.
    Stalled,
}

impl Script {
    /// Any status and body.
    pub fn plain(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            framing: Framing::Chunked,
            parts: vec![Part::Bytes(body.into())],
            end: ScriptEnd::Orderly,
        }
    }

    /// An OpenAI error object, with a text in it that must reach nobody.
    pub fn error(status: u16) -> Self {
        let body = serde_json::json!({
            "error": {"message": UPSTREAM_SECRET, "type": "invalid_request_error", "param": null, "code": "scripted"}
        });
        Self::plain(status, "application/json", body.to_string())
    }

    /// A stream of exactly these bytes.
    pub fn stream(bytes: impl Into<Vec<u8>>) -> Self {
        Self::plain(200, "text/event-stream; charset=utf-8", bytes)
    }

    /// A whole answer, one TCP write for each event.
    pub fn answer(answer: &Answer, format: Format) -> Self {
        Self::events(answer.events(format))
    }

    /// A stream of these events, one TCP write each.
    pub fn events(events: impl IntoIterator<Item = String>) -> Self {
        let mut script = Self::stream([]);
        script.parts = events.into_iter().map(|event| Part::Bytes(event.into_bytes())).collect();
        script
    }

    /// A stream of answer pieces and then `finish`, if there is one, without usage.
    pub fn pieces(pieces: &[&str], finish: Option<&str>) -> Self {
        let mut events: Vec<_> = pieces.iter().map(|piece| event(&content_chunk(piece))).collect();
        if let Some(reason) = finish {
            events.push(event(&finish_chunk(reason)));
            events.push("data: [DONE]\n\n".to_owned());
        }
        Self::events(events)
    }

    /// The whole answer, but the gate stands before event `index`.
    pub fn gated(answer: &Answer, format: Format, index: usize, gate: &Gate) -> Self {
        let mut script = Self::answer(answer, format);
        script.parts.insert(index.min(script.parts.len()), Part::Gate(gate.clone()));
        script
    }

    /// Exactly these bytes and nothing else, the status line included, if there is one.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { framing: Framing::Raw, end: ScriptEnd::Abrupt, ..Self::stream(bytes) }
    }

    /// A connection that is closed without a word.
    pub fn hang_up() -> Self {
        Self::raw([])
    }

    /// The head of a stream, and then nothing.
    pub fn silence() -> Self {
        Self::stream([]).stalling()
    }

    /// Adds one more event to a stream.
    pub fn then_event(self, data: &Value) -> Self {
        self.then_bytes(event(data))
    }

    /// Adds bytes, as one TCP write.
    pub fn then_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.push(Part::Bytes(bytes.into()));
        self
    }

    /// Adds a gate: what is added next waits there.
    pub fn then_gate(mut self, gate: &Gate) -> Self {
        self.parts.push(Part::Gate(gate.clone()));
        self
    }

    /// Adds a pause: what is added next waits so long.
    pub fn then_pause(mut self, pause: Duration) -> Self {
        self.parts.push(Part::Pause(pause));
        self
    }

    /// Says that the body is of this type.
    pub fn with_content_type(mut self, content_type: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.with_header("content-type", content_type)
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a gate before everything, the status line included.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.parts.insert(0, Part::Gate(gate.clone()));
        self
    }

    /// Closes the connection in the middle of the body instead of ending it.
    pub fn breaking_off(mut self) -> Self {
        self.end = ScriptEnd::Abrupt;
        self
    }

    /// Resets the connection instead of ending.
    pub fn resetting(mut self) -> Self {
        self.end = ScriptEnd::Reset;
        self
    }

    /// Closes the writing side alone, in the middle of the body, instead of ending.
    pub fn half_closing(mut self) -> Self {
        self.end = ScriptEnd::HalfClosed;
        self
    }

    /// Sends nothing more instead of ending.
    pub fn stalling(mut self) -> Self {
        self.end = ScriptEnd::Stalled;
        self
    }

    /// Announces a body of so many bytes, however long it is.
    pub fn announcing(mut self, bytes: usize) -> Self {
        self.framing = Framing::Length(bytes);
        self
    }

    /// Announces no end of the body: it is the connection's.
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::Close;
        self
    }

    /// Keeps only the first `bytes` bytes of the body (gates stay), in the TCP writes that they were.
    pub fn cut_at(mut self, bytes: usize) -> Self {
        let mut left = bytes;
        for part in &mut self.parts {
            if let Part::Bytes(bytes) = part {
                bytes.truncate(left);
                left -= bytes.len();
            }
        }
        self.parts.retain(|part| !matches!(part, Part::Bytes(bytes) if bytes.is_empty()));
        self
    }

    /// The same body in TCP writes of one byte each.
    pub fn byte_by_byte(mut self) -> Self {
        self.parts = self
            .parts
            .into_iter()
            .flat_map(|part| match part {
                Part::Bytes(bytes) => bytes.into_iter().map(|byte| Part::Bytes(vec![byte])).collect(),
                wait @ (Part::Gate(_) | Part::Pause(_)) => vec![wait],
            })
            .collect();
        self
    }

    /// The same body, with a pause after each write.
    pub fn dripping(mut self, pause: Duration) -> Self {
        self.parts = self.parts.into_iter().flat_map(|part| [part, Part::Pause(pause)]).collect();
        self
    }

    /// The body's length in bytes.
    pub fn body_len(&self) -> usize {
        self.parts.iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 }).sum()
    }
}

/// A text of upstream errors that must reach no caller and no log.
pub const UPSTREAM_SECRET: &str = "UPSTREAM-BODY-do-not-show org-4711 sk-upstreamsecret";
