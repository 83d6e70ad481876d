//! The questions that are being answered: in each round every one of them gets its next tokens computed, all in one
//! batch. One that has nothing but a token to compute is never left out; what remains of the batch is shared by those
//! whose prompts are still being computed.

use std::time::Instant;

use hitesh_domain::Message;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::oneshot;

use super::{
    LocalSettings, LocalState,
    answer::{Answer, Halt, Next, Tools},
    context::{Context, Share, broken},
    pace::Pace,
    provider::Shared,
    queue::{Found, Job, Question},
    sequences::{Seat, common},
};
use crate::ProviderError;

/// A prompt beyond this is not begun with words of the server's own: until the model's own came, it would look stuck.
const SHOWN_AT_ONCE: usize = 256;

/// Tokens that a scaffold may take beside the steps' caps: two sentences of a note, its next step, what a note has to say.
const SCAFFOLD: usize = 320;

/// More than this is a prompt or an opening, not the token that an answer goes on with.
const ONE: usize = 1;

pub(super) struct Desk<'model, 'shared> {
    shared: &'shared Shared,
    context: Context<'model>,
    tools: Tools<'model>,
    pace: Pace,
    /// The longest that a prompt and its answer may be.
    window: usize,
    works: Vec<Work>,
    /// Taken from the queue, and waits for room.
    parked: Option<Job>,
    /// Whose turn it is to be served first.
    first: usize,
}

/// A question that is being answered, or a prefix that is being computed.
struct Work {
    seat: Seat,
    /// What is to be computed; the first `done` of it are.
    tokens: Vec<LlamaToken>,
    done: usize,
    /// Where the persona's prefix ends, as long as it is not kept.
    prefix: Option<usize>,
    /// Cells that it may come to take.
    reserved: usize,
    kind: Kind,
}

enum Kind {
    Answer(Box<Answer>),
    Warm(oneshot::Sender<Result<(), ProviderError>>),
}

/// Whether a job could begin.
enum Begun {
    Yes,
    /// Not yet: there is no room.
    Later(Job),
}

type Done = oneshot::Sender<Result<(), ProviderError>>;

impl<'model, 'shared> Desk<'model, 'shared> {
    pub(super) fn new(
        shared: &'shared Shared,
        context: Context<'model>,
        tools: Tools<'model>,
        pace: Pace,
        window: usize,
    ) -> Self {
        Self { shared, context, tools, pace, window, works: Vec::new(), parked: None, first: 0 }
    }

    /// Works until the queue is closed.
    pub(super) fn run(mut self) {
        loop {
            if !self.take_jobs() {
                break;
            }
            self.drop_unwanted();
            if let Err(error) = self.round() {
                self.fail_all(&error);
                self.context.reset();
            }
        }
        self.fail_all(&ended());
    }

    /// Begins what waits, as far as there is room. `false`: the queue is closed.
    fn take_jobs(&mut self) -> bool {
        loop {
            let job = match self.parked.take() {
                Some(job) => job,
                None => match self.shared.queue.next(self.works.len()) {
                    Found::Closed => return false,
                    Found::Nothing => return true,
                    Found::Job(job) => job,
                },
            };
            match self.begin(job) {
                Begun::Yes => {}
                Begun::Later(job) => {
                    self.parked = Some(job);
                    return !self.shared.is_stopped();
                }
            }
        }
    }

    fn begin(&mut self, job: Job) -> Begun {
        match job {
            // Asked only whether it is loaded.
            Job::Warm { prefix, done } if prefix.is_empty() => {
                let _ = done.send(Ok(()));
                Begun::Yes
            }
            Job::Warm { prefix, done } => self.begin_warming(prefix, done),
            Job::Answer(question) => self.begin_answer(question),
        }
    }

    fn begin_warming(&mut self, prefix: Vec<Message>, done: Done) -> Begun {
        if done.is_closed() {
            return Begun::Yes;
        }
        let tokens = match self.render(&prefix, false) {
            Ok(tokens) => tokens,
            Err(error) => {
                let _ = done.send(Err(error));
                return Begun::Yes;
            }
        };
        if self.context.has_prefix(&tokens) {
            let _ = done.send(Ok(()));
            return Begun::Yes;
        }
        let seated = if self.has_room(tokens.len()) { self.context.seat(&tokens) } else { Ok(None) };
        match seated {
            Ok(Some(seated)) => {
                self.shared.set_state(LocalState::Warming);
                self.works.push(Work {
                    seat: seated.seat,
                    reserved: tokens.len(),
                    prefix: Some(tokens.len()),
                    done: seated.cached,
                    tokens,
                    kind: Kind::Warm(done),
                });
                Begun::Yes
            }
            Ok(None) => Begun::Later(Job::Warm { prefix, done }),
            Err(error) => {
                let _ = done.send(Err(error));
                Begun::Yes
            }
        }
    }

