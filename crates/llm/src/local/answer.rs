//! One answer: the server writes the steps' tags and openings, the model what stands between them, so that the form
//! can't break. It is made token by token, so that several are made side by side.

use hitesh_domain::{Step, Usage};
use llama_cpp_2::{model::LlamaModel, token::LlamaToken};

use super::{
    LocalSettings,
    context::Context,
    echoes::Echo,
    prompt::PromptRenderer,
    queue::Question,
    sampler::Sampler,
    sequences::Seat,
    step_text::{StepText, TextEnd, close_tag, open_tag},
    vocabulary::{Vocabulary, index},
};
use crate::{FinishReason, ProviderError, ProviderEvent};

/// What every answer is made with.
pub(super) struct Tools<'model> {
    pub(super) model: &'model LlamaModel,
    pub(super) vocabulary: Vocabulary,
    pub(super) renderer: PromptRenderer<'model>,
    pub(super) settings: LocalSettings,
}

/// Why an answer ended early.
#[derive(Debug)]
pub(super) enum Halt {
    /// Nobody wants it any more.
    Cancelled,
    /// It can't be done.
    Failed(ProviderError),
}

/// What an answer needs next.
#[derive(Debug)]
pub(super) enum Next {
    /// These tokens computed.
    Compute(Vec<LlamaToken>),
    /// Nothing: it is over.
    Done,
}

/// An answer that is being made.
pub(super) struct Answer {
    question: Box<Question>,
    seat: Seat,
    /// Tokens of the prompt that every question begins with.
    stable_tokens: usize,
    prompt_tokens: usize,
    cached_tokens: usize,
    sampler: Sampler,
    /// Tokens of the answer so far, tags included.
    completion: usize,
    /// Everything that was sent.
    sent: String,
    /// The texts of the steps that are over.
    said: String,
    /// The step that is being written.
    writing: Writing,
    opened: bool,
}

/// A step that is being written.
struct Writing {
    step: Step,
    text: StepText,
    draft: Draft,
    cap: usize,
    /// The last token is being computed.
    awaits: bool,
}

/// Why a step is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepEnd {
    /// The model had said it.
    Said,
    /// It ended at a sentence's end, near its cap.
    Rounded,
    /// Its cap was reached.
    Capped,
    /// It had begun to repeat itself, which was taken back.
    Repeating,
}

impl Answer {
    /// Begins an answer on `seat`, which is to hold a prompt of `prompt_tokens`, the first `stable_tokens` of which every
    /// question begins with. Returns the tokens that are to be computed after the prompt's.
    pub(super) fn begin(
        question: Box<Question>,
        tools: &Tools<'_>,
        seat: Seat,
        [stable_tokens, prompt_tokens, cached_tokens]: [usize; 3],
    ) -> (Self, Vec<LlamaToken>) {
        let settings = &tools.settings;
        let sampler = Sampler::new(
            &settings.sampling,
            settings.repetition_penalty,
            settings.repetition_window,
            tools.vocabulary.len(),
        );
        let (step, none) = (Step::Analyze, Draft::new(0, ""));
        let writing = Writing { step, text: StepText::new(step), draft: none, cap: 0, awaits: false };
        let mut answer = Self {
            question,
            seat,
            stable_tokens,
            prompt_tokens,
            cached_tokens,
            sampler,
            completion: 0,
            sent: String::new(),
            said: String::new(),
            writing,
            opened: false,
        };
        let opening = answer.open(step, tools, prompt_tokens, "");
        (answer, opening)
    }

    /// Whether anybody still reads it.
    pub(super) fn is_wanted(&self) -> bool {
        !self.question.events.is_closed()
    }

    /// Sends what the server has written at the answer's beginning, unless it was sent.
    pub(super) fn show_opening(&mut self) -> Result<(), Halt> {
        if std::mem::replace(&mut self.opened, true) {
            return Ok(());
        }
        self.send(ProviderEvent::Delta(self.sent.clone()))
    }

    /// Ends it with `error`.
    pub(super) fn fail(&self, error: ProviderError) {
        let _ = self.question.events.try_send(Err(error));
    }

