use std::collections::HashMap;

use super::fold::skeleton;

/// The shortest key in which a typo is looked for: in shorter ones, every other word is a typo away.
const MIN_TYPO: usize = 5;

/// The shortest skeletons that are compared: of a Roman word, and of one in Devanagari.
const MIN_SKELETON: usize = 4;
const MIN_SKELETON_DEVANAGARI: usize = 3;

/// The words of the keywords and titles, numbered, and found also when they are misspelt.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    pub(super) keys: Vec<String>,
    numbers: HashMap<String, usize>,
    /// Each key with one character less, to the numbers of the keys. Two words that are one typo (a character more,
    /// less, other, or two swapped) apart share such a remainder.
    remainders: HashMap<String, Vec<usize>>,
    skeletons: HashMap<String, Vec<usize>>,
    /// How many characters the longest key has.
    longest: usize,
}

impl Vocabulary {
    pub(super) fn number(&mut self, key: String) -> usize {
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.keys.len();
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        number
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Prepares the search for misspelt words, when all words are there.
    pub(super) fn finish(&mut self) {
        for (number, key) in self.keys.iter().enumerate() {
            let length = key.chars().count();
            self.longest = self.longest.max(length);
            if length >= MIN_TYPO - 1 {
                for remainder in remainders(key) {
                    self.remainders.entry(remainder).or_default().push(number);
                }
            }
            let skeleton = skeleton(key);
            if skeleton.len() >= MIN_SKELETON_DEVANAGARI {
                self.skeletons.entry(skeleton).or_default().push(number);
            }
        }
    }

    pub(super) fn exact(&self, key: &str) -> Option<usize> {
        self.numbers.get(key).copied()
    }

    /// The words that may be meant by `key`, each with how sure that is, from 0 to 1.
    pub(super) fn find(&self, key: &str, devanagari: bool) -> Vec<(usize, f32)> {
        if !devanagari {
            return self.find_spelt(key, MIN_SKELETON);
        }
        // Its "s" may be no plural ("इंडेक्स"); what English writes as "s" may be heard as "z" ("कंपोज़"), its "a" as "ai"
        // ("हैश"), and its "h" may be silent elsewhere ("गिटहब").
        let spellings =
            [key.to_owned(), format!("{key}s"), key.replace('j', "s"), key.replace('e', "a"), key.replace('h', "")];
        if let Some(number) = spellings.iter().find_map(|spelling| self.exact(spelling)) {
            return vec![(number, 1.0)];
        }
        let found = spellings.iter().map(|spelling| self.find_spelt(spelling, MIN_SKELETON_DEVANAGARI));
        found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }

    fn find_spelt(&self, key: &str, shortest: usize) -> Vec<(usize, f32)> {
        if let Some(number) = self.exact(key) {
            return vec![(number, 1.0)];
        }
        let mut found = Vec::new();
        let bones = skeleton(key);
        if bones.len() >= shortest {
            let same = self.skeletons.get(&bones).into_iter().flatten();
            found.extend(same.filter(|number| self.same_start(key, **number)).map(|number| (*number, 0.8)));
        }
        let length = key.chars().count();
        // A longer one is nobody's typo, and has as many remainders as characters.
        if (MIN_TYPO..=self.longest + 1).contains(&length) {
            // The shorter the word, the likelier another word was meant.
            let sureness = if length >= 6 { 0.8 } else { 0.65 };
            for remainder in remainders(key).chain([key.to_owned()]) {
                let near = self.remainders.get(&remainder).into_iter().flatten().copied();
                let shorter = self.exact(&remainder).filter(|_| length > MIN_TYPO);
                found.extend(
                    near.chain(shorter).filter_map(|number| Some((number, sureness * self.typo(key, number)?))),
                );
            }
        }
        found
    }

    fn same_start(&self, key: &str, number: usize) -> bool {
        self.keys.get(number).is_some_and(|other| other.chars().next() == key.chars().next())
    }

    /// How much of a typo `key` is of a word, from 0 to 1; none if it is more than one typo away (sharing a remainder
    /// does not suffice: two characters may have been dropped at different places).
    fn typo(&self, key: &str, number: usize) -> Option<f32> {
        let other = self.keys.get(number)?;
        let (a, b): (Vec<char>, Vec<char>) = (key.chars().collect(), other.chars().collect());
        if a.len().abs_diff(b.len()) > 1 || a.first() != b.first() {
            return None;
        }
        let start = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
        let most = a.len().min(b.len()) - start;
        let end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
        match (a.len() - start - end, b.len() - start - end) {
            // Another letter makes another word ("online", "offline") more often than a slip does.
            (1, 1) => Some(0.6),
            (left, right) if left.max(right) <= 1 => Some(1.0),
            (2, 2) if a.get(start) == b.get(start + 1) && a.get(start + 1) == b.get(start) => Some(1.0),
            _ => None,
        }
    }
}

fn remainders(key: &str) -> impl Iterator<Item = String> {
    key.char_indices().map(|(at, c)| {
        let (before, after) = key.split_at_checked(at).unwrap_or((key, ""));
        format!("{before}{}", after.get(c.len_utf8()..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(words: &[&str]) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for word in words {
            vocabulary.number((*word).to_owned());
        }
        vocabulary.finish();
        vocabulary
    }

    #[test]
    fn one_typo_of_any_kind_is_forgiven() {
        let vocabulary = vocabulary(&["langrap"]);
        for typo in ["lngrap", "langgrap", "langrop", "lagnrap", "langrapo", "langra"] {
            assert_eq!(vocabulary.find(typo, false).first().map(|found| found.0), Some(0), "{typo}");
        }
        for other in ["lagnarp", "langu", "angrap", "xangrap", ""] {
            assert_eq!(vocabulary.find(other, false), [], "{other}");
        }
    }

    #[test]
    fn the_longest_word_may_have_a_character_too_many() {
        let vocabulary = vocabulary(&["doker", "kubernetes"]);
        assert_eq!(vocabulary.find("kubernetess", false).first().map(|found| found.0), Some(1));
        assert_eq!(vocabulary.find("kuberneteszq", false), []);
    }

    #[test]
    fn short_words_have_to_be_exact() {
        let vocabulary = vocabulary(&["node", "git", "reakt"]);
        for other in ["note", "gi", "gitt", "nodi", "real"] {
            assert_eq!(vocabulary.find(other, false), [], "{other}");
        }
    }

    #[test]
    fn misheard_vowels_are_forgiven() {
        let vocabulary = vocabulary(&["bakend", "doker"]);
        assert_eq!(vocabulary.find("bekaend", true).first(), Some(&(0, 0.8)));
        assert_eq!(vocabulary.find("dokar", true).first(), Some(&(1, 0.8)));
    }
}
