//! Which tokens the model's cache holds, sequence by sequence. Only the books are kept here; the cells are llama.cpp's.

use llama_cpp_2::token::LlamaToken;

/// The place of a sequence; llama.cpp's number of it.
pub(super) type Seat = usize;

/// What a sequence is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing: it is empty.
    Free,
    /// A finished answer's: the next turn of its session goes on from it. Given up when another needs the place.
    Kept,
    /// An answer is being made on it.
    Busy,
    /// The messages that every question to a persona begins with.
    Prefix,
}

#[derive(Debug)]
struct Sequence {
    tokens: Vec<LlamaToken>,
    use_: Use,
    /// When it was last needed, by the books' own clock.
    touched: u64,
}

/// How a prompt gets its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole of this one is a beginning of the prompt.
    GoOn(Seat),
    /// `to` is emptied and gets the first `shared` cells of `from`.
    Copy { from: Seat, to: Seat, shared: usize },
    /// This one is cut to its first `shared` tokens: there is no other place.
    Cut { seat: Seat, shared: usize },
}

#[derive(Debug)]
pub(super) struct Sequences {
    all: Vec<Sequence>,
    clock: u64,
}

impl Sequences {
    pub(super) fn new(count: usize) -> Self {
        let free = || Sequence { tokens: Vec::new(), use_: Use::Free, touched: 0 };
        Self { all: std::iter::repeat_with(free).take(count).collect(), clock: 0 }
    }

    pub(super) fn tokens(&self, seat: Seat) -> &[LlamaToken] {
        self.all.get(seat).map_or(&[], |sequence| &sequence.tokens)
    }

    /// Whether a prefix is held that is just `tokens`, or goes on from them.
    pub(super) fn holds_prefix(&self, tokens: &[LlamaToken]) -> bool {
        self.all.iter().any(|sequence| sequence.use_ == Use::Prefix && sequence.tokens.starts_with(tokens))
    }

    /// Where `prompt` goes. `None`: every sequence is busy.
    pub(super) fn place(&self, prompt: &[LlamaToken]) -> Option<Place> {
        let shared = |seat: &Seat| self.all.get(*seat).map_or(0, |sequence| common(&sequence.tokens, prompt));
        let seats = self.seats(|_| true).map(|seat| (seat, shared(&seat)));
        let (from, shared) = seats.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let source = self.all.get(from)?;
        if source.use_ == Use::Kept && shared == source.tokens.len() {
            return Some(Place::GoOn(from));
        }
        match self.free().or_else(|| self.oldest(Use::Kept).filter(|seat| *seat != from)) {
            Some(to) => Some(Place::Copy { from, to, shared }),
            None if source.use_ == Use::Kept => Some(Place::Cut { seat: from, shared }),
            None => None,
        }
    }

    /// A sequence to be emptied when room is needed: the finished answer that was not needed the longest.
    pub(super) fn oldest(&self, use_: Use) -> Option<Seat> {
        self.seats(|sequence| sequence.use_ == use_).min_by_key(|seat| self.all.get(*seat).map(|one| one.touched))
    }

    pub(super) fn free(&self) -> Option<Seat> {
        self.seats(|sequence| sequence.use_ == Use::Free).next()
    }

    /// How many sequences there are for `use_`.
    pub(super) fn count(&self, use_: Use) -> usize {
        self.seats(|sequence| sequence.use_ == use_).count()
    }

    /// All tokens of the sequences for `use_`.
    pub(super) fn size(&self, use_: Use) -> usize {
        self.all.iter().filter(|sequence| sequence.use_ == use_).map(|sequence| sequence.tokens.len()).sum()
    }

