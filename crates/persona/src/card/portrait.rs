//! A picture for a character that has none: a pattern made of its name.

use super::png::{SIGNATURE, chunk};

/// How many fields the pattern has; the right half mirrors the left.
const FIELDS: (usize, usize) = (5, 7);

/// The side of a field, in pixels. A multiple of eight: a byte of the picture is eight pixels.
const SIDE: usize = 64;

/// A PNG of 320 × 448 pixels in two colours. The same name gives the same bytes.
pub(super) fn of(name: &str) -> Vec<u8> {
    let hash = *blake3::hash(name.as_bytes()).as_bytes();
    let [red, green, blue, fields @ ..] = hash;
    // Never so bright that it can't be told from the light ground.
    let ink = [red, green, blue].map(|part| part / 2 + 24);
    let size = |pixels: usize| u32::try_from(pixels).unwrap_or_default().to_be_bytes();

    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&size(FIELDS.0 * SIDE));
    header.extend_from_slice(&size(FIELDS.1 * SIDE));
    // One bit a pixel, colours from a palette, nothing interlaced.
    header.extend_from_slice(&[1, 3, 0, 0, 0]);

    let mut rows = Vec::new();
    for y in 0..FIELDS.1 {
        let mut row = vec![0]; // no filter
        for x in 0..FIELDS.0 {
            let mirrored = x.min(FIELDS.0 - 1 - x);
            let inked = fields.get(y * FIELDS.0.div_ceil(2) + mirrored).is_some_and(|byte| byte % 2 == 1);
            row.extend(std::iter::repeat_n(if inked { 0xff } else { 0 }, SIDE / 8));
        }
        (0..SIDE).for_each(|_| rows.extend_from_slice(&row));
    }

    let mut image = SIGNATURE.to_vec();
    image.extend(chunk(b"IHDR", &header));
    image.extend(chunk(b"PLTE", &[&[0xf6, 0xf1, 0xe7], ink.as_slice()].concat()));
    image.extend(chunk(b"IDAT", &stored(&rows)));
    image.extend(chunk(b"IEND", &[]));
    image
}

/// A zlib stream that holds `bytes` as they are (RFC 1950 and 1951): 18 kB need no compression.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler32(bytes).to_be_bytes());
    stream
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    (high << 16) | low
}
