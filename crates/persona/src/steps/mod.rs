//! The three steps as text: how an answer looks in each format, and how it is read while it comes.

mod emit;
mod json;
mod leading;
mod reasoning;
mod render;
mod seek;
mod tag;
mod tagged;
mod unescape;

use hitesh_domain::{Step, StepFormat};

use self::{emit::Emitter, json::JsonSteps, leading::Leading, seek::Seek, tagged::TaggedStep};

pub use self::render::render_steps;

/// What became known of an answer.
///
/// In the order of [`Step::ALL`], each step at most once: `Started`, its deltas (never empty; joined they are the
/// step's text), `Finished`, which is missing when the step's end was not seen. Between `Started` and the deltas of
/// `think` there may be one `Reasoning`, if it is [shown](StepParser::showing_reasoning).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEvent {
    /// A step begins: its first visible character came.
    Started(Step),
    /// The model's own reasoning, never empty, with what parts it from the text that follows. It is shown as the
    /// beginning of `think`, which may consist of it alone, and must not be told to a model again.
    Reasoning(String),
    /// A piece of its text.
    Delta(Step, String),
    /// It is whole.
    Finished(Step),
}

/// Whether an answer is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Its output is.
    Complete,
    /// It broke off.
    Cut,
    /// It ended in an orderly way, and no output came.
    NoOutput,
}

/// Turns an answer's text into [`StepEvent`]s as it comes, however it is split.
///
/// What it was asked for is a hint only: an answer in JSON, in tags, or in no form at all is recognised by how it
/// begins. See the crate's README for the rules.
#[derive(Debug)]
pub struct StepParser {
    format: StepFormat,
    /// What came and isn't used up.
    buffer: String,
    mode: Mode,
    emitter: Emitter,
}

#[derive(Debug)]
enum Mode {
    /// Outside of any step.
    Seek(Seek),
    /// In a leading `<think>` or the like: what follows its end tells whether it was a step or the model's own reasoning.
    Leading(Leading),
    /// In a step between tags, or in an output without marks.
    Tagged(TaggedStep),
    /// In a JSON object.
    Json(JsonSteps),
    /// The output is whole; what follows is chatter.
    Done,
}

/// What a mode did with the buffer.
enum Progress {
    /// It used up this many bytes, and waits for more text.
    Wait(usize),
    /// It used up this many bytes, and another mode goes on.
    Next(usize, Mode),
}

impl StepParser {
    /// A parser for an answer that was asked for in `format`.
    pub fn new(format: StepFormat) -> Self {
        Self { format, buffer: String::new(), mode: Mode::Seek(Seek::at_start(false)), emitter: Emitter::default() }
    }

    /// Whether the model is known to reason in its text before it answers. To be said before the first piece.
    ///
    /// Its server may have taken the mark that opens the reasoning: then the text begins like an answer without marks,
    /// and only `</think>` tells. So such a text is held until that mark comes, or the end; an answer that begins with
    /// a mark streams as always. A leading `<think>` of this model is never our step.
    pub fn of_reasoning_model(mut self, reasons: bool) -> Self {
        self.mode = Mode::Seek(Seek::at_start(reasons));
        self
    }

    /// Whether the model's reasoning is shown at the beginning of `think`; by default it is dropped. At most 8 KiB are
    /// shown.
    pub fn showing_reasoning(mut self, shown: bool) -> Self {
        self.emitter.reasoning.is_shown = shown;
        self
    }

    /// Takes a piece of reasoning that came apart from the text. What comes after `think` has begun is dropped.
    pub fn push_reasoning(&mut self, text: &str) {
        if let Mode::Seek(seek) = &mut self.mode {
            seek.expect_no_reasoning();
        }
        self.emitter.reasoning.add(text);
    }

    /// Whether the text that came last is the model's own reasoning, as far as one can tell.
    pub fn is_in_reasoning(&self) -> bool {
        matches!(self.mode, Mode::Leading(_))
    }

    /// Takes the next piece of the answer's text, and gives what became known with it. Whatever the pieces are, the
    /// texts and the order of the events come out the same.
    pub fn push(&mut self, text: &str) -> Vec<StepEvent> {
        self.buffer.push_str(text);
        self.advance(false);
        self.emitter.take_events()
    }

    /// No more text comes. `ended` says whether the upstream ended in an orderly way (its finish reason was `stop`);
    /// a length limit or a broken stream is none.
    ///
    /// An answer whose output was closed is [`Complete`](Completeness::Complete) in either case.
    pub fn finish(mut self, ended: bool) -> (Vec<StepEvent>, Completeness) {
        self.advance(true);
        if ended && matches!(&self.mode, Mode::Leading(leading) if leading.may_be_answer()) {
            self.mode = Mode::Seek(Seek::at_start(false));
            self.advance(true);
        }
        let rest = std::mem::take(&mut self.buffer);
        match self.mode {
            Mode::Seek(seek) => seek.finish(&rest, ended, &mut self.emitter),
            Mode::Tagged(step) => step.finish(&rest, ended, &mut self.emitter),
            Mode::Json(json) => json.finish(ended, &mut self.emitter),
            Mode::Leading(_) | Mode::Done => {}
        }
        let completeness = self.emitter.completeness(ended);
        (self.emitter.take_events(), completeness)
    }

    fn advance(&mut self, last: bool) {
        let mut at = 0;
        loop {
            let rest = self.buffer.get(at..).unwrap_or_default();
            let progress = match &mut self.mode {
                Mode::Seek(seek) => seek.advance(rest, self.format, &self.emitter),
                Mode::Leading(leading) => leading.advance(rest, last, &mut self.emitter),
                Mode::Tagged(step) => step.advance(rest, last, &mut self.emitter),
                Mode::Json(json) => json.advance(rest, &mut self.emitter),
                Mode::Done => Progress::Wait(rest.len()),
            };
            match progress {
                Progress::Wait(used) => {
                    at += used;
                    break;
                }
                Progress::Next(used, mode) => {
                    at += used;
                    self.enter(mode);
                }
            }
        }
        if at > 0 {
            self.buffer.drain(..at);
        }
    }

    fn enter(&mut self, mode: Mode) {
        if let Mode::Seek(seek) = &mut self.mode
            && let Some(block) = seek.take_leading()
        {
            // A leading `<think>` was a step after all when our next step follows it, and only then.
            let output_follows = matches!(&mode, Mode::Tagged(next) if next.is_marked(Step::Output));
            if block.may_be_step && output_follows {
                self.emitter.text(Step::Think, &block.text);
                self.emitter.end(Step::Think);
            } else {
                self.emitter.reasoning.add_block(&block.text);
            }
        }
        self.mode = mode;
    }
}

#[cfg(test)]
mod reasoning_tests;
#[cfg(test)]
mod tests;
