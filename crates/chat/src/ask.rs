use std::sync::Arc;

use hitesh_cache::CacheKey;
use hitesh_domain::{Content, Owner};
use hitesh_llm::{CompletionRequest, History, PromptSize, Provider};
use hitesh_persona::{PastTurn, Persona, PromptOptions, StepParser};
use hitesh_sessions::Context;

use crate::{key::KeyParts, reasoning::is_of_reasoning};

/// A question with all that its prompt is made of, so that it can be put to any provider in that one's own form.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) owner: Owner,
    pub(crate) persona: Arc<Persona>,
    pub(crate) question: Content,
    pub(crate) context: Context,
    pub(crate) max_history_messages: usize,
}

/// An [`Ask`] in one provider's form.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) request: CompletionRequest,
    pub(crate) key: CacheKey,
    /// Ids of the notes that the prompt holds.
    pub(crate) notes: Vec<String>,
}

impl Ask {
    /// Whether there is history that could be left out.
    pub(crate) fn has_history(&self) -> bool {
        !self.context.turns.is_empty()
    }

    /// With [`History::Less`], half of the turns that there are is left out, the older ones.
    pub(crate) fn prepare(&self, provider: &dyn Provider, history: History) -> Prepared {
        let max_history_messages = match history {
            History::Full => self.max_history_messages,
            History::Less => self.max_history_messages.min(self.context.turns.len() / 2 * 2),
        };
        let past: Vec<_> = self
            .context
            .turns
            .iter()
            .map(|turn| PastTurn {
                question: turn.question.as_str(),
                // Another persona's notes are unknown to this one.
                notes: if turn.persona == *self.persona.id() { &turn.notes } else { &[] },
                transcript: &turn.transcript,
            })
            .collect();
        let options = PromptOptions {
            max_history_messages,
            context_window: provider.prompt_window(),
            ..PromptOptions::new(provider.step_format(), prompt_size(provider))
        };
        let prompt = self.persona.prompt(self.question.as_str(), &past, &options);
        let key = KeyParts {
            owner: &self.owner,
            persona: self.persona.id(),
            persona_hash: &self.persona.content_hash(),
            provider: provider.id(),
            model: provider.model(),
            sampling: provider.sampling(),
            step_format: options.format,
            messages: &prompt.messages,
            scaffold: &prompt.scaffold,
        }
        .digest();
        let request = CompletionRequest {
            messages: prompt.messages,
            stable: prompt.stable,
            step_format: options.format,
            scaffold: prompt.scaffold,
        };
        Prepared { request, key, notes: prompt.notes }
    }

    /// What reads this provider's answer; `reasons` says whether its model does, if the operator has said so.
    pub(crate) fn parser(&self, provider: &dyn Provider, reasons: Option<bool>) -> StepParser {
        StepParser::new(provider.step_format())
            .of_reasoning_model(reasons.unwrap_or_else(|| is_of_reasoning(provider.model())))
            .showing_reasoning(self.persona.shows_reasoning())
    }
}

/// The persona crate's own word for the size that suits a provider.
pub(crate) fn prompt_size(provider: &dyn Provider) -> hitesh_persona::PromptSize {
    match provider.prompt_size() {
        PromptSize::Full => hitesh_persona::PromptSize::Full,
        PromptSize::Compact => hitesh_persona::PromptSize::Compact,
    }
}
