//! Workbooks (.xlsx, .xls, .ods): one sheet, as the text that a careful reader sees. A number is shown
//! exactly or in E notation, which no phone or amount accepts; nothing is rounded to look right.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader, SheetType, SheetVisible, Xls, Xlsx};
use quick_xml::events::Event;
use zip::ZipArchive;

use super::bytes::{Stream, Tap};
use super::dialect::{self, Found};
use super::{Broken, CELL_BYTES_MAX, Cells, Columns, Fault, LineEnd, Mapping};
use super::{below, hidden, xls};

/// Most bytes of a workbook, packed or unpacked, and of the text of its cells: an archive can unpack to
/// anything.
const BYTES_MAX: usize = 256 << 20;

/// Digits that a spreadsheet keeps of a number; a longer one has lost some.
const EXACT_DIGITS: usize = 15;

/// What a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// A zip archive: .xlsx, .ods.
    Zip,
    /// An OLE container: .xls, or an encrypted workbook.
    Ole,
}

impl Packing {
    /// How a file with these first bytes and this ending is packed, if it is a workbook.
    pub(super) fn of(head: &[u8], ending: Option<&str>) -> Option<Self> {
        let known = ending.is_some_and(|ending| {
            ["xlsx", "xlsm", "xls", "ods"].iter().any(|known| ending.eq_ignore_ascii_case(known))
        });
        match head {
            [b'P', b'K', 3, 4, ..] if known => Some(Self::Zip),
            [0xD0, 0xCF, 0x11, 0xE0, ..] if known => Some(Self::Ole),
            _ => None,
        }
    }
}

/// The filled cells of one sheet, packed close: a sheet's corner may be far from its cells.
pub(super) struct Book {
    text: String,
    /// Column of each filled cell, and where its text ends.
    cells: Vec<(u32, usize)>,
    /// Row of the sheet, from 1, of each filled row, and where its cells end.
    rows: Vec<(u64, usize)>,
    /// Columns of the header.
    width: usize,
    /// Next row to hand out.
    next: usize,
    /// Rows that a person does not see, as the sheet counts.
    hidden: BTreeSet<u64>,
    digest: (u64, [u8; 32]),
}

impl Book {
    /// Reads a sheet: the named one, else the first that is visible.
    pub(super) fn open(
        stream: Stream,
        packing: Packing,
        sheet: Option<&str>,
        map: &Mapping,
    ) -> Result<(Self, Found, String), Fault> {
        let mut tap = Tap::new(stream);
        let mut bytes = Vec::new();
        let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
        tap.by_ref().take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() > BYTES_MAX {
            return Err(too_large());
        }
        let mut book = Self {
            text: String::new(),
            cells: Vec::new(),
            rows: Vec::new(),
            width: 0,
            next: 0,
            hidden: BTreeSet::new(),
            digest: tap.digest(),
        };
        // The reader of old workbooks indexes by what the file says of itself, which a damaged file lies about.
        let read = catch_unwind(AssertUnwindSafe(|| book.read(&bytes, packing, sheet)));
        let picked = read.map_err(|_| damaged("it is damaged"))??;
        let found = book.find_header(&picked, map)?;
        book.refuse_hidden(&picked.name, found.line)?;
        Ok((book, found, picked.name))
    }

    pub(super) fn digest(&self) -> (u64, [u8; 32]) {
        self.digest
    }

    /// Hands out the next filled row.
    pub(super) fn next(&mut self, cells: &mut Cells) -> Option<(u64, Option<Broken>)> {
        let (line, _) = *self.rows.get(self.next)?;
        self.fill(self.next, cells);
        self.next += 1;
        let long = cells.iter().position(|cell| cell.len() > CELL_BYTES_MAX);
        Some((line, long.map(|cell| Broken::CellTooLong(cell + 1))))
    }

