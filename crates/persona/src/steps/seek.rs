use hitesh_domain::{Step, StepFormat};

use super::{
    Mode, Progress,
    emit::Emitter,
    json::{self, Begins, JsonSteps},
    leading::{Block, FENCE, Leading, Mark, Marks},
    tag::{self, Read, Tag},
    tagged::TaggedStep,
};

/// How far, in bytes, a mark may be from where one is looked for. Text up to there is chatter ("Sure, here it is:")
/// if a mark follows; a text that goes further without a mark is an output, and streams from then on.
const WINDOW: usize = 200;

/// Outside of any step, looking for the next mark.
#[derive(Debug)]
pub(super) struct Seek {
    place: Place,
    /// A block that came before everything else, until it is known what it was.
    leading: Option<Block>,
    /// Whether the model is known to reason, and none of that came yet.
    reasons: bool,
    /// Whether the white space before the first visible character is behind us.
    trimmed: bool,
    /// How much of the text has been searched.
    searched: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Between,
}

/// What stands at one place of the text.
enum Sight {
    Nothing,
    /// The beginning of a mark, perhaps.
    Unclear,
    /// A mark: skip this many bytes from here, and go on in this mode.
    Mark(usize, Mode),
}

impl Seek {
    /// Before everything. From a model that is known to reason, a text without marks is first taken for reasoning.
    pub(super) fn at_start(reasons: bool) -> Self {
        Self { place: Place::Start, leading: None, reasons, trimmed: false, searched: 0 }
    }

    /// After a block that came before everything else; none if there is nothing left of it.
    pub(super) fn after_leading(block: Option<Block>) -> Self {
        Self { leading: block, ..Self::at_start(false) }
    }

    /// After a step.
    pub(super) fn between() -> Self {
        Self { place: Place::Between, ..Self::at_start(false) }
    }

    pub(super) fn take_leading(&mut self) -> Option<Block> {
        self.leading.take()
    }

    /// The model's reasoning comes apart from the text.
    pub(super) fn expect_no_reasoning(&mut self) {
        self.reasons = false;
    }

    pub(super) fn advance(&mut self, rest: &str, format: StepFormat, emitter: &Emitter) -> Progress {
        let text = if self.trimmed { rest } else { trimmed(rest) };
        let skipped = rest.len() - text.len();
        self.trimmed |= !text.is_empty();
        if self.reasons {
            match self.look(text, 0, format, emitter) {
                Sight::Nothing if FENCE.starts_with(text) => return Progress::Wait(skipped),
                Sight::Nothing if text.starts_with(FENCE) => self.reasons = false,
                Sight::Nothing => return Progress::Next(skipped, Mode::Leading(Leading::assumed())),
                Sight::Unclear => return Progress::Wait(skipped),
                Sight::Mark(length, mode) => return Progress::Next(skipped + length, mode),
            }
        }
        loop {
            let next = text
                .get(self.searched..)
                .and_then(|tail| tail.find(['<', '{', '[']))
                .map(|found| self.searched + found);
            let Some(at) = next.filter(|at| *at < WINDOW) else {
                if text.len() >= WINDOW {
                    return Progress::Next(skipped, Mode::Tagged(self.unmarked_output()));
                }
                self.searched = text.len();
                return Progress::Wait(skipped);
            };
            self.searched = at;
            match self.look(text, at, format, emitter) {
                Sight::Nothing => self.searched = at + 1,
                Sight::Unclear => return Progress::Wait(skipped),
                Sight::Mark(length, mode) => return Progress::Next(skipped + at + length, mode),
            }
        }
    }

    /// The end of the answer: a text without marks that was too short to be sure of.
    pub(super) fn finish(mut self, rest: &str, ended: bool, emitter: &mut Emitter) {
        if let Some(block) = self.take_leading() {
            emitter.reasoning.add_block(&block.text);
        }
        let text = if self.trimmed { rest } else { trimmed(rest) };
        // What looked like the beginning of a mark was one that broke off, unless it is a single character.
        let unclear = text.get(self.searched..).unwrap_or_default().len();
        let keeps_all = unclear <= 1 && ended;
        let text = if keeps_all { text } else { text.get(..self.searched).unwrap_or_default() };
        let says_something = text.chars().any(|c| !c.is_whitespace() && c != '`');
        if says_something && (ended || self.place == Place::Start) {
            let mut output = self.unmarked_output();
            if let Progress::Wait(used) = output.advance(text, true, emitter) {
                output.finish(text.get(used..).unwrap_or_default(), ended, emitter);
            }
        }
    }

    fn unmarked_output(&self) -> TaggedStep {
        match self.place {
            Place::Start => TaggedStep::unmarked(),
            Place::Between => TaggedStep::unopened(),
        }
    }

    fn look(&self, text: &str, at: usize, format: StepFormat, emitter: &Emitter) -> Sight {
        let here = text.get(at..).unwrap_or_default();
        if here.starts_with('{') {
            return self.look_for_json(text, at, here, format);
        }
        match (tag::read(here), self.place) {
            (Read::No, Place::Start) if at == 0 => match Marks::opening(here) {
                Mark::Open(marks, length) => Sight::Mark(length, Mode::Leading(Leading::opened(marks, false))),
                Mark::Partial => Sight::Unclear,
                Mark::Close(_) | Mark::No => Sight::Nothing,
            },
            (Read::No, _) => Sight::Nothing,
            (Read::Partial, _) => Sight::Unclear,
            (Read::Tag(Tag::Open(step), length), Place::Between) => {
                let next = if emitter.accepts(step) { TaggedStep::new(step) } else { TaggedStep::late(step) };
                Sight::Mark(length, Mode::Tagged(next))
            }
            // `<output>` and `<think>` may be what a text without marks speaks about.
            (Read::Tag(Tag::Open(step), length), Place::Start) if step == Step::Analyze || begins_line(text, at) => {
                let leading = || Leading::opened(Marks::Think, !self.reasons);
                let mode =
                    if step == Step::Think { Mode::Leading(leading()) } else { Mode::Tagged(TaggedStep::new(step)) };
                Sight::Mark(length, mode)
            }
            // Some servers swallow the opening mark of a model's reasoning.
            (Read::Tag(Tag::Close(Step::Think), length), Place::Start) => {
                let text = text.get(..at).unwrap_or_default().to_owned();
                Sight::Mark(length, Mode::Seek(Seek::after_leading(Some(Block { text, may_be_step: false }))))
            }
            _ => Sight::Nothing,
        }
    }

    fn look_for_json(&self, text: &str, at: usize, here: &str, format: StepFormat) -> Sight {
        if self.place != Place::Start || !begins_line(text, at) {
            return Sight::Nothing;
        }
        // Where JSON was asked for, an object of other keys is an answer that went wrong, unless ours follow. Elsewhere
        // such a text is more likely code.
        let any_key = at == 0 && format != StepFormat::Tagged;
        match json::begins(here, any_key) {
            Begins::No => Sight::Nothing,
            Begins::Partial => Sight::Unclear,
            Begins::Yes => Sight::Mark(0, Mode::Json(JsonSteps::new())),
        }
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

fn begins_line(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().is_none_or(|line| line.trim().is_empty())
}
