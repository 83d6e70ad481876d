//! The header of a GGUF file, read before llama.cpp sees the file: so that a file that is cut, damaged or of the
//! wrong kind is told in a sentence, at once, and can't make C code abort the process.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use super::ModelError;

/// What matters of a header here.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) architecture: String,
    pub(super) has_chat_template: bool,
    /// Bytes of the file.
    pub(super) file_bytes: u64,
    blocks: u64,
    embedding: u64,
    heads: u64,
    kv_heads: u64,
    key_length: u64,
    /// The longest context that it was trained on; 0 if the file does not say.
    pub(super) trained_context: u64,
}

impl Header {
    /// Reads the header of the file at `path`.
    ///
    /// # Errors
    /// A [`ModelError`] that says what is wrong with the file.
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ModelError::Missing { path: path.to_owned() },
            _ => ModelError::Unreadable { path: path.to_owned(), source },
        })?;
        let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
        let meta = file.metadata().map_err(unreadable)?;
        if !meta.is_file() {
            return Err(ModelError::NotGguf { path: path.to_owned() });
        }
        Reader { input: BufReader::with_capacity(1 << 16, file), at: 0, len: meta.len() }
            .header()
            .map_err(|fault| fault.at(path, meta.len()))
    }

    /// Bytes of the attention cache for `context` tokens at 16 bits.
    pub(super) fn cache_bytes(&self, context: u32) -> u64 {
        let width = match (self.key_length, self.embedding, self.heads) {
            (0, embedding, heads) => embedding.checked_div(heads).unwrap_or(0),
            (length, ..) => length,
        };
        let kv_heads = if self.kv_heads == 0 { self.heads } else { self.kv_heads };
        let bytes_per_value = 2_u64;
        let keys_and_values = 2_u64;
        [self.blocks, kv_heads, width, bytes_per_value, keys_and_values]
            .into_iter()
            .fold(u64::from(context), u64::saturating_mul)
    }

    /// Whether it is of a kind that continues a text token by token with a cache that can be rolled back.
    /// What is not in this list llama.cpp itself is left to judge.
    pub(super) fn can_chat(&self) -> bool {
        const CANNOT: [&str; 10] =
            ["bert", "t5", "clip", "whisper", "mamba", "rwkv", "wavtokenizer", "embedding", "diffusion", "dream"];
        !self.architecture.is_empty() && !CANNOT.iter().any(|kind| self.architecture.contains(kind))
    }
}

