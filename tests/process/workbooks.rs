//! Results as a workbook: what a CSV would hold, retried like one, and never over somebody else's file.

use std::fs;

use bulk_topup::domain::restore;
use calamine::{Reader, Xlsx, open_workbook};

use super::retry::{priced, row};
use super::rows::{Country, Row};
use super::world::{World, assert_exit};

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = ["8000", "8001", "0003"]
        .iter()
        .enumerate()
        .map(|(n, tail)| priced(Country::Vietnam, n, tail, "20000"))
        .collect();
    rows.push(row(Country::China, 3, "8000"));
    rows.push(priced(Country::Vietnam, 4, "8004", "15000"));
    rows
}

/// The sheet of results, every cell as text.
fn sheet(world: &World, name: &str) -> Vec<Vec<String>> {
    let mut book: Xlsx<_> = open_workbook(world.path("work").join(name)).unwrap();
    let range = book.worksheet_range("Results").unwrap();
    let text = ToString::to_string;
    range.rows().map(|row| row.iter().map(text).collect()).collect()
}

/// A CSV's cells without what disarms them: a workbook's text cells need no such thing.
fn plain(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|cell| restore(cell).to_owned()).collect()).collect()
}

#[test]
fn a_workbook_holds_the_cells_of_the_csv_and_is_retried_like_it() {
    let mut world = World::new("", 1, &rows());
    let ended = world.topup(&["-o", "out.xlsx"]);
    assert_exit(&ended, 3);
    assert!(ended.stdout.contains("out.xlsx"), "{}", ended.stdout);
    assert_exit(&world.run(&["status", "payroll", "--results", "payroll.results.csv"]), 0);
    let table = world.table();
    let found = sheet(&world, "out.xlsx");
    assert_eq!(found[0], table.header);
    assert_eq!(found[1..], plain(&table.rows)[..]);
    world.assert_sound(&ended, true);
    let sent = world.requests();
    // An input it is not, and a retry may not write over what it reads.
    let refused = world.run(&["run", "out.xlsx", "--yes"]);
    assert_exit(&refused, 2);
    assert!(refused.stderr.contains("retry"), "{}", refused.stderr);
    assert_exit(&world.run(&["retry", "out.xlsx", "--yes", "-o", "out.xlsx"]), 2);
    assert_eq!(world.requests(), sent);
    let retried = world.run(&["retry", "out.xlsx", "--yes", "-o", "again.xlsx"]);
    assert_exit(&retried, 3);
    assert_eq!(world.requests(), sent + 1, "{}", retried.stderr);
    assert!(!retried.stderr.contains("differ"), "{}", retried.stderr);
    // settle writes where the batch was written last.
    assert_exit(&world.run(&["settle", "payroll"]), 3);
    assert_exit(&world.run(&["status", "payroll", "--results", "now.csv"]), 0);
    world.results = world.path("work/now.csv");
    assert_eq!(sheet(&world, "again.xlsx")[1..], plain(&world.table().rows)[..]);
    // A lost ledger is rebuilt from a workbook as from a CSV.
    fs::remove_dir_all(world.ledger.parent().unwrap()).unwrap();
    let rebuilt = world.run(&["retry", "again.xlsx", "--yes", "--trust-results", "-o", "third.xlsx"]);
    assert_exit(&rebuilt, 3);
    assert!(rebuilt.stderr.contains("rebuilt"), "{}", rebuilt.stderr);
    assert_eq!(sheet(&world, "third.xlsx").len(), found.len());
}

#[test]
fn a_workbook_of_results_beside_the_input_keeps_a_lost_ledger_from_paying_again() {
    let world = World::new("", 1, &rows());
    assert_exit(&world.topup(&["-o", "payroll.results.xlsx"]), 3);
    let sent = world.requests();
    fs::remove_dir_all(world.ledger.parent().unwrap()).unwrap();
    let refused = world.topup(&[]);
    assert_exit(&refused, 2);
    assert!(refused.stderr.contains("payroll.results.xlsx"), "{}", refused.stderr);
    assert_eq!(world.requests(), sent);
}

#[test]
fn of_two_sheets_of_results_none_is_taken_by_guess() {
    let world = World::new("", 1, &rows());
    assert_exit(&world.topup(&["-o", "out.xlsx"]), 3);
    let found = sheet(&world, "out.xlsx");
    let failed = found.iter().position(|line| line.iter().any(|cell| cell == "failed")).unwrap();
    let sent = world.requests();
    // A copy of the sheet, from which a person took the row that is not to be sent again.
    let mut book = rust_xlsxwriter::Workbook::new();
    for (name, without) in [("Results", usize::MAX), ("To retry", failed)] {
        let sheet = book.add_worksheet().set_name(name).unwrap();
        let kept = found.iter().enumerate().filter(|(at, _)| *at != without).map(|(_, line)| line);
        for (row, line) in (0..).zip(kept) {
            for (column, cell) in (0..).zip(line) {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
    }
    book.save(world.path("work/copy.xlsx")).unwrap();
    let refused = world.run(&["retry", "copy.xlsx", "--yes"]);
    assert_exit(&refused, 2);
    assert!(refused.stderr.contains("--sheet NAME"), "{}", refused.stderr);
    assert_exit(&world.run(&["retry", "copy.xlsx", "--yes", "--sheet", "To retry"]), 2);
    assert_eq!(world.requests(), sent);
    assert_exit(&world.run(&["retry", "copy.xlsx", "--yes", "--sheet", "Results"]), 3);
    assert_eq!(world.requests(), sent + 1);
}

#[test]
fn a_foreign_file_is_never_overwritten_by_a_workbook() {
    let world = World::new("", 1, &rows());
    assert_exit(&world.topup(&["-o", "out.xlsx"]), 3);
    let other = world.path("work/other.xlsx");
    for text in [&b"phone,amount\n09,1\n"[..], b"PK\x03\x04 no archive", b""] {
        fs::write(&other, text).unwrap();
        let ended = world.run(&["status", "payroll", "--results", "other.xlsx"]);
        assert_exit(&ended, 2);
        assert!(ended.stderr.contains("does not hold the results"), "{}", ended.stderr);
        assert_eq!(fs::read(&other).unwrap(), text);
    }
    // Its own it replaces, of whatever kind.
    assert_exit(&world.run(&["status", "payroll", "--results", "out.xlsx"]), 0);
    fs::copy(world.path("work/out.xlsx"), world.path("work/out.csv")).unwrap();
    assert_exit(&world.run(&["status", "payroll", "--results", "out.csv"]), 0);
    assert!(fs::read_to_string(world.path("work/out.csv")).unwrap().contains("topup_status"));
    super::rows::write(&world.path("work/bonus.csv"), &rows()[..1]);
    let ended = world.run(&["run", "bonus.csv", "--yes", "-o", "out.xlsx", "--allow-repeats"]);
    assert_exit(&ended, 2);
    let left: Vec<_> = fs::read_dir(world.path("work"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
