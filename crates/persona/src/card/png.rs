//! PNG files with a card in a text chunk. Only the chunks are looked at, never the picture.

use std::borrow::Cow;

use base64::{Engine, engine::DecodePaddingMode, engine::GeneralPurpose, engine::GeneralPurposeConfig};

use super::{CardError, TEXT};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

const FORM: &str = "PNG";

/// Programs differ in whether they pad.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A chunk: its type, its data, and the whole of it with length and checksum.
struct Chunk<'a> {
    kind: &'a [u8],
    data: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The text, if this is the chunk of `keyword`.
    fn text_of(&self, keyword: &str) -> Option<&'a [u8]> {
        let end = self.data.iter().position(|byte| *byte == 0).filter(|_| self.kind == b"tEXt")?;
        let (name, text) = self.data.split_at_checked(end)?;
        name.eq_ignore_ascii_case(keyword.as_bytes()).then(|| text.get(1..))?
    }

    fn is_card(&self) -> bool {
        self.text_of("ccv3").is_some() || self.text_of("chara").is_some()
    }
}

/// The card's JSON, and the picture without it.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CardError> {
    let chunks = chunks(bytes)?;
    let of = |keyword| chunks.iter().find_map(|chunk| chunk.text_of(keyword));
    let encoded = of("ccv3").or_else(|| of("chara")).ok_or(CardError::NoCard { form: FORM })?;
    if encoded.len() / 4 > TEXT.0 / 3 + 1 {
        return Err(CardError::TooLarge { what: "the card's text", most: TEXT.1 });
    }
    let compact: Cow<'_, [u8]> = if encoded.iter().any(u8::is_ascii_whitespace) {
        encoded.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
    } else {
        encoded.into()
    };
    let text = BASE64.decode(compact).map_err(|_| CardError::damaged(FORM, "the card is not base64"))?;
    Ok((text, rebuilt(&chunks, &[])))
}

/// The picture without a card.
pub(super) fn without_card(image: &[u8]) -> Result<Vec<u8>, CardError> {
    Ok(rebuilt(&chunks(image)?, &[]))
}

/// The picture with the card in both versions. `image` is a PNG without a card; anything else is given back as it is.
pub(super) fn with_card(image: &[u8], v3: &str, v2: &str) -> Vec<u8> {
    let texts = [("ccv3", v3), ("chara", v2)].map(|(keyword, json)| {
        let mut data = format!("{keyword}\0").into_bytes();
        data.extend_from_slice(BASE64.encode(json).as_bytes());
        chunk(b"tEXt", &data)
    });
    chunks(image).map_or_else(|_| image.to_vec(), |chunks| rebuilt(&chunks, &texts))
}

/// The chunks but for those of a card, with `added` before the last one.
fn rebuilt(chunks: &[Chunk<'_>], added: &[Vec<u8>]) -> Vec<u8> {
    let mut image = SIGNATURE.to_vec();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_card()) {
        if chunk.kind == b"IEND" {
            added.iter().for_each(|bytes| image.extend_from_slice(bytes));
        }
        image.extend_from_slice(chunk.whole);
    }
    image
}

/// A chunk's bytes.
pub(super) fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 12);
    // What is written here has been bounded when it was read.
    bytes.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(kind);
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(&checksum(kind, data).to_be_bytes());
    bytes
}

fn checksum(kind: &[u8], data: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(kind);
    hasher.update(data);
    hasher.finalize()
}

/// All chunks from IHDR to IEND, every checksum verified. What follows IEND is no part of the picture.
fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, CardError> {
    let damaged = |reason: &str| CardError::damaged(FORM, reason);
    let mut rest = bytes.strip_prefix(SIGNATURE).ok_or_else(|| damaged("it does not begin as a PNG"))?;
    let mut chunks: Vec<Chunk<'_>> = Vec::new();
    loop {
        let cut = || damaged("it ends within a chunk");
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let (kind, after) = after.split_first_chunk::<4>().ok_or_else(cut)?;
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(damaged("a chunk has no valid type"));
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (data, after) = after.split_at_checked(length).ok_or_else(cut)?;
        let (sum, after) = after.split_first_chunk::<4>().ok_or_else(cut)?;
        if checksum(kind, data) != u32::from_be_bytes(*sum) {
            return Err(damaged("a chunk's checksum is wrong"));
        }
        if chunks.is_empty() != (kind == b"IHDR") {
            return Err(damaged("its first chunk, and no other, has to be IHDR"));
        }
        let whole = rest.get(..rest.len() - after.len()).ok_or_else(cut)?;
        chunks.push(Chunk { kind, data, whole });
        rest = after;
        if kind == b"IEND" {
            return Ok(chunks);
        }
    }
}
