//! Keeps an answer from reciting the prompt: a small model copies the examples that it is given rather than find words.

use llama_cpp_2::token::LlamaToken;

/// How many tokens in a row an answer may have in common with a text before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Echo<'a> {
    pub(super) text: &'a [LlamaToken],
    pub(super) longest: usize,
}

impl<'a> Echo<'a> {
    /// The tokens that would make `said` go on with the text for longer than allowed. `said` may itself be the end of
    /// the text.
    pub(super) fn forbids(self, said: &'a [LlamaToken]) -> impl Iterator<Item = LlamaToken> + 'a {
        let tail = said.len().checked_sub(self.longest).and_then(|start| said.get(start..)).unwrap_or_default();
        let windows: &[LlamaToken] = if tail.is_empty() { &[] } else { self.text };
        windows.windows(tail.len().max(1) + 1).filter_map(move |window| {
            let (next, before) = window.split_last()?;
            (before == tail).then_some(*next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(numbers: &[i32]) -> Vec<LlamaToken> {
        numbers.iter().copied().map(LlamaToken::new).collect()
    }

    fn forbidden(text: &[i32], said: &[i32], longest: usize) -> Vec<i32> {
        let text = tokens(text);
        Echo { text: &text, longest }.forbids(&tokens(said)).map(|token| token.0).collect()
    }

    #[test]
    fn what_would_go_on_too_long_is_forbidden() {
        assert_eq!(forbidden(&[1, 2, 3, 4, 5], &[9, 2, 3], 2), [4]);
        assert_eq!(forbidden(&[1, 2, 3, 4, 5], &[9, 3], 2), [0; 0]);
        assert_eq!(forbidden(&[2, 3, 4, 2, 3, 5], &[2, 3], 2), [4, 5]);
    }

    #[test]
    fn a_loop_is_an_echo_of_itself() {
        assert_eq!(forbidden(&[7, 8, 7, 8], &[7, 8, 7, 8], 2), [7]);
        assert_eq!(forbidden(&[7, 8], &[7, 8], 2), [0; 0], "said once");
    }

    #[test]
    fn too_little_was_said_to_be_an_echo() {
        assert_eq!(forbidden(&[1, 2, 3], &[1], 2), [0; 0]);
        assert_eq!(forbidden(&[], &[], 2), [0; 0]);
        assert_eq!(forbidden(&[1, 2], &[1, 2], 0), [0; 0]);
    }
}
