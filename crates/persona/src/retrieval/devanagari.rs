//! Devanagari to Roman script, by sound: as a learner would type it, not as a scholar would.

use super::letters;

/// Whether `c` can be a part of a Devanagari word.
pub(crate) fn is_letter_or_sign(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{963}' | '\u{966}'..='\u{97f}')
}

pub(crate) fn is_in(word: &str) -> bool {
    word.chars().any(is_letter_or_sign)
}

pub(crate) fn romanized(word: &str) -> String {
    match letters::parted(word) {
        Some((head, letters)) => by_sound(head) + &letters,
        None => by_sound(word),
    }
}

fn by_sound(word: &str) -> String {
    let mut roman = String::with_capacity(word.len());
    // A consonant speaks an `a` after it, unless a sign or the end of the word takes it away.
    let mut inherent = false;
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        if let Some(consonant) = consonant(c) {
            if inherent {
                roman.push('a');
            }
            roman.push_str(consonant);
            inherent = true;
        } else if let Some(vowel) = vowel(c) {
            if inherent && !is_sign(c) {
                roman.push('a');
            }
            roman.push_str(vowel);
            inherent = false;
        } else {
            match c {
                '\u{94d}' => inherent = false,
                '\u{93c}' => dotted(&mut roman),
                'ं' | 'ँ' => {
                    if inherent {
                        roman.push('a');
                    }
                    let lips = rest.as_str().starts_with(['प', 'फ', 'ब', 'भ', 'म']);
                    roman.push(if lips { 'm' } else { 'n' });
                    inherent = false;
                }
                other => {
                    roman.push(other);
                    inherent = false;
                }
            }
        }
    }
    roman
}

/// The dot below the last consonant, which NFKC has made a character of its own. It turns D sounds into R sounds; the
/// other letters that have one sound alike here.
fn dotted(roman: &mut String) {
    if let Some(rest) = roman.strip_suffix("dh").or_else(|| roman.strip_suffix('d')) {
        roman.truncate(rest.len());
        roman.push('r');
    }
}

fn consonant(c: char) -> Option<&'static str> {
    Some(match c {
        'क' => "k",
        'ख' => "kh",
        'ग' => "g",
        'घ' => "gh",
        'ङ' | 'ञ' | 'ण' | 'न' | 'ऩ' => "n",
        'च' => "ch",
        'छ' => "chh",
        'ज' => "j",
        'झ' => "jh",
        'ट' | 'त' => "t",
        'ठ' | 'थ' => "th",
        'ड' | 'द' => "d",
        'ढ' | 'ध' => "dh",
        'प' => "p",
        'फ' => "f",
        'ब' => "b",
        'भ' => "bh",
        'म' => "m",
        'य' => "y",
        'र' | 'ऱ' => "r",
        'ल' | 'ळ' => "l",
        'व' => "v",
        'श' | 'ष' => "sh",
        'स' => "s",
        'ह' => "h",
        _ => return None,
    })
}

fn vowel(c: char) -> Option<&'static str> {
    Some(match c {
        'अ' | 'आ' | 'ा' => "a",
        'इ' | 'ई' | 'ि' | 'ी' => "i",
        'उ' | 'ऊ' | 'ु' | 'ू' => "u",
        'ऋ' | 'ृ' => "ri",
        'ए' | 'ऐ' | 'े' | 'ै' | 'ऍ' | 'ॅ' => "e",
        'ओ' | 'औ' | 'ो' | 'ौ' | 'ऑ' | 'ॉ' => "o",
        _ => return None,
    })
}

fn is_sign(c: char) -> bool {
    matches!(c, '\u{93e}'..='\u{94c}')
}

#[cfg(test)]
mod tests {
    use super::romanized;

    #[test]
    fn words_come_out_as_people_type_them() {
        let pairs = [
            ("डॉकर", "dokar"),
            ("क्या", "kya"),
            ("बैकएंड", "bekaend"),
            ("में", "men"),
            ("पढ़ाई", "parai"),
            ("कंपनी", "kampani"),
            ("एपीआई", "api"),
        ];
        for (word, roman) in pairs {
            assert_eq!(romanized(word), roman);
        }
    }
}