    fn fill(&self, row: usize, cells: &mut Cells) {
        cells.clear();
        let end_of = |row: usize| self.rows.get(row).map_or(0, |(_, end)| *end);
        let start = row.checked_sub(1).map_or(0, end_of);
        let mut at = start.checked_sub(1).and_then(|i| self.cells.get(i)).map_or(0, |(_, end)| *end);
        for (column, end) in self.cells.get(start..end_of(row)).unwrap_or_default() {
            let column = usize::try_from(*column).unwrap_or(usize::MAX);
            while cells.len() < column {
                cells.push("");
            }
            cells.push(self.text.get(at..*end).unwrap_or_default());
            at = *end;
        }
        while cells.len() < self.width {
            cells.push("");
        }
    }

    /// Filled rows that nobody sees would be sent unseen.
    fn refuse_hidden(&self, sheet: &str, header: u64) -> Result<(), Fault> {
        let filled = self.rows.iter().map(|(line, _)| *line);
        let mut unseen = filled.filter(|line| *line > header && self.hidden.contains(line));
        let Some(first) = unseen.next() else { return Ok(()) };
        let rows = 1 + unseen.count();
        let words = if rows == 1 { "row is" } else { "rows are" };
        Err(Fault::HiddenRows { sheet: sheet.to_owned(), rows, words, first })
    }

    fn find_header(&mut self, picked: &Picked, map: &Mapping) -> Result<Found, Fault> {
        let mut cells = Cells::default();
        while let Some((line, _)) = self.next(&mut cells) {
            if cells.is_blank() {
                continue;
            }
            let header: Vec<String> = cells.iter().map(str::to_owned).collect();
            self.width = header.len();
            let columns = Columns::find(&header, line, map)?;
            let (delimiter, line_end) = (',', LineEnd::CrLf);
            let found = Found { delimiter, line_end, header, line, columns, skip: 0 };
            return match dialect::with_phone_column(found) {
                Err(Fault::NoPhoneColumn { .. }) if self.title_below(map).is_some() => {
                    let (below, title) = self.title_below(map).unwrap_or_default();
                    Err(Fault::HeaderBelow { line, below, title })
                }
                other => other,
            };
        }
        Err(picked.is_empty())
    }

    /// Line and phone title of a row further down that can be the header.
    fn title_below(&self, map: &Mapping) -> Option<(u64, String)> {
        let mut cells = Cells::default();
        (self.next..self.rows.len().min(self.next + below::RECORDS_MAX)).find_map(|row| {
            self.fill(row, &mut cells);
            let title = below::phone_title(&cells, map)?;
            self.rows.get(row).map(|(line, _)| (*line, title))
        })
    }

    /// Adds a filled cell; cells come row by row, left to right.
    fn add(&mut self, row: u32, column: u32, text: &str) -> Result<(), Fault> {
        if text.is_empty() {
            return Ok(());
        }
        if self.text.len() + text.len() > BYTES_MAX {
            return Err(too_large());
        }
        self.text.push_str(text);
        self.cells.push((column, self.text.len()));
        let line = u64::from(row) + 1;
        match self.rows.last_mut() {
            Some((last, end)) if *last == line => *end = self.cells.len(),
            Some((last, _)) if *last > line => return Err(damaged("its rows are out of order")),
            Some(_) | None => self.rows.push((line, self.cells.len())),
        }
        Ok(())
    }

    fn read(&mut self, bytes: &[u8], packing: Packing, sheet: Option<&str>) -> Result<Picked, Fault> {
        match packing {
            Packing::Ole => self.read_xls(bytes, sheet),
            Packing::Zip => match open_document(bytes)? {
                true => self.read_ods(bytes, sheet),
                false => self.read_xlsx(bytes, sheet),
            },
        }
    }