    /// Goes on by one token; `at` is where the context has the weights of what may come next.
    pub(super) fn advance(&mut self, tools: &mut Tools<'_>, context: &mut Context<'_>, at: i32) -> Result<Next, Halt> {
        self.show_opening()?;
        if std::mem::take(&mut self.writing.awaits) {
            self.writing.draft.computed();
        }
        let echoes = self.echoes(tools, context);
        match self.next_token(tools, context.logits(at), &echoes)? {
            Ok(token) => {
                self.writing.awaits = true;
                Ok(Next::Compute(vec![token]))
            }
            Err(end) => self.end_step(end, tools, context),
        }
    }

    /// The tokens that would only recite the prompt's examples and rules. Code repeats itself by its nature.
    fn echoes(&self, tools: &Tools<'_>, context: &Context<'_>) -> Vec<LlamaToken> {
        let longest = tools.settings.longest_echo;
        if longest == 0 || self.writing.text.in_code() {
            return Vec::new();
        }
        let prefix = context.tokens_from(self.seat, 0).get(..self.stable_tokens).unwrap_or_default();
        let said = context.tokens_from(self.seat, self.writing.draft.start);
        Echo { text: prefix, longest }.forbids(said).collect()
    }

    /// The token that the step goes on with, or why it is over.
    fn next_token(
        &mut self,
        tools: &Tools<'_>,
        logits: &[f32],
        echoes: &[LlamaToken],
    ) -> Result<Result<LlamaToken, StepEnd>, Halt> {
        let writing = &mut self.writing;
        if writing.draft.tokens >= writing.cap {
            return Ok(Err(StepEnd::Capped));
        }
        let vocabulary = &tools.vocabulary;
        // A step may not end before it has a text of the model's own.
        let must_say = writing.draft.is_empty();
        let echoes = |token: usize| echoes.iter().any(|echo| index(*echo) == token);
        let banned = |token: usize| {
            vocabulary.is_never_taken(token)
                || (must_say && vocabulary.may_end_step(token))
                // A number, such as a helpline's, is right as it stands there, or it is wrong.
                || (echoes(token) && vocabulary.is_word(token) && !vocabulary.may_end_step(token))
        };
        let picked = self.sampler.pick(logits, banned).and_then(|token| i32::try_from(token).ok());
        let Some(token) = picked.map(LlamaToken::new) else {
            return Err(Halt::Failed(ProviderError::Broken { reason: "the local model gave no token" }));
        };
        if vocabulary.ends(index(token)) {
            return Ok(Err(StepEnd::Said));
        }
        let piece = tools.model.vocab().token_to_piece(token, false, None);
        let nearly_over = writing.step != Step::Output && writing.draft.tokens >= writing.cap - writing.cap / 4;
        if nearly_over && writing.text.ends_a_sentence() && begins_anew(&piece) {
            return Ok(Err(StepEnd::Rounded));
        }
        self.completion += 1;
        writing.draft.add(&piece);
        if vocabulary.is_word(index(token)) {
            self.sampler.said(index(token));
        }
        let text = writing.text.push(&piece);
        let end = writing.text.end();
        self.send_text(text)?;
        match end {
            Some(TextEnd::Tag) => Ok(Err(StepEnd::Said)),
            Some(TextEnd::Repeating) => Ok(Err(StepEnd::Repeating)),
            None => Ok(Ok(token)),
        }
    }

