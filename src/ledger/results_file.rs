//! The results file on disk: written beside itself, synced and renamed, never over a file that is not this
//! batch's results.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::{BatchId, BatchInfo, Ledger, LedgerError, is_ledger_file, results_book};
use crate::domain::{BatchName, restore};
use crate::report::{BOOK_COLUMNS_MAX, BOOK_ROWS_MAX, RESULT_COLUMNS, ResultsWriter};

/// How much of an existing file is read to tell whose it is: a header and one row, with cells far longer than
/// any we admit.
const HEAD_BYTES_MAX: u64 = 16 << 20;

/// What is read of it first: enough for nearly every file.
const FIRST_BYTES: u64 = 64 << 10;

/// Why there is no new results file. Whatever stood at the path stands there still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResultsFileError {
    /// The file there is not this batch's results.
    #[error("{} exists and does not hold the results of {batch}; move it, or name another file with -o", .path.display())]
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
    /// More rows or columns than a workbook's sheet holds.
    #[error(
        "{} cannot hold {rows} rows of {columns} columns: a sheet ends at {BOOK_ROWS_MAX} rows and {BOOK_COLUMNS_MAX} columns; name a .csv file",
        .path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Rows of the batch.
        rows: u64,
        /// Columns of its results.
        columns: usize,
    },
    /// The file or its folder cannot be used.
    #[error("the results file {} cannot be written: {why}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The rows cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl ResultsFileError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io { path: path.to_owned(), why: error.to_string() }
    }
}

/// Whether the results of `batch` may be written to `path`: nothing stands there, or this batch's results do
/// (the first row says so), its folder is there, and it is no file of this ledger.
///
/// # Errors
/// [`ResultsFileError::Foreign`]; [`ResultsFileError::OfLedger`]; [`ResultsFileError::Io`] when file or folder cannot
/// be read.
pub fn results_path_is_ours(ledger: &Path, path: &Path, batch: &BatchName) -> Result<(), ResultsFileError> {
    let path = target(path)?;
    check(ledger, &path, batch).map(|_| ())
}

/// Whether the results of so many rows, of an input with so many columns, fit the kind of file that `path` asks
/// for: `.xlsx` is a workbook, every other ending CSV.
///
/// # Errors
/// [`ResultsFileError::TooLarge`].
pub fn results_fit(path: &Path, rows: u64, columns: usize) -> Result<(), ResultsFileError> {
    let columns = columns.saturating_add(RESULT_COLUMNS.len());
    if results_book::is_workbook(path) && (rows > BOOK_ROWS_MAX || columns > BOOK_COLUMNS_MAX) {
        return Err(ResultsFileError::TooLarge { path: path.to_owned(), rows, columns });
    }
    Ok(())
}

/// Writes the results of a batch, as they stand at one moment, to a temporary file in the same folder (0600),
/// syncs it and renames it: a workbook if the path ends in `.xlsx`, else CSV. A reader sees the old file or the new one, whole.
///
/// # Errors
/// [`ResultsFileError`].
pub fn write_results_file(ledger: &Ledger, batch: BatchId, path: &Path) -> Result<(), ResultsFileError> {
    let path = target(path)?;
    let fail = |e: io::Error| ResultsFileError::io(&path, &e);
    let folder = folder(&path);
    let info = ledger.batch(batch)?;
    results_fit(&path, info.rows, info.header.len())?;
    check(ledger.path(), &path, &info.name)?;
    let temporary = tempfile::Builder::new().prefix(".results-").suffix(".tmp").tempfile_in(&folder);
    let mut temporary = temporary.map_err(fail)?;
    if results_book::is_workbook(&path) {
        results_book::write(ledger, &info, &path, &folder, temporary.as_file_mut())?;
    } else {
        write_csv(ledger, &info, &path, temporary.as_file_mut())?;
    }
    temporary.as_file().sync_all().map_err(fail)?;
    // Looked at again: the rows may have taken minutes.
    let there = check(ledger.path(), &path, &info.name)?;
    let renamed = if there { temporary.persist(&path) } else { temporary.persist_noclobber(&path) };
    renamed.map_err(|e| fail(e.error))?;
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

fn write_csv(
    ledger: &Ledger,
    info: &BatchInfo,
    path: &Path,
    file: &mut File,
) -> Result<(), ResultsFileError> {
    let fail = |e: io::Error| ResultsFileError::io(path, &e);
    ledger.snapshot(|ledger| {
        let out = BufWriter::new(file);
        let view = ledger.run_view(info.id)?;
        let mut writer =
            ResultsWriter::new(out, info.dialect, &info.header, &info.name, view).map_err(fail)?;
        ledger.stream_rows(info.id, |cells, row| writer.write_words(cells, row).map_err(fail))?;
        writer.finish().and_then(|mut out| out.flush()).map_err(fail)
    })
}

/// Where a path leads: a symbolic link is written through, not replaced.
pub(super) fn target(path: &Path) -> Result<PathBuf, ResultsFileError> {
    match fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let folder = fs::metadata(folder(path)).map_err(|e| ResultsFileError::io(path, &e))?;
            let dangling = fs::symlink_metadata(path).is_ok();
            if dangling || !folder.is_dir() {
                let why = if dangling { "it is a link to nothing" } else { "its folder is none" };
                return Err(ResultsFileError::Io { path: path.to_owned(), why: why.to_owned() });
            }
            Ok(path.to_owned())
        }
        Err(e) => Err(ResultsFileError::io(path, &e)),
    }
}

pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a file stands there; an error when it is not this batch's results.
fn check(ledger: &Path, path: &Path, batch: &BatchName) -> Result<bool, ResultsFileError> {
    if is_ledger_file(ledger, path) {
        return Err(ResultsFileError::OfLedger { path: path.to_owned() });
    }
    let foreign = || ResultsFileError::Foreign { path: path.to_owned(), batch: batch.clone() };
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err(foreign()),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(ResultsFileError::io(path, &e)),
    }
    let io = |e: io::Error| ResultsFileError::io(path, &e);
    let named = match results_book::batch_of(path).map_err(io)? {
        Some(named) => Ok(named),
        None => batch_of(BufReader::new(File::open(path).map_err(io)?)),
    };
    match named {
        Ok(Some(name)) if name == batch.as_str() => Ok(true),
        Ok(_) => Err(foreign()),
        Err(e) => Err(io(e)),
    }
}

/// The batch that the first row of a results file names.
fn batch_of(mut file: impl BufRead) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    for bytes_max in [FIRST_BYTES, HEAD_BYTES_MAX] {
        let held = u64::try_from(head.len()).unwrap_or(u64::MAX);
        file.by_ref().take(bytes_max.saturating_sub(held)).read_to_end(&mut head)?;
        let whole = u64::try_from(head.len()).unwrap_or(u64::MAX) < bytes_max || bytes_max == HEAD_BYTES_MAX;
        if let Some(named) = named_in(&head, whole) {
            return Ok(named);
        }
    }
    Ok(None)
}

/// What the first row names; the outer none: the row may go on behind this piece of the file.
fn named_in(head: &[u8], whole: bool) -> Option<Option<String>> {
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    let Some(delimiter) = delimiter_of(text) else { return whole.then_some(None) };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(text);
    let mut records = reader.byte_records();
    let (header, row, behind) = (records.next(), records.next(), records.next());
    if behind.is_none() && !whole {
        return None;
    }
    let (Some(Ok(header)), Some(Ok(row))) = (header, row) else { return Some(None) };
    let Some(column) = header.iter().position(|cell| cell == COLUMN) else { return Some(None) };
    let cell = row.get(column).and_then(|cell| std::str::from_utf8(cell).ok());
    Some(cell.map(|cell| restore(cell).to_owned()))
}

const COLUMN: &[u8] = b"topup_batch";

/// What stands between our column and its neighbour, whatever the file was saved with since.
fn delimiter_of(text: &[u8]) -> Option<u8> {
    let start = text.windows(COLUMN.len()).position(|window| window == COLUMN)?;
    let (before, rest) = text.split_at_checked(start)?;
    let after = rest.get(COLUMN.len()..)?;
    let is_delimiter = |byte: &&u8| !matches!(**byte, b'\r' | b'\n' | b'"');
    let next = after.strip_prefix(b"\"").unwrap_or(after).first().filter(is_delimiter);
    let previous = || before.strip_suffix(b"\"").unwrap_or(before).last().filter(is_delimiter);
    next.or_else(previous).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_is_found_whatever_the_file_was_saved_with() {
        for text in [
            "phone,topup_batch,topup_row\n09,pay-0a1b2c3d,1\n",
            "\u{feff}phone;topup_batch;topup_row\r\n09;pay-0a1b2c3d;1\r\n",
            "\"phone\"\t\"topup_batch\"\n\"09\"\t\"pay-0a1b2c3d\"\n",
            "topup_row|topup_batch\n1|pay-0a1b2c3d",
        ] {
            let found = batch_of(text.as_bytes()).unwrap();
            assert_eq!(found.as_deref(), Some("pay-0a1b2c3d"), "{text:?}");
        }
        for text in
            ["", "phone,amount\n09,1\n", "phone,topup_batch,topup_row\n", "topup_batch", "\u{0}\u{1}PK"]
        {
            assert_eq!(batch_of(text.as_bytes()).unwrap(), None, "{text:?}");
        }
    }

    #[test]
    fn the_batch_is_found_in_a_row_of_any_length_we_admit() {
        for length in [0, 1, 65_480, 65_500, 65_510, 65_536, 70_000, 1 << 20] {
            let (cell, rows) = ("x".repeat(length), "09,other-0a1b2c3d,2\n".repeat(length % 7 * 2_000));
            for text in [
                format!("note,topup_batch,topup_row\n\"{cell}\n\",pay-0a1b2c3d,1\n{rows}"),
                format!("{cell},topup_batch,topup_row\n09,pay-0a1b2c3d,1\n{rows}"),
            ] {
                assert_eq!(batch_of(text.as_bytes()).unwrap().as_deref(), Some("pay-0a1b2c3d"), "{length}");
            }
        }
    }
}