enum Fault {
    NotGguf,
    Version(u32),
    Cut(u64),
    Damaged(&'static str),
    Io(io::Error),
}

impl Fault {
    fn at(self, path: &Path, found: u64) -> ModelError {
        let path = path.to_owned();
        match self {
            Fault::NotGguf => ModelError::NotGguf { path },
            Fault::Version(version) => ModelError::Version { path, version },
            Fault::Cut(expected) => ModelError::Truncated { path, expected, found },
            Fault::Damaged(what) => ModelError::Damaged { path, what },
            Fault::Io(source) => ModelError::Unreadable { path, source },
        }
    }
}

/// A value of the metadata, as far as one is of interest.
enum Value {
    Number(u64),
    Text(String),
    Other,
}

struct Reader<R> {
    input: R,
    at: u64,
    len: u64,
}

/// Longer names and texts are damage: the longest real one, a chat template, has some kilobytes.
const LONGEST_TEXT: u64 = 4 << 20;

impl<R: Read> Reader<R> {
    fn header(mut self) -> Result<Header, Fault> {
        if self.len < 4 || &self.bytes::<4>()? != b"GGUF" {
            return Err(Fault::NotGguf);
        }
        let version = self.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Fault::Version(version));
        }
        let tensors = self.u64()?;
        let entries = self.u64()?;
        let mut header = Header { file_bytes: self.len, ..Header::default() };
        let mut alignment = 32;
        for _ in 0..entries {
            let key = self.text()?;
            let kind = self.u32()?;
            match (key.as_str(), self.value(kind)?) {
                ("general.architecture", Value::Text(text)) => header.architecture = text,
                ("general.alignment", Value::Number(number)) => alignment = number,
                ("tokenizer.chat_template", Value::Text(text)) => header.has_chat_template = !text.trim().is_empty(),
                (key, Value::Number(number)) => header.take(key, number),
                _ => {}
            }
        }
        if alignment == 0 {
            return Err(Fault::Damaged("its alignment is 0"));
        }
        let mut data = 0_u64;
        for _ in 0..tensors {
            data = data.max(self.tensor()?);
        }
        if tensors == 0 {
            return Err(Fault::Damaged("it has no tensors"));
        }
        let start = self.at.next_multiple_of(alignment);
        let expected = start.checked_add(data).ok_or(Fault::Damaged("a tensor lies beyond any file"))?;
        if expected > self.len { Err(Fault::Cut(expected)) } else { Ok(header) }
    }

    /// One tensor's entry; where its data ends, counted from the start of the data.
    fn tensor(&mut self) -> Result<u64, Fault> {
        let _name = self.text()?;
        let dimensions = self.u32()?;
        if dimensions > 4 {
            return Err(Fault::Damaged("a tensor has more than 4 dimensions"));
        }
        let mut values = 1_u64;
        for _ in 0..dimensions {
            let size = self.u64()?;
            values = values.checked_mul(size).ok_or(Fault::Damaged("a tensor's size overflows"))?;
        }
        let kind = self.u32()?;
        let offset = self.u64()?;
        // The kinds that are not in the table are llama.cpp's to refuse or to know.
        let (block, bytes) = block_of(kind).unwrap_or((values.max(1), 0));
        let size = values.div_ceil(block).checked_mul(bytes).ok_or(Fault::Damaged("a tensor's size overflows"))?;
        offset.checked_add(size).ok_or(Fault::Damaged("a tensor lies beyond any file"))
    }

    fn value(&mut self, kind: u32) -> Result<Value, Fault> {
        Ok(match kind {
            4 => Value::Number(u64::from(self.u32()?)),
            10 => Value::Number(self.u64()?),
            8 => Value::Text(self.text()?),
            9 => return self.array(),
            other => {
                let width = width_of(other).ok_or(Fault::Damaged("a metadata entry is of an unknown kind"))?;
                self.skip(width)?;
                Value::Other
            }
        })
    }

    fn array(&mut self) -> Result<Value, Fault> {
        let kind = self.u32()?;
        let count = self.u64()?;
        if kind == 8 {
            for _ in 0..count {
                let length = self.u64()?;
                self.skip(length)?;
            }
        } else {
            let width = width_of(kind).ok_or(Fault::Damaged("a metadata list is of an unknown kind"))?;
            self.skip(count.checked_mul(width).ok_or(Fault::Damaged("a metadata list overflows"))?)?;
        }
        Ok(Value::Other)
    }

    fn text(&mut self) -> Result<String, Fault> {
        let length = self.u64()?;
        if length > LONGEST_TEXT {
            return Err(Fault::Damaged("a text in its header is too long"));
        }
        self.need(length)?;
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(length).read_to_end(&mut bytes).map_err(Fault::Io)?;
        self.at = self.at.saturating_add(length);
        if u64::try_from(read) != Ok(length) {
            return Err(Fault::Cut(self.at));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        self.need(bytes)?;
        let read = io::copy(&mut (&mut self.input).take(bytes), &mut io::sink()).map_err(Fault::Io)?;
        self.at = self.at.saturating_add(bytes);
        if read == bytes { Ok(()) } else { Err(Fault::Cut(self.at)) }
    }

    fn need(&self, bytes: u64) -> Result<(), Fault> {
        match self.at.checked_add(bytes) {
            Some(end) if end <= self.len => Ok(()),
            Some(end) => Err(Fault::Cut(end)),
            None => Err(Fault::Damaged("a length in its header overflows")),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.need(N as u64)?;
        self.input.read_exact(&mut bytes).map_err(Fault::Io)?;
        self.at = self.at.saturating_add(N as u64);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.bytes().map(u64::from_le_bytes)
    }
}

impl Header {
    fn take(&mut self, key: &str, number: u64) {
        let Some((_, key)) = key.split_once('.') else { return };
        match key {
            "block_count" => self.blocks = number,
            "embedding_length" => self.embedding = number,
            "attention.head_count" => self.heads = number,
            "attention.head_count_kv" => self.kv_heads = number,
            "attention.key_length" => self.key_length = number,
            "context_length" => self.trained_context = number,
            _ => {}
        }
    }
}

/// Bytes of a metadata value of fixed width, by the number of its kind in the GGUF specification.
fn width_of(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// Values in a block and bytes of a block, by the number of ggml's type (`type_traits` in `ggml.c`).
fn block_of(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 | 26 => (1, 4),
        1 | 25 | 30 => (1, 2),
        24 => (1, 1),
        27 | 28 => (1, 8),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        20 => (32, 18),
        23 => (256, 136),
        39 => (32, 17),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    /// A file with one tensor of 64 floats, whole.
    fn small(architecture: &str, template: Option<&str>) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(1_u64.to_le_bytes());
        out.extend((1 + u64::from(template.is_some())).to_le_bytes());
        for (key, value) in [("general.architecture", Some(architecture)), ("tokenizer.chat_template", template)] {
            if let Some(value) = value {
                text(&mut out, key);
                out.extend(8_u32.to_le_bytes());
                text(&mut out, value);
            }
        }
        text(&mut out, "weight");
        out.extend(1_u32.to_le_bytes());
        out.extend(64_u64.to_le_bytes());
        out.extend(0_u32.to_le_bytes());
        out.extend(0_u64.to_le_bytes());
        out.resize(out.len().next_multiple_of(32) + 256, 7);
        out
    }

    fn read(bytes: &[u8]) -> Result<Header, ModelError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Header::read(file.path())
    }

    #[test]
    fn a_whole_file_is_read() {
        let header = read(&small("qwen2", Some("{{x}}"))).unwrap();
        assert_eq!(header.architecture, "qwen2");
        assert!(header.has_chat_template && header.can_chat());
        assert!(!read(&small("nomic-bert", None)).unwrap().can_chat());
    }

    #[test]
    fn a_file_cut_at_any_byte_is_an_error() {
        let whole = small("qwen2", Some("{{x}}"));
        for end in 0..whole.len() {
            let error = read(&whole[..end]).unwrap_err();
            let right = if end < 4 {
                matches!(error, ModelError::NotGguf { .. })
            } else {
                matches!(error, ModelError::Truncated { .. })
            };
            assert!(right, "cut at {end}: {error}");
        }
    }

    #[test]
    fn other_files_are_told_apart() {
        assert!(matches!(read(b"PK\x03\x04 a wheel"), Err(ModelError::NotGguf { .. })));
        assert!(matches!(Header::read(Path::new("/nowhere.gguf")), Err(ModelError::Missing { .. })));
        let mut future = small("qwen2", None);
        future[4] = 9;
        assert!(matches!(read(&future), Err(ModelError::Version { version: 9, .. })));
    }

    #[test]
    fn any_damaged_byte_of_the_header_ends_without_a_panic() {
        let whole = small("qwen2", Some("{{x}}"));
        for at in 0..whole.len() - 256 {
            for bits in [0xff, 0x80, 0x01] {
                let mut damaged = whole.clone();
                damaged[at] ^= bits;
                let _ = read(&damaged);
            }
        }
    }
}
