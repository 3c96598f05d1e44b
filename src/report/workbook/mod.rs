//! Results as a workbook: summary, results, what needs somebody, repairs, settings. Rows stream through to temporary
//! files in the folder that is named, so memory does not grow with them; nothing of a user's is ever a formula.

mod style;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Seek, Write};
use std::path::Path;

use rust_decimal::Decimal;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use self::style::Style;
use super::effective::{Effective, RunView, effective};
use super::results::{RESULT_COLUMNS, result_cells};
use super::totals::{Counts, Totals};
use crate::domain::{BatchName, Currency, Next, Reason, Status};
use crate::intake::PLAIN_MARK;
use crate::lifecycle::StoredRow;

/// Rows of a sheet below its header.
pub const BOOK_ROWS_MAX: u64 = 1_048_575;

/// Columns of a sheet.
pub const BOOK_COLUMNS_MAX: usize = 16_384;

/// UTF-16 units that a cell holds.
const CELL_UNITS_MAX: usize = 32_767;

/// Bytes of a sheet that a plain archive surely holds.
const PLAIN_BYTES_MAX: u64 = 4_000_000_000;

/// Decimal digits that a spreadsheet's number keeps exactly.
const EXACT_DIGITS: usize = 15;

/// What a workbook tells beside its rows.
#[derive(Clone, Debug, Default)]
pub struct BookFacts {
    /// What is known of the batch and its last run: a name and a value each.
    pub about: Vec<(String, String)>,
    /// Settings of the last run, by their keys.
    pub settings: BTreeMap<String, String>,
}

/// A results workbook in the making.
pub struct ResultsBook {
    book: Workbook,
    results: Sheet,
    action: Sheet,
    repairs: Sheet,
    style: Style,
    status: BTreeMap<Status, Format>,
    columns: usize,
    batch: BatchName,
    run: RunView,
    counts: Counts,
    totals: Totals,
    reasons: BTreeMap<(Status, Option<Reason>, Next), u64>,
    charged: BTreeMap<Currency, Decimal>,
    /// An amount was written as text, because no spreadsheet's number holds it: formulas would miss it.
    inexact: bool,
}

/// A sheet that grows row by row.
struct Sheet {
    sheet: Worksheet,
    next: u32,
    /// At least as many bytes as it has.
    bytes: u64,
}

impl Sheet {
    fn text(&mut self, column: usize, text: &str, format: &Format) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        // A cell takes about so many bytes beside its text, and signs of XML and control characters up to seven.
        const CELL_BYTES: usize = 80;
        let special = text.bytes().filter(|b| b.is_ascii_control() || b"&<>\"_".contains(b)).count();
        let bytes = text.len() + 6 * special + CELL_BYTES;
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.sheet
            .write_string_with_format(self.next, place(column)?, cut(text), format)
            .map_err(book_error)?;
        Ok(())
    }

    fn number(&mut self, column: usize, number: f64, format: &Format) -> io::Result<()> {
        self.sheet.write_number_with_format(self.next, place(column)?, number, format).map_err(book_error)?;
        Ok(())
    }
}

/// Columns of the sheet of rows that need somebody.
const ACTION: [(&str, u32); 13] = [
    ("row", 8),
    ("status", 12),
    ("next", 8),
    ("what to do", 60),
    ("reason", 20),
    ("message", 60),
    ("phone", 16),
    ("amount", 14),
    ("currency", 9),
    ("provider", 14),
    ("transaction id", 30),
    ("provider ref", 22),
    ("submitted at", 26),
];

/// Columns of the sheet of duplicates and repairs.
const REPAIRS: [(&str, u32); 6] =
    [("row", 8), ("line", 8), ("kind", 16), ("status", 12), ("phone", 16), ("what was found", 100)];

impl ResultsBook {
    /// Begins a workbook; temporary files go to `folder`.
    ///
    /// # Errors
    /// The folder takes no file.
    pub fn new(folder: &Path, header: &[String], batch: &BatchName, run: RunView) -> io::Result<Self> {
        let mut book = Workbook::new();
        book.set_tempdir(folder).map_err(book_error)?;
        let sheet = |book: &mut Workbook, name: &str| -> io::Result<Sheet> {
            let mut sheet = book.new_worksheet_with_constant_memory().map_err(book_error)?;
            sheet.set_name(name).map_err(book_error)?;
            sheet.set_freeze_panes(1, 0).map_err(book_error)?;
            // The results are too wide for one page of A4: two beside each other can be read.
            sheet
                .set_landscape()
                .set_paper_size(9)
                .set_print_fit_to_pages(if name == "Results" { 2 } else { 1 }, 0);
            sheet.set_repeat_rows(0, 0).map_err(book_error)?;
            Ok(Sheet { sheet, next: 0, bytes: 0 })
        };
        let results = sheet(&mut book, "Results")?;
        let action = sheet(&mut book, "Needs action")?;
        let repairs = sheet(&mut book, "Duplicates and repairs")?;
        let mut made = Self {
            book,
            results,
            action,
            repairs,
            style: Style::new(),
            status: Status::ALL.iter().map(|status| (*status, Style::status(*status))).collect(),
            columns: header.len(),
            batch: batch.clone(),
            run,
            counts: Counts::default(),
            totals: Totals::default(),
            reasons: BTreeMap::new(),
            charged: BTreeMap::new(),
            inexact: false,
        };
        made.headers(header)?;
        Ok(made)
    }

