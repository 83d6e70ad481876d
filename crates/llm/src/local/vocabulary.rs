//! What is asked of a token for every word of an answer, looked up once when the model is loaded.

use llama_cpp_2::{model::LlamaModel, token::LlamaToken};

#[derive(Debug)]
pub(super) struct Vocabulary {
    traits: Vec<Traits>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Traits {
    /// It ends the answer.
    end: bool,
    /// It has no text of its own.
    control: bool,
    /// It begins with `<`, so that it may begin a step's tag.
    opens_tag: bool,
    /// It has a letter. Digits are not held back: a number that was said must come out as it is.
    word: bool,
}

impl Vocabulary {
    pub(super) fn of(model: &LlamaModel) -> Self {
        let vocab = model.vocab();
        let traits = vocab
            .tokens()
            .map(|token| {
                let end = vocab.is_eog(token);
                let control = vocab.is_control(token);
                let piece = if end || control { Vec::new() } else { vocab.token_to_piece(token, false, None) };
                Traits {
                    end,
                    control,
                    opens_tag: piece.trim_ascii_start().starts_with(b"<"),
                    word: piece.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()),
                }
            })
            .collect();
        Self { traits }
    }

    pub(super) fn len(&self) -> usize {
        self.traits.len()
    }

    pub(super) fn ends(&self, token: usize) -> bool {
        self.of_token(token).end
    }

    pub(super) fn is_word(&self, token: usize) -> bool {
        self.of_token(token).word
    }

    /// Whether a token may never be taken: one without text, unless it ends the answer.
    pub(super) fn is_never_taken(&self, token: usize) -> bool {
        let traits = self.of_token(token);
        traits.control && !traits.end
    }

    /// Whether a token would end a step.
    pub(super) fn may_end_step(&self, token: usize) -> bool {
        let traits = self.of_token(token);
        traits.end || traits.opens_tag
    }

    fn of_token(&self, token: usize) -> Traits {
        self.traits.get(token).copied().unwrap_or_default()
    }
}

/// A token's place in the vocabulary.
pub(super) fn index(token: LlamaToken) -> usize {
    usize::try_from(token.0).unwrap_or(usize::MAX)
}