    /// Ends the step. What of it is not sent is taken back, so that the next step is written after what the reader
    /// sees.
    fn end_step(&mut self, end: StepEnd, tools: &mut Tools<'_>, context: &mut Context<'_>) -> Result<Next, Halt> {
        let held_back = self.writing.text.finish();
        self.send_text(held_back)?;
        let Writing { step, text, draft, .. } = &self.writing;
        let step = *step;
        let (keep, mut unread) = draft.against(text.sent());
        context.take_back(self.seat, keep).map_err(Halt::Failed)?;
        let mut written = String::new();
        let whole = match (step, end) {
            (Step::Analyze | Step::Think, StepEnd::Said | StepEnd::Rounded | StepEnd::Repeating) => true,
            (Step::Output, StepEnd::Capped) => false,
            // The server's own opening alone is no answer, unless it says something.
            (Step::Output, _) if text.sent().len() <= draft.opening && !text.ends_a_sentence() => false,
            (Step::Output, StepEnd::Said | StepEnd::Rounded) => true,
            (Step::Output, StepEnd::Repeating) => !text.in_code(),
            (Step::Analyze | Step::Think, StepEnd::Capped) => {
                if !text.ends_a_sentence() {
                    written.push('…');
                }
                true
            }
        };
        if step == Step::Output && whole {
            if text.in_code() {
                written.push_str("\n```");
            }
            if let Some(closing) = self.question.request.scaffold.closing.as_deref().filter(|it| lacks(text, it)) {
                written.push_str("\n\n");
                written.push_str(closing.trim());
            }
        }
        let next = Step::ALL.into_iter().skip_while(|other| *other != step).nth(1).filter(|_| whole);
        if whole {
            written.push_str(&close_tag(step));
        }
        unread.push_str(&written);
        self.write(&written, tools)?;
        match next {
            Some(next) => {
                let before = self.sent.len();
                let tokens = self.open(next, tools, context.position(self.seat), &unread);
                let opening = self.sent.get(before..).unwrap_or_default().to_owned();
                self.send(ProviderEvent::Delta(opening))?;
                Ok(Next::Compute(tokens))
            }
            None => {
                self.finish(if whole { FinishReason::Stop } else { FinishReason::Length })?;
                let mut tokens = context.tokens_from(self.seat, self.prompt_tokens).to_vec();
                tokens.extend(tools.renderer.text(&unread));
                tools.renderer.remember(std::mem::take(&mut self.sent), tokens);
                Ok(Next::Done)
            }
        }
    }

    /// Opens `step` after `unread`, the end of what was written and is not computed. Returns the tokens to compute;
    /// what the reader is to see is added to `sent`.
    fn open(&mut self, step: Step, tools: &Tools<'_>, position: usize, unread: &str) -> Vec<LlamaToken> {
        let tag = open_tag(step);
        let openings = &self.question.request.scaffold.openings;
        let opening = openings.iter().find(|(of, _)| *of == step).map_or("", |(_, opening)| opening.trim()).to_owned();
        self.said.push_str(self.writing.text.sent());
        self.said.push('\n');
        let mut text = StepText::new(step);
        let shown = text.push(opening.as_bytes());
        text.avoid(&self.said);
        let tokens = tools.renderer.text(&format!("{unread}{tag}{opening}"));
        self.completion += tools.renderer.text(&format!("{tag}{opening}")).len();
        self.sent.push_str(&tag);
        self.sent.push_str(&shown);
        let draft = Draft::new(position + tokens.len(), &opening);
        self.writing = Writing { step, text, draft, cap: self.cap(step, &tools.settings), awaits: false };
        tokens
    }

    fn finish(&mut self, reason: FinishReason) -> Result<(), Halt> {
        let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        self.send(ProviderEvent::Usage(Usage {
            prompt_tokens: count(self.prompt_tokens),
            completion_tokens: count(self.completion),
            cached_tokens: count(self.cached_tokens),
        }))?;
        self.send(ProviderEvent::Finish(reason))
    }

    fn cap(&self, step: Step, settings: &LocalSettings) -> usize {
        let left = settings
            .sampling
            .max_tokens
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(self.completion).max(1));
        settings.step_tokens.of(step).min(left.unwrap_or(usize::MAX)).max(1)
    }

    /// Sends a text of the server's own.
    fn write(&mut self, text: &str, tools: &Tools<'_>) -> Result<(), Halt> {
        self.completion += tools.renderer.text(text).len();
        self.send_text(text.to_owned())
    }

    fn send_text(&mut self, text: String) -> Result<(), Halt> {
        if text.is_empty() {
            return Ok(());
        }
        self.sent.push_str(&text);
        self.send(ProviderEvent::Delta(text))
    }

    fn send(&self, event: ProviderEvent) -> Result<(), Halt> {
        // The channel holds a whole answer (see `Question::events`): what fails is a reader that has gone.
        self.question.events.try_send(Ok(event)).map_err(|_| Halt::Cancelled)
    }
}

