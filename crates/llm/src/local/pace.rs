//! How many tokens of prompts are computed at once. The more, the faster; but whoever gives up, and whoever is in the
//! middle of an answer, waits for the batch to end.

use std::time::Duration;

/// The longest that one batch is meant to take: a cancelled question frees the model within it, and a token.
const LONGEST: Duration = Duration::from_millis(550);

/// At most, in any case: what a batch needs of memory grows with it.
const MOST: usize = 64;
const LEAST: usize = 8;
/// To begin with.
const CAUTIOUS: usize = 24;

/// The size of the next batch.
#[derive(Debug)]
pub(super) struct Pace {
    set: Option<usize>,
    chunk: usize,
    per_token: Option<Duration>,
}

impl Pace {
    /// `set` is kept to; none is found by measuring.
    pub(super) fn new(set: Option<usize>) -> Self {
        let set = set.map(|set| set.max(1));
        Self { set, chunk: set.unwrap_or(CAUTIOUS), per_token: None }
    }

    /// The largest size that may come.
    pub(super) fn most(&self) -> usize {
        self.set.unwrap_or(MOST)
    }

    /// Tokens of prompts for the next batch; fewer while `others` are in the middle of their answers.
    pub(super) fn tokens(&self, others: usize) -> usize {
        if others == 0 { self.chunk } else { (self.chunk / 2).max(LEAST.min(self.chunk)) }
    }

    /// A batch of `tokens` of prompts, and nothing else, took `time`.
    pub(super) fn took(&mut self, tokens: usize, time: Duration) {
        let Some(count) = u32::try_from(tokens).ok().filter(|_| self.set.is_none() && tokens >= LEAST) else { return };
        let now = time / count;
        // Half of what was known: one slow batch on a busy machine is no rule.
        let per_token = self.per_token.map_or(now, |known| (known + now) / 2);
        self.per_token = Some(per_token);
        let fit = LONGEST.as_nanos() / per_token.as_nanos().max(1);
        let fit = usize::try_from(fit).unwrap_or(MOST).clamp(LEAST, MOST);
        // Whole rows of what is multiplied at once.
        self.chunk = fit - fit % LEAST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_as_large_as_its_time_allows() {
        let mut pace = Pace::new(None);
        assert_eq!((pace.tokens(0), pace.tokens(2)), (24, 12));
        for (each, chunk) in [(20, 24), (1, 64), (1, 64), (400, 8)] {
            pace.per_token = None;
            pace.took(16, Duration::from_millis(each) * 16);
            assert_eq!(pace.tokens(0), chunk, "{each} ms");
        }
        pace.took(2, Duration::ZERO);
        assert_eq!(pace.tokens(0), 8, "too little to learn from");
    }

    #[test]
    fn what_is_set_is_kept_to() {
        let mut pace = Pace::new(Some(5));
        pace.took(64, Duration::from_millis(1));
        assert_eq!((pace.tokens(0), pace.tokens(1), pace.most()), (5, 5, 5));
    }
}
