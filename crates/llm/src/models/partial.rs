use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PullError;

/// A model that is not whole yet: the bytes so far, and a note of how many of them can be relied on.
#[derive(Debug)]
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    note: PathBuf,
    /// Where it comes from, how many parts of it are here and how many bytes they have.
    pub(super) state: PartialState,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct PartialState {
    pub(super) source: String,
    pub(super) parts: u32,
    pub(super) bytes: u64,
}

impl Partial {
    /// Opens what is there of `target` from `source`, or begins anew: bytes that the note does not speak for are cut
    /// off.
    pub(super) fn open(target: &Path, source: &str) -> Result<Self, PullError> {
        let (path, note) = (with_ending(target, "partial"), with_ending(target, "parts"));
        let noted = fs::read(&note).ok().and_then(|bytes| serde_json::from_slice::<PartialState>(&bytes).ok());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed_at(&path))?;
        let length = file.metadata().map_err(failed_at(&path))?.len();
        let state = noted
            .filter(|state| state.source == source && state.bytes <= length)
            .unwrap_or_else(|| PartialState { source: source.to_owned(), ..PartialState::default() });
        let mut partial = Self { file, path, note, state };
        partial.cut_back()?;
        Ok(partial)
    }

    /// Drops what came since the last [`keep`](Self::keep).
    pub(super) fn cut_back(&mut self) -> Result<(), PullError> {
        let bytes = self.state.bytes;
        self.file
            .set_len(bytes)
            .and_then(|()| self.file.seek(SeekFrom::Start(bytes)))
            .map(drop)
            .map_err(failed_at(&self.path))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// `bytes` more have come and can be relied on; they end `parts` more parts.
    pub(super) fn keep(&mut self, parts: u32, bytes: u64) -> Result<(), PullError> {
        self.file.sync_data().map_err(failed_at(&self.path))?;
        self.state.parts += parts;
        self.state.bytes += bytes;
        let text = serde_json::to_vec(&self.state).map_err(io::Error::from).map_err(failed_at(&self.note))?;
        let fresh = self.note.with_extension("parts-new");
        fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &self.note)).map_err(failed_at(&self.note))
    }

    /// Forgets all of it.
    pub(super) fn start_over(&mut self) -> Result<(), PullError> {
        self.state.parts = 0;
        self.state.bytes = 0;
        self.cut_back()?;
        self.keep(0, 0)
    }

    /// The SHA-256 of what is on the disk, in hex.
    pub(super) fn digest(&mut self, cancel: &AtomicBool, mut read: impl FnMut(u64)) -> Result<String, PullError> {
        let failed = failed_at(&self.path);
        self.file.seek(SeekFrom::Start(0)).map_err(&failed)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut total = 0;
        loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(PullError::Cancelled);
            }
            let count = self.file.read(&mut buffer).map_err(&failed)?;
            if count == 0 {
                break;
            }
            hash.update(buffer.get(..count).unwrap_or_default());
            total += count as u64;
            read(total);
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Gives the whole file its name, in one step.
    pub(super) fn finish(self, target: &Path) -> Result<(), PullError> {
        self.file.sync_all().map_err(failed_at(&self.path))?;
        fs::rename(&self.path, target).map_err(failed_at(target))?;
        let _ = fs::remove_file(&self.note);
        // The name is durable once the folder is.
        if let Some(folder) = target.parent() {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed_at(folder))?;
        }
        Ok(())
    }

    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.note);
    }
}

pub(super) fn failed_at(path: &Path) -> impl Fn(io::Error) -> PullError {
    let path = path.to_owned();
    move |source| PullError::Store { path: path.clone(), source }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
