use hitesh_domain::Step;

use super::{
    Mode, Progress,
    emit::Emitter,
    json::{self, Begins},
    seek::Seek,
    tag::{self, Read, Tag},
};

/// How much of a block, in bytes, is held until it is known what it was. A longer one is no step, and no answer either:
/// that much is not said without a mark.
pub(super) const HELD: usize = 64 * 1024;

/// The most white space that is looked at between a block and what follows it.
const MAX_SPACE: usize = 64;

/// What code begins with, and an answer that a model encloses; and the longest language, in bytes, that it may name.
pub(super) const FENCE: &str = "```";
const MAX_LANGUAGE: usize = 16;

/// The marks of a block of reasoning.
#[derive(Debug, Clone, Copy)]
pub(super) enum Marks {
    /// `<think>`, which is also a step of ours, and therefore is read as leniently.
    Think,
    /// Others that are known; literally, in any case.
    Other(&'static str, &'static str),
}

/// Marks that no answer begins with.
const OTHERS: [Marks; 5] = [
    Marks::Other("<thinking>", "</thinking>"),
    Marks::Other("<reasoning>", "</reasoning>"),
    Marks::Other("<thought>", "</thought>"),
    Marks::Other("[THINK]", "[/THINK]"),
    Marks::Other("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
];

/// What a text begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mark {
    No,
    /// Perhaps a mark, when more comes.
    Partial,
    Open(Marks, usize),
    Close(usize),
}

impl Marks {
    /// The opening mark, of those that aren't a step of ours, that `text` begins with.
    pub(super) fn opening(text: &str) -> Mark {
        let mut found = Mark::No;
        for marks in OTHERS {
            match marks.read(text) {
                open @ Mark::Open(..) => return open,
                Mark::Partial => found = Mark::Partial,
                Mark::Close(_) | Mark::No => {}
            }
        }
        found
    }

    fn read(self, text: &str) -> Mark {
        match self {
            Marks::Think => match tag::read(text) {
                Read::Tag(Tag::Open(Step::Think), length) => Mark::Open(self, length),
                Read::Tag(Tag::Close(Step::Think), length) => Mark::Close(length),
                Read::Partial => Mark::Partial,
                Read::Tag(..) | Read::No => Mark::No,
            },
            Marks::Other(open, _) if begins_with(text, open) => Mark::Open(self, open.len()),
            Marks::Other(_, close) if begins_with(text, close) => Mark::Close(close.len()),
            Marks::Other(open, close) if begins_with(open, text) || begins_with(close, text) => Mark::Partial,
            Marks::Other(..) => Mark::No,
        }
    }
}

/// A block that came before everything else.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) text: String,
    /// Whether it is our step if an output follows it.
    pub(super) may_be_step: bool,
}

/// Inside of a leading block, until its end is seen.
#[derive(Debug)]
pub(super) struct Leading {
    marks: Marks,
    /// Whether its opening mark came, and not only that of the end is expected.
    is_opened: bool,
    may_be_step: bool,
    /// How many closing marks belong to the reasoning, which may speak about the form of the answer.
    depth: usize,
    /// How much of the text at hand has been searched.
    searched: usize,
    /// How much of the block has gone.
    gone: usize,
    /// The last character of that.
    previous: Option<char>,
}

/// What is to be done with a closing mark inside of another block.
enum Ends {
    Yes,
    No,
    Unclear,
}

impl Leading {
    pub(super) fn opened(marks: Marks, may_be_step: bool) -> Self {
        Self { marks, is_opened: true, may_be_step, depth: 0, searched: 0, gone: 0, previous: None }
    }

    /// The text of a model that reasons, whose server took the opening mark: or so it is assumed.
    pub(super) fn assumed() -> Self {
        Self { is_opened: false, ..Self::opened(Marks::Think, false) }
    }

    /// Whether the whole text may have been an answer after all, when it has ended without any mark of reasoning.
    pub(super) fn may_be_answer(&self) -> bool {
        !self.is_opened && self.gone == 0
    }