    fn headers(&mut self, header: &[String]) -> io::Result<()> {
        let Self { results, style, .. } = self;
        for (column, title) in header.iter().enumerate() {
            results.text(column, title, &style.header)?;
            let sheet = &mut results.sheet;
            sheet.set_column_format(place(column)?, &style.text).map_err(book_error)?;
            sheet.set_column_width(place(column)?, 18).map_err(book_error)?;
        }
        for (at, title) in RESULT_COLUMNS.iter().enumerate() {
            let column = header.len() + at;
            results.text(column, title, &style.ours)?;
            let sheet = &mut results.sheet;
            if !is_number(title) {
                sheet.set_column_format(place(column)?, &style.text).map_err(book_error)?;
            }
            sheet.set_column_width(place(column)?, width(title)).map_err(book_error)?;
        }
        results.next = 1;
        for (sheet, columns) in [(&mut self.action, &ACTION[..]), (&mut self.repairs, &REPAIRS[..])] {
            for (column, (title, width)) in columns.iter().enumerate() {
                sheet.text(column, title, &style.header)?;
                sheet.sheet.set_column_width(place(column)?, *width).map_err(book_error)?;
            }
            sheet.next = 1;
        }
        Ok(())
    }

    /// Writes one row.
    ///
    /// # Errors
    /// More rows or columns than a sheet holds; the temporary file's.
    pub fn write(&mut self, row: &StoredRow) -> io::Result<()> {
        let shown = effective(row, &self.run);
        let status = row.state.status();
        self.counts.add(status, 1);
        *self.reasons.entry((status, shown.reason, shown.next)).or_insert(0) += 1;
        self.totals.add(row).map_err(io::Error::other)?;
        if let Some(cost) = row.state.cost.filter(|_| status == Status::Succeeded) {
            let sum = self.charged.entry(cost.currency).or_default();
            *sum = sum.checked_add(cost.amount).ok_or_else(|| io::Error::other("a sum too large"))?;
        }
        self.result(row, status)?;
        if shown.next != Next::None {
            self.need(row, status, &shown)?;
        }
        let kind = match shown.reason {
            Some(Reason::DuplicateRow) => Some(("duplicate", shown.message.clone())),
            Some(Reason::RecentRepeat) => Some(("recent repeat", shown.message.clone())),
            Some(_) | None if row.notes.is_empty() => None,
            Some(_) | None => Some(("repair or note", row.notes.join("; "))),
        };
        if let Some((kind, words)) = kind {
            self.repair(row, status, kind, &words)?;
        }
        Ok(())
    }

    fn result(&mut self, row: &StoredRow, status: Status) -> io::Result<()> {
        let cells = result_cells(row, self.columns, &self.batch, &self.run);
        let Self { results, style, status: colours, columns, inexact, .. } = self;
        for (column, cell) in row.cells.iter().take(*columns).enumerate() {
            results.text(column, cell, &style.text)?;
        }
        let places = |title: &str| {
            let asked = row.asked().and_then(|(_, currency)| currency);
            let cost = row.state.cost.map(|cost| cost.currency);
            (if title == "topup_cost" { cost } else { asked }).map_or(0, Currency::places)
        };
        for (at, (title, cell)) in RESULT_COLUMNS.iter().zip(&cells).enumerate() {
            let column = *columns + at;
            match (*title, exact(cell).filter(|_| is_number(title))) {
                ("topup_status", _) => {
                    results.text(column, cell, colours.get(&status).unwrap_or(&style.text))?;
                }
                ("topup_amount" | "topup_cost", Some(number)) => {
                    let decimals = cell.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                    let places = places(title).max(u32::try_from(decimals).unwrap_or(0));
                    results.number(column, number, style.amount(places, false))?;
                }
                (_, Some(number)) => results.number(column, number, &style.index)?,
                (_, None) => {
                    *inexact |= is_number(title) && !cell.is_empty();
                    results.text(column, cell, &style.text)?;
                }
            }
        }
        results.next += 1;
        Ok(())
    }

    fn need(&mut self, row: &StoredRow, status: Status, shown: &Effective) -> io::Result<()> {
        let cells = result_cells(row, self.columns, &self.batch, &self.run);
        let Self { action, style, status: colours, .. } = self;
        let [_, _, _, _, provider, _, phone, amount, currency, _, _, id, reference, _, _, submitted, ..] =
            &cells;
        action.number(0, exact(&row.row.to_string()).unwrap_or_default(), &style.index)?;
        action.text(1, status.as_str(), colours.get(&status).unwrap_or(&style.text))?;
        action.text(2, shown.next.as_str(), &style.text)?;
        action.text(3, what_to_do(shown.next, status), &style.long)?;
        action.text(4, shown.reason.map(Reason::as_str).unwrap_or_default(), &style.text)?;
        action.text(5, &shown.message, &style.long)?;
        action.text(6, phone, &style.text)?;
        match exact(amount) {
            Some(number) => {
                let decimals = amount.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                let format = style.amount(u32::try_from(decimals).unwrap_or(0), false);
                action.number(7, number, format)?;
            }
            None => action.text(7, amount, &style.text)?,
        }
        action.text(8, currency, &style.beside)?;
        for (column, cell) in [(9, provider), (10, id), (11, reference), (12, submitted)] {
            action.text(column, cell, &style.text)?;
        }
        action.next += 1;
        Ok(())
    }

