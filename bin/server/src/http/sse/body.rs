use std::{collections::VecDeque, convert::Infallible, time::Duration};

use actix_web::{HttpResponse, http::header};
use bytes::Bytes;
use futures::{FutureExt, Stream, stream};
use hitesh_chat::Reader;
use hitesh_domain::TurnEvent;
use tokio::time::{Instant, timeout_at};

use super::{Encoder, Opening};

/// The comment line `: `, which every client skips and which keeps proxies from closing a silent connection.
const KEEP_ALIVE: &[u8] = b": \n\n";
/// Frames that are ready at the same moment leave in one chunk of about this size.
const CHUNK: usize = 16 * 1024;

/// The rest of a turn, in the form of `encoder`.
pub(crate) fn respond(opening: Opening, encoder: impl Encoder, keep_alive: Duration) -> HttpResponse {
    let events = Events {
        ahead: opening.events,
        reader: opening.reader,
        encoder,
        keep_alive,
        last_sent: Instant::now(),
        over: false,
    };
    event_stream(stream::unfold(events, |mut events| async move { Some((events.next_chunk().await?, events)) }))
}

/// A reply with the headers that every event stream has.
pub(crate) fn event_stream(chunks: impl Stream<Item = Bytes> + 'static) -> HttpResponse {
    use futures::StreamExt;
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks.map(Ok::<_, Infallible>))
}

/// The connection polls this only while it has room, so a slow reader holds back nobody but itself; when the client
/// goes away it is dropped, and the turn has one reader less.
struct Events<E> {
    ahead: VecDeque<(u64, TurnEvent)>,
    reader: Reader,
    encoder: E,
    keep_alive: Duration,
    last_sent: Instant,
    over: bool,
}

impl<E: Encoder> Events<E> {
    /// The next bytes: at once when an event comes, a comment after a silence, `None` after the end.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while !self.over && out.is_empty() {
            match timeout_at(self.last_sent + self.keep_alive, self.next_event()).await {
                Err(_) => out.extend_from_slice(KEEP_ALIVE),
                Ok(None) => self.over = true,
                Ok(Some(event)) => {
                    self.encode(event, &mut out);
                    while out.len() < CHUNK
                        && !self.over
                        && let Some(Some(event)) = self.next_event().now_or_never()
                    {
                        self.encode(event, &mut out);
                    }
                }
            }
        }
        self.last_sent = Instant::now();
        (!out.is_empty()).then(|| Bytes::from(out))
    }

    async fn next_event(&mut self) -> Option<(u64, TurnEvent)> {
        match self.ahead.pop_front() {
            Some(event) => Some(event),
            None => self.reader.next().await,
        }
    }

    fn encode(&mut self, (number, event): (u64, TurnEvent), out: &mut Vec<u8>) {
        self.over = matches!(event, TurnEvent::Ended(..));
        self.encoder.encode(number, &event, out);
    }
}
