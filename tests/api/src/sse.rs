use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// One frame of an event stream, exactly as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// All of it, the empty line included.
    pub raw: String,
    /// The `id` field.
    pub id: Option<String>,
    /// The `event` field.
    pub event: Option<String>,
    /// The `data` field.
    pub data: Option<String>,
}

/// A reader of Server-Sent Events. Dropping it closes the connection.
pub struct Sse {
    /// The reply's status.
    pub status: u16,
    /// The reply's headers.
    pub headers: HeaderMap,
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    buffer: Vec<u8>,
    broken: bool,
}

impl Frame {
    fn parse(raw: &str) -> Self {
        let mut frame = Self { raw: raw.to_owned(), id: None, event: None, data: None };
        for line in raw.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "id" => frame.id = Some(value),
                "event" => frame.event = Some(value),
                "data" => frame.data = Some(value),
                "" => {}
                other => panic!("a frame has an unknown field {other:?}: {raw:?}"),
            }
        }
        frame
    }

    /// Whether it is a keep-alive and no event.
    pub fn is_comment(&self) -> bool {
        self.raw.starts_with(':')
    }

    /// Its data.
    pub fn json(&self) -> Value {
        let data = self.data.as_deref().unwrap_or_else(|| panic!("a frame without data: {:?}", self.raw));
        serde_json::from_str(data).unwrap_or_else(|error| panic!("data that is no JSON ({error}): {data}"))
    }

    /// The name of its event; empty for an unnamed one.
    pub fn name(&self) -> &str {
        self.event.as_deref().unwrap_or_default()
    }

    /// Its number in its turn: what follows the last colon of the id.
    pub fn number(&self) -> u64 {
        let id = self.id.as_deref().unwrap_or_else(|| panic!("a frame without id: {:?}", self.raw));
        id.rsplit_once(':').and_then(|(_, n)| n.parse().ok()).unwrap_or_else(|| panic!("an id of another form: {id}"))
    }

    /// Whether it says that the turn has ended.
    pub fn is_end(&self) -> bool {
        !self.is_comment() && self.event.is_none() && self.json()["is_complete"] == true
    }
}

impl Sse {
    /// Reads the events of this reply.
    pub fn new(response: reqwest::Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            bytes: response.bytes_stream().boxed(),
            buffer: Vec::new(),
            broken: false,
        }
    }

    /// The next frame, keep-alives included; none at the end of the stream.
    pub async fn next_raw(&mut self) -> Option<Frame> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\n\n") {
                let raw: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Some(Frame::parse(&String::from_utf8(raw).expect("the server sends UTF-8")));
            }
            match crate::within("the next event", self.bytes.next()).await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(_)) => {
                    self.broken = true;
                    return None;
                }
                None => return None,
            }
        }
    }

    /// The next event; none at the end of the stream.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next_raw().await?;
            if !frame.is_comment() {
                return Some(frame);
            }
        }
    }

    /// Reads on until an event fits, and gives it.
    ///
    /// # Panics
    /// If the stream ends before.
    pub async fn until(&mut self, what: &str, fits: impl Fn(&Frame) -> bool) -> Frame {
        let mut seen = Vec::new();
        while let Some(frame) = self.next().await {
            if fits(&frame) {
                return frame;
            }
            seen.push(frame.raw);
        }
        panic!("the stream ended before {what}; it said {seen:#?}")
    }

    /// All events that are still to come.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// Whether the connection broke instead of ending in an orderly way.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What came after the last whole frame.
    pub fn leftover(&self) -> &[u8] {
        &self.buffer
    }
}
