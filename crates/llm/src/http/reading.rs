use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use sse_stream::{Sse, SseByteStream};
use tokio::time::{Duration, Instant, timeout_at};

use crate::{DeltaStream, ProviderError, ProviderEvent};

/// The longest event of a stream, and the longest completion that is not streamed, in bytes.
const MAX_EVENT: usize = 1024 * 1024;

/// How long the usage may come after the end: the answer is whole, and its reader waits for this stream's end.
const TAIL: Duration = Duration::from_secs(1);

const CUT: ProviderError = ProviderError::Broken { reason: "it ended before the answer did" };
const LOST: ProviderError = ProviderError::Broken { reason: "the connection was lost" };
const TOO_LONG: ProviderError = ProviderError::Broken { reason: "it sent a line that is too long" };
const NOT_TEXT: ProviderError = ProviderError::Broken { reason: "it sent what is not UTF-8" };

/// What the data of a stream's events mean: an answer, from its first piece to its end.
pub(crate) trait Reader: Default + Send + 'static {
    /// Reads the data of one event, or a whole answer that was not streamed.
    fn read(&mut self, data: &str) -> Result<More, ProviderError>;

    /// The next event that was read and not taken.
    fn take(&mut self) -> Option<ProviderEvent>;

    /// Whether the server has said why the answer ended. Without that it is cut, whatever else was said.
    fn is_finished(&self) -> bool;
}

/// Whether more events are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Expected,
    /// The server has said that it is done.
    Done,
}

/// Why the bytes of a body end early.
#[derive(Debug, thiserror::Error)]
enum BodyEnd {
    #[error("the connection was lost")]
    Lost,
    #[error("an event is too long")]
    TooLong,
}

type Events = Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>;

