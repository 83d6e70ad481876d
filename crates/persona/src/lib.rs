#![doc = include_str!("../README.md")]

mod error;
mod pack;
mod persona;
mod prompt;
mod retrieval;
mod steps;
mod tokens;

pub use error::{Mistake, PersonaError};
pub use persona::Persona;
pub use prompt::{PastTurn, Prompt, PromptOptions, PromptSize};
pub use steps::{Completeness, StepEvent, StepParser, render_steps};
pub use tokens::estimate_tokens;
