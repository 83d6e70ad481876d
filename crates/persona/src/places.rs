//! Where in a pack's file something stands, so that a mistake names its line.

use toml::de::{DeTable, DeValue};

/// The line between which a note's front matter stands.
pub(crate) const FENCE: &str = "+++";

/// A note's front matter and its body; `None` if it has no front matter.
pub(crate) fn parted(note: &str) -> Option<(&str, &str)> {
    let rest = note.strip_prefix(FENCE)?.strip_prefix('\n')?;
    rest.split_once(&format!("\n{FENCE}\n"))
}

/// The line, from 1, of byte `offset` of `text`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The line, from 1, of a key in a TOML file or in a note's front matter: the names of the tables on the way, the
/// numbers of array entries, the key. Of a key that is not there, the line of what holds it.
pub(crate) fn line_of_key(file: &str, keys: &[&str]) -> Option<usize> {
    let (text, lines_before) = parted(file).map_or((file, 0), |(front, _)| (front, 1));
    let (document, _) = DeTable::parse_recoverable(text);
    let mut found = None;
    let mut table = Some(document.get_ref());
    let mut array: Option<&[_]> = None;
    for key in keys {
        let value = if let Some(inside) = table {
            let entry = inside.iter().find(|(name, _)| name.get_ref().as_ref() == *key);
            entry.map(|(name, value)| (name.span(), value))
        } else {
            let number = key.parse::<usize>().ok();
            array
                .and_then(|entries| entries.get(number?))
                .map(|value: &toml::Spanned<DeValue<'_>>| (value.span(), value))
        };
        let Some((span, value)) = value else { break };
        found = Some(lines_before + line_of(text, span.start));
        table = match value.get_ref() {
            DeValue::Table(inside) => Some(inside),
            _ => None,
        };
        array = match value.get_ref() {
            DeValue::Array(entries) => Some(entries),
            _ => None,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_tables_arrays_and_front_matter() {
        let text = "name = \"n\"\n[steps]\nthink = \"t\"\n\n[[examples]]\nquestion = '''\nanalyze = 1\n'''\n[[examples]]\nquestion = \"q\"\n";
        for (keys, line) in [
            (&["name"][..], Some(1)),
            (&["steps", "think"], Some(3)),
            (&["steps", "output"], Some(2)),
            (&["examples", "0", "question"], Some(6)),
            (&["examples", "1", "question"], Some(10)),
            (&["nothing"], None),
        ] {
            assert_eq!(line_of_key(text, keys), line, "{keys:?}");
        }
        let note = "+++\ntitle = \"Git\"\nkeywords = [\n  \"git\",\n  \"hub\",\n]\n+++\ntitle = 3\n";
        assert_eq!(line_of_key(note, &["title"]), Some(2));
        assert_eq!(line_of_key(note, &["keywords", "1"]), Some(5));
    }

    #[test]
    fn what_is_no_toml_has_no_lines_and_does_no_harm() {
        for text in ["", "= 3", "[", "+++\n", "+++\n[\n+++\n"] {
            assert_eq!(line_of_key(text, &["a", "0"]), None);
        }
    }
}