    fn begin_answer(&mut self, question: Box<Question>) -> Begun {
        // One that waits for room is not in the queue any more, which would have noticed that its reader has left.
        if question.events.is_closed() {
            return Begun::Yes;
        }
        let request = &question.request;
        let stable = request.messages.get(..request.stable).unwrap_or_default();
        let rendered = self.render(&request.messages, true).and_then(|prompt| {
            // The frame around the last of the stable messages may depend on what follows.
            let alone = if stable.is_empty() { Vec::new() } else { self.render(stable, false)? };
            let stable = common(&alone, &prompt);
            Ok((prompt, stable))
        });
        let (prompt, stable) = match rendered {
            Ok(rendered) => rendered,
            Err(error) => {
                question.fail(error);
                return Begun::Yes;
            }
        };
        let prefix = prompt.get(..stable).unwrap_or_default();
        let held = self.context.has_prefix(prefix);
        // A prefix that is being computed is waited for rather than computed twice.
        if !held && self.works.iter().any(|work| work.prefix.is_some()) {
            return Begun::Later(Job::Answer(question));
        }
        let own = prompt.len() - if held { stable } else { 0 };
        let reserved = own + answer_room(&self.tools.settings) + SCAFFOLD;
        let seated = if self.has_room(reserved) { self.context.seat(&prompt) } else { Ok(None) };
        let seated = match seated {
            Ok(Some(seated)) => seated,
            Ok(None) => return Begun::Later(Job::Answer(question)),
            Err(error) => {
                question.fail(error);
                return Begun::Yes;
            }
        };
        let (mut answer, opening) =
            Answer::begin(question, &self.tools, seated.seat, [stable, prompt.len(), seated.cached]);
        let mut tokens = prompt;
        let alone = self.works.iter().all(|work| work.left() <= ONE);
        if alone && tokens.len() - seated.cached <= SHOWN_AT_ONCE {
            // A reader that has gone is noticed in the next round.
            let _ = answer.show_opening();
        }
        tokens.extend(opening);
        self.works.push(Work {
            seat: seated.seat,
            tokens,
            done: seated.cached,
            prefix: Some(stable).filter(|stable| !held && *stable > seated.cached),
            reserved,
            kind: Kind::Answer(Box::new(answer)),
        });
        Begun::Yes
    }

    /// The tokens of `messages`, if an answer fits behind them.
    fn render(&self, messages: &[Message], to_answer: bool) -> Result<Vec<LlamaToken>, ProviderError> {
        let rendered = self.tools.renderer.tokens(messages, to_answer);
        let tokens = rendered.map_err(|_| ProviderError::Rejected { status: None })?;
        if tokens.len().saturating_add(answer_room(&self.tools.settings)) > self.window {
            return Err(ProviderError::ContextTooLong);
        }
        Ok(tokens)
    }

    /// Whether `reserved` more cells can be had, if finished answers make room. One alone always fits.
    fn has_room(&self, reserved: usize) -> bool {
        let busy: usize = self.works.iter().map(|work| work.reserved).sum();
        self.works.is_empty() || self.context.pinned() + busy + reserved <= self.context.cells()
    }

    /// Ends what nobody waits for.
    fn drop_unwanted(&mut self) {
        let works = std::mem::take(&mut self.works);
        for work in works {
            let wanted = match &work.kind {
                Kind::Answer(answer) => answer.is_wanted(),
                Kind::Warm(done) => !done.is_closed(),
            };
            if wanted {
                self.works.push(work);
            } else {
                self.leave(work.seat, &work.kind);
            }
        }
    }

    fn leave(&mut self, seat: Seat, kind: &Kind) {
        self.context.leave(seat);
        if matches!(kind, Kind::Warm(_)) {
            self.shared.set_state(LocalState::Ready);
        }
    }

