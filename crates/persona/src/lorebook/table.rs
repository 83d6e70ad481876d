//! How a lorebook is written down: `[lorebook]` in `persona.toml`, and `[lore]` in the front matter of a note.

use serde::{Deserialize, Serialize};
use toml::Spanned;

/// `[lorebook]`: what holds for all keyed notes of a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BookTable {
    /// How many messages are looked at for keys, the question being the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan_depth: Option<usize>,
    /// The most tokens that keyed notes may take, the standing ones included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_budget: Option<usize>,
    /// Whether a chosen note's text is looked at for the keys of others.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) recursive_scanning: bool,
}

/// `[lore]`: when a note is chosen, and where it stands. The fields are those of a character card's lorebook entry, and
/// of the decorators that can be followed here.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LoreTable {
    /// One of them has to be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<Spanned<String>>,
    /// With `selective`, one of them has to be said too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) secondary_keys: Vec<Spanned<String>>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) selective: bool,
    /// One of each group has to be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) additional_keys: Vec<Vec<Spanned<String>>>,
    /// None of them may be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) exclude_keys: Vec<Spanned<String>>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) case_sensitive: bool,
    /// Keys of the form `/…/flags` are regular expressions.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) use_regex: bool,
    /// Chosen without a key.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) constant: bool,
    #[serde(skip_serializing_if = "is_true")]
    pub(crate) enabled: bool,
    /// The lower stands first.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) insertion_order: i64,
    /// The lower is left out first; without one, `insertion_order` decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<Position>,
    /// Stands near the question, the closer the smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depth: Option<usize>,
    /// In place of the lorebook's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan_depth: Option<usize>,
    /// `true`: always chosen; `false`: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activate: Option<bool>,
    /// Not before so many answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activate_only_after: Option<usize>,
    /// Only when the number of answers is a multiple of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activate_only_every: Option<usize>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) keep_activate_after_match: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) dont_activate_after_match: bool,
    /// Words that don't stand in the note and yet count when its text is looked at for keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hidden_keys: Vec<String>,
}

/// Where a standing note stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Position {
    BeforeChar,
    AfterChar,
}

impl Default for LoreTable {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            secondary_keys: Vec::new(),
            selective: false,
            additional_keys: Vec::new(),
            exclude_keys: Vec::new(),
            case_sensitive: false,
            use_regex: false,
            constant: false,
            enabled: true,
            insertion_order: 0,
            priority: None,
            position: None,
            depth: None,
            scan_depth: None,
            activate: None,
            activate_only_after: None,
            activate_only_every: None,
            keep_activate_after_match: false,
            dont_activate_after_match: false,
            hidden_keys: Vec::new(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_true(value: &bool) -> bool {
    *value
}