    pub(super) fn advance(&mut self, rest: &str, last: bool, emitter: &mut Emitter) -> Progress {
        loop {
            let Some(found) = rest.get(self.searched..).and_then(|text| text.find(['<', '['])) else {
                self.searched = rest.len();
                return Progress::Wait(self.let_go(rest, emitter));
            };
            self.searched += found;
            let at = self.searched;
            let (before, here) = rest.split_at_checked(at).unwrap_or((rest, ""));
            let (length, ends) = match self.marks.read(here) {
                Mark::No => (1, Ends::No),
                Mark::Partial => (0, Ends::Unclear),
                Mark::Open(_, length) | Mark::Close(length) if self.is_mention(before, here, length) => {
                    let waits = here.len() == length && !last;
                    (length, if waits { Ends::Unclear } else { Ends::No })
                }
                // Some servers and their models both say it.
                Mark::Open(_, length) if self.gone == 0 && before.trim().is_empty() => {
                    return Progress::Next(at + length, Mode::Leading(Self::opened(self.marks, self.may_be_step)));
                }
                Mark::Open(_, length) => {
                    self.depth += 1;
                    (length, Ends::No)
                }
                Mark::Close(length) if self.depth == 0 => (length, Ends::Yes),
                Mark::Close(length) => {
                    let ends = answer_follows(here.get(length..).unwrap_or_default());
                    self.depth -= usize::from(matches!(ends, Ends::No));
                    (length, ends)
                }
            };
            match ends {
                Ends::Unclear => return Progress::Wait(self.let_go(rest, emitter)),
                Ends::No => self.searched += length,
                Ends::Yes => {
                    let block = if self.gone + at < HELD {
                        Some(Block { text: before.to_owned(), may_be_step: self.may_be_step })
                    } else {
                        self.let_go(rest, emitter);
                        emitter.reasoning.part();
                        None
                    };
                    return Progress::Next(at + length, Mode::Seek(Seek::after_leading(block)));
                }
            }
        }
    }

    /// Hands what was searched of a long block over, so that it needn't be held; how much that is.
    fn let_go(&mut self, rest: &str, emitter: &mut Emitter) -> usize {
        if self.gone + self.searched < HELD {
            return 0;
        }
        if self.gone == 0 {
            emitter.reasoning.part();
        }
        let text = rest.get(..self.searched).unwrap_or_default();
        emitter.reasoning.add(text);
        self.gone += text.len();
        self.previous = text.chars().next_back().or(self.previous);
        self.searched = 0;
        text.len()
    }

    /// Whether a mark stands in quotes: the reasoning is about it. Unclear, and said to be so, if nothing follows yet.
    fn is_mention(&self, before: &str, here: &str, length: usize) -> bool {
        let quotes = ['`', '"', '\'', '“', '”', '‘', '’'];
        let previous = before.chars().next_back().or(self.previous);
        let next = here.get(length..).and_then(|after| after.chars().next());
        previous.is_some_and(|c| quotes.contains(&c)) && next.is_none_or(|c| quotes.contains(&c))
    }
}

/// Whether what follows a closing mark is surely the answer, in code marks or not, so that the mark closed all blocks.
fn answer_follows(text: &str) -> Ends {
    let Some(fenced) = text.trim_start().strip_prefix(FENCE) else { return answer_begins(text) };
    match fenced.split_once('\n') {
        Some((language, enclosed)) if language.len() <= MAX_LANGUAGE => answer_begins(enclosed),
        None if fenced.len() <= MAX_LANGUAGE => Ends::Unclear,
        _ => Ends::No,
    }
}

fn answer_begins(text: &str) -> Ends {
    let visible = text.trim_start();
    if text.len() - visible.len() > MAX_SPACE {
        return Ends::No;
    }
    match (tag::read(visible), json::begins(visible, false)) {
        (Read::Tag(Tag::Open(Step::Analyze), _), _) | (_, Begins::Yes) => Ends::Yes,
        (Read::Partial, _) | (_, Begins::Partial) => Ends::Unclear,
        _ if FENCE.starts_with(visible) => Ends::Unclear,
        _ => Ends::No,
    }
}

/// The marks are ASCII, so the lengths in bytes agree.
fn begins_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}
