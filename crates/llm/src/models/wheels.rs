use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{PullError, partial::Partial};

/// Gets one Python package's wheel. A trait so that tests need no network.
pub trait FetchWheel: std::fmt::Debug + Send + Sync {
    /// Puts the wheel of `package` at exactly `version` into the empty folder `into`, and says where it is. Calls
    /// `received` now and then with the bytes so far. Returns soon after `cancel`.
    ///
    /// # Errors
    /// A [`PullError`]; what it has put into the folder is removed by the caller.
    fn fetch(
        &self,
        package: &str,
        version: &str,
        into: &Path,
        cancel: &AtomicBool,
        received: &mut dyn FnMut(u64),
    ) -> Result<PathBuf, PullError>;
}

/// Downloads with `pip download`, which never runs anything of a wheel.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pip;

/// How often a running pip is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl FetchWheel for Pip {
    fn fetch(
        &self,
        package: &str,
        version: &str,
        into: &Path,
        cancel: &AtomicBool,
        received: &mut dyn FnMut(u64),
    ) -> Result<PathBuf, PullError> {
        let named = format!("{package}=={version}");
        let log = into.join("pip.log");
        for (program, first) in [("pip", &[][..]), ("python3", &["-m", "pip"][..])] {
            let mut command = Command::new(program);
            command.args(first).args(["download", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--no-input"]);
            command.args(["--disable-pip-version-check", "--quiet", "--dest"]).arg(into).arg(&named);
            // pip builds up the file in its temporary folder: there its growth can be seen, and it is removed.
            command.env("TMPDIR", into).stdin(Stdio::null()).stdout(Stdio::null());
            let errors = File::create(&log).map_err(super::partial::failed_at(&log))?;
            let child = match command.stderr(errors).spawn() {
                Ok(child) => child,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(PullError::Pip { package: named, reason: error.to_string() }),
            };
            if wait(child, cancel, || received(bytes_below(into)))? {
                return wheel_in(into).ok_or_else(|| PullError::Pip {
                    package: named,
                    reason: "it reported success and left no wheel".to_owned(),
                });
            }
            let errors = fs::read_to_string(&log).unwrap_or_default();
            if errors.contains("No module named pip") {
                continue;
            }
            if errors.contains("No space left on device") {
                let source = io::Error::from(io::ErrorKind::StorageFull);
                return Err(PullError::Store { path: into.to_owned(), source });
            }
            let reason = errors.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let reason = reason.map_or_else(|| "it gave no reason".to_owned(), |line| line.chars().take(300).collect());
            return Err(PullError::Pip { package: named, reason });
        }
        Err(PullError::PipMissing)
    }
}

/// Waits for the end of `child`; whether it succeeded.
fn wait(mut child: Child, cancel: &AtomicBool, mut look: impl FnMut()) -> Result<bool, PullError> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if cancel.load(Ordering::Relaxed) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(PullError::Cancelled);
            }
            Ok(None) => {
                look();
                std::thread::sleep(LOOK);
            }
            Err(_) => return Ok(false),
        }
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ending| ending == "whl"))
}

/// The part's number put into a pattern of the catalog.
pub(super) fn of_part(pattern: &str, part: u32) -> String {
    pattern.replace("{nn}", &format!("{part:02}")).replace("{n}", &part.to_string())
}

/// Why a part could not be appended.
pub(super) enum AppendError {
    Pull(PullError),
    Write(io::Error),
}

/// Appends `member` of the wheel at `path` to `partial`, and gives its length. The wheel's own checksum is checked.
pub(super) fn append(
    path: &Path,
    member: &str,
    partial: &mut Partial,
    cancel: &AtomicBool,
    mut appended: impl FnMut(u64),
) -> Result<u64, AppendError> {
    let wrong = |reason: String| AppendError::Pull(PullError::Wheel { package: file_name(path), reason });
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| wrong(error.to_string()))?;
    let mut input = archive.by_name(member).map_err(|error| wrong(format!("{member}: {error}")))?;
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(AppendError::Pull(PullError::Cancelled));
        }
        let count = input.read(&mut buffer).map_err(|error| wrong(error.to_string()))?;
        if count == 0 {
            return Ok(total);
        }
        partial.write(buffer.get(..count).unwrap_or_default()).map_err(AppendError::Write)?;
        total += count as u64;
        appended(total);
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parts_number_is_put_into_names() {
        assert_eq!(of_part("model-part{n}", 7), "model-part7");
        assert_eq!(of_part("m{n}/part{nn}.bin", 7), "m7/part07.bin");
        assert_eq!(of_part("m{n}/part{nn}.bin", 22), "m22/part22.bin");
    }
}
