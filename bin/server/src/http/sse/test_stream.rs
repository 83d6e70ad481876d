use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde::Serialize;

use super::frame;
use crate::http::bodies::Timestamp;

#[derive(Serialize)]
struct SampleBody {
    step: &'static str,
    content: &'static str,
    timestamp: Timestamp,
    is_complete: bool,
    event_id: &'static str,
}

/// Two events, one `pause` apart, in the original form: whoever sees the first before the second knows that nothing on
/// the way buffers.
pub(crate) fn sample_events(pause: Duration) -> impl Stream<Item = Bytes> {
    stream::iter([("Chai ban rahi hai…", false, "test:0"), ("Chai ready hai! ☕", true, "test:1")]).then(
        move |(content, is_complete, event_id)| async move {
            if is_complete {
                tokio::time::sleep(pause).await;
            }
            let mut out = Vec::new();
            let timestamp = Timestamp::now();
            frame::data(&SampleBody { step: "test", content, timestamp, is_complete, event_id }, &mut out);
            Bytes::from(out)
        },
    )
}
