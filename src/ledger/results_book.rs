//! The results of a batch as a workbook on disk: written through temporary files beside it, and recognised again
//! by its batch.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::results_file::ResultsFileError;
use super::{BatchInfo, Ledger};
use crate::intake::workbook_batch;
use crate::report::{BookFacts, ResultsBook};

/// Whether a path asks for a workbook.
pub(super) fn is_workbook(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xlsx"))
}

/// Writes the rows as they stand at one moment.
pub(super) fn write(
    ledger: &Ledger,
    info: &BatchInfo,
    path: &Path,
    folder: &Path,
    file: &mut File,
) -> Result<(), ResultsFileError> {
    let fail = |e: io::Error| ResultsFileError::io(path, &e);
    let mut work = || {
        ledger.snapshot(|ledger| {
            let view = ledger.run_view(info.id)?;
            let facts = facts(ledger, info)?;
            let mut book = ResultsBook::new(folder, &info.header, &info.name, view).map_err(fail)?;
            ledger.for_each_row(info.id, |row| book.write(&row).map_err(fail))?;
            let mut out = BufWriter::new(&mut *file);
            book.finish(&facts, &mut out).and_then(|()| out.flush()).map_err(fail)
        })
    };
    // The library gives up on a full disk instead of saying so.
    catch_unwind(AssertUnwindSafe(&mut work)).unwrap_or_else(|_| {
        Err(fail(io::Error::other("a temporary file beside it cannot be written; is the disk full?")))
    })
}

fn facts(ledger: &Ledger, info: &BatchInfo) -> Result<BookFacts, ResultsFileError> {
    let mut about = vec![
        ("batch".to_owned(), info.name.to_string()),
        ("file".to_owned(), info.source.display().to_string()),
        ("SHA-256 of the file".to_owned(), hex::encode(info.file_sha256)),
        ("admitted".to_owned(), info.created_at.rfc3339()),
    ];
    if info.sandbox {
        about.push(("sandbox".to_owned(), "no money was moved".to_owned()));
    }
    if let Some(at) = info.cancelled_at {
        about.push(("cancelled".to_owned(), at.rfc3339()));
    }
    let run = ledger.last_run(info.id)?;
    if let Some(run) = &run {
        about.push(("last command".to_owned(), format!("{}, by {} on {}", run.command, run.user, run.host)));
        about.push(("begun".to_owned(), run.started.wall.rfc3339()));
        if let Some(end) = &run.ended {
            about.push(("ended".to_owned(), format!("{}, exit {}", end.at.rfc3339(), end.exit)));
        }
    }
    Ok(BookFacts { about, settings: run.map(|run| run.settings).unwrap_or_default() })
}

/// The batch that the first row of a workbook names; `None` inside where it is no results workbook, outside where
/// it is no workbook at all.
pub(super) fn batch_of(path: &Path) -> io::Result<Option<Option<String>>> {
    let mut head = [0_u8; 4];
    let mut file = File::open(path)?;
    if file.read(&mut head)? < head.len() || head != *b"PK\x03\x04" {
        return Ok(None);
    }
    Ok(Some(workbook_batch(BufReader::new(File::open(path)?)).unwrap_or_default()))
}
