use unicode_normalization::UnicodeNormalization;

/// The most characters of an id that is made of a name: room is left for a number behind it.
const LENGTH: usize = 48;

/// What of `name` can stand in an id: small Latin letters and digits, with single hyphens between. It may be nothing.
pub(super) fn of(name: &str) -> String {
    let mut slug = String::new();
    let mut gap = false;
    for c in name.nfkd().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            if gap && !slug.is_empty() {
                slug.push('-');
            }
            gap = false;
            slug.push(c);
        } else {
            // Accents have come apart from their letters, and go.
            gap |= !unicode_normalization::char::is_combining_mark(c);
        }
        if slug.len() >= LENGTH {
            break;
        }
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn names_become_ids() {
        for (name, slug) in
            [("Nani Debugger", "nani-debugger"), ("  Éva & Zoë!", "eva-zoe"), ("नानी", ""), ("C++/CLI", "c-cli")]
        {
            assert_eq!(of(name), slug);
        }
        assert!(of(&"x y".repeat(99)).len() <= 50);
    }
}
