//! A GGUF model in this process, on llama.cpp: [`LocalProvider`].
//!
//! | file | what |
//! | --- | --- |
//! | `provider` | what callers see |
//! | `queue` | the line in front of the model |
//! | `worker` | the thread that owns the model |
//! | `engine` | the model's context and what it holds |
//! | `answer` | the three steps of one answer |
//! | `step_text`, `sampler`, `vocabulary`, `prompt` | text and tokens |
//! | `gguf`, `cpu`, `memory` | whether a model can be run, before C code is asked |

mod answer;
mod cpu;
mod engine;
mod error;
mod gguf;
mod memory;
mod prompt;
mod provider;
mod queue;
mod sampler;
mod settings;
mod step_text;
mod vocabulary;
mod worker;

pub use error::ModelError;
pub use provider::{LocalProvider, LocalState};
pub use queue::QueueDepth;
pub use settings::{LocalSettings, StepTokens};