/// Whether nothing of the kind of `closing` was said: the model may have closed the answer by itself.
fn lacks(text: &StepText, closing: &str) -> bool {
    let first = closing.split_whitespace().next().unwrap_or_default().trim_matches(|c: char| !c.is_alphanumeric());
    !text.sent().split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case(first))
}

/// Whether a token begins a new word or line, so that what stood before it was whole.
fn begins_anew(piece: &[u8]) -> bool {
    piece.first().is_none_or(u8::is_ascii_whitespace)
}

/// What the model wrote in a step, beside what of it was sent.
struct Draft {
    /// Where its first token stands, after the step's opening.
    start: usize,
    tokens: usize,
    /// The opening and what came after it.
    bytes: Vec<u8>,
    opening: usize,
    /// Where each computed token ends in `bytes`.
    ends: Vec<usize>,
}

impl Draft {
    fn new(start: usize, opening: &str) -> Self {
        Self { start, tokens: 0, bytes: opening.into(), opening: opening.len(), ends: Vec::new() }
    }

    /// Whether the model has said nothing yet that can be seen.
    fn is_empty(&self) -> bool {
        self.bytes.get(self.opening..).is_none_or(|said| said.trim_ascii().is_empty())
    }

    fn add(&mut self, piece: &[u8]) {
        self.tokens += 1;
        self.bytes.extend_from_slice(piece);
    }

    fn computed(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// How many tokens of the context agree with what was `sent`, and the part of it that they do not hold.
    fn against(&self, sent: &str) -> (usize, String) {
        let lead = self.bytes.len() - self.bytes.trim_ascii_start().len();
        let solid = self.bytes.get(lead..).unwrap_or_default();
        let same = solid.iter().zip(sent.as_bytes()).take_while(|(a, b)| a == b).count();
        let whole_until = |end: usize| end <= lead || (end <= lead + same && sent.is_char_boundary(end - lead));
        let kept = self.ends.iter().take_while(|end| **end <= lead + same).collect::<Vec<_>>();
        let kept = kept.iter().rposition(|end| whole_until(**end)).map_or(0, |last| last + 1);
        let last = kept.checked_sub(1).and_then(|last| self.ends.get(last));
        let held = last.map_or(self.opening, |end| end.saturating_sub(lead));
        (self.start + kept, sent.get(held..).unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(pieces: &[&str], computed: usize) -> Draft {
        let mut draft = Draft::new(10, "");
        for (at, piece) in pieces.iter().enumerate() {
            draft.add(piece.as_bytes());
            if at < computed {
                draft.computed();
            }
        }
        draft
    }

    #[test]
    fn what_was_sent_stays_computed() {
        assert_eq!(draft(&[" Chai", " lo", "."], 3).against("Chai lo."), (13, String::new()));
    }

    #[test]
    fn a_token_that_was_sent_in_part_is_written_anew() {
        assert_eq!(draft(&["Chai", " lo", ".</", "think", ">"], 4).against("Chai lo."), (12, ".".into()));
        assert_eq!(draft(&["Chai", "\n\n", "</think>"], 2).against("Chai"), (11, String::new()));
        assert_eq!(draft(&["Chai"], 0).against("Chai"), (10, "Chai".into()));
    }

    #[test]
    fn a_step_that_differs_from_its_beginning_is_written_anew() {
        assert_eq!(draft(&["<think>", "Chai"], 2).against("Chai"), (10, "Chai".into()));
        assert_eq!(draft(&["é"], 1).against("é"), (11, String::new()));
    }

    #[test]
    fn an_opening_is_computed_and_what_follows_is_the_models() {
        let mut draft = Draft::new(10, "Haanji!");
        assert!(draft.is_empty());
        draft.add(b" Chai");
        draft.computed();
        draft.add(b" lo");
        assert!(!draft.is_empty());
        assert_eq!(draft.against("Haanji! Chai lo"), (11, " lo".into()));
        assert_eq!(draft.against("Haanji!"), (10, String::new()));
    }
}
