//! The sheets that tell the whole: what became of the rows and the money, as formulas over the results with their
//! values, and what the run worked with.

use std::io;

use rust_decimal::Decimal;
use rust_xlsxwriter::{Formula, Worksheet, utility::column_number_to_name};

use super::style::Style;
use super::{BookFacts, RESULT_COLUMNS, ResultsBook, Sheet, book_error, cut, exact, place, what_to_do};
use crate::domain::{Currency, Reason, Status};
use crate::report::Total;

/// A sheet that is written from its top to its end.
struct Page<'a> {
    sheet: Sheet,
    style: &'a mut Style,
    /// Range of each of our columns on the results sheet.
    range: &'a dyn Fn(&str) -> String,
    formulas: bool,
}

/// The sheet of counts and sums.
pub(super) fn summary(of: &mut ResultsBook, facts: &BookFacts) -> io::Result<Worksheet> {
    let (first, last) = (of.columns, of.results.next.max(2));
    let range = |title: &str| {
        let at = RESULT_COLUMNS.iter().position(|column| *column == title).unwrap_or(0);
        let column = column_number_to_name(u16::try_from(first + at).unwrap_or(0));
        format!("Results!${column}$2:${column}${last}")
    };
    let mut sheet = Worksheet::new();
    sheet.set_name("Summary").map_err(book_error)?;
    sheet.set_active(true);
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    for (column, width) in [(0, 26), (1, 18), (2, 18), (3, 18), (4, 18), (5, 18), (6, 18)] {
        sheet.set_column_width(column, width).map_err(book_error)?;
    }
    let formulas = !of.inexact;
    let totals = std::mem::take(&mut of.totals).finish();
    let mut page =
        Page { sheet: Sheet { sheet, next: 0, bytes: 0 }, style: &mut of.style, range: &range, formulas };
    page.head(of.batch.as_str(), facts)?;
    page.counts(&of.counts, &of.status)?;
    page.money(&totals)?;
    if !of.charged.is_empty() {
        page.title("Charged, as told by the providers")?;
        for (currency, amount) in &of.charged {
            let formula = format!(
                "=SUMIFS({},{},\"succeeded\",{},\"{currency}\")",
                range("topup_cost"),
                range("topup_status"),
                range("topup_cost_currency")
            );
            page.sheet.text(0, currency.code(), &page.style.text)?;
            page.amount(1, &formula, *amount, currency.places(), false)?;
            page.sheet.next += 1;
        }
    }
    page.title("Reasons, and what to do")?;
    for (column, title) in ["status", "reason", "next", "rows", "what to do"].iter().enumerate() {
        let format = if *title == "rows" { &page.style.number } else { &page.style.header };
        page.sheet.text(column, title, format)?;
    }
    page.sheet.next += 1;
    for ((status, reason, next), rows) in of.reasons.iter().filter(|((_, reason, _), _)| reason.is_some()) {
        page.sheet.text(0, status.as_str(), of.status.get(status).unwrap_or(&page.style.text))?;
        page.sheet.text(1, reason.map(Reason::as_str).unwrap_or_default(), &page.style.text)?;
        page.sheet.text(2, next.as_str(), &page.style.text)?;
        page.sheet.number(3, exact(&rows.to_string()).unwrap_or_default(), &page.style.count)?;
        page.sheet.text(4, what_to_do(*next, *status), &page.style.beside)?;
        page.sheet.next += 1;
    }
    Ok(page.sheet.sheet)
}

