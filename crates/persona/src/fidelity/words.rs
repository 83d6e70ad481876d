//! Texts as words, and rows of words as numbers.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::retrieval::devanagari;

/// The words of a text in lower case, without their punctuation.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && !devanagari::is_letter_or_sign(c))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// A number for these words in this order; the same in every process.
pub(super) fn number(words: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

/// The numbers of all rows of `length` words.
pub(super) fn rows(words: &[String], length: usize) -> impl Iterator<Item = u64> {
    words.windows(length).map(number)
}

/// The share of the rows of `length` words of the shorter text that the longer one has too.
pub(super) fn overlap(left: &[String], right: &[String], length: usize) -> f32 {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let long: HashSet<u64> = rows(long, length).collect();
    let (mut all, mut common) = (0, 0);
    for row in rows(short, length) {
        all += 1;
        common += usize::from(long.contains(&row));
    }
    super::share(common, all)
}