    /// Computes one batch and lets every answer take what came of it.
    fn round(&mut self) -> Result<(), ProviderError> {
        let shares = self.shares();
        if shares.is_empty() {
            return Ok(());
        }
        let batch: Vec<_> = shares
            .iter()
            .filter_map(|(index, count)| {
                let work = self.works.get(*index)?;
                let tokens = work.tokens.get(work.done..work.done + count)?;
                Some(Share { seat: work.seat, tokens, ask: work.done + count == work.tokens.len() })
            })
            .collect();
        let of_prompts = shares.iter().all(|(_, count)| *count > ONE);
        let total = shares.iter().map(|(_, count)| count).sum();
        let since = Instant::now();
        let asked = self.context.compute(&batch)?;
        if of_prompts {
            self.pace.took(total, since.elapsed());
        }
        let mut over = Vec::new();
        for ((index, count), at) in shares.into_iter().zip(asked) {
            if self.settle(index, count, at)? {
                over.push(index);
            }
        }
        over.sort_unstable();
        for index in over.into_iter().rev() {
            let work = self.works.swap_remove(index);
            self.leave(work.seat, &work.kind);
            if let Kind::Warm(done) = work.kind {
                let _ = done.send(Ok(()));
            }
        }
        Ok(())
    }

    /// Which works compute how many tokens in this round.
    fn shares(&mut self) -> Vec<(usize, usize)> {
        let count = self.works.len();
        self.first = if count == 0 { 0 } else { (self.first + 1) % count };
        let order: Vec<usize> = (self.first..count).chain(0..self.first).collect();
        let left = |index: &usize| self.works.get(*index).map_or(0, Work::left);
        let writing = order.iter().filter(|index| left(index) == ONE).count();
        let mut shares: Vec<_> = order.iter().filter(|index| left(index) == ONE).map(|index| (*index, ONE)).collect();
        let mut room = self.pace.tokens(writing);
        let mut waiting: Vec<usize> = order.into_iter().filter(|index| left(index) > ONE).collect();
        // Those with the least to compute come first: they leave more for the others.
        waiting.sort_by_key(left);
        while let Some((index, rest)) = waiting.split_first() {
            let fair = room.div_ceil(rest.len() + 1);
            let share = left(index).min(fair);
            if share > 0 {
                shares.push((*index, share));
            }
            room -= share;
            waiting = rest.to_vec();
        }
        shares
    }

    /// Notes that `count` tokens of a work are computed. `true`: it is over.
    fn settle(&mut self, index: usize, count: usize, at: Option<i32>) -> Result<bool, ProviderError> {
        let Some(work) = self.works.get_mut(index) else { return Ok(false) };
        work.done += count;
        if work.prefix == Some(work.done) {
            work.prefix = None;
            self.context.keep_prefix(work.seat);
        }
        let Some(at) = at else { return Ok(false) };
        let Kind::Answer(answer) = &mut work.kind else { return Ok(true) };
        match answer.advance(&mut self.tools, &mut self.context, at) {
            Ok(Next::Compute(tokens)) => {
                let limit = (self.window + SCAFFOLD).min(self.context.cells());
                if self.context.position(work.seat) + tokens.len() > limit {
                    answer.fail(ProviderError::ContextTooLong);
                    return Ok(true);
                }
                work.tokens = tokens;
                work.done = 0;
                Ok(false)
            }
            Ok(Next::Done) | Err(Halt::Cancelled) => Ok(true),
            Err(Halt::Failed(error)) => {
                answer.fail(error.clone());
                // What the cache holds is in doubt if it could not be cut.
                if matches!(error, ProviderError::Broken { .. }) { Err(broken()) } else { Ok(true) }
            }
        }
    }

    fn fail_all(&mut self, error: &ProviderError) {
        for work in std::mem::take(&mut self.works) {
            match &work.kind {
                Kind::Answer(answer) => answer.fail(error.clone()),
                Kind::Warm(_) => {}
            }
            self.leave(work.seat, &work.kind);
            if let Kind::Warm(done) = work.kind {
                let _ = done.send(Err(error.clone()));
            }
        }
        match self.parked.take() {
            Some(Job::Answer(question)) => question.fail(error.clone()),
            Some(Job::Warm { done, .. }) => drop(done.send(Err(error.clone()))),
            None => {}
        }
    }
}

impl Work {
    /// Tokens that it may compute now: a prefix is computed to its very end first, so that it can be kept.
    fn left(&self) -> usize {
        self.prefix.unwrap_or(self.tokens.len()).min(self.tokens.len()) - self.done
    }
}

/// Tokens that are kept free for an answer, with its tags and openings.
pub(super) fn answer_room(settings: &LocalSettings) -> usize {
    const TAGS: usize = 96;
    settings.step_tokens.total().saturating_add(TAGS)
}

fn ended() -> ProviderError {
    ProviderError::Unavailable { reason: "the local model was stopped".to_owned() }
}
