//! charx: a zip archive with `card.json` and the files that the card speaks of.

use std::io::{self, Cursor, Read, Write};

use serde_json::{Map, Value, json};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{
    ASSETS, Asset, CardError, TEXT,
    document::{Document, text},
};

const FORM: &str = "charx";
const CARD: &str = "card.json";

/// How a card names a file of its archive; it is spelt so in the specification.
const EMBEDDED: &str = "embeded://";

/// Where the picture of a card goes that had it around itself.
const PORTRAIT: &str = "assets/icon/images/main.png";

/// The most files.
const FILES: (usize, &str) = (4096, "4,096 files");

/// Whether these bytes are to be read as an archive. Some programs put a picture before it.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xff\xd8\xff")
}

/// The card's JSON, and the other files.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Asset>), CardError> {
    read_within(bytes, ASSETS.0)
}

/// The same, with at most so many bytes of other files.
pub(super) fn read_within(bytes: &[u8], assets_limit: usize) -> Result<(Vec<u8>, Vec<Asset>), CardError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| CardError::damaged(FORM, error))?;
    if archive.len() > FILES.0 {
        return Err(CardError::TooLarge { what: "the archive", most: FILES.1 });
    }
    let (mut card, mut assets, mut left) = (None, Vec::new(), assets_limit);
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|error| CardError::damaged(FORM, error))?;
        if file.is_dir() {
            continue;
        }
        let path = file.name().map_err(|error| CardError::damaged(FORM, error))?.into_owned();
        // No file is written here; whoever is given the archive may do so.
        if path.starts_with('/') || path.contains('\\') || path.split('/').any(|part| part == "..") {
            return Err(CardError::damaged(FORM, "a file's name leads out of the archive"));
        }
        if path == CARD {
            card = Some(unpacked(file, TEXT.0, ("the card's text", TEXT.1))?);
        } else {
            let bytes = unpacked(file, left, ("the archive's content", ASSETS.1))?;
            left -= bytes.len();
            assets.push(Asset { path, bytes });
        }
    }
    Ok((card.ok_or(CardError::NoCard { form: FORM })?, assets))
}

/// What an archive says of a file's size is not believed.
fn unpacked(file: impl Read, most: usize, (what, limit): (&'static str, &'static str)) -> Result<Vec<u8>, CardError> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    file.take(one_more).read_to_end(&mut bytes).map_err(|error| CardError::damaged(FORM, error))?;
    if bytes.len() > most { Err(CardError::TooLarge { what, most: limit }) } else { Ok(bytes) }
}

/// The card's main picture among the files.
pub(super) fn icon<'a>(document: &Document, assets: &'a [Asset]) -> Option<&'a [u8]> {
    let listed = document.data()?.get("assets")?.as_array()?;
    let icons = || listed.iter().filter_map(Value::as_object).filter(|asset| text(asset, "type") == "icon");
    let main = icons().find(|asset| text(asset, "name") == "main").or_else(|| icons().next())?;
    let path = text(main, "uri").strip_prefix(EMBEDDED)?;
    assets.iter().find(|asset| asset.path == path).map(|asset| asset.bytes.as_slice())
}

pub(super) fn write(document: &Document, image: Option<&[u8]>, assets: &[Asset]) -> Result<Vec<u8>, CardError> {
    let mut document = document.clone();
    let image = image.filter(|_| !assets.iter().any(|asset| asset.path == PORTRAIT));
    if image.is_some() {
        name_portrait(&mut document);
    }
    let text = format!("{:#}\n", document.into_value());
    let files = [(CARD, text.as_bytes())].into_iter();
    let files = files.chain(image.map(|image| (PORTRAIT, image)));
    let files = files.chain(assets.iter().map(|asset| (asset.path.as_str(), asset.bytes.as_slice())));

    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let unwritable = |error: zip::result::ZipError| CardError::Unwritable(io::Error::other(error));
    for (path, bytes) in files {
        // Pictures and sounds are compressed already. Without a time: the same card is to give the same bytes.
        let method = if path == CARD { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options =
            SimpleFileOptions::default().compression_method(method).last_modified_time(zip::DateTime::default());
        archive.start_file(path, options).map_err(unwritable)?;
        archive.write_all(bytes).map_err(CardError::Unwritable)?;
    }
    Ok(archive.finish().map_err(unwritable)?.into_inner())
}

/// Makes the picture the card's icon: `ccdefault:` means the picture that a card is in, and here it is in none.
fn name_portrait(document: &mut Document) {
    let listed = document.data().and_then(|data| data.get("assets")).and_then(Value::as_array);
    let mut listed = listed.cloned().unwrap_or_default();
    let uri = json!(format!("{EMBEDDED}{PORTRAIT}"));
    let is_main = |asset: &&mut Map<String, Value>| text(asset, "type") == "icon" && text(asset, "name") == "main";
    match listed.iter_mut().filter_map(Value::as_object_mut).find(is_main) {
        Some(main) if text(main, "uri") == "ccdefault:" => {
            main.insert("uri".to_owned(), uri);
            main.insert("ext".to_owned(), json!("png"));
        }
        // It has another picture of its own.
        Some(_) => {}
        None => listed.push(json!({ "type": "icon", "uri": uri, "name": "main", "ext": "png" })),
    }
    document.set("assets", Value::Array(listed));
}
