use std::mem;

/// The most of it that is shown, in bytes. A model may reason for a hundred times as long as it answers.
const SHOWN: usize = 8 * 1024;

/// The model's own reasoning, collected until the step begins that it is shown in. Where it is not shown, nothing is
/// kept of it.
#[derive(Debug, Default)]
pub(super) struct Reasoning {
    pub(super) is_shown: bool,
    text: String,
    is_cut: bool,
    is_parted: bool,
}

impl Reasoning {
    /// A piece of it, as it came.
    pub(super) fn add(&mut self, piece: &str) {
        if !self.is_shown || self.is_cut {
            return;
        }
        let begins = self.text.is_empty() || self.is_parted;
        let piece = if begins { piece.trim_start() } else { piece };
        if piece.is_empty() {
            return;
        }
        if mem::take(&mut self.is_parted) && !self.text.is_empty() {
            self.text.truncate(self.text.trim_end().len());
            self.append("\n\n");
        }
        self.append(piece);
    }

    /// What comes next has nothing to do with what came before: it is a paragraph of its own.
    pub(super) fn part(&mut self) {
        self.is_parted = true;
    }

    /// A whole block of it.
    pub(super) fn add_block(&mut self, text: &str) {
        self.part();
        self.add(text);
        self.part();
    }

    fn append(&mut self, text: &str) {
        let end = text.floor_char_boundary(SHOWN.saturating_sub(self.text.len()));
        self.is_cut |= end < text.len();
        self.text.push_str(text.get(..end).unwrap_or_default());
    }

    /// All that came, if anything visible did; it is taken once.
    pub(super) fn take(&mut self) -> Option<String> {
        let mut text = mem::take(&mut self.text);
        text.truncate(text.trim_end().len());
        if mem::take(&mut self.is_cut) {
            text.push('…');
        }
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(pieces: impl IntoIterator<Item = impl AsRef<str>>) -> Option<String> {
        let mut reasoning = Reasoning { is_shown: true, ..Reasoning::default() };
        pieces.into_iter().for_each(|piece| reasoning.add(piece.as_ref()));
        reasoning.take()
    }

    #[test]
    fn white_space_alone_is_no_reasoning() {
        assert_eq!(shown([" ", "\n"]), None);
        assert_eq!(shown([" \n a ", "b\n"]), Some("a b".to_owned()));
    }

    #[test]
    fn blocks_are_paragraphs() {
        let mut reasoning = Reasoning { is_shown: true, ..Reasoning::default() };
        for block in ["one \n", "two"] {
            reasoning.add_block(block);
        }
        reasoning.add(" \n");
        reasoning.add(" three");
        reasoning.add("\n\nfour");
        assert_eq!(reasoning.take(), Some("one\n\ntwo\n\nthree\n\nfour".to_owned()));
    }

    #[test]
    fn nothing_is_kept_of_what_is_not_shown() {
        let mut reasoning = Reasoning::default();
        reasoning.add("secret");
        assert_eq!((reasoning.text.capacity(), reasoning.take()), (0, None));
    }

    #[test]
    fn a_long_one_is_cut_between_two_characters() {
        let text = shown([format!("a{}", "चाय".repeat(2_000))]).unwrap();
        assert!(text.len() <= SHOWN + '…'.len_utf8() && text.ends_with("…"), "{}", text.len());
        let exact = "x".repeat(SHOWN);
        assert_eq!(shown([&exact]), Some(exact));
    }

    proptest! {
        #[test]
        fn no_split_changes_what_is_shown(pieces in prop::collection::vec("[a\n 🍵]{0,9}|y{2000}|च{900}", 0..12)) {
            prop_assert_eq!(shown(&pieces), shown([pieces.concat()]));
        }
    }
}
