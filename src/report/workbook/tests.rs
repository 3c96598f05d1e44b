//! A workbook holds what the CSV holds, cell by cell, and its sums are those of its rows.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use proptest::prelude::*;

use super::*;
use crate::domain::{Money, Refusal, WallTime};
use crate::intake::{Overrides, ResultsRow, ResultsSource, TopupColumn};
use crate::lifecycle::{Phase, TopUp};
use crate::report::sample::{airtime_row, data_row};

fn batch() -> BatchName {
    BatchName::parse("pay-0a1b2c3d").unwrap()
}

fn book(header: &[String], rows: &[StoredRow]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut book = ResultsBook::new(folder.path(), header, &batch(), RunView::default()).unwrap();
    rows.iter().for_each(|row| book.write(row).unwrap());
    let settings = BTreeMap::from([("providers.vietnam.timeout".to_owned(), "30s".to_owned())]);
    let facts = BookFacts { about: vec![("file".to_owned(), "pay.csv".to_owned())], settings };
    let mut out = Cursor::new(Vec::new());
    book.finish(&facts, &mut out).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a temporary file was left");
    out.into_inner()
}

/// Cells of the input, and ours.
type Cells = (Vec<String>, Vec<String>);

/// The rows as `retry` reads them: the input's header and cells, then ours.
fn read(bytes: &[u8]) -> (Vec<String>, Vec<Cells>) {
    let file = tempfile::Builder::new().suffix(".xlsx").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mut source = ResultsSource::open(file.path(), &Overrides::default()).unwrap();
    let header = source.header().to_vec();
    let (mut rows, mut row) = (Vec::new(), ResultsRow::default());
    while source.next_row(&mut row).unwrap() {
        let cells = row.input.cells.iter().map(str::to_owned).collect();
        rows.push((cells, TopupColumn::ALL.iter().map(|column| row.topup(*column).to_owned()).collect()));
    }
    (header, rows)
}

fn titles(titles: &[&str]) -> Vec<String> {
    titles.iter().map(ToString::to_string).collect()
}

fn many() -> Vec<StoredRow> {
    let mut rows: Vec<StoredRow> = Phase::ALL
        .iter()
        .zip(1..)
        .map(|(phase, number)| {
            let mut row = airtime_row(number);
            row.state.phase = *phase;
            row.state.message = "=1+1".to_owned();
            row
        })
        .collect();
    let mut data = data_row(11);
    data.state = TopUp {
        phase: Phase::Succeeded,
        price: Some(Money::parse("46.1250", "USD").unwrap()),
        cost: Some(Money::parse("46.1250", "USD").unwrap()),
        ..TopUp::ready()
    };
    rows.push(data);
    let mut wrong = airtime_row(12);
    wrong.order = None;
    wrong.cells = titles(&["8.49E+10", "=HYPERLINK(\"http://x\")"]);
    let refusal = Refusal { reason: Reason::DuplicateRow, message: "row 1 is the same order".to_owned() };
    wrong.state = TopUp::invalid(refusal, WallTime(0));
    rows.push(wrong);
    rows[0].notes = vec!["leading 0 restored".to_owned()];
    rows
}

#[test]
fn the_results_sheet_is_found_behind_the_summary_and_holds_what_the_csv_holds() {
    let header = titles(&["phone", "='note"]);
    let rows = many();
    let (found, cells) = read(&book(&header, &rows));
    assert_eq!(found, header);
    assert_eq!(cells.len(), rows.len());
    for (row, (input, ours)) in rows.iter().zip(&cells) {
        assert_eq!(input, &row.cells);
        assert_eq!(ours[..], result_cells(row, 2, &batch(), &RunView::default()), "row {}", row.row);
    }
}

