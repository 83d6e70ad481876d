use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the three stages of an answer, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Breaks the question down.
    Analyze,
    /// Reasons aloud.
    Think,
    /// Teaches: the answer itself.
    Output,
}

impl Step {
    /// All three, in order.
    pub const ALL: [Step; 3] = [Step::Analyze, Step::Think, Step::Output];

    /// Its name on every wire and in every prompt.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Analyze => "analyze",
            Step::Think => "think",
            Step::Output => "output",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a model is asked to mark the three steps in its one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepFormat {
    /// Strict structured output by JSON schema, keys in the order of [`Step::ALL`].
    JsonSchema,
    /// The same keys, asked for in words plus `response_format: json_object`.
    JsonObject,
    /// `<analyze>…</analyze><think>…</think><output>…</output>`.
    Tagged,
}

impl StepFormat {
    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            StepFormat::JsonSchema => "json_schema",
            StepFormat::JsonObject => "json_object",
            StepFormat::Tagged => "tagged",
        }
    }
}
