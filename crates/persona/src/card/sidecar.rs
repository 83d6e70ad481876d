//! `card.json`: what a pack keeps of the card that it was made of, so that it can become that card again.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asset, Card, document::Document, fingerprint::Parts};
use crate::{Mistake, pack::CARD};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sidecar {
    /// What the pack was when it was made.
    made: Option<Parts>,
    /// For each entry of the lorebook, the note that was made of it, if one was.
    notes: Vec<Option<MadeNote>>,
    /// The card as it came.
    card: Value,
    /// Its picture, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    assets: Vec<EncodedAsset>,
}

/// A note as it was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MadeNote {
    pub(super) id: String,
    pub(super) fingerprint: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct EncodedAsset {
    path: String,
    base64: String,
}

/// What a sidecar says, decoded.
pub(super) struct Kept {
    pub(super) card: Card,
    pub(super) made: Option<Parts>,
    pub(super) notes: Vec<Option<MadeNote>>,
}

/// The text of the file.
pub(super) fn written(card: Card, made: Option<Parts>, notes: Vec<Option<MadeNote>>) -> String {
    let Card { document, image, assets } = card;
    let assets = assets
        .into_iter()
        .map(|Asset { path, bytes }| EncodedAsset { path, base64: BASE64_STANDARD.encode(bytes) })
        .collect();
    let image = image.map(|image| BASE64_STANDARD.encode(image));
    let sidecar = Sidecar { made, notes, card: document.into_value(), image, assets };
    // A struct of texts and JSON is always JSON.
    let mut text = serde_json::to_string_pretty(&sidecar).unwrap_or_default();
    text.push('\n');
    text
}

pub(super) fn read(text: &str) -> Result<Kept, Mistake> {
    let mistake = |line: Option<usize>, message: String| Mistake { file: CARD.to_owned(), line, message };
    let Sidecar { made, notes, card, image, assets } =
        serde_json::from_str(text).map_err(|error| mistake(Some(error.line()), error.to_string()))?;
    let decoded = |text: String| {
        BASE64_STANDARD.decode(text).map_err(|_| mistake(None, "a picture or file is not base64".to_owned()))
    };
    let document = Document::of(card, "JSON").map_err(|error| mistake(None, error.to_string()))?;
    let image = image.map(decoded).transpose()?;
    let assets = assets
        .into_iter()
        .map(|EncodedAsset { path, base64 }| Ok(Asset { path, bytes: decoded(base64)? }))
        .collect::<Result<_, Mistake>>()?;
    Ok(Kept { card: Card { document, image, assets }, made, notes })
}