impl Page<'_> {
    fn title(&mut self, title: &str) -> io::Result<()> {
        self.sheet.next += 1;
        self.sheet.text(0, title, &self.style.section)?;
        self.sheet.next += 1;
        Ok(())
    }

    fn head(&mut self, batch: &str, facts: &BookFacts) -> io::Result<()> {
        self.sheet.text(0, &format!("Results of {batch}"), &self.style.title)?;
        self.sheet.next += 2;
        for (name, value) in &facts.about {
            self.sheet.text(0, name, &self.style.label)?;
            self.sheet.text(1, value, &self.style.text)?;
            self.sheet.next += 1;
        }
        Ok(())
    }

    fn counts(
        &mut self,
        counts: &crate::report::Counts,
        colours: &std::collections::BTreeMap<Status, rust_xlsxwriter::Format>,
    ) -> io::Result<()> {
        self.title("Rows")?;
        let first = self.sheet.next + 1;
        for status in Status::ALL {
            let rows = match status {
                Status::Succeeded => counts.succeeded,
                Status::Failed => counts.failed,
                Status::Invalid => counts.invalid,
                Status::Pending => counts.pending,
                Status::Unknown => counts.unknown,
                Status::NotSent => counts.not_sent,
            };
            self.sheet.text(0, status.as_str(), colours.get(status).unwrap_or(&self.style.text))?;
            let formula = format!("=COUNTIF({},\"{status}\")", (self.range)("topup_status"));
            self.formula(1, &formula, &rows.to_string(), false)?;
            self.sheet.next += 1;
        }
        self.sheet.text(0, "all rows", &self.style.sum)?;
        let formula = format!("=SUM(B{first}:B{})", self.sheet.next);
        self.formula(1, &formula, &counts.rows().to_string(), true)?;
        self.sheet.next += 1;
        Ok(())
    }

    fn formula(&mut self, column: usize, formula: &str, value: &str, sum: bool) -> io::Result<()> {
        let format = if sum { &self.style.sum } else { &self.style.count };
        let formula = Formula::new(formula).set_result(value);
        let sheet = &mut self.sheet;
        sheet
            .sheet
            .write_formula_with_format(sheet.next, place(column)?, formula, format)
            .map_err(book_error)?;
        Ok(())
    }

    fn money(&mut self, totals: &[Total]) -> io::Result<()> {
        if totals.is_empty() {
            return Ok(());
        }
        self.title("Money")?;
        let titles = ["provider", "currency", "asked", "succeeded", "failed", "open", "not sent"];
        for (column, title) in titles.iter().enumerate() {
            let format = if column < 2 { &self.style.header } else { &self.style.number };
            self.sheet.text(column, title, format)?;
        }
        self.sheet.next += 1;
        for total in totals {
            let currency = total.currency.map(|currency| currency.to_string()).unwrap_or_default();
            self.sheet.text(0, &total.provider, &self.style.text)?;
            let shown = if currency.is_empty() { "not known yet" } else { &currency };
            self.sheet.text(1, shown, &self.style.text)?;
            let places = total.currency.map_or(0, Currency::places);
            let line = self.sheet.next + 1;
            let of = |statuses: &[Status]| {
                let part = |status: &Status| {
                    format!(
                        "SUMIFS({},{},\"{}\",{},\"{currency}\",{},\"{status}\")",
                        (self.range)("topup_amount"),
                        (self.range)("topup_provider"),
                        criterion(&total.provider),
                        (self.range)("topup_currency"),
                        (self.range)("topup_status"),
                    )
                };
                format!("={}", statuses.iter().map(part).collect::<Vec<_>>().join("+"))
            };
            let parts = [
                (of(&[Status::Succeeded]), total.succeeded),
                (of(&[Status::Failed]), total.failed),
                (of(&[Status::Pending, Status::Unknown]), total.open),
                (of(&[Status::NotSent]), total.not_sent),
            ];
            self.amount(2, &format!("=SUM(D{line}:G{line})"), total.asked, places, true)?;
            for (column, (formula, amount)) in (3..).zip(&parts) {
                self.amount(column, formula, *amount, places, false)?;
            }
            self.sheet.next += 1;
        }
        if !self.formulas {
            let note =
                "Some amounts have more digits than a spreadsheet's number keeps: the sums above are values.";
            self.sheet.text(0, note, &self.style.text)?;
            self.sheet.next += 1;
        }
        Ok(())
    }

    /// A sum: a formula with its value, or, where that would not be exact, the value.
    fn amount(
        &mut self,
        column: usize,
        formula: &str,
        amount: Decimal,
        places: u32,
        bold: bool,
    ) -> io::Result<()> {
        let value = amount.normalize();
        let format = self.style.amount(places.max(value.scale()), bold);
        let text = value.to_string();
        let sheet = &mut self.sheet;
        match exact(&text) {
            Some(_) if self.formulas => {
                let formula = Formula::new(formula).set_result(&text);
                let (row, column) = (sheet.next, place(column)?);
                sheet.sheet.write_formula_with_format(row, column, formula, format).map_err(book_error)?;
                Ok(())
            }
            Some(number) => sheet.number(column, number, format),
            None => sheet.text(column, &text, &self.style.text),
        }
    }
}

/// A text that matches only itself in a formula's condition.
fn criterion(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '"' => plain.push_str("\"\""),
            '~' | '*' | '?' => plain.extend(['~', c]),
            other => plain.push(other),
        }
    }
    plain
}

/// The sheet of settings.
pub(super) fn settings(style: &Style, facts: &BookFacts) -> io::Result<Worksheet> {
    let mut sheet = Worksheet::new();
    sheet.set_name("Settings").map_err(book_error)?;
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    sheet.set_column_width(0, 44).map_err(book_error)?;
    sheet.set_column_width(1, 70).map_err(book_error)?;
    sheet.set_freeze_panes(1, 0).map_err(book_error)?;
    let mut line = |row: u32, name: &str, value: &str, format| -> io::Result<()> {
        sheet.write_string_with_format(row, 0, cut(name), format).map_err(book_error)?;
        sheet.write_string_with_format(row, 1, cut(value), format).map_err(book_error)?;
        Ok(())
    };
    line(0, "setting of the last run", "value", &style.header)?;
    if facts.settings.is_empty() {
        line(1, "none on record", "", &style.text)?;
    }
    for (row, (name, value)) in (1..).zip(&facts.settings) {
        line(row, name, value, &style.text)?;
    }
    Ok(sheet)
}