    fn read_xlsx(&mut self, bytes: &[u8], sheet: Option<&str>) -> Result<Picked, Fault> {
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| damaged(&e.to_string()))?;
        let picked = pick_sheet(book.sheets_metadata(), sheet)?;
        self.hidden = hidden::of_xlsx(bytes, &picked.name).ok_or_else(unseen)?;
        let mut reader = book.worksheet_cells_reader(&picked.name).map_err(|e| damaged(&e.to_string()))?;
        let mut last = None;
        while let Some(cell) = reader.next_cell().map_err(|e| damaged(&e.to_string()))? {
            let at = cell.get_position();
            if last.is_some_and(|last| last >= at) {
                return Err(damaged("its cells are out of order"));
            }
            last = Some(at);
            match cell.get_value() {
                DataRef::SharedString(text) => self.add(at.0, at.1, text)?,
                DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
                    self.add(at.0, at.1, text)?;
                }
                DataRef::Int(value) => self.add(at.0, at.1, &value.to_string())?,
                DataRef::Float(value) => self.add(at.0, at.1, &number_text(*value))?,
                DataRef::Bool(value) => self.add(at.0, at.1, bool_text(*value))?,
                DataRef::DateTime(value) => self.add(at.0, at.1, &date_text(value))?,
                DataRef::Error(error) => self.add(at.0, at.1, &error.to_string())?,
                DataRef::Empty => {}
            }
        }
        Ok(picked)
    }

    fn read_xls(&mut self, bytes: &[u8], sheet: Option<&str>) -> Result<Picked, Fault> {
        if xls::is_protected(bytes) {
            return Err(damaged("password"));
        }
        let sheets =
            xls::sheets_of(bytes).ok_or_else(|| damaged("it is damaged, or no workbook of this kind"))?;
        if sheets.iter().any(|sheet| !sheet.fits()) {
            return Err(damaged("it is damaged, or its cells stand too far apart"));
        }
        let mut book: Xls<_> = Xls::new(Cursor::new(bytes)).map_err(|e| damaged(&e.to_string()))?;
        let picked = pick_sheet(book.sheets_metadata(), sheet)?;
        self.hidden = sheets.into_iter().nth(picked.place).ok_or_else(unseen)?.hidden;
        let range = book.worksheet_range(&picked.name).map_err(|e| damaged(&e.to_string()))?;
        self.add_range(&range)?;
        Ok(picked)
    }

    fn read_ods(&mut self, bytes: &[u8], sheet: Option<&str>) -> Result<Picked, Fault> {
        let mut book: Ods<_> = Ods::new(Cursor::new(bytes)).map_err(|e| damaged(&e.to_string()))?;
        let picked = pick_sheet(book.sheets_metadata(), sheet)?;
        self.hidden = hidden::of_ods(bytes, &picked.name).ok_or_else(unseen)?;
        let range = book.worksheet_range(&picked.name).map_err(|e| damaged(&e.to_string()))?;
        self.add_range(&range)?;
        Ok(picked)
    }

    fn add_range(&mut self, range: &calamine::Range<Data>) -> Result<(), Fault> {
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, value) in range.used_cells() {
            let row = u32::try_from(row).unwrap_or(u32::MAX).saturating_add(top);
            let column = u32::try_from(column).unwrap_or(u32::MAX).saturating_add(left);
            match value {
                Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => {
                    self.add(row, column, text)?;
                }
                Data::Int(value) => self.add(row, column, &value.to_string())?,
                Data::Float(value) => self.add(row, column, &number_text(*value))?,
                Data::Bool(value) => self.add(row, column, bool_text(*value))?,
                Data::DateTime(value) => self.add(row, column, &date_text(value))?,
                Data::Error(error) => self.add(row, column, &error.to_string())?,
                Data::Empty => {}
            }
        }
        Ok(())
    }
}

fn too_large() -> Fault {
    Fault::Workbook(format!(
        "the workbook is larger than {} MiB unpacked; save the sheet as \"CSV UTF-8\"",
        BYTES_MAX >> 20
    ))
}

fn damaged(what: &str) -> Fault {
    let what = what.to_lowercase();
    if what.contains("password") {
        return Fault::Workbook("the workbook is protected by a password; save it without one".to_owned());
    }
    Fault::Workbook(format!("the workbook cannot be read ({what}); open it and save it again"))
}