    /// Says what `seat` is for from now on.
    pub(super) fn set(&mut self, seat: Seat, use_: Use) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(sequence) = self.all.get_mut(seat) {
            sequence.use_ = use_;
            sequence.touched = clock;
            if use_ == Use::Free {
                sequence.tokens.clear();
            }
        }
    }

    /// A prefix that is used again is not the oldest any more.
    pub(super) fn touch(&mut self, seat: Seat) {
        self.clock += 1;
        if let Some(sequence) = self.all.get_mut(seat) {
            sequence.touched = self.clock;
        }
    }

    pub(super) fn truncate(&mut self, seat: Seat, keep: usize) {
        if let Some(sequence) = self.all.get_mut(seat) {
            sequence.tokens.truncate(keep);
        }
    }

    pub(super) fn extend(&mut self, seat: Seat, tokens: &[LlamaToken]) {
        if let Some(sequence) = self.all.get_mut(seat) {
            sequence.tokens.extend_from_slice(tokens);
        }
    }

    /// Nothing is held any more.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.all.len());
    }

    fn seats(&self, which: impl Fn(&Sequence) -> bool) -> impl Iterator<Item = Seat> {
        self.all.iter().enumerate().filter(move |(_, sequence)| which(sequence)).map(|(seat, _)| seat)
    }
}

/// How many leading tokens two prompts have in common.
pub(super) fn common(a: &[LlamaToken], b: &[LlamaToken]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(numbers: &[i32]) -> Vec<LlamaToken> {
        numbers.iter().copied().map(LlamaToken::new).collect()
    }

    fn sequences(held: &[(Use, &[i32])]) -> Sequences {
        let mut sequences = Sequences::new(held.len());
        for (seat, (use_, numbers)) in held.iter().enumerate() {
            sequences.extend(seat, &tokens(numbers));
            sequences.set(seat, *use_);
        }
        sequences
    }

    #[test]
    fn the_next_turn_goes_on_from_its_session() {
        let held = sequences(&[(Use::Prefix, &[1, 2]), (Use::Kept, &[1, 2, 3, 4]), (Use::Free, &[])]);
        assert_eq!(held.place(&tokens(&[1, 2, 3, 4, 5])), Some(Place::GoOn(1)));
    }

    #[test]
    fn what_is_shared_with_another_is_copied_and_nobody_is_disturbed() {
        let held = sequences(&[(Use::Prefix, &[1, 2]), (Use::Busy, &[1, 2, 3, 4]), (Use::Free, &[])]);
        let copied = |from, shared| Some(Place::Copy { from, to: 2, shared });
        assert_eq!(held.place(&tokens(&[1, 2, 3, 9])), copied(1, 3));
        assert_eq!(held.place(&tokens(&[1, 2, 3, 4, 5])), copied(1, 4));
        let held = sequences(&[(Use::Prefix, &[1, 2]), (Use::Kept, &[1, 2, 3, 4]), (Use::Free, &[])]);
        assert_eq!(held.place(&tokens(&[1, 2, 3, 9])), copied(1, 3), "a session is kept while there is a place");
    }

    #[test]
    fn the_session_that_was_silent_the_longest_makes_room() {
        let mut held = sequences(&[(Use::Prefix, &[1]), (Use::Kept, &[1, 2]), (Use::Kept, &[1, 3])]);
        assert_eq!(held.place(&tokens(&[1, 9])), Some(Place::Copy { from: 0, to: 1, shared: 1 }));
        held.touch(1);
        assert_eq!(held.oldest(Use::Kept), Some(2));
        let one = sequences(&[(Use::Busy, &[7]), (Use::Kept, &[1, 2])]);
        assert_eq!(one.place(&tokens(&[1, 9])), Some(Place::Cut { seat: 1, shared: 1 }));
        let none = sequences(&[(Use::Prefix, &[1]), (Use::Busy, &[1, 2])]);
        assert_eq!(none.place(&tokens(&[1, 9])), None);
    }

    #[test]
    fn a_freed_sequence_holds_nothing() {
        let mut held = sequences(&[(Use::Prefix, &[1, 2]), (Use::Kept, &[1, 2, 3])]);
        assert!(held.holds_prefix(&tokens(&[1])) && !held.holds_prefix(&tokens(&[1, 2, 3])));
        assert_eq!((held.size(Use::Kept), held.count(Use::Kept)), (3, 1));
        held.set(1, Use::Free);
        assert_eq!((held.tokens(1).len(), held.free()), (0, Some(1)));
    }
}
