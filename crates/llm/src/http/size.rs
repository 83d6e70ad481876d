use crate::ProviderError;

/// The longest answer, and the longest reasoning, in bytes. An answer of 1,200 tokens has about 5 KiB; what is
/// longer than this is a server gone wrong.
pub(crate) const MAX_ANSWER: usize = 256 * 1024;
pub(crate) const MAX_REASONING: usize = 1024 * 1024;

/// How much of an answer has come, so that none grows without bound.
#[derive(Debug, Default)]
pub(crate) struct Size {
    answer: usize,
    reasoning: usize,
}

impl Size {
    /// Counts a piece of the answer.
    pub(crate) fn add_answer(&mut self, piece: &str) -> Result<(), ProviderError> {
        add(&mut self.answer, piece, MAX_ANSWER)
    }

    /// Counts a piece of the model's reasoning.
    pub(crate) fn add_reasoning(&mut self, piece: &str) -> Result<(), ProviderError> {
        add(&mut self.reasoning, piece, MAX_REASONING)
    }
}

fn add(bytes: &mut usize, piece: &str, limit: usize) -> Result<(), ProviderError> {
    *bytes = bytes.saturating_add(piece.len());
    if *bytes > limit { Err(ProviderError::Broken { reason: "it sent more than any answer has" }) } else { Ok(()) }
}