/// Unpacks every part once to see how large it is: what an archive says of itself proves nothing. Tells
/// whether it is an OpenDocument, and if so that its content is whole: its reader would wait for ever for the
/// end of a table that never comes.
fn open_document(bytes: &[u8]) -> Result<bool, Fault> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(&e.to_string()))?;
    let content = archive.index_for_name("content.xml");
    let mut left = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|e| damaged(&e.to_string()))?;
        let mut part = part.take(left + 1);
        if content == Some(index) {
            check_elements(std::io::BufReader::new(&mut part))?;
        }
        std::io::copy(&mut part, &mut std::io::sink()).map_err(|e| damaged(&e.to_string()))?;
        left = part.limit().checked_sub(1).ok_or_else(too_large)?;
    }
    Ok(content.is_some())
}

/// Every element that opens is closed.
fn check_elements(text: impl std::io::BufRead) -> Result<(), Fault> {
    let mut reader = quick_xml::Reader::from_reader(text);
    let (mut buffer, mut open) = (Vec::new(), 0u64);
    loop {
        let event = reader.read_event_into(&mut buffer).map_err(|e| damaged(&e.to_string()))?;
        if matches!(event, Event::Start(_)) {
            open += 1;
        } else if matches!(event, Event::End(_)) {
            open = open.saturating_sub(1);
        } else if matches!(event, Event::Eof) {
            return if open == 0 { Ok(()) } else { Err(damaged("its content is cut off")) };
        }
        buffer.clear();
    }
}

/// The sheet that is read.
struct Picked {
    name: String,
    /// Among all sheets of the workbook, from 0.
    place: usize,
    /// The others, for a message.
    others: Vec<String>,
}

impl Picked {
    /// The refusal of a sheet without any cell.
    fn is_empty(&self) -> Fault {
        if self.others.is_empty() {
            return Fault::Empty;
        }
        let (name, others) = (&self.name, self.others.join(", "));
        Fault::Workbook(format!(
            "the sheet {name:?} is empty; the workbook also has {others}: say which one is meant with --sheet NAME"
        ))
    }
}

/// The named sheet, else the first that a person sees.
fn pick_sheet(sheets: &[calamine::Sheet], named: Option<&str>) -> Result<Picked, Fault> {
    let tables = || sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let picked = match named {
        Some(name) => tables().find(|sheet| sheet.name == name),
        None => tables().find(|sheet| sheet.visible == SheetVisible::Visible),
    };
    let names = |but: Option<&str>| {
        let others = tables().filter(|sheet| Some(sheet.name.as_str()) != but);
        others.map(|sheet| format!("{:?}", sheet.name)).collect::<Vec<_>>()
    };
    match (picked, named) {
        (Some(sheet), _) => {
            let place = sheets.iter().position(|other| other.name == sheet.name).unwrap_or(0);
            Ok(Picked { name: sheet.name.clone(), place, others: names(Some(&sheet.name)) })
        }
        (None, Some(_)) => {
            Err(Fault::Workbook(format!("the workbook has no such sheet; it has {}", names(None).join(", "))))
        }
        (None, None) => Err(Fault::Workbook(format!(
            "all sheets of the workbook are hidden ({}); say which one is meant with --sheet NAME",
            names(None).join(", ")
        ))),
    }
}

fn unseen() -> Fault {
    damaged("it cannot be told which of its rows are hidden")
}

/// A number as a spreadsheet keeps it: exact where it has at most 15 digits, else in E notation, because the
/// digits after those are not what was typed.
fn number_text(value: f64) -> String {
    let plain = value.to_string();
    let whole = plain.trim_start_matches('-').split('.').next().unwrap_or_default().len();
    if whole <= EXACT_DIGITS && value.is_finite() { plain } else { format!("{value:E}") }
}

fn bool_text(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

/// ISO 8601; the time only where there is one.
fn date_text(value: &ExcelDateTime) -> String {
    if value.is_duration() {
        return number_text(value.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = value.to_ymd_hms_milli();
    if (hour, minute, second) == (0, 0, 0) {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_in_e_notation() {
        for (value, text) in [
            (84_912_345_678.0, "84912345678"),
            (912_345_678.0, "912345678"),
            (20_000.0, "20000"),
            (46.5, "46.5"),
            (0.1, "0.1"),
            (-5.0, "-5"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e15, "1E15"),
            (8.491_234_567_8e20, "8.4912345678E20"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number_text(value), text);
        }
    }
}