#[test]
fn the_sums_of_the_summary_are_formulas_with_the_values_of_the_rows() {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(book(&titles(&["phone", "note"]), &many()))).unwrap();
    let names: Vec<String> = book.sheet_names();
    assert_eq!(names, ["Summary", "Results", "Needs action", "Duplicates and repairs", "Settings"]);
    let values = book.worksheet_range("Summary").unwrap();
    let formulas = book.worksheet_formula("Summary").unwrap();
    let at = |name: &str| values.rows().position(|row| row[0] == Data::String(name.to_owned())).unwrap();
    let formula = |row: usize, column: u32| {
        formulas.get_value((u32::try_from(row).unwrap(), column)).cloned().unwrap_or_default()
    };
    assert_eq!(values.rows().nth(at("succeeded")).unwrap()[1], Data::Float(2.0));
    assert_eq!(values.rows().nth(at("all rows")).unwrap()[1], Data::Float(12.0));
    assert!(
        formula(at("succeeded"), 1).starts_with("COUNTIF(Results!$C$2:$C$13"),
        "{}",
        formula(at("succeeded"), 1)
    );
    let money = values.rows().nth(at("vietnam")).unwrap();
    // Ten phases, one of them invalid: nine valid rows, of which one succeeded, two failed, four are open.
    let sums: Vec<Data> = money[2..7].to_vec();
    let wanted = [180_000.0, 20_000.0, 40_000.0, 80_000.0, 40_000.0];
    assert_eq!(sums, wanted.map(Data::Float));
    assert!(formula(at("vietnam"), 3).contains("SUMIFS(Results!$J$2:$J$13"), "{}", formula(at("vietnam"), 3));
    let china = values.rows().nth(at("china")).unwrap();
    assert_eq!((&china[1], &china[3]), (&Data::String("USD".to_owned()), &Data::Float(46.125)));
    let action = book.worksheet_range("Needs action").unwrap();
    assert!(action.rows().skip(1).all(|row| row[3] != Data::Empty), "a row without what to do");
    let repairs = book.worksheet_range("Duplicates and repairs").unwrap();
    assert_eq!(repairs.rows().count(), 3);
    // What a user wrote is never a formula.
    for sheet in ["Results", "Needs action", "Duplicates and repairs", "Settings"] {
        let written = book.worksheet_formula(sheet).unwrap();
        assert!(written.used_cells().all(|(_, _, formula)| formula.is_empty()), "{sheet}");
    }
}

#[test]
fn an_amount_that_no_spreadsheet_number_holds_stays_whole_as_text() {
    let mut row = airtime_row(1);
    row.order.as_mut().unwrap().amount = Some(Decimal::from(1_234_567_890_123_456_789_u64));
    let bytes = book(&titles(&["phone", "note"]), std::slice::from_ref(&row));
    assert_eq!(read(&bytes).1[0].1[7], "1234567890123456789");
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let values = book.worksheet_range("Summary").unwrap();
    let money = values.rows().find(|row| row[0] == Data::String("vietnam".to_owned())).unwrap();
    assert_eq!(money[2], Data::String("1234567890123456789".to_owned()));
}

#[test]
fn a_text_longer_than_a_cell_is_cut_and_says_so() {
    let mut row = airtime_row(1);
    row.cells[1] = "ä".repeat(40_000);
    let (_, cells) = read(&book(&titles(&["phone", "note"]), &[row]));
    let cell = &cells[0].0[1];
    assert_eq!(cell.chars().count(), CELL_UNITS_MAX);
    assert!(cell.ends_with('…'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_cell_survives_the_way_through_a_workbook(
        cells in proptest::collection::vec("['=+@\\t\\r\\n\",; _x0-9A-Fa-f]{0,8}|\\PC*|[\\x00-\\x1f]{1,3}|_x00[0-9A-F]{2}_", 2)
    ) {
        let mut row = airtime_row(1);
        row.cells.clone_from(&cells);
        let (_, found) = read(&book(&titles(&["phone", "note"]), &[row]));
        prop_assert_eq!(&found[0].0, &cells);
    }
}