/// Reads an answer from a body of server-sent events. It reads no further than it is asked to, and the body is
/// dropped as soon as the answer has ended or broken off.
pub(crate) fn events<R: Reader, E>(body: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> DeltaStream {
    let mut bound = EventBound::default();
    let bounded = body.map(move |bytes| bound.check(bytes.map_err(|_| BodyEnd::Lost)?));
    let reading = Reading {
        events: Some(Box::pin(SseByteStream::new(Box::pin(bounded)))),
        answer: R::default(),
        tail: None,
        error: None,
    };
    stream::unfold(reading, |mut reading: Reading<R>| async move { Some((reading.next().await?, reading)) })
        .fuse()
        .boxed()
}

/// Reads an answer from a body that is one JSON object: the reply of a server that does not stream.
pub(crate) fn completion<R: Reader, E>(body: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> DeltaStream {
    stream::once(async move {
        let mut answer = R::default();
        let end = read_completion(body, &mut answer).await;
        let events: Vec<_> = std::iter::from_fn(|| answer.take()).map(Ok).chain(end.err().map(Err)).collect();
        stream::iter(events)
    })
    .flatten()
    .fuse()
    .boxed()
}

async fn read_completion<E>(
    body: impl Stream<Item = Result<Bytes, E>>,
    answer: &mut impl Reader,
) -> Result<(), ProviderError> {
    let bytes = whole(body, MAX_EVENT).await?;
    let text = str::from_utf8(&bytes).map_err(|_| NOT_TEXT)?;
    answer.read(text.trim_start_matches('\u{feff}'))?;
    if answer.is_finished() { Ok(()) } else { Err(CUT) }
}

/// A body as a whole, of at most `limit` bytes.
pub(super) async fn whole<E>(
    body: impl Stream<Item = Result<Bytes, E>>,
    limit: usize,
) -> Result<Vec<u8>, ProviderError> {
    let mut body = std::pin::pin!(body);
    let mut whole = Vec::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|_| LOST)?;
        if whole.len().saturating_add(bytes.len()) > limit {
            return Err(TOO_LONG);
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(whole)
}

struct Reading<R> {
    events: Option<Events>,
    answer: R,
    /// Until when the usage may come; set when the answer has ended.
    tail: Option<Instant>,
    /// What is told after the pieces that came before it.
    error: Option<ProviderError>,
}

impl<R: Reader> Reading<R> {
    async fn next(&mut self) -> Option<Result<ProviderEvent, ProviderError>> {
        loop {
            if let Some(event) = self.answer.take() {
                if matches!(event, ProviderEvent::Finish(_)) {
                    self.tail = Some(Instant::now() + TAIL);
                }
                return Some(Ok(event));
            }
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            let events = self.events.as_mut()?;
            let sse = match self.tail {
                None => events.next().await,
                Some(tail) => timeout_at(tail, events.next()).await.ok().flatten(),
            };
            let error = match sse {
                Some(Ok(event)) => match self.answer.read(event.data.as_deref().unwrap_or_default()) {
                    Ok(More::Expected) => continue,
                    Ok(More::Done) => CUT,
                    Err(error) => error,
                },
                Some(Err(error)) => what_broke(&error),
                None => CUT,
            };
            self.events = None;
            // What is said after the end of an answer does not make it less whole.
            if !self.answer.is_finished() {
                self.error = Some(error);
            }
        }
    }
}

fn what_broke(error: &sse_stream::Error) -> ProviderError {
    match error {
        sse_stream::Error::Body(end) => match end.downcast_ref() {
            Some(BodyEnd::TooLong) => TOO_LONG,
            Some(BodyEnd::Lost) | None => LOST,
        },
        sse_stream::Error::Utf8Parse(_) => NOT_TEXT,
        _ => ProviderError::Broken { reason: "it sent no event stream" },
    }
}

/// Sees to it that no event grows without bound: the parser keeps one until its empty line has come.
#[derive(Debug, Default)]
struct EventBound {
    event_bytes: usize,
    has_line: bool,
    last: u8,
}

impl EventBound {
    fn check(&mut self, bytes: Bytes) -> Result<Bytes, BodyEnd> {
        for &byte in &bytes {
            self.event_bytes += 1;
            match byte {
                b'\n' if self.last == b'\r' => {}
                b'\n' | b'\r' => {
                    if !self.has_line {
                        self.event_bytes = 0;
                    }
                    self.has_line = false;
                }
                _ => self.has_line = true,
            }
            self.last = byte;
            if self.event_bytes > MAX_EVENT {
                return Err(BodyEnd::TooLong);
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::FinishReason;

    /// A protocol as simple as can be: `end` ends the answer, `bad` breaks it, all else but `-` is text.
    #[derive(Default)]
    struct Plain {
        ready: Vec<ProviderEvent>,
        is_finished: bool,
    }

    impl Reader for Plain {
        fn read(&mut self, data: &str) -> Result<More, ProviderError> {
            for word in data.split('|').filter(|word| !word.starts_with('-')) {
                match word {
                    "bad" => return Err(ProviderError::Broken { reason: "bad" }),
                    "done" => return Ok(More::Done),
                    "end" => {
                        self.is_finished = true;
                        self.ready.push(ProviderEvent::Finish(FinishReason::Stop));
                    }
                    text => self.ready.push(ProviderEvent::Delta(text.to_owned())),
                }
            }
            Ok(More::Expected)
        }

        fn take(&mut self) -> Option<ProviderEvent> {
            (!self.ready.is_empty()).then(|| self.ready.remove(0))
        }

        fn is_finished(&self) -> bool {
            self.is_finished
        }
    }

    const STREAM: &str = concat!(
        "\u{feff}: hello\r\n\r\n",
        "event: x\r\ndata: -\r\n\r\n",
        "data: chai ☕ 🎉\r\n\r\n",
        "data: end\r\n\r\n",
        "data: done\r\n\r\n",
    );

    fn body(pieces: Vec<&[u8]>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
        let pieces: Vec<_> = pieces.into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces)
    }

    async fn read(pieces: Vec<&[u8]>) -> Vec<ProviderEvent> {
        events::<Plain, _>(body(pieces)).map(Result::unwrap).collect().await
    }

    fn expected() -> Vec<ProviderEvent> {
        vec![ProviderEvent::Delta("chai ☕ 🎉".into()), ProviderEvent::Finish(FinishReason::Stop)]
    }

    #[tokio::test]
    async fn where_packets_begin_makes_no_difference() {
        for split in 0..=STREAM.len() {
            let (before, after) = STREAM.as_bytes().split_at(split);
            assert_eq!(read(vec![before, after]).await, expected(), "split at {split}");
        }
        assert_eq!(read(STREAM.as_bytes().chunks(1).collect()).await, expected());
    }

    #[tokio::test]
    async fn a_long_answer_of_short_events_is_not_too_long() {
        for line_end in ["\n", "\r\n", "\r"] {
            let event = format!("data: -{}{line_end}{line_end}", "x".repeat(1000));
            let whole = event.repeat(2 * MAX_EVENT / 1000) + STREAM.trim_start_matches('\u{feff}');
            assert_eq!(read(whole.as_bytes().chunks(4096).collect()).await, expected(), "{line_end:?}");
        }
    }

    #[tokio::test]
    async fn an_event_without_end_is_broken_off_whatever_its_line_ends_are() {
        for line_end in ["", "\n", "\r\n", "\r"] {
            let line = format!("data: {}{line_end}", "x".repeat(100));
            let endless = line.repeat(MAX_EVENT / 100 + 1);
            let told: Vec<_> = events::<Plain, _>(body(endless.as_bytes().chunks(4096).collect())).collect().await;
            assert!(matches!(told.as_slice(), [Err(ProviderError::Broken { .. })]), "{line_end:?}");
        }
    }

    #[tokio::test]
    async fn what_came_before_an_error_in_one_event_is_told_first() {
        let event = b"data: hi|bad\n\n";
        let told: Vec<_> = events::<Plain, _>(body(vec![event])).collect().await;
        assert!(matches!(told.as_slice(), [Ok(ProviderEvent::Delta(_)), Err(ProviderError::Broken { .. })]));
    }

    #[tokio::test]
    async fn no_more_is_read_than_is_asked_for() {
        let (reads, counted) = (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), 1000);
        let count = std::sync::Arc::clone(&reads);
        let event = Bytes::from_static(b"data: hi\n\n");
        let body = stream::iter((0..counted).map(move |_| {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, Infallible>(event.clone())
        }));
        let mut answer = events::<Plain, _>(body);
        answer.next().await.unwrap().unwrap();
        assert_eq!(reads.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
