//! Character cards, as other programs for chatting with characters know them, to packs and back.
//!
//! A card is kept as the JSON that it came as, so that what is unknown here survives; what is known is read out of it
//! leniently, since cards in the wild are. Bytes come in and go out: no file is touched.

mod book;
mod charx;
mod decorator;
mod document;
mod error;
mod example;
mod export;
mod fingerprint;
mod import;
mod macros;
mod png;
mod portrait;
mod sidecar;
mod slug;
#[cfg(test)]
mod tests;

use hitesh_domain::PersonaId;

use self::document::Document;
pub use self::error::CardError;

/// The largest file that is read.
const FILE: (usize, &str) = (64 << 20, "64 MiB");

/// The largest text of a card, its lorebook included.
const TEXT: (usize, &str) = (8 << 20, "8 MiB");

/// The most that the files in an archive may have together, unpacked.
const ASSETS: (usize, &str) = (64 << 20, "64 MiB");

/// A character card: its text, and the picture and files that came with it.
#[derive(Clone, PartialEq)]
pub struct Card {
    document: Document,
    /// A PNG without a card in it.
    image: Option<Vec<u8>>,
    /// The files of an archive besides its card, in its order.
    assets: Vec<Asset>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Asset {
    path: String,
    bytes: Vec<u8>,
}

/// The specification that a card's text follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardVersion {
    /// `chara_card_v2`.
    V2,
    /// `chara_card_v3`.
    V3,
}

/// How a card is made into a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// What `{{user}}` becomes. A pack's prompt is the same for everybody, so this is a word and no one's name.
    pub user: String,
    /// The persona's id; without one it is made of the character's name.
    pub id: Option<PersonaId>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self { user: "friend".to_owned(), id: None }
    }
}

impl Card {
    /// Reads a card out of JSON (V1, V2 or V3), a PNG with a `ccv3` or `chara` text chunk (the former is preferred), or
    /// a charx archive; which of them it is, the bytes tell. Nothing that the bytes say about sizes is believed: at
    /// most 64 MiB of file, 8 MiB of card and 64 MiB of unpacked assets are read.
    ///
    /// # Errors
    /// [`CardError`], never a panic, whatever the bytes are.
    pub fn read(bytes: &[u8]) -> Result<Self, CardError> {
        if bytes.len() > FILE.0 {
            return Err(CardError::TooLarge { what: "the file", most: FILE.1 });
        }
        if bytes.starts_with(png::SIGNATURE) {
            let (text, image) = png::read(bytes)?;
            return Ok(Self { document: Document::read(&text, "PNG")?, image: Some(image), assets: Vec::new() });
        }
        if charx::is_archive(bytes) {
            let (text, assets) = charx::read(bytes)?;
            return Ok(Self { document: Document::read(&text, "charx")?, image: None, assets });
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        if !text.starts_with(b"{") {
            return Err(CardError::Unrecognised);
        }
        Ok(Self { document: Document::read(text, "JSON")?, image: None, assets: Vec::new() })
    }

    /// The character's name.
    pub fn name(&self) -> &str {
        self.document.text("name")
    }

    /// The specification that its text follows; a card of the first version is read as one of the second.
    pub fn version(&self) -> CardVersion {
        self.document.version()
    }

    /// The version that the card gives, when it is newer than what is known here: something of it may be left unused,
    /// and nothing gets lost.
    pub fn newer_version(&self) -> Option<&str> {
        self.document.newer_version()
    }

    /// The card's text in a version of the specification, as readable JSON. In the version that it came in, nothing is
    /// changed. The second version loses what only the third one knows.
    pub fn to_json(&self, version: CardVersion) -> String {
        format!("{:#}\n", self.document.in_version(version).into_value())
    }

    /// A PNG that programs for either version can read: the picture that came with the card or, failing that, one made
    /// up of the character's name. An archive's other files are not in it.
    pub fn to_png(&self) -> Vec<u8> {
        let icon = || charx::icon(&self.document, &self.assets).filter(|bytes| bytes.starts_with(png::SIGNATURE));
        let own = self.image.as_deref().or_else(icon).and_then(|image| png::without_card(image).ok());
        let image = own.unwrap_or_else(|| portrait::of(self.name()));
        let v3 = self.document.in_version(CardVersion::V3);
        let v2 = self.document.in_version(CardVersion::V2).with_note_on_version();
        png::with_card(&image, &v3.into_value().to_string(), &v2.into_value().to_string())
    }

    /// A charx archive: the card in its third version, and its files. The same card gives the same bytes.
    ///
    /// # Errors
    /// [`CardError::Unwritable`], if a file's name can't stand in an archive.
    pub fn to_charx(&self) -> Result<Vec<u8>, CardError> {
        charx::write(&self.document.in_version(CardVersion::V3), self.image.as_deref(), &self.assets)
    }
}

/// What it is called: its text would fill a log.
impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Card({}, {:?})", self.name(), self.version())
    }
}
