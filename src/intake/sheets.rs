//! Which sheet of a workbook is meant, by what stands in its first row; and whose results a workbook holds.

use std::io::{Cursor, Read};

use calamine::{Data, DataRef, Reader, Xlsx};
use zip::ZipArchive;

use super::dialect::{self, Found};
use super::source::Mode;
use super::workbook::{BYTES_MAX, Picked, damaged, pick_sheet, too_large};
use super::{Fault, LineEnd, TopupColumn};

/// A name that our own workbooks define: their cells need no `'` before what looks like a formula, and have none.
pub const PLAIN_MARK: &str = "bulk_topup_results";

/// The sheet to read: the named one; of one of our results workbooks the one with our columns, wherever it
/// stands; else the first that is visible.
pub(super) fn choose_sheet<'b, B: Reader<Cursor<&'b [u8]>>>(
    book: &mut B,
    named: Option<&str>,
    mode: Mode<'_>,
    header: fn(&mut B, &str) -> Vec<String>,
) -> Result<Picked, Fault> {
    let picked = pick_sheet(book.sheets_metadata(), named)?;
    if named.is_some() || book.sheets_metadata().len() < 2 {
        return Ok(picked);
    }
    let ours = |book: &mut B, name: &str| dialect::is_ours(&header(book, name)).is_some();
    if matches!(mode, Mode::Results) {
        let names: Vec<String> = book.sheets_metadata().iter().map(|sheet| sheet.name.clone()).collect();
        let all: Vec<String> =
            names.into_iter().filter(|name| ours(book, name)).map(|name| format!("{name:?}")).collect();
        // A person may have deleted or corrected lines in a copy.
        if all.len() > 1 {
            return Err(Fault::Workbook(format!(
                "several sheets hold results ({}); say which one is meant with --sheet NAME",
                all.join(", ")
            )));
        }
    }
    let first = header(book, &picked.name);
    let serves = match mode {
        Mode::Results => dialect::is_ours(&first).is_some(),
        // Our own workbook begins with a summary: told as what it is, not for what that sheet lacks.
        Mode::Input | Mode::Statement(_) => Found::at(1, ',', LineEnd::CrLf)
            .take_header(first, &[], mode)
            .is_ok_and(|found| found.key.is_some()),
    };
    if serves {
        return Ok(picked);
    }
    let names: Vec<String> = book.sheets_metadata().iter().map(|sheet| sheet.name.clone()).collect();
    match names.into_iter().find(|name| ours(book, name)) {
        Some(name) => pick_sheet(book.sheets_metadata(), Some(&name)),
        None => Ok(picked),
    }
}

/// The first filled row of a sheet, as far as it can be read.
pub(super) fn xlsx_header<R: Read + std::io::Seek>(book: &mut Xlsx<R>, name: &str) -> Vec<String> {
    let Ok(mut reader) = book.worksheet_cells_reader(name) else { return Vec::new() };
    let (mut cells, mut row) = (Vec::new(), None);
    while let Ok(Some(cell)) = reader.next_cell() {
        if *cell.get_value() == DataRef::Empty {
            continue;
        }
        let text = plain_text(cell.get_value()).to_owned();
        if row.is_some_and(|row| row != cell.get_position().0) {
            break;
        }
        row = Some(cell.get_position().0);
        cells.push(text);
    }
    cells
}

/// The text of a text cell; of any other, none.
fn plain_text<'a>(value: &'a DataRef<'_>) -> &'a str {
    if let DataRef::SharedString(text) = value {
        text
    } else if let DataRef::String(text) = value {
        text
    } else {
        ""
    }
}

pub(super) fn range_header<'b, B: Reader<Cursor<&'b [u8]>>>(book: &mut B, name: &str) -> Vec<String> {
    let Ok(range) = book.worksheet_range(name) else { return Vec::new() };
    let filled = |row: &&[Data]| row.iter().any(|cell| *cell != Data::Empty);
    range.rows().find(filled).map(|row| row.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

/// Whether this is a workbook of ours, whose cells stand as they are.
pub(super) fn is_marked<RS: Read + std::io::Seek, B: Reader<RS>>(book: &B) -> bool {
    book.defined_names().iter().any(|(name, _)| name.eq_ignore_ascii_case(PLAIN_MARK))
}

/// The batch that the first row of a results workbook names. Only the beginning of its sheets is read; the tables
/// that have to be read whole are bounded.
///
/// # Errors
/// [`Fault`] for what is no workbook; `None` for one that holds no results.
pub fn workbook_batch(file: impl Read + std::io::Seek) -> Result<Option<String>, Fault> {
    let mut file = file;
    let shared = {
        let mut archive = ZipArchive::new(&mut file).map_err(|e| damaged(&e.to_string()))?;
        let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
        match archive.by_name("xl/sharedStrings.xml") {
            Ok(part) => std::io::copy(&mut part.take(limit + 1), &mut std::io::sink())? > limit,
            Err(_) => false,
        }
    };
    if shared {
        return Err(too_large());
    }
    let mut book: Xlsx<_> = Xlsx::new(file).map_err(|e| damaged(&e.to_string()))?;
    let names: Vec<String> = book.sheets_metadata().iter().map(|sheet| sheet.name.clone()).collect();
    for name in names {
        let Ok(mut reader) = book.worksheet_cells_reader(&name) else { continue };
        let (mut header, mut column) = (None, None);
        while let Ok(Some(cell)) = reader.next_cell() {
            let (row, at) = cell.get_position();
            let text = plain_text(cell.get_value());
            if *header.get_or_insert(row) == row {
                if TopupColumn::of(text) == Some(TopupColumn::Batch) {
                    column = Some(at);
                }
            } else if column.is_none() || header.is_some_and(|header| row > header + 1) {
                break;
            } else if column == Some(at) && !text.is_empty() {
                return Ok(Some(text.to_owned()));
            }
        }
    }
    Ok(None)
}
