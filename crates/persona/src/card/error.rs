/// Why a file could not be read as a card, or a card could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The bytes are neither JSON nor PNG nor a zip archive.
    #[error("this is no card: neither JSON nor PNG nor charx")]
    Unrecognised,
    /// The file is whole, and no character is in it.
    #[error("no character card is in this {form}")]
    NoCard {
        /// `JSON`, `PNG` or `charx`.
        form: &'static str,
    },
    /// The file breaks the rules of its form.
    #[error("the {form} is damaged: {reason}")]
    Damaged {
        /// `JSON`, `PNG` or `charx`.
        form: &'static str,
        /// What is wrong. It quotes nothing of the file.
        reason: String,
    },
    /// Something is larger than a card's may be.
    #[error("{what} is larger than {most}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The limit, as people write it.
        most: &'static str,
    },
    /// The archive could not be written.
    #[error("the charx could not be written")]
    Unwritable(#[source] std::io::Error),
}

impl CardError {
    pub(super) fn damaged(form: &'static str, reason: impl ToString) -> Self {
        Self::Damaged { form, reason: reason.to_string() }
    }
}
