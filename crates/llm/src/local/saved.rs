//! Computed prefixes on disk, beside the model: a start is warm as soon as the model is loaded.
//!
//! A file is called `prefix-<key>-<digest>.state`. The key tells what it was made of: the model's file, the tokens, and
//! the engine. The digest is that of its content, so that a file which was cut or changed is never given to llama.cpp,
//! which trusts what it reads. It is written under another name first.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use llama_cpp_2::token::LlamaToken;
use sha2::{Digest, Sha256};

/// What wrote the file: another release of llama.cpp, or other settings of the context, may hold its cells otherwise.
const ENGINE: &str = "llama-cpp-sys-2 0.1.161, unified, flash attention, f16";

/// Files of one model that are kept: one for each persona, and some of old.
const MOST: usize = 6;

const ENDING: &str = ".state";

/// The saved prefixes of one model.
#[derive(Debug)]
pub(super) struct SavedPrefixes {
    /// `None`: nothing is saved and nothing found.
    folder: Option<PathBuf>,
    model: String,
}

impl SavedPrefixes {
    /// Those of the model at `path`, in the folder where it lies.
    pub(super) fn beside(path: &Path) -> Self {
        let identity = fs::metadata(path).and_then(|file| {
            let changed = file.modified()?.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
            Ok(format!("{} bytes, changed at {}", file.len(), changed.as_nanos()))
        });
        match (identity, path.parent()) {
            (Ok(model), Some(folder)) => Self { folder: Some(folder.to_owned()), model },
            _ => Self::none(),
        }
    }

    /// Nothing is saved.
    pub(super) fn none() -> Self {
        Self { folder: None, model: String::new() }
    }

    /// The file that holds just `tokens`, if there is one and its content is whole.
    pub(super) fn find(&self, tokens: &[LlamaToken]) -> Option<PathBuf> {
        let begin = self.begin_of_name(tokens);
        let file = self.files().into_iter().find(|file| name(file).starts_with(&begin))?;
        if digest_of(&file).is_ok_and(|digest| name(&file) == format!("{begin}{digest}{ENDING}")) {
            return Some(file);
        }
        tracing::warn!(file = %file.display(), "a saved prefix is damaged, and is made anew");
        self.discard(&file);
        None
    }

    /// Has `write` put the state of `tokens` into a file. To fail is no fault: the next start computes it again.
    pub(super) fn save(&self, tokens: &[LlamaToken], write: impl FnOnce(&Path) -> bool) {
        let Some(folder) = &self.folder else { return };
        let begin = self.begin_of_name(tokens);
        let saved = tempfile::Builder::new().prefix(".prefix-").tempfile_in(folder).and_then(|file| {
            if !write(file.path()) {
                return Err(io::Error::other("llama.cpp did not write it"));
            }
            let digest = digest_of(file.path())?;
            file.as_file().sync_all()?;
            file.persist(folder.join(format!("{begin}{digest}{ENDING}"))).map_err(|error| error.error)
        });
        match saved {
            Ok(_) => self.limit(),
            Err(error) => {
                tracing::info!(%error, folder = %folder.display(), "the computed prefix is not saved: the next start computes it again");
            }
        }
    }

    /// Removes a file that is of no use.
    pub(super) fn discard(&self, file: &Path) {
        if let Err(error) = fs::remove_file(file) {
            tracing::debug!(%error, file = %file.display(), "it stays");
        }
    }

    /// Removes the oldest files beyond [`MOST`].
    fn limit(&self) {
        let changed = |file: &PathBuf| fs::metadata(file).and_then(|file| file.modified()).unwrap_or(UNIX_EPOCH);
        let mut files = self.files();
        files.sort_by_key(|file| std::cmp::Reverse(changed(file)));
        for old in files.iter().skip(MOST) {
            self.discard(old);
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let is_ours = |file: &PathBuf| name(file).starts_with("prefix-") && name(file).ends_with(ENDING);
        entries.map(|entry| entry.path()).filter(is_ours).collect()
    }

    fn begin_of_name(&self, tokens: &[LlamaToken]) -> String {
        let mut hasher = Sha256::new();
        for field in [ENGINE, self.model.as_str()] {
            hasher.update(field.len().to_le_bytes());
            hasher.update(field);
        }
        for token in tokens {
            hasher.update(token.0.to_le_bytes());
        }
        format!("prefix-{}-", short(&hasher.finalize()))
    }
}

fn name(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn digest_of(file: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(short(&hasher.finalize())),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

/// 128 bits are enough against accidents.
fn short(digest: &[u8]) -> String {
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(numbers: &[i32]) -> Vec<LlamaToken> {
        numbers.iter().copied().map(LlamaToken::new).collect()
    }

    fn write(text: &'static str) -> impl FnOnce(&Path) -> bool {
        move |file| fs::write(file, text).is_ok()
    }

    fn model(folder: &Path) -> SavedPrefixes {
        let path = folder.join("model.gguf");
        fs::write(&path, "weights").unwrap();
        SavedPrefixes::beside(&path)
    }

    #[test]
    fn what_was_saved_is_found_by_its_tokens_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let saved = model(folder.path());
        saved.save(&tokens(&[1, 2]), write("state"));
        assert_eq!(fs::read(saved.find(&tokens(&[1, 2])).unwrap()).unwrap(), b"state");
        assert_eq!(saved.find(&tokens(&[1])), None);
        let other = SavedPrefixes { model: "another".into(), ..saved };
        assert_eq!(other.find(&tokens(&[1, 2])), None);
    }

    #[test]
    fn a_damaged_file_is_never_used() {
        let folder = tempfile::tempdir().unwrap();
        let saved = model(folder.path());
        saved.save(&tokens(&[1]), write("state"));
        let file = saved.find(&tokens(&[1])).unwrap();
        fs::write(&file, "stat").unwrap();
        assert_eq!(saved.find(&tokens(&[1])), None);
        assert!(!file.exists(), "it makes room for a whole one");
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let saved = model(folder.path());
        saved.save(&tokens(&[1]), |_| false);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the model itself");
        SavedPrefixes::beside(Path::new("/no/such/model.gguf")).save(&tokens(&[1]), write("state"));
    }

    #[test]
    fn only_the_newest_few_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let saved = model(folder.path());
        for number in 0..20 {
            saved.save(&tokens(&[number]), write("state"));
        }
        assert_eq!(saved.files().len(), MOST);
        assert!(saved.find(&tokens(&[19])).is_some());
    }

    #[test]
    fn the_engines_name_is_the_one_that_is_built() {
        let manifest = include_str!("../../Cargo.toml");
        let version = ENGINE.split_once(' ').unwrap().1.split_once(',').unwrap().0;
        assert!(manifest.contains(&format!("llama-cpp-sys-2 = {{ version = \"={version}\"")));
    }
}
