//! A GGUF model in this process, on llama.cpp: [`LocalProvider`].
//!
//! | file | what |
//! | --- | --- |
//! | `provider` | what callers see |
//! | `queue` | the line in front of the model |
//! | `worker` | the thread that owns the model |
//! | `desk` | the questions that are answered side by side |
//! | `answer` | the three steps of one answer |
//! | `context`, `sequences` | what the model has computed, and for whom it is kept |
//! | `saved` | computed prefixes on disk |
//! | `pace`, `threads` | how much is computed at once, and by how many |
//! | `step_text`, `sampler`, `echoes`, `vocabulary`, `prompt` | text and tokens |
//! | `gguf`, `cpu`, `memory` | whether a model can be run, before C code is asked |

mod answer;
mod context;
mod cpu;
mod desk;
mod echoes;
mod error;
mod gguf;
mod memory;
mod pace;
mod prompt;
mod provider;
mod queue;
mod sampler;
mod saved;
mod sequences;
mod settings;
mod step_text;
mod threads;
mod vocabulary;
mod worker;

pub use error::ModelError;
pub use memory::has_memory_for;
pub use provider::{LocalProvider, LocalState};
pub use queue::QueueDepth;
pub use settings::{LocalSettings, StepTokens};
