//! The three steps as text: how an answer looks in each format, and how it is read while it comes.

mod emit;
mod json;
mod render;
mod seek;
mod tag;
mod tagged;
mod unescape;

use hitesh_domain::{Step, StepFormat};

use self::{emit::Emitter, json::JsonSteps, seek::Seek, tagged::TaggedStep};

pub use self::render::render_steps;

/// What became known of an answer.
///
/// In the order of [`Step::ALL`], each step at most once: `Started`, its deltas (never empty; joined they are the
/// step's text), `Finished`, which is missing when the step's end was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEvent {
    /// A step begins: its first visible character came.
    Started(Step),
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
    /// In a leading `<think>`: what follows its end tells whether it was a step or the model's own reasoning.
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
        Self { format, buffer: String::new(), mode: Mode::Seek(Seek::at_start()), emitter: Emitter::default() }
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
                Mode::Leading(leading) => leading.advance(rest),
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
        // A leading `<think>` was a step after all when our next step follows it, and only then.
        if let (Mode::Seek(seek), Mode::Tagged(next)) = (&mut self.mode, &mode)
            && let Some(text) = seek.take_leading()
            && next.is_marked(Step::Output)
        {
            self.emitter.text(Step::Think, &text);
            self.emitter.end(Step::Think);
        }
        self.mode = mode;
    }
}

/// A leading `<think>` block, held until its end is seen.
#[derive(Debug, Default)]
struct Leading {
    /// How much of the block has been searched.
    searched: usize,
}

impl Leading {
    fn advance(&mut self, rest: &str) -> Progress {
        loop {
            let Some(found) = rest.get(self.searched..).and_then(|text| text.find('<')) else {
                self.searched = rest.len();
                return Progress::Wait(0);
            };
            let at = self.searched + found;
            match tag::read(rest.get(at..).unwrap_or_default()) {
                tag::Read::Partial => {
                    self.searched = at;
                    return Progress::Wait(0);
                }
                tag::Read::Tag(tag::Tag::Close(Step::Think), length) => {
                    let text = rest.get(..at).unwrap_or_default().to_owned();
                    return Progress::Next(at + length, Mode::Seek(Seek::after_leading(text)));
                }
                _ => self.searched = at + 1,
            }
        }
    }
}

#[cfg(test)]
mod tests;
