//! The report page on disk: for the user alone, written beside itself, synced and renamed, never over a file that
//! is no report of this very batch.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::is_ledger_file;
use super::results_file::{folder, target};
use crate::domain::BatchName;
use crate::report::report_mark;

/// Why there is no new page. Whatever stood at the path stands there still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportFileError {
    /// The file there is no report of this batch.
    #[error("{} exists and is no report of {batch}; move it, or name another file with -o", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The batch.
        batch: BatchName,
    },
    /// The ledger's own file.
    #[error("{} belongs to the ledger; name another file with -o", .path.display())]
    OfLedger {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be used.
    #[error("the report {} cannot be written: {why}; name another file with -o", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
}

impl ReportFileError {
    fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io { path: path.to_owned(), why: error.to_string() }
    }
}

/// Whether the report of `batch` may be written to `path`: nothing stands there, or an earlier report of this batch
/// does, its folder is there, and it is no file of this ledger.
///
/// # Errors
/// [`ReportFileError`].
pub fn report_path_is_ours(ledger: &Path, path: &Path, batch: &BatchName) -> Result<(), ReportFileError> {
    check(ledger, &place(path)?, batch).map(drop)
}

/// Writes a page that [`crate::report::render`] made about this batch (0600), syncs it and renames it. A reader sees
/// the old page or the new one, whole.
///
/// # Errors
/// [`ReportFileError`].
pub fn write_report_file(
    ledger: &Path,
    path: &Path,
    batch: &BatchName,
    page: &str,
) -> Result<(), ReportFileError> {
    let path = place(path)?;
    let fail = |e: io::Error| ReportFileError::io(&path, &e);
    let folder = folder(&path);
    check(ledger, &path, batch)?;
    let temporary = tempfile::Builder::new().prefix(".report-").suffix(".tmp").tempfile_in(&folder);
    let mut temporary = temporary.map_err(fail)?;
    temporary.write_all(page.as_bytes()).map_err(fail)?;
    temporary.as_file().sync_all().map_err(fail)?;
    let there = check(ledger, &path, batch)?;
    let renamed = if there { temporary.persist(&path) } else { temporary.persist_noclobber(&path) };
    renamed.map_err(|e| fail(e.error))?;
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

fn place(path: &Path) -> Result<PathBuf, ReportFileError> {
    target(path).map_err(|error| {
        let why = match error {
            super::ResultsFileError::Io { why, .. } => why,
            other @ (super::ResultsFileError::Foreign { .. }
            | super::ResultsFileError::OfLedger { .. }
            | super::ResultsFileError::TooLarge { .. }
            | super::ResultsFileError::Ledger(_)) => other.to_string(),
        };
        ReportFileError::Io { path: path.to_owned(), why }
    })
}

/// Whether a file stands there; an error when it is no report of this batch.
fn check(ledger: &Path, path: &Path, batch: &BatchName) -> Result<bool, ReportFileError> {
    if is_ledger_file(ledger, path) {
        return Err(ReportFileError::OfLedger { path: path.to_owned() });
    }
    let foreign = || ReportFileError::Foreign { path: path.to_owned(), batch: batch.clone() };
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err(foreign()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(ReportFileError::io(path, &e)),
    }
    let head = report_mark(batch.as_str());
    let mut found = Vec::with_capacity(head.len());
    let file = File::open(path).map_err(|e| ReportFileError::io(path, &e))?;
    let most = u64::try_from(head.len()).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut found).map_err(|e| ReportFileError::io(path, &e))?;
    if found == head.as_bytes() { Ok(true) } else { Err(foreign()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_report_of_this_very_batch_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let ledger = folder.path().join("ledger.db");
        let batch = BatchName::parse("pay-0a1b2c3d").unwrap();
        let page = format!("{}\nfirst", report_mark(batch.as_str()));
        write_report_file(&ledger, &path, &batch, &page).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        write_report_file(&ledger, &path, &batch, &format!("{page} and second")).unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("second"));
        let other = BatchName::parse("pay-0a1b2c3e").unwrap();
        let longer = BatchName::parse("my-pay-0a1b2c3d").unwrap();
        for batch in [&other, &longer] {
            let refused = write_report_file(&ledger, &path, batch, "x").unwrap_err();
            assert!(matches!(refused, ReportFileError::Foreign { .. }), "{refused}");
        }
        for text in ["", "my list of payments", "<!doctype html>"] {
            fs::write(&path, text).unwrap();
            assert!(report_path_is_ours(&ledger, &path, &batch).is_err());
            assert!(write_report_file(&ledger, &path, &batch, &page).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let nowhere = folder.path().join("none/report.html");
        assert!(matches!(
            write_report_file(&ledger, &nowhere, &batch, &page),
            Err(ReportFileError::Io { .. })
        ));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
