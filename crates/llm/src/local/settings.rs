use std::num::NonZeroUsize;

use hitesh_domain::Step;

use crate::Sampling;

/// How the local model runs. [`Default`] suits a small instruct model on a machine without a GPU.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalSettings {
    /// Name for the cache key and the wire; none takes the file's name without its ending.
    pub model: Option<String>,
    /// Tokens that the context window holds, prompt and answer together. A model that was trained on less gets
    /// its own length.
    pub context_tokens: u32,
    /// Threads that compute; none takes one for each core that this process may use, or for each half of them if that
    /// is tried and found faster.
    pub threads: Option<NonZeroUsize>,
    /// Questions that are answered at once, token by token.
    pub parallel: NonZeroUsize,
    /// Finished answers whose computed tokens are kept, so that the next turn of their session computes only what is
    /// new. They never stand in the way of a question.
    pub kept_sessions: usize,
    /// Questions that may wait while others are answered.
    pub queue: usize,
    /// Prompt tokens computed at once, which is how long a cancelled question may keep the model. None: as many as
    /// take 0.55 s here, 8 to 64, measured all the time.
    pub prefill_chunk: Option<usize>,
    /// Whether the computed prefix of a persona is kept in a file beside the model, so that the next start is warm.
    pub save_prefix: bool,
    /// The longest that each step may get.
    pub step_tokens: StepTokens,
    /// How much a word that was just said is held back; 1 is not at all.
    pub repetition_penalty: f32,
    /// Over how many of the last words.
    pub repetition_window: usize,
    /// How many tokens in a row the prose of an answer may have in common with the messages that every question
    /// begins with. 0: no limit.
    pub longest_echo: usize,
    /// Temperature (none or 0: always the likeliest token), nucleus and the cap of the whole answer.
    pub sampling: Sampling,
}

/// Caps of the steps, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepTokens {
    /// Of `analyze`; it ends at a sentence's end before.
    pub analyze: usize,
    /// Of `think`; it ends at a sentence's end before.
    pub think: usize,
    /// Of `output`; an answer that reaches it is cut, and says so.
    pub output: usize,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            model: None,
            context_tokens: 4096,
            threads: None,
            parallel: NonZeroUsize::MIN.saturating_add(3),
            kept_sessions: 4,
            queue: 8,
            prefill_chunk: None,
            save_prefix: true,
            step_tokens: StepTokens { analyze: 60, think: 90, output: 420 },
            repetition_penalty: 1.1,
            repetition_window: 128,
            longest_echo: 8,
            sampling: Sampling::default(),
        }
    }
}

impl StepTokens {
    /// The cap of `step`.
    pub fn of(&self, step: Step) -> usize {
        match step {
            Step::Analyze => self.analyze,
            Step::Think => self.think,
            Step::Output => self.output,
        }
    }

    /// All steps together.
    pub fn total(&self) -> usize {
        Step::ALL.into_iter().map(|step| self.of(step)).fold(0, usize::saturating_add)
    }
}
