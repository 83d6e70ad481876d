use hitesh_domain::Step;

use super::{
    Mode, Progress,
    emit::Emitter,
    seek::Seek,
    tag::{self, Read, Tag},
};

/// Inside a step between tags, or inside an output that has none.
#[derive(Debug)]
pub(super) struct TaggedStep {
    step: Step,
    kind: Kind,
    /// In an output: how many `</output>` belong to the answer's own text, which may teach HTML.
    depth: usize,
    /// The last character.
    previous: Option<char>,
    /// The last visible one, and whether its line has ended.
    visible: Option<char>,
    line_ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It began with its mark.
    Marked,
    /// An output without any mark.
    Unmarked,
    /// An output whose mark was forgotten, after steps that had theirs.
    Unopened,
    /// It came after a later step: not a word of it is shown.
    Late,
}

/// What a mark inside the step is.
enum Act {
    /// A part of the text.
    Text,
    /// A mark said twice.
    Ignore,
    /// A part of the text if more text comes, else the end.
    Hold,
    /// The end of the step; the mark is its own.
    End,
    /// The end of the step, which forgot its mark; the mark opens the next one.
    EndBefore,
}

impl TaggedStep {
    pub(super) fn new(step: Step) -> Self {
        Self::of_kind(step, Kind::Marked)
    }

    pub(super) fn late(step: Step) -> Self {
        Self::of_kind(step, Kind::Late)
    }

    pub(super) fn unmarked() -> Self {
        Self::of_kind(Step::Output, Kind::Unmarked)
    }

    pub(super) fn unopened() -> Self {
        Self::of_kind(Step::Output, Kind::Unopened)
    }

    fn of_kind(step: Step, kind: Kind) -> Self {
        let depth = usize::from(kind == Kind::Unmarked);
        Self { step, kind, depth, previous: None, visible: None, line_ended: false }
    }

    /// Whether it is `step` and began with its mark.
    pub(super) fn is_marked(&self, step: Step) -> bool {
        self.step == step && self.kind == Kind::Marked
    }

    pub(super) fn advance(&mut self, rest: &str, last: bool, emitter: &mut Emitter) -> Progress {
        let mut at = 0;
        loop {
            let tail = rest.get(at..).unwrap_or_default();
            let (before, here) = tail.split_at_checked(tail.find('<').unwrap_or(tail.len())).unwrap_or((tail, ""));
            self.text(before, emitter);
            at += before.len();
            if here.is_empty() {
                return Progress::Wait(at);
            }
            match tag::read(here) {
                Read::No => {
                    self.text("<", emitter);
                    at += 1;
                }
                Read::Partial => return Progress::Wait(at),
                Read::Tag(tag, length) => {
                    let (mark, after) = here.split_at_checked(length).unwrap_or((here, ""));
                    let in_code = self.previous == Some('`');
                    if in_code && after.is_empty() && !last {
                        return Progress::Wait(at);
                    }
                    let act = if in_code && after.starts_with('`') { Act::Text } else { self.act(tag) };
                    match act {
                        Act::Text => self.text(mark, emitter),
                        Act::Ignore => {}
                        Act::Hold => emitter.hold(mark),
                        Act::End => return self.end(at + length, emitter),
                        Act::EndBefore => return self.end(at, emitter),
                    }
                    at += length;
                }
            }
        }
    }

    /// The end of the answer; `rest` is the beginning of a mark, perhaps.
    pub(super) fn finish(mut self, rest: &str, ended: bool, emitter: &mut Emitter) {
        if rest.len() == 1 {
            self.text(rest, emitter);
        }
        // Many models forget the last mark.
        if ended && self.step == Step::Output {
            emitter.drop_held();
            emitter.end(Step::Output);
        }
    }

    fn end(&self, used: usize, emitter: &mut Emitter) -> Progress {
        if self.kind == Kind::Late {
            return Progress::Next(used, Mode::Seek(Seek::between()));
        }
        let whole = self.step == Step::Output && emitter.is_open(Step::Output);
        emitter.end(self.step);
        Progress::Next(used, if whole { Mode::Done } else { Mode::Seek(Seek::between()) })
    }

    fn text(&mut self, text: &str, emitter: &mut Emitter) {
        if self.kind != Kind::Late {
            emitter.text(self.step, text);
        }
        if let Some(last) = text.chars().next_back() {
            self.previous = Some(last);
        }
        let trimmed = text.trim_end();
        if let Some(last) = trimmed.chars().next_back() {
            self.visible = Some(last);
            self.line_ended = false;
        }
        self.line_ended |= text.get(trimmed.len()..).is_some_and(|space| space.contains('\n'));
    }

    fn act(&mut self, tag: Tag) -> Act {
        match (self.step, tag) {
            (step, Tag::Open(again)) if step == again && self.visible.is_none() && self.kind == Kind::Marked => {
                Act::Ignore
            }
            (Step::Output, Tag::Open(Step::Output) | Tag::Element(Step::Output)) => {
                self.depth += 1;
                Act::Text
            }
            (Step::Output, Tag::Close(Step::Output)) => self.close_output(),
            (Step::Output, _) | (_, Tag::Element(_)) => Act::Text,
            // A wrong closing mark is still the end of something.
            (_, Tag::Close(_)) => Act::End,
            (step, Tag::Open(next)) if next > step && !self.speaks_about(next) => Act::EndBefore,
            (_, Tag::Open(_)) => Act::Text,
        }
    }

    fn close_output(&mut self) -> Act {
        let own = usize::from(self.kind == Kind::Unmarked);
        if self.depth == 0 {
            return Act::End;
        }
        self.depth = (self.depth - 1).max(own);
        Act::Hold
    }

    /// Whether `<step>` is rather a word of the text than a mark: in quotes, or, for `output`, which is an element of
    /// HTML, in the middle of a sentence.
    fn speaks_about(&self, step: Step) -> bool {
        let quoted = self.previous.is_some_and(|c| matches!(c, '`' | '"' | '\'' | '“' | '‘'));
        let in_sentence = !self.line_ended && self.visible.is_some_and(char::is_alphanumeric);
        quoted || (step == Step::Output && in_sentence)
    }
}
