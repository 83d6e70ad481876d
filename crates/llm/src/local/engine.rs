//! The model's context: which tokens it has computed, for which sequence, and how more are added.
//!
//! Sequence [`PREFIX`] keeps the messages that every question begins with. Sequence [`WORK`] is the question that is
//! being answered; it stays until the next one, which may begin like it (the next turn of the same session).

use std::num::NonZeroU32;

use hitesh_domain::Message;
use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::LlamaModel,
    token::LlamaToken,
};

use super::{
    LocalSettings, ModelError,
    prompt::{PromptRenderer, common},
    vocabulary::Vocabulary,
};
use crate::ProviderError;

const PREFIX: i32 = 0;
const WORK: i32 = 1;

pub(super) struct Engine<'model> {
    pub(super) model: &'model LlamaModel,
    pub(super) vocabulary: Vocabulary,
    pub(super) renderer: PromptRenderer<'model>,
    pub(super) settings: LocalSettings,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'model>,
    window: usize,
    prefix: Vec<LlamaToken>,
    work: Vec<LlamaToken>,
}

/// Why the computing ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// Nobody wants it any more.
    Cancelled,
    /// It can't be done.
    Failed(ProviderError),
}

/// What a prompt took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) prompt_tokens: usize,
    /// Those that were computed before.
    pub(super) cached_tokens: usize,
}

impl<'model> Engine<'model> {
    pub(super) fn new(
        backend: &LlamaBackend,
        model: &'model LlamaModel,
        renderer: PromptRenderer<'model>,
        settings: LocalSettings,
        window: NonZeroU32,
    ) -> Result<Self, ModelError> {
        let chunk = settings.prefill_chunk.max(1);
        let batch = u32::try_from(chunk).unwrap_or(u32::MAX).min(window.get());
        let threads = i32::try_from(threads(&settings)).unwrap_or(i32::MAX);
        let params = LlamaContextParams::default()
            .with_n_ctx(Some(window))
            .with_n_batch(batch)
            .with_n_ubatch(batch)
            .with_n_seq_max(2)
            // Otherwise each sequence gets its share of the window only, and a prompt beyond it fails.
            .with_kv_unified(true)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let context = model.new_context(backend, params).map_err(|_| ModelError::Memory {
            needed: model.size(),
            available: super::memory::available().unwrap_or(0),
        })?;
        Ok(Self {
            model,
            vocabulary: Vocabulary::of(model),
            renderer,
            settings,
            batch: LlamaBatch::new(usize::try_from(batch).unwrap_or(chunk), 1),
            window: usize::try_from(context.n_ctx()).unwrap_or(usize::MAX),
            context,
            prefix: Vec::new(),
            work: Vec::new(),
        })
    }

    /// Computes `messages`, so that prompts that begin with them begin at once.
    pub(super) fn warm(&mut self, messages: &[Message], wanted: &dyn Fn() -> bool) -> Result<(), Halt> {
        let tokens = self.render(messages, false)?;
        if tokens.len().saturating_add(self.answer_room()) > self.window {
            return Err(Halt::Failed(ProviderError::ContextTooLong));
        }
        self.set_prefix(&tokens, wanted)
    }

