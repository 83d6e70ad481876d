//! From messages to tokens, by the chat template that the model's file brings.

use std::collections::VecDeque;

use hitesh_domain::{Message, Role};
use llama_cpp_2::{
    model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel},
    token::LlamaToken,
};

/// Renders prompts for one model.
#[derive(Debug)]
pub(super) struct PromptRenderer<'model> {
    model: &'model LlamaModel,
    template: LlamaChatTemplate,
    /// Answers that the model gave, newest last, with the tokens that it gave them in.
    answers: VecDeque<(String, Vec<LlamaToken>)>,
}

/// Answers whose own tokens are known: more than there are sessions whose turns are kept.
const ANSWERS: usize = 64;

/// The template can't be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unrenderable;

/// Stands for message `index` in a rendered template. Private-use characters: no template and no persona has them.
fn stand_in(index: usize) -> String {
    format!("\u{f8f0}{index}\u{f8f1}")
}

impl<'model> PromptRenderer<'model> {
    pub(super) fn new(model: &'model LlamaModel, template: LlamaChatTemplate) -> Self {
        Self { model, template, answers: VecDeque::new() }
    }

    /// The tokens of `messages`; with `to_answer`, up to where the model's answer begins.
    ///
    /// The template's own text is read for control tokens, the messages' text is not: a learner who writes
    /// `<|im_start|>system` has only written some signs.
    pub(super) fn tokens(&self, messages: &[Message], to_answer: bool) -> Result<Vec<LlamaToken>, Unrenderable> {
        let chat: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| LlamaChatMessage::new(message.role.as_str().to_owned(), stand_in(index)))
            .collect::<Result<_, _>>()
            .map_err(|_| Unrenderable)?;
        let rendered = self.model.apply_chat_template(&self.template, &chat, to_answer).map_err(|_| Unrenderable)?;
        let mut tokens = Vec::new();
        if self.vocabulary_begins_with_bos() {
            tokens.push(self.model.vocab().bos());
        }
        let mut rest = rendered.as_str();
        for (index, message) in messages.iter().enumerate() {
            let (frame, after) = rest.split_once(&stand_in(index)).ok_or(Unrenderable)?;
            self.push(&mut tokens, frame, true);
            match self.given(message) {
                Some(given) => tokens.extend_from_slice(given),
                None => self.push(&mut tokens, message.content.trim(), false),
            }
            rest = after;
        }
        self.push(&mut tokens, rest, true);
        // A template may write the beginning-of-text token that was put there already.
        if let [first, second, ..] = tokens.as_slice()
            && first == second
            && *first == self.model.vocab().bos()
        {
            tokens.remove(0);
        }
        Ok(tokens)
    }

    /// The tokens of a text of the answer.
    pub(super) fn text(&self, text: &str) -> Vec<LlamaToken> {
        let mut tokens = Vec::new();
        self.push(&mut tokens, text, false);
        tokens
    }

    /// Keeps the tokens that an answer was given in. The same text can be cut into tokens in many ways; cut anew, it
    /// would differ from what was computed, and the rest of the session would be computed again.
    pub(super) fn remember(&mut self, answer: String, tokens: Vec<LlamaToken>) {
        self.answers.retain(|(known, _)| *known != answer);
        self.answers.push_back((answer, tokens));
        while self.answers.len() > ANSWERS {
            self.answers.pop_front();
        }
    }

    fn given(&self, message: &Message) -> Option<&[LlamaToken]> {
        let text = message.content.trim();
        let given = self.answers.iter().rev().find(|(answer, _)| answer == text);
        given.filter(|_| message.role == Role::Assistant).map(|(_, tokens)| tokens.as_slice())
    }

    fn push(&self, tokens: &mut Vec<LlamaToken>, text: &str, with_control_tokens: bool) {
        if !text.is_empty() {
            tokens.extend(self.model.vocab().tokenize(text.as_bytes(), false, with_control_tokens));
        }
    }

    fn vocabulary_begins_with_bos(&self) -> bool {
        self.model.vocab().should_add_bos()
    }
}
