//! The model's context: which tokens it has computed, for which sequence, and how more are added.
//!
//! All sequences share one pool of cells, and what two of them have in common is held once. So a question costs only
//! what is new in it: the prefix of its persona, the earlier turns of its session, or the note that another question
//! had too, are there already.

use std::num::NonZeroU32;

use llama_cpp_2::{
    DecodeError,
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::LlamaModel,
    token::LlamaToken,
};

use super::{
    LocalSettings, ModelError,
    saved::SavedPrefixes,
    sequences::{Place, Seat, Sequences, Use},
};
use crate::ProviderError;

/// Personas whose prefix is held at once; a third one's is read from its file again.
const PREFIXES: usize = 2;

/// `LLAMA_FLASH_ATTN_TYPE_ENABLED` of llama.h.
const FLASH_ATTENTION: i32 = 1;

pub(super) struct Context<'model> {
    inner: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    sequences: Sequences,
    saved: SavedPrefixes,
}

/// What one sequence is to compute in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share<'a> {
    pub(super) seat: Seat,
    pub(super) tokens: &'a [LlamaToken],
    /// Whether the weights of what may come next are wanted after the last of them.
    pub(super) ask: bool,
}

/// A prompt's sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seated {
    pub(super) seat: Seat,
    /// Tokens of the prompt that are computed already.
    pub(super) cached: usize,
}

impl<'model> Context<'model> {
    /// A context with room for `cells` tokens in all, computed by `threads`, at most `batch` at once.
    pub(super) fn new(
        backend: &LlamaBackend,
        model: &'model LlamaModel,
        settings: &LocalSettings,
        (cells, batch, threads): (NonZeroU32, usize, usize),
        saved: SavedPrefixes,
    ) -> Result<Self, ModelError> {
        let sequences = settings.parallel.get() + settings.kept_sessions + PREFIXES;
        let inner = raw(backend, model, (cells, batch, threads, sequences))?;
        let places = i32::try_from(sequences).unwrap_or(i32::MAX);
        Ok(Self { inner, batch: LlamaBatch::new(batch, places), sequences: Sequences::new(sequences), saved })
    }

    /// Tokens that all sequences may hold together.
    pub(super) fn cells(&self) -> usize {
        usize::try_from(self.inner.n_ctx()).unwrap_or(usize::MAX)
    }

    /// Cells that stay taken whatever ends: the prefixes'.
    pub(super) fn pinned(&self) -> usize {
        self.sequences.size(Use::Prefix)
    }

    /// Whether the prefix `tokens` is held; it is read from its file if it was saved.
    pub(super) fn has_prefix(&mut self, tokens: &[LlamaToken]) -> bool {
        if tokens.is_empty() || self.sequences.holds_prefix(tokens) {
            return true;
        }
        let Some(file) = self.saved.find(tokens) else { return false };
        let Some(seat) = self.prefix_seat() else { return false };
        let llama = i32::try_from(seat).unwrap_or(i32::MAX);
        let mut read = self.inner.state_seq_load_file(&file, llama, tokens.len());
        // It needs free cells, and finished answers may hold them.
        while read.is_err()
            && let Some(kept) = self.sequences.oldest(Use::Kept)
        {
            self.empty(kept);
            read = self.inner.state_seq_load_file(&file, llama, tokens.len());
        }
        match read {
            Ok((read, _)) if read == tokens => {
                self.sequences.extend(seat, tokens);
                self.sequences.set(seat, Use::Prefix);
                tracing::debug!(tokens = tokens.len(), "the computed prefix was read from its file");
                true
            }
            Ok(_) => {
                // Its digest was right, so it was written by another build than it said.
                tracing::warn!(file = %file.display(), "a saved prefix can't be used, and is made anew");
                self.empty(seat);
                self.saved.discard(&file);
                false
            }
            Err(error) => {
                // Answers that are being made may hold all cells: the file may do the next time.
                tracing::info!(%error, file = %file.display(), "a saved prefix could not be read, and is computed");
                self.empty(seat);
                false
            }
        }
    }

    /// Gives `prompt` a sequence, with all that is computed of it already. `None`: all are busy.
    pub(super) fn seat(&mut self, prompt: &[LlamaToken]) -> Result<Option<Seated>, ProviderError> {
        // The last token is computed in any case: without it nobody knows what comes next.
        let known = prompt.get(..prompt.len().saturating_sub(1)).unwrap_or_default();
        let Some(place) = self.sequences.place(known) else { return Ok(None) };
        let (seat, cached) = match place {
            Place::GoOn(seat) => (seat, self.sequences.tokens(seat).len()),
            Place::Cut { seat, shared } => {
                self.take_back(seat, shared)?;
                (seat, shared)
            }
            Place::Copy { from, to, shared } => {
                self.empty(to);
                self.copy(from, to, shared)?;
                self.sequences.touch(from);
                (to, shared)
            }
        };
        self.sequences.set(seat, Use::Busy);
        Ok(Some(Seated { seat, cached }))
    }

    /// The answer on `seat` is over; its tokens stay for the next turn of its session.
    pub(super) fn leave(&mut self, seat: Seat) {
        let keep = !self.sequences.tokens(seat).is_empty();
        self.sequences.set(seat, if keep { Use::Kept } else { Use::Free });
    }

    /// Keeps what `seat` has computed as a prefix of the questions to come, here and in a file.
    pub(super) fn keep_prefix(&mut self, seat: Seat) {
        let tokens = self.sequences.tokens(seat).to_vec();
        if tokens.is_empty() || self.sequences.holds_prefix(&tokens) {
            return;
        }
        let Some(prefix) = self.prefix_seat() else { return };
        if self.copy(seat, prefix, tokens.len()).is_err() {
            return;
        }
        self.sequences.set(prefix, Use::Prefix);
        let llama = i32::try_from(prefix).unwrap_or(i32::MAX);
        let inner = &self.inner;
        self.saved.save(&tokens, |file| inner.state_seq_save_file(file, llama, &tokens).is_ok());
    }

