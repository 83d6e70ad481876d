//! OpenAI and every server that speaks its chat completions API.
//!
//! What async-openai does here, and what it does not (read in the source of 0.43): its `Config` says where a request
//! goes and with which headers, and its request types are the body. Its *client* is not used, for what it does with
//! a response cannot be made to meet [`DeltaStream`](crate::DeltaStream)'s promises:
//! - `Client` retries a POST three times by itself and waits as long as any `Retry-After` says;
//! - a task of its own reads the stream into an unbounded channel: no back-pressure, no cap;
//! - end of file without `[DONE]`, and HTML with status 200, end the stream as if all were well;
//! - its SSE parser (eventsource-stream 0.2.3) panics on a byte order mark (it slices one byte into the three of
//!   it), which that task turns into one more clean end, and it scans an unfinished line anew with every packet;
//! - error bodies are read without a cap or a deadline, and logged, as is each payload that it can't parse.
//!
//! So the reading is ours: sse-stream parses (incremental, linear, strict UTF-8), `http::reading` bounds it, and
//! `answer` decides what an event means.

mod answer;
mod body;
mod chunk;
mod endpoint;
mod known;
mod presets;
mod provider;
mod settings;

pub use known::MaxTokensField;
pub use presets::{Preset, PresetKind};
pub use provider::OpenAiProvider;
pub use settings::OpenAiSettings;

pub use crate::http::{SecretString, http_client};