    /// Makes [`WORK`] hold the prompt of `messages`, of which the first `stable` begin every prompt.
    pub(super) fn begin(
        &mut self,
        messages: &[Message],
        stable: usize,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Begun, Halt> {
        let prompt = self.render(messages, true)?;
        if prompt.len().saturating_add(self.answer_room()) > self.window {
            return Err(Halt::Failed(ProviderError::ContextTooLong));
        }
        let in_cache = common(&self.work, &prompt).max(common(&self.prefix, &prompt));
        if let Some(stable) = messages.get(..stable).filter(|stable| !stable.is_empty()) {
            // The frame around the last of them may depend on what follows.
            let alone = self.render(stable, false)?;
            let stable = prompt.get(..common(&alone, &prompt)).unwrap_or_default();
            if !self.prefix.starts_with(stable) {
                self.set_prefix(stable, wanted)?;
            }
        }
        // Cells of the prefix that this prompt does not share are missing from its window.
        let foreign = self.prefix.len() - common(&self.prefix, &prompt);
        if foreign > 0 && prompt.len() + foreign + self.answer_room() > self.window {
            self.forget(PREFIX, 0)?;
        }
        let from_work = common(&self.work, &prompt);
        let from_prefix = common(&self.prefix, &prompt);
        if from_work >= from_prefix {
            self.forget(WORK, from_work)?;
        } else {
            self.forget(WORK, 0)?;
            self.context.copy_kv_cache_seq(PREFIX, WORK, Some(0), position(from_prefix)).map_err(|_| broken())?;
            self.work.extend_from_slice(self.prefix.get(..from_prefix).unwrap_or_default());
        }
        let rest = prompt.get(self.work.len()..).unwrap_or_default();
        self.compute(WORK, rest, wanted)?;
        Ok(Begun { prompt_tokens: prompt.len(), cached_tokens: in_cache })
    }

    /// Adds `tokens` to the answer; [`logits`](Self::logits) are then those after the last.
    pub(super) fn feed(&mut self, tokens: &[LlamaToken], wanted: &dyn Fn() -> bool) -> Result<(), Halt> {
        if self.work.len().saturating_add(tokens.len()) > self.window {
            return Err(Halt::Failed(ProviderError::ContextTooLong));
        }
        self.compute(WORK, tokens, wanted)
    }

    /// Takes back all but the first `keep` tokens of the prompt and answer.
    pub(super) fn take_back(&mut self, keep: usize) -> Result<(), Halt> {
        self.forget(WORK, keep)
    }

    /// Tokens of the prompt and the answer so far.
    pub(super) fn position(&self) -> usize {
        self.work.len()
    }

    /// The weights of what may come next.
    pub(super) fn logits(&self) -> &[f32] {
        self.context.get_logits_ith(self.batch.n_tokens().saturating_sub(1))
    }

    fn render(&self, messages: &[Message], to_answer: bool) -> Result<Vec<LlamaToken>, Halt> {
        self.renderer.tokens(messages, to_answer).map_err(|_| Halt::Failed(ProviderError::Rejected { status: None }))
    }

    /// Tokens that are kept free for the answer, its tags included.
    fn answer_room(&self) -> usize {
        answer_room(&self.settings)
    }

    fn set_prefix(&mut self, tokens: &[LlamaToken], wanted: &dyn Fn() -> bool) -> Result<(), Halt> {
        self.forget(WORK, 0)?;
        self.forget(PREFIX, common(&self.prefix, tokens))?;
        let rest = tokens.get(self.prefix.len()..).unwrap_or_default();
        self.compute(PREFIX, rest, wanted)
    }

    /// Keeps the first `keep` tokens of `sequence`.
    fn forget(&mut self, sequence: i32, keep: usize) -> Result<(), Halt> {
        let tokens = if sequence == PREFIX { &mut self.prefix } else { &mut self.work };
        if keep >= tokens.len() {
            return Ok(());
        }
        let removed = self.context.clear_kv_cache_seq(u32::try_from(sequence).ok(), position(keep), None);
        if removed == Ok(true) {
            tokens.truncate(keep);
            return Ok(());
        }
        // Not every kind of cache can forget a part.
        self.reset();
        Err(Halt::Failed(broken_error()))
    }

    fn compute(&mut self, sequence: i32, tokens: &[LlamaToken], wanted: &dyn Fn() -> bool) -> Result<(), Halt> {
        for chunk in tokens.chunks(self.settings.prefill_chunk.max(1)) {
            if !wanted() {
                return Err(Halt::Cancelled);
            }
            let done = if sequence == PREFIX { self.prefix.len() } else { self.work.len() };
            self.batch.clear();
            for (offset, token) in chunk.iter().enumerate() {
                let at = i32::try_from(done + offset).map_err(|_| broken())?;
                self.batch.add(*token, at, &[sequence], offset + 1 == chunk.len()).map_err(|_| broken())?;
            }
            if let Err(error) = self.context.decode(&mut self.batch) {
                tracing::error!(%error, "the local model could not compute");
                self.reset();
                return Err(broken());
            }
            if sequence == PREFIX { &mut self.prefix } else { &mut self.work }.extend_from_slice(chunk);
        }
        Ok(())
    }

    /// Forgets everything: after a fault nothing of it can be relied on.
    fn reset(&mut self) {
        self.context.clear_kv_cache();
        self.prefix.clear();
        self.work.clear();
    }
}

/// Tokens that an answer may take, with room for its tags.
pub(super) fn answer_room(settings: &LocalSettings) -> usize {
    const TAGS: usize = 64;
    settings.step_tokens.total().saturating_add(TAGS)
}

/// One for each core that this process may use: more only wait for each other.
fn threads(settings: &LocalSettings) -> usize {
    let cores = std::thread::available_parallelism();
    settings.threads.or(cores.ok()).map_or(1, std::num::NonZeroUsize::get)
}

fn position(tokens: usize) -> Option<u32> {
    u32::try_from(tokens).ok()
}

fn broken_error() -> ProviderError {
    ProviderError::Broken { reason: "the local model could not compute" }
}

fn broken() -> Halt {
    Halt::Failed(broken_error())
}