    /// An empty sequence for a prefix. A prefix of old makes room for it, or else a finished answer.
    fn prefix_seat(&mut self) -> Option<Seat> {
        if self.sequences.count(Use::Prefix) >= PREFIXES
            && let Some(oldest) = self.sequences.oldest(Use::Prefix)
        {
            self.empty(oldest);
        }
        let seat = self.sequences.free().or_else(|| self.sequences.oldest(Use::Kept))?;
        self.empty(seat);
        Some(seat)
    }

    /// Tokens that `seat` holds.
    pub(super) fn position(&self, seat: Seat) -> usize {
        self.sequences.tokens(seat).len()
    }

    /// The tokens of `seat` from `start` on.
    pub(super) fn tokens_from(&self, seat: Seat, start: usize) -> &[LlamaToken] {
        self.sequences.tokens(seat).get(start..).unwrap_or_default()
    }

    /// Takes back all but the first `keep` tokens of `seat`.
    pub(super) fn take_back(&mut self, seat: Seat, keep: usize) -> Result<(), ProviderError> {
        if keep >= self.position(seat) {
            return Ok(());
        }
        let number = u32::try_from(seat).ok();
        if self.inner.clear_kv_cache_seq(number, u32::try_from(keep).ok(), None) == Ok(true) {
            self.sequences.truncate(seat, keep);
            return Ok(());
        }
        // Not every kind of cache can forget a part.
        Err(broken())
    }

    /// Computes the shares in one batch. What comes back is, for each that asked, where its weights are found by
    /// [`logits`](Self::logits).
    ///
    /// # Errors
    /// After one nothing that is held can be relied on: [`reset`](Self::reset).
    pub(super) fn compute(&mut self, shares: &[Share<'_>]) -> Result<Vec<Option<i32>>, ProviderError> {
        self.batch.clear();
        let mut asked = Vec::with_capacity(shares.len());
        for share in shares {
            let start = self.sequences.tokens(share.seat).len();
            let number = i32::try_from(share.seat).map_err(|_| broken())?;
            for (offset, token) in share.tokens.iter().enumerate() {
                let at = i32::try_from(start + offset).map_err(|_| broken())?;
                let ask = share.ask && offset + 1 == share.tokens.len();
                self.batch.add(*token, at, &[number], ask).map_err(|_| broken())?;
            }
            asked.push(share.ask.then(|| self.batch.n_tokens() - 1));
        }
        loop {
            match self.inner.decode(&mut self.batch) {
                Ok(()) => break,
                Err(DecodeError::NoKvCacheSlot) if self.make_room() => {}
                Err(error) => {
                    tracing::error!(%error, "the local model could not compute");
                    return Err(broken());
                }
            }
        }
        for share in shares {
            self.sequences.extend(share.seat, share.tokens);
        }
        Ok(asked)
    }

    /// The weights of what may come next; `at` comes from [`compute`](Self::compute).
    pub(super) fn logits(&self, at: i32) -> &[f32] {
        self.inner.get_logits_ith(at)
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.inner.clear_kv_cache();
        self.sequences.clear();
    }

    /// Forgets one sequence that nobody works on, the finished answers first.
    fn make_room(&mut self) -> bool {
        let oldest = self.sequences.oldest(Use::Kept).or_else(|| self.sequences.oldest(Use::Prefix));
        oldest.map(|seat| self.empty(seat)).is_some()
    }

    fn empty(&mut self, seat: Seat) {
        // To remove a whole sequence succeeds in every kind of cache.
        let _ = self.inner.clear_kv_cache_seq(u32::try_from(seat).ok(), None, None);
        self.sequences.set(seat, Use::Free);
    }

    fn copy(&mut self, from: Seat, to: Seat, count: usize) -> Result<(), ProviderError> {
        if count == 0 {
            return Ok(());
        }
        let number = |seat: Seat| i32::try_from(seat).map_err(|_| broken());
        let end = u32::try_from(count).ok();
        self.inner.copy_kv_cache_seq(number(from)?, number(to)?, Some(0), end).map_err(|_| broken())?;
        let tokens = self.sequences.tokens(from).get(..count).unwrap_or_default().to_vec();
        self.sequences.extend(to, &tokens);
        Ok(())
    }
}

/// llama.cpp's own context: room for `cells` tokens, `batch` computed at once, by `threads`, in `sequences`.
pub(super) fn raw<'model>(
    backend: &LlamaBackend,
    model: &'model LlamaModel,
    (cells, batch, threads, sequences): (NonZeroU32, usize, usize, usize),
) -> Result<LlamaContext<'model>, ModelError> {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let batch = number(batch).min(cells.get());
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    let params = LlamaContextParams::default()
        .with_n_ctx(Some(cells))
        .with_n_batch(batch)
        .with_n_ubatch(batch)
        .with_n_seq_max(number(sequences))
        // Otherwise each sequence gets its share of the cells only, and a prompt beyond it fails.
        .with_kv_unified(true)
        // Its loop passes over the cells of other sequences, so that what is held for later costs nothing now.
        .with_flash_attention_policy(FLASH_ATTENTION)
        .with_n_threads(threads)
        .with_n_threads_batch(threads);
    model
        .new_context(backend, params)
        .map_err(|_| ModelError::Memory { needed: model.size(), available: super::memory::available().unwrap_or(0) })
}

pub(super) fn broken() -> ProviderError {
    ProviderError::Broken { reason: "the local model could not compute" }
}
