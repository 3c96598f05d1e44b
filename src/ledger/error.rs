//! What can go wrong with a ledger: which file, why, and what to do.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::domain::RowNumber;

/// A ledger that cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A reader found no file.
    #[error("there is no ledger at {}: nothing was ever run with it; check `ledger` or --ledger", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a ledger ({why}); it was left untouched: name another file as `ledger`", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// Written by an earlier version.
    #[error(
        "the ledger {} has schema {found}, this program uses {known} only; it was left untouched: finish its batches with the program that wrote it, and name a new file as `ledger` for new ones",
        .path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one this program uses.
        known: i64,
    },
    /// Written by a later version.
    #[error(
        "the ledger {} has schema {found}, this program uses {known} only; it was left untouched: use the newer program",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one this program uses.
        known: i64,
    },
    /// Pages or records that cannot be.
    #[error(
        "the ledger {} is damaged: {why}; submit nothing with it, keep a copy, and restore it from a backup or rebuild the batch with `retry RESULTS`",
        .path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        why: String,
    },
    /// ENOSPC, or a quota.
    #[error("no space left for the ledger {}: free some, then run the same command again", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file, its folder or the connection is read-only.
    #[error("the ledger {} cannot be written: it or its folder is read-only", .path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("the ledger {} cannot be used: {why}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The private temporary database beside it failed.
    #[error(
        "a temporary file in {} cannot be used: {why}; free some space there, or name another folder as TMPDIR. Nothing was changed",
        .folder.display()
    )]
    Scratch {
        /// Where temporary files go.
        folder: PathBuf,
        /// The system's words.
        why: String,
    },
    /// Another process kept it longer than we wait.
    #[error("the ledger {} is busy: another process is writing it; try again", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file has two names (a hard link): its log would not be found under the other.
    #[error("the ledger {} has a second name (a hard link), which can lose records: remove one", .path.display())]
    SecondName {
        /// The file.
        path: PathBuf,
    },
    /// A batch of this name is there already.
    #[error("the ledger already holds the batch {name}")]
    BatchExists {
        /// Its name.
        name: String,
    },
    /// A row that the ledger does not hold.
    #[error("the ledger holds no row {row} of this batch")]
    NoSuchRow {
        /// The row.
        row: RowNumber,
    },
    /// An intent for a row that must not be sent: not ready, or its batch was cancelled.
    #[error("row {row} is not to be sent: the ledger has it under way, final or cancelled")]
    NotReady {
        /// The row.
        row: RowNumber,
    },
    /// Another process appended to the ledger that this one holds: what is known of its rows is not true any more.
    #[error(
        "another process wrote to {} while this one was sending from it, and nothing more was sent; was its .lock file deleted? See that no other run is on, then run the same command again",
        .path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
    },
    /// An event that contradicts what the ledger holds of the row: a fault of the program.
    #[error("row {row}: the ledger refuses an event: {why}")]
    Illegal {
        /// The row.
        row: RowNumber,
        /// Why.
        why: String,
    },
    /// A cell that cannot be stored.
    #[error("row {row} has a NUL character in a cell")]
    NulCell {
        /// The row.
        row: RowNumber,
    },
    /// More rows than a batch can hold.
    #[error("a batch holds at most 4294967295 rows")]
    TooManyRows,
    /// Amounts beyond an exact decimal.
    #[error(transparent)]
    SumTooLarge(#[from] crate::report::SumTooLarge),
    /// The writing thread is gone.
    #[error("the ledger's writer has stopped")]
    Stopped,
}

impl LedgerError {
    /// A failure of SQLite, told apart by what a person has to do about it.
    pub(super) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let code = error.sqlite_error_code();
        let is = |wanted: ErrorCode| code == Some(wanted);
        if is(ErrorCode::DiskFull) {
            Self::Full { path }
        } else if is(ErrorCode::ReadOnly) || is(ErrorCode::PermissionDenied) {
            Self::ReadOnly { path }
        } else if is(ErrorCode::DatabaseCorrupt) || is(ErrorCode::NotADatabase) {
            Self::Corrupt { path, why: error.to_string() }
        } else if is(ErrorCode::DatabaseBusy) || is(ErrorCode::DatabaseLocked) {
            Self::Busy { path }
        } else {
            Self::Io { path, why: error.to_string() }
        }
    }

    /// A failure of the file system.
    pub(super) fn of_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => Self::Full { path },
            Some(rustix::io::Errno::ROFS) => Self::ReadOnly { path },
            _ => Self::Io { path, why: error.to_string() },
        }
    }

    /// A record that does not read.
    pub(super) fn damaged(path: &Path, why: impl std::fmt::Display) -> Self {
        Self::Corrupt { path: path.to_owned(), why: why.to_string() }
    }
}

/// Why this process may not submit from the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Another process does (exit code 6).
    #[error(
        "another process{} is submitting from the ledger {}; wait for it, or use `status` beside it",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), .ledger.display()
    )]
    Held {
        /// Canonical path of the ledger.
        ledger: PathBuf,
        /// The other process, where it says so.
        pid: Option<u32>,
    },
    /// The lock file cannot be made.
    #[error("the lock file {} cannot be used: {why}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}
