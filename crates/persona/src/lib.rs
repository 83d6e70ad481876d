#![doc = include_str!("../README.md")]

#[cfg(feature = "cards")]
mod card;
mod error;
mod fidelity;
mod language;
mod lint;
mod lorebook;
mod openings;
mod pack;
mod persona;
mod places;
mod prompt;
mod retrieval;
mod steps;
mod strict_toml;
mod tokens;

#[cfg(feature = "cards")]
pub use card::{Card, CardError, CardVersion, ImportOptions};
pub use error::{Mistake, PersonaError};
pub use fidelity::{Departure, DepartureKind, Fidelity};
pub use language::{Language, LanguageMix, language_of};
pub use lint::{Finding, Severity, lint, lint_dir};
pub use persona::{NoteSummary, Persona};
pub use prompt::{PastTurn, Prompt, PromptOptions, PromptSize};
pub use steps::{Completeness, StepEvent, StepParser, render_steps};
pub use tokens::estimate_tokens;