    fn repair(&mut self, row: &StoredRow, status: Status, kind: &str, words: &str) -> io::Result<()> {
        let Self { repairs, style, status: colours, .. } = self;
        let phone = row.order.as_ref().map(|order| order.phone.digits()).unwrap_or_default();
        repairs.number(0, exact(&row.row.to_string()).unwrap_or_default(), &style.index)?;
        repairs.number(1, exact(&row.line.to_string()).unwrap_or_default(), &style.index)?;
        repairs.text(2, kind, &style.text)?;
        repairs.text(3, status.as_str(), colours.get(&status).unwrap_or(&style.text))?;
        repairs.text(4, phone, &style.text)?;
        repairs.text(5, words, &style.long)?;
        repairs.next += 1;
        Ok(())
    }

    /// Adds the sheets that tell the whole, and writes the workbook.
    ///
    /// # Errors
    /// The writer's, or the temporary files'.
    pub fn finish<W: Write + Seek + Send>(mut self, facts: &BookFacts, out: W) -> io::Result<()> {
        let last = self.results.next.saturating_sub(1).max(1);
        let columns = self.columns + RESULT_COLUMNS.len();
        self.results.sheet.autofilter(0, 0, last, place(columns.saturating_sub(1))?).map_err(book_error)?;
        for (sheet, columns) in [(&mut self.action, ACTION.len()), (&mut self.repairs, REPAIRS.len())] {
            if sheet.next > 1 {
                let columns = place(columns.saturating_sub(1))?;
                sheet.sheet.autofilter(0, 0, sheet.next - 1, columns).map_err(book_error)?;
            } else {
                sheet.text(0, "none", &self.style.text)?;
            }
        }
        // LibreOffice opens no archive of the larger kind, so it is made only where a plain one may not do.
        let plain = self.results.bytes < PLAIN_BYTES_MAX;
        self.book.use_zip_large_file(!plain);
        let summary = summary::summary(&mut self, facts)?;
        let settings = summary::settings(&self.style, facts)?;
        let Self { mut book, results, action, repairs, .. } = self;
        for sheet in [summary, results.sheet, action.sheet, repairs.sheet, settings] {
            book.push_worksheet(sheet);
        }
        book.define_name(PLAIN_MARK, "=Results!$A$1").map_err(book_error)?;
        book.save_to_writer(out).map_err(book_error)
    }
}

/// What a person does with a row.
fn what_to_do(next: Next, status: Status) -> &'static str {
    match (next, status) {
        (Next::None, _) => "",
        (Next::Retry, _) => "nothing was charged: `bulk-topup retry` with this file sends it again",
        (Next::Fix, _) => "correct the row on the sheet Results, then `bulk-topup retry` with this file",
        (Next::Wait, _) => "`bulk-topup settle` asks the provider again",
        (Next::Ask, Status::Succeeded | Status::Failed) => {
            "a later answer contradicts this: ask the provider with both ids; nothing is sent again"
        }
        (Next::Ask, _) => "ask the provider with both ids, then `bulk-topup resolve`",
    }
}

/// Whether one of our columns holds numbers.
fn is_number(title: &str) -> bool {
    ["topup_amount", "topup_cost", "topup_attempts", "topup_row"].contains(&title)
}

/// Width of one of our columns, in characters.
fn width(title: &str) -> u32 {
    match title {
        "topup_message" => 60,
        "topup_transaction_id" => 30,
        "topup_submitted_at" | "topup_final_at" | "topup_batch" => 26,
        "topup_provider_ref" => 22,
        "topup_reason" => 20,
        "topup_currency" | "topup_cost_currency" | "topup_attempts" | "topup_row" | "topup_next" => 11,
        _ => 16,
    }
}

/// The number of a cell, if a spreadsheet's number is exactly that.
fn exact(cell: &str) -> Option<f64> {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let plain = cell.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !plain || digits == 0 || digits > EXACT_DIGITS {
        return None;
    }
    cell.parse().ok()
}

/// A text that a cell can hold; a longer one says that it was cut.
fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    if text.len() <= CELL_UNITS_MAX || text.encode_utf16().count() <= CELL_UNITS_MAX {
        return text.into();
    }
    let mut units = 1;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= CELL_UNITS_MAX
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept.into()
}

fn place(column: usize) -> io::Result<u16> {
    u16::try_from(column).map_err(|_| io::Error::other("more columns than a sheet holds"))
}

fn book_error(error: XlsxError) -> io::Error {
    if let XlsxError::IoError(error) = error { error } else { io::Error::other(error.to_string()) }
}
