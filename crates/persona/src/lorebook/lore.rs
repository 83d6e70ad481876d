use super::{
    key::{Key, Reading, Text},
    table::LoreTable,
};

/// When a note is chosen: its `[lore]` table with the keys made ready.
#[derive(Debug)]
pub(crate) struct Lore {
    pub(crate) table: LoreTable,
    keys: Vec<Key>,
    secondary: Vec<Key>,
    /// One key of each group.
    additional: Vec<Vec<Key>>,
    exclude: Vec<Key>,
    /// Where the keys are patterns, `constant`, `secondary_keys` and `exclude_keys` have no say.
    by_pattern: bool,
}

/// What is known of the session besides its words.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// How many answers there are before this question; none when only a lower bound is known.
    pub(crate) answers: Option<usize>,
    /// Whether the note stands in the past.
    pub(crate) seen: bool,
}

impl Lore {
    /// Makes the keys ready. What is wrong with one is told together with where it begins, in bytes.
    pub(crate) fn new(table: LoreTable) -> Result<Self, (usize, String)> {
        let reading = Reading { case_sensitive: table.case_sensitive, use_regex: table.use_regex };
        let mut keys = reading.keys(&table.keys)?;
        let mut additional =
            table.additional_keys.iter().map(|group| reading.keys(group)).collect::<Result<Vec<_>, _>>()?;
        additional.retain(|group| !group.is_empty());
        let by_pattern = keys.iter().any(Key::is_pattern);
        if by_pattern {
            // Further patterns, of which any will do.
            keys.extend(additional.drain(..).flatten());
        }
        Ok(Self {
            secondary: if table.selective { reading.keys(&table.secondary_keys)? } else { Vec::new() },
            exclude: reading.keys(&table.exclude_keys)?,
            table,
            keys,
            additional,
            by_pattern,
        })
    }

    /// Whether something could choose the note.
    pub(crate) fn can_be_chosen(&self) -> bool {
        self.table.constant || self.table.activate.is_some() || !self.table.enabled || !self.keys.is_empty()
    }

    /// Whether the note is chosen for every question, so that it can stand in the prefix. With a `depth` it was meant
    /// to stand near the question.
    pub(crate) fn always(&self) -> bool {
        let table = &self.table;
        let free = self.constant()
            && self.additional.is_empty()
            && self.exclude.is_empty()
            && table.activate_only_after.is_none()
            && table.activate_only_every.is_none()
            && !table.dont_activate_after_match;
        table.enabled && table.depth.is_none() && table.activate.unwrap_or(free)
    }

    /// Whether the note is chosen.
    pub(crate) fn matches<'a>(&self, texts: impl Iterator<Item = &'a Text> + Clone, moment: Moment) -> bool {
        let table = &self.table;
        if !table.enabled {
            return false;
        }
        if let Some(always) = table.activate {
            return always;
        }
        if table.keep_activate_after_match && moment.seen {
            return true;
        }
        if table.dont_activate_after_match && moment.seen {
            return false;
        }
        if let Some(answers) = moment.answers {
            let early = table.activate_only_after.is_some_and(|least| answers < least);
            let between = table.activate_only_every.is_some_and(|every| every > 0 && answers % every != 0);
            if early || between {
                return false;
            }
        }
        let said = |keys: &[Key]| texts.clone().any(|text| keys.iter().any(|key| key.is_in(text)));
        if self.by_pattern {
            return said(&self.keys);
        }
        let by_keys = || said(&self.keys) && (self.secondary.is_empty() || said(&self.secondary));
        (self.constant() || by_keys()) && self.additional.iter().all(|group| said(group)) && !said(&self.exclude)
    }

    /// What is left out last comes first.
    pub(crate) fn priority(&self) -> i64 {
        self.table.priority.unwrap_or(self.table.insertion_order)
    }

    fn constant(&self) -> bool {
        self.table.constant && !self.by_pattern
    }
}
