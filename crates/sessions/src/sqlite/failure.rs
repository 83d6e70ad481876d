//! SQLite's failures in the words of the trait.

use rusqlite::ErrorCode;
use tokio::sync::oneshot;

use crate::StoreError;

/// Why a statement of ours did not do it.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    /// What is stored, or was given, makes no sense; in our words.
    Invalid(String),
}

impl Failure {
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => from_sqlite(&error),
            Failure::Invalid(reason) => StoreError::Invalid { reason },
        }
    }
}

/// SQLite's own texts are left out: they may quote what was stored.
pub(super) fn from_sqlite(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::SqliteFailure(cause, _) => {
            let reason = match cause.code {
                ErrorCode::DiskFull => "the disk is full, or the session file has reached its limit".to_owned(),
                ErrorCode::SystemIoFailure => {
                    format!("the session file cannot be read or written (SQLite code {})", cause.extended_code)
                }
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    "another program holds the session file".to_owned()
                }
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => "the session file is read-only".to_owned(),
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => "the session file is damaged".to_owned(),
                ErrorCode::TooBig | ErrorCode::ConstraintViolation => {
                    return StoreError::Invalid {
                        reason: format!("the session file refused it (SQLite code {})", cause.extended_code),
                    };
                }
                _ => format!("the session file failed (SQLite code {})", cause.extended_code),
            };
            StoreError::Unavailable { reason }
        }
        _ => StoreError::Invalid { reason: "a row of the session file has another form".to_owned() },
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable { reason: "the store is closed".to_owned() }
}

/// What a thread of ours answers; one that is gone answers nothing more.
pub(super) async fn answer<T>(reply: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    reply.await.unwrap_or_else(|_| Err(closed()))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn from_code(code: i32) -> StoreError {
        from_sqlite(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("quotes a learner".to_owned())))
    }

    #[test]
    fn a_store_that_is_away_is_unavailable() {
        let codes =
            [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_BUSY, ffi::SQLITE_READONLY, ffi::SQLITE_CORRUPT];
        for code in codes {
            assert!(matches!(from_code(code), StoreError::Unavailable { .. }), "{code}");
        }
    }

    #[test]
    fn what_can_never_be_kept_is_invalid() {
        for code in [ffi::SQLITE_TOOBIG, ffi::SQLITE_CONSTRAINT_UNIQUE] {
            assert!(matches!(from_code(code), StoreError::Invalid { .. }), "{code}");
        }
    }

    #[test]
    fn sqlites_own_words_are_not_repeated() {
        assert!(!from_code(ffi::SQLITE_ERROR).to_string().contains("learner"));
    }
}
