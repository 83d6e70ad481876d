//! From a path to a connection that is ours alone.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{SqlitePath, SqliteSettings, schema};

/// Up to this size the whole file is checked on open (about 0.1 s: 251 MB took 0.43 s from the page cache); a larger
/// one is believed until a page of it proves wrong. SQLite itself finds a file that was cut short.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;

/// Longer than any transaction of ours; met only when a person looks at the file with another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a session file could not be opened. Each is one line that an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process (or another store of this one) owns the file.
    #[error("the session file {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Its schema is one that only a newer version knows; it was left as it is.
    #[error(
        "the session file {} was written by a newer version of Hitesh AI (schema {found}, this version knows {known})",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// It is some other kind of file; it was left as it is.
    #[error("the file {} is not a session database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// It is another program's database; it was left as it is.
    #[error("the database {} belongs to another application", path.display())]
    OtherApplication {
        /// The file.
        path: PathBuf,
    },
    /// Its pages do not fit together. Restore a copy, or move it away.
    #[error("the session file {} is damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found first.
        detail: String,
    },
    /// The file, its lock or its folder cannot be created or written.
    #[error("the session file {} cannot be created or written", path.display())]
    NotWritable {
        /// The file, or the folder that could not be made.
        path: PathBuf,
        /// What the system said.
        source: Source,
    },
    /// There is no room for it.
    #[error("the disk of the session file {} is full", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed in another way.
    #[error("the session file {} cannot be opened", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Source,
    },
    /// The system gave no thread.
    #[error("the session store's threads cannot be started")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::NotWritable { path, source: error.into() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, detail: "a page has a wrong form".to_owned() }
            }
            _ => Self::Sqlite { path, source: error.into() },
        }
    }

    fn from_io(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::NotWritable { path, source: error.into() },
        }
    }
}

/// A file that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) writer: Connection,
    pub(super) readers: Vec<Connection>,
    /// Held, never read: the system lets go of it however the process ends. The lock file stays behind on purpose;
    /// deleting it would let two processes lock two files of one name.
    pub(super) lock: Option<File>,
}

pub(super) fn open(settings: &SqliteSettings) -> Result<Owned, OpenError> {
    match &settings.path {
        SqlitePath::Memory => {
            let path = Path::new(":memory:");
            let writer = Connection::open_in_memory().map_err(|error| OpenError::from_sqlite(path, error))?;
            let writer = prepare(writer, settings).map_err(|error| OpenError::from_sqlite(path, error))?;
            Ok(Owned { writer, readers: Vec::new(), lock: None })
        }
        SqlitePath::File(path) => open_file(path, settings),
    }
}

fn open_file(path: &Path, settings: &SqliteSettings) -> Result<Owned, OpenError> {
    let path = &real_path(path)?;
    let lock = lock(path)?;
    // Made before SQLite makes it, so that nobody else can read learners' words; SQLite gives its side files the
    // same permissions.
    private(OpenOptions::new().read(true).write(true).create(true))
        .open(path)
        .map_err(|e| OpenError::from_io(path, e))?;
    let size = fs::metadata(path).map_err(|error| OpenError::from_io(path, error))?.len();

    let failed = |error| OpenError::from_sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let writer = Connection::open_with_flags(path, flags).map_err(failed)?;
    writer.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    schema::identify(&writer, path)?;
    if size <= CHECKED_BYTES {
        let detail: String = writer.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if detail != "ok" {
            let detail = detail.lines().next().unwrap_or_default().to_owned();
            return Err(OpenError::Damaged { path: path.clone(), detail });
        }
    }
    let writer = prepare(writer, settings).map_err(failed)?;
    let journal: String = writer.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(failed)?;
    if journal != "wal" {
        // Some network file systems; without it reads and writes would wait for each other.
        let source = io::Error::new(io::ErrorKind::Unsupported, "its file system allows no write-ahead log");
        return Err(OpenError::from_io(path, source));
    }

    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readers = (0..settings.readers.max(1))
        .map(|_| {
            let reader = Connection::open_with_flags(path, flags)?;
            reader.busy_timeout(BUSY_TIMEOUT)?;
            Ok(reader)
        })
        .collect::<rusqlite::Result<_>>()
        .map_err(failed)?;
    Ok(Owned { writer, readers, lock: Some(lock) })
}

/// Makes the folder, and follows links, so that one file has one lock whatever it is called.
fn real_path(path: &Path) -> Result<PathBuf, OpenError> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| OpenError::from_io(folder, error))?;
    let folder = folder.canonicalize().map_err(|error| OpenError::from_io(folder, error))?;
    let name = path.file_name().ok_or_else(|| {
        OpenError::from_io(path, io::Error::new(io::ErrorKind::IsADirectory, "the path names no file"))
    })?;
    Ok(folder.join(name))
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = private(OpenOptions::new().write(true).create(true).truncate(false))
        .open(&name)
        .map_err(|error| OpenError::from_io(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::from_io(path, error)),
    }
}

/// For this user only, where the system knows users.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn prepare(mut connection: Connection, settings: &SqliteSettings) -> rusqlite::Result<Connection> {
    connection.execute_batch(
        // WAL so that reads never wait for writes; FULL because in WAL mode only FULL makes a commit survive a power
        // cut; secure_delete because a learner who erases a session means it.
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    if let Some(bytes) = settings.max_bytes {
        let page: u64 =
            connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)?;
        let pages = (bytes / page.max(1)).clamp(1, u64::from(u32::MAX - 1));
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    schema::migrate(&mut connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn from_code(code: i32) -> OpenError {
        OpenError::from_sqlite(Path::new("s.db"), rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn what_sqlite_says_becomes_what_an_operator_can_do() {
        assert!(matches!(from_code(ffi::SQLITE_FULL), OpenError::DiskFull { .. }));
        assert!(matches!(from_code(ffi::SQLITE_READONLY_DIRECTORY), OpenError::NotWritable { .. }));
        assert!(matches!(from_code(ffi::SQLITE_CANTOPEN), OpenError::NotWritable { .. }));
        assert!(matches!(from_code(ffi::SQLITE_BUSY), OpenError::InUse { .. }));
        assert!(matches!(from_code(ffi::SQLITE_CORRUPT), OpenError::Damaged { .. }));
        assert!(matches!(from_code(ffi::SQLITE_NOMEM), OpenError::Sqlite { .. }));
    }

    #[test]
    fn what_the_system_says_becomes_what_an_operator_can_do() {
        let from = |kind| OpenError::from_io(Path::new("s.db"), io::Error::from(kind));
        assert!(matches!(from(io::ErrorKind::StorageFull), OpenError::DiskFull { .. }));
        for kind in [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory] {
            assert!(matches!(from(kind), OpenError::NotWritable { .. }));
        }
    }
}
