//! The marks of the tagged form, read leniently: any case, white space inside.

use hitesh_domain::Step;

/// The most white space that is looked at inside a mark, so that what is held back stays small.
const MAX_SPACE: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// `<step>`
    Open(Step),
    /// `</step>`
    Close(Step),
    /// `<step ` and something else: an element of the same name with attributes, not a mark of ours.
    Element(Step),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// The text does not begin with a mark.
    No,
    /// It may, when more comes.
    Partial,
    /// It does; the mark has this many bytes.
    Tag(Tag, usize),
}

/// Reads the mark that `text` begins with.
pub(super) fn read(text: &str) -> Read {
    let Some(mut rest) = text.strip_prefix('<') else { return Read::No };
    let close = rest.strip_prefix('/');
    rest = close.unwrap_or(rest);
    let Some(trimmed) = without_space(rest) else { return Read::No };
    rest = trimmed;
    if rest.is_empty() {
        return Read::Partial;
    }
    let Some(step) = Step::ALL.into_iter().find(|step| starts_with_name(rest, step.as_str())) else {
        let partial =
            Step::ALL.into_iter().any(|step| rest.len() < step.as_str().len() && starts_with_name(step.as_str(), rest));
        return if partial { Read::Partial } else { Read::No };
    };
    let after = rest.get(step.as_str().len()..).unwrap_or_default();
    let Some(end) = without_space(after) else { return Read::No };
    let used = text.len() - end.len();
    match (end.chars().next(), close) {
        (None, _) => Read::Partial,
        (Some('>'), None) => Read::Tag(Tag::Open(step), used + 1),
        (Some('>'), Some(_)) => Read::Tag(Tag::Close(step), used + 1),
        (Some(c), None) if end.len() < after.len() && c.is_alphabetic() => Read::Tag(Tag::Element(step), used),
        _ => Read::No,
    }
}

/// None if there is more white space than a mark has.
fn without_space(text: &str) -> Option<&str> {
    let trimmed = text.trim_start();
    (text.len() - trimmed.len() <= MAX_SPACE).then_some(trimmed)
}

/// Both are compared in ASCII, so the lengths in bytes agree.
fn starts_with_name(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_in_any_case_with_white_space() {
        assert_eq!(read("<analyze>x"), Read::Tag(Tag::Open(Step::Analyze), 9));
        assert_eq!(read("</ OUTPUT\n>"), Read::Tag(Tag::Close(Step::Output), 11));
        assert_eq!(read("<output for=x>"), Read::Tag(Tag::Element(Step::Output), 8));
    }

    #[test]
    fn whatever_may_become_a_mark_is_waited_for_and_nothing_else() {
        for text in ["<", "</", "<o", "<outpu", "<output", "</think ", "< a"] {
            assert_eq!(read(text), Read::Partial, "{text}");
        }
        for text in ["<b", "<outputs>", "<output/>", "</output x", "<<", "<=", "x", "<ana lyze>", "<é"] {
            assert_eq!(read(text), Read::No, "{text}");
        }
        assert_eq!(read(&format!("<{}", " ".repeat(17))), Read::No);
    }
}
