//! One answer: the server writes the steps' tags, the model what stands between them, so that the form can't break.

use hitesh_domain::{Step, Usage};
use llama_cpp_2::token::LlamaToken;
use tokio::sync::mpsc;

use super::{
    engine::{Engine, Halt},
    queue::{Item, Question},
    sampler::Sampler,
    step_text::{StepText, TextEnd, close_tag, open_tag},
    vocabulary::index,
};
use crate::{FinishReason, ProviderError, ProviderEvent};

/// Answers `question`; what can't be answered is told to its reader.
pub(super) fn answer(engine: &mut Engine<'_>, question: &Question, stopped: &dyn Fn() -> bool) {
    let events = &question.events;
    let wanted = || !events.is_closed() && !stopped();
    let outcome = Answer { engine, events, wanted: &wanted, completion: 0, said: String::new() }.give(question);
    match outcome {
        Ok(()) => {}
        Err(Halt::Cancelled) => {
            let gone = ProviderError::Unavailable { reason: "the local model was stopped".to_owned() };
            let _ = events.try_send(Err(gone));
        }
        Err(Halt::Failed(error)) => {
            let _ = events.try_send(Err(error));
        }
    }
}

struct Answer<'a, 'model> {
    engine: &'a mut Engine<'model>,
    events: &'a mpsc::Sender<Item>,
    wanted: &'a dyn Fn() -> bool,
    /// Tokens of the answer so far, tags included.
    completion: usize,
    /// The end of what was written and is not computed yet.
    said: String,
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

/// What one step has become.
struct Written {
    text: StepText,
    end: StepEnd,
}

impl Answer<'_, '_> {
    fn give(mut self, question: &Question) -> Result<(), Halt> {
        let request = &question.request;
        let stable = request.stable.min(request.messages.len());
        let begun = self.engine.begin(&request.messages, stable, self.wanted)?;
        let settings = &self.engine.settings;
        let mut sampler = Sampler::new(
            &settings.sampling,
            settings.repetition_penalty,
            settings.repetition_window,
            self.engine.vocabulary.len(),
        );
        let mut finish = FinishReason::Length;
        for step in Step::ALL {
            self.write(&open_tag(step))?;
            let written = self.step(step, &mut sampler)?;
            let whole = match (step, written.end) {
                (_, StepEnd::Said | StepEnd::Rounded) => true,
                (Step::Output, StepEnd::Capped) => false,
                (Step::Output, StepEnd::Repeating) => !written.text.in_code() && !written.text.sent().is_empty(),
                (Step::Analyze | Step::Think, StepEnd::Repeating) => true,
                (Step::Analyze | Step::Think, StepEnd::Capped) => {
                    if !written.text.ends_a_sentence() {
                        self.write("…")?;
                    }
                    true
                }
            };
            if !whole {
                break;
            }
            self.write(&close_tag(step))?;
            if step == Step::Output {
                finish = FinishReason::Stop;
            }
        }
        let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
        self.send(ProviderEvent::Usage(Usage {
            prompt_tokens: count(begun.prompt_tokens),
            completion_tokens: count(self.completion),
            cached_tokens: count(begun.cached_tokens),
        }))?;
        self.send(ProviderEvent::Finish(finish))
    }

    /// Writes a text of the server's own; the model reads it when it is next asked.
    fn write(&mut self, text: &str) -> Result<(), Halt> {
        self.completion += self.engine.renderer.text(text).len();
        self.said.push_str(text);
        self.send(ProviderEvent::Delta(text.to_owned()))
    }

    /// Lets the model write the text of `step`. What of it is not sent is taken back, so that the next step is
    /// written after what the reader sees.
    fn step(&mut self, step: Step, sampler: &mut Sampler) -> Result<Written, Halt> {
        let unread = self.engine.renderer.text(&std::mem::take(&mut self.said));
        self.engine.feed(&unread, self.wanted)?;
        let mut draft = Draft::new(self.engine.position());
        let mut text = StepText::new(step);
        let cap = self.cap(step);
        let mut end = StepEnd::Capped;
        while draft.tokens < cap {
            if !(self.wanted)() {
                return Err(Halt::Cancelled);
            }
            let Some(token) = self.pick(sampler, text.sent().is_empty()) else {
                return Err(Halt::Failed(ProviderError::Broken { reason: "the local model gave no token" }));
            };
            if self.engine.vocabulary.ends(index(token)) {
                end = StepEnd::Said;
                break;
            }
            let piece = self.engine.model.vocab().token_to_piece(token, false, None);
            let nearly_over = step != Step::Output && draft.tokens >= cap - cap / 4;
            if nearly_over && text.ends_a_sentence() && begins_anew(&piece) {
                end = StepEnd::Rounded;
                break;
            }
            self.completion += 1;
            draft.add(&piece);
            if self.engine.vocabulary.is_word(index(token)) {
                sampler.said(index(token));
            }
            self.send_text(text.push(&piece))?;
            match text.end() {
                Some(TextEnd::Tag) => end = StepEnd::Said,
                Some(TextEnd::Repeating) => end = StepEnd::Repeating,
                None => {
                    self.engine.feed(&[token], self.wanted)?;
                    draft.computed();
                    continue;
                }
            }
            break;
        }
        self.send_text(text.finish())?;
        let (keep, unread) = draft.against(text.sent());
        self.engine.take_back(keep)?;
        self.said = unread;
        Ok(Written { text, end })
    }

    /// The next token. A step may not end before it has a text.
    fn pick(&self, sampler: &mut Sampler, must_say: bool) -> Option<LlamaToken> {
        let vocabulary = &self.engine.vocabulary;
        let banned = |token: usize| vocabulary.is_never_taken(token) || (must_say && vocabulary.may_end_step(token));
        let token = sampler.pick(self.engine.logits(), banned)?;
        i32::try_from(token).ok().map(LlamaToken::new)
    }

    fn cap(&self, step: Step) -> usize {
        let settings = &self.engine.settings;
        let left = settings
            .sampling
            .max_tokens
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(self.completion).max(1));
        settings.step_tokens.of(step).min(left.unwrap_or(usize::MAX)).max(1)
    }

    fn send_text(&self, text: String) -> Result<(), Halt> {
        if text.is_empty() { Ok(()) } else { self.send(ProviderEvent::Delta(text)) }
    }

    fn send(&self, event: ProviderEvent) -> Result<(), Halt> {
        // The channel holds a whole answer (see `Question::events`): what fails is a reader that has gone.
        self.events.try_send(Ok(event)).map_err(|_| Halt::Cancelled)
    }
}

/// Whether a token begins a new word or line, so that what stood before it was whole.
fn begins_anew(piece: &[u8]) -> bool {
    piece.first().is_none_or(u8::is_ascii_whitespace)
}

/// What the model wrote in a step, beside what of it was sent.
struct Draft {
    start: usize,
    tokens: usize,
    bytes: Vec<u8>,
    /// Where each computed token ends in `bytes`.
    ends: Vec<usize>,
}

impl Draft {
    fn new(start: usize) -> Self {
        Self { start, tokens: 0, bytes: Vec::new(), ends: Vec::new() }
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
        let held = kept.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |end| end.saturating_sub(lead));
        (self.start + kept, sent.get(held..).unwrap_or_default().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(pieces: &[&str], computed: usize) -> Draft {
        let mut draft = Draft::new(10);
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
}
