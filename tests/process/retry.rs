//! `retry`: what a results file asks for, held against what the ledger allows.

use std::fs;
use std::path::Path;

use super::checker::Promise;
use super::evidence::Table;
use super::program::Ended;
use super::rows::{self, Chance, Country, Row};
use super::world::{LONG, World, assert_exit};

/// The `number`th row of a file, always the same.
pub fn row(country: Country, number: usize, tail: &str) -> Row {
    rows::row(country, number, tail, &mut Chance::new(u64::try_from(number).unwrap() + 1))
}

/// A row that buys airtime for exactly this.
pub fn priced(country: Country, number: usize, tail: &str, amount: &str) -> Row {
    Row { amount: amount.to_owned(), ..row(country, number, tail) }
}

/// `retry` of a file of the working folder, confirmed, with a JSON summary.
pub fn retry(world: &World, file: &str, more: &[&str]) -> Ended {
    let mut args = vec!["retry", file, "--yes", "--json"];
    args.extend(more);
    world.start(&args).wait(LONG)
}

/// The ids that were submitted for a row (from 1), as the provider saw them.
pub fn sent(world: &World, row: usize) -> Vec<String> {
    let own: Vec<String> =
        world.intents().into_iter().filter(|intent| intent.row == row).map(|intent| intent.id).collect();
    let requests = world.charge_log().into_iter().filter(|line| line.event == "request");
    requests.map(|line| line.id).filter(|id| own.contains(id)).collect()
}

pub fn charges(world: &World) -> usize {
    world.charge_log().iter().filter(|line| line.event == "charge").count()
}

/// Status, next step and reason of a row (from 1).
pub fn state(world: &World, row: usize) -> (String, String, String) {
    let table = world.table();
    let cell = |column: &str| table.cell(row - 1, column).to_owned();
    (cell("topup_status"), cell("topup_next"), cell("topup_reason"))
}

pub fn assert_state(world: &World, row: usize, status: &str, next: &str, reason: &str) {
    let wanted = (status.to_owned(), next.to_owned(), reason.to_owned());
    assert_eq!(state(world, row), wanted, "row {row}");
}

/// Writes a results file that somebody edited.
pub fn edit(from: &Path, to: &Path, change: impl FnOnce(&mut Table)) {
    let mut table = Table::read(from);
    change(&mut table);
    let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_path(to).unwrap();
    writer.write_record(&table.header).unwrap();
    for row in &table.rows {
        writer.write_record(row).unwrap();
    }
    writer.flush().unwrap();
}

/// Puts another cell into a row (from 1).
pub fn put(table: &mut Table, row: usize, column: &str, cell: &str) {
    let place = table.header.iter().position(|title| title == column).unwrap();
    cell.clone_into(&mut table.rows[row - 1][place]);
}

/// Every promise after a retry. What the checker says of a second submit holds within one command; over several
/// the rule is: another id only after the first was said to have failed, the same id only if it was not charged.
pub fn assert_sound_over_retries(world: &World, ended: &Ended) {
    let again = [Promise::OneIdEach, Promise::NoEvidenceNoVerdict];
    let breaches: Vec<_> =
        world.breaches(ended, true).into_iter().filter(|breach| !again.contains(&breach.promise)).collect();
    assert!(breaches.is_empty(), "{breaches:#?}\n{}", ended.stderr);
    let log = world.charge_log();
    for row in 1..=world.table().rows.len() {
        let own = sent(world, row);
        let mut spot = 0;
        for pair in own.windows(2) {
            let found = log[spot..].iter().position(|line| line.event == "request" && line.id == pair[0]);
            let first = spot + found.unwrap();
            let found =
                log[first + 1..].iter().position(|line| line.event == "request" && line.id == pair[1]);
            let second = first + 1 + found.unwrap();
            let told: Vec<&str> = log[first..second]
                .iter()
                .filter(|line| line.id == pair[0])
                .map(|line| line.event.as_str())
                .collect();
            if pair[0] == pair[1] {
                assert!(!told.contains(&"charge"), "row {row}: {} again after {told:?}", pair[0]);
            } else {
                let failed = told.iter().any(|event| ["fail", "refuse"].contains(event));
                let resolved = world.table().cell(row - 1, "topup_attempts").parse::<usize>().unwrap() > 1;
                assert!(failed || resolved, "row {row}: {} and then {} after {told:?}", pair[0], pair[1]);
            }
            spot = second;
        }
    }
}

const ALL_FAIL: &str = "failed=100";

#[test]
fn retry_sends_failed_and_fixable_rows_under_new_ids_and_no_other_row() {
    let rows = [
        row(Country::Nigeria, 0, "5000"),
        row(Country::Nigeria, 1, "0003"),
        row(Country::Vietnam, 2, "0003"),
        row(Country::China, 3, "0003"),
        row(Country::Vietnam, 4, "0007"),
        row(Country::Nigeria, 5, "0004"),
        priced(Country::Vietnam, 6, "5006", "15000"),
    ];
    let mut world = World::new("", 1, &rows);
    assert_exit(&world.topup(&["--settle-for", "3s"]), 4);
    assert_state(&world, 6, "failed", "fix", &state(&world, 6).2);
    assert_state(&world, 7, "invalid", "fix", "unsupported_amount");
    let before = world.requests();
    let bytes = fs::read(&world.results).unwrap();
    let ended = retry(&world, "payroll.results.csv", &["--settle-for", "3s"]);
    assert_exit(&ended, 4);
    assert_eq!(world.requests(), before + 4);
    for row in [2, 3, 4, 6] {
        let ids = sent(&world, row);
        assert_eq!(ids.len(), 2, "row {row}");
        assert_ne!(ids[0], ids[1], "row {row} went again under an id that had failed");
    }
    assert_eq!(fs::read(&world.results).unwrap(), bytes, "the file that was retried was written over");
    world.results = world.path("work/payroll.results-2.csv");
    assert_sound_over_retries(&world, &ended);
}

#[test]
fn results_are_numbered_and_what_succeeded_is_not_sent_by_an_older_file() {
    let rows: Vec<_> = (0..6).map(|n| row(rows::ALL[n % 3], n, &format!("50{n:02}"))).collect();
    let mut world = World::new(ALL_FAIL, 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 3);
    assert_eq!(world.requests(), 12);
    world.serve("", 1);
    let ended = retry(&world, "payroll.results-2.csv", &[]);
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 18);
    world.results = world.path("work/payroll.results-3.csv");
    assert_sound_over_retries(&world, &ended);
    let named = format!("{}", world.results.display());
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(summary["results"], named.as_str());
    for file in ["payroll.results.csv", "payroll.results-2.csv", "payroll.results-3.csv"] {
        let ended = retry(&world, file, &[]);
        assert_exit(&ended, 2);
        assert!(ended.stderr.contains("nothing to send"), "{}", ended.stderr);
    }
    assert_eq!(world.requests(), 18, "rows that succeeded were sent again");
    assert!(!world.path("work/payroll.results-4.csv").exists(), "a refused retry wrote results");
}

#[test]
fn rows_are_found_in_a_sorted_filtered_and_narrowed_file() {
    let rows: Vec<_> = (0..6).map(|n| row(rows::ALL[n % 3], n, &format!("51{n:02}"))).collect();
    let mut world = World::new(ALL_FAIL, 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    world.serve("", 1);
    edit(&world.results, &world.path("work/mine.csv"), |table| {
        let kept = ["topup_row", "topup_batch", "country", "product", "amount", "phone"];
        let places: Vec<usize> =
            kept.iter().map(|title| table.header.iter().position(|other| other == title).unwrap()).collect();
        table.rows.reverse();
        table.rows.retain(|row| !["2", "5"].contains(&row.last().unwrap().as_str()));
        table.header = kept.iter().map(|title| (*title).to_owned()).collect();
        for row in &mut table.rows {
            *row = places.iter().map(|place| row[*place].clone()).collect();
        }
    });
    let ended = retry(&world, "mine.csv", &[]);
    assert_exit(&ended, 3);
    assert_eq!(world.requests(), 6 + 4);
    assert!(
        ended.stderr.contains("2 rows of batch") && ended.stderr.contains(": 2, 5\n"),
        "{}",
        ended.stderr
    );
    world.results = world.path("work/mine.results-2.csv");
    assert_sound_over_retries(&world, &ended);
    for row in 1..=6 {
        let wanted = if [2, 5].contains(&row) { "failed" } else { "succeeded" };
        assert_eq!(state(&world, row).0, wanted, "row {row}");
    }
}

#[test]
fn a_spreadsheets_spelling_of_an_order_is_the_same_order() {
    let rows = [
        Row { phone: "0912555001".to_owned(), ..priced(Country::Vietnam, 0, "5001", "20000") },
        Row { phone: "0912555002".to_owned(), ..priced(Country::Vietnam, 1, "5002", "20000") },
        Row { phone: "08035555003".to_owned(), ..priced(Country::Nigeria, 2, "5003", "1000") },
    ];
    let mut world = World::new(ALL_FAIL, 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    world.serve("", 1);
    edit(&world.results, &world.path("work/excel.csv"), |table| {
        put(table, 1, "phone", "912555001");
        put(table, 1, "amount", "20,000");
        put(table, 2, "phone", "+84 912 555 002");
        put(table, 2, "amount", "20000.00");
        put(table, 3, "phone", "8035555003");
        put(table, 3, "amount", "1,000.00");
    });
    let ended = retry(&world, "excel.csv", &["--thousands", ","]);
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 6);
    world.results = world.path("work/excel.results-2.csv");
    assert_sound_over_retries(&world, &ended);
}

#[test]
fn a_changed_order_goes_only_if_it_was_never_submitted() {
    let rows: Vec<_> = (0..3).map(|n| priced(Country::Vietnam, n, &format!("52{n:02}"), "20000")).collect();
    let mut world = World::new("connect_code=-3", 1, &rows);
    assert_exit(&world.topup(&[]), 5);
    assert_eq!(world.requests(), 1, "a halt stops whoever comes after");
    world.serve("", 1);
    let mut other = rows.clone();
    edit(&world.results, &world.path("work/changed.csv"), |table| {
        for (n, row) in other.iter_mut().enumerate() {
            let phone = format!("09126662{n:02}");
            put(table, n + 1, "phone", &phone);
            if n > 0 {
                row.phone = phone;
            }
        }
    });
    let ended = retry(&world, "changed.csv", &[]);
    assert_exit(&ended, 5);
    assert!(ended.stderr.contains("row 1: phone"), "{}", ended.stderr);
    assert_eq!(sent(&world, 1).len(), 1, "a changed order was sent under the old one's row");
    rows::write(&world.input, &other);
    world.results = world.path("work/changed.results-2.csv");
    assert_eq!(state(&world, 1).0, "not_sent");
    assert_eq!((state(&world, 2).0, state(&world, 3).0), ("succeeded".into(), "succeeded".into()));
    assert_sound_over_retries(&world, &ended);
}

#[test]
fn corrected_rows_are_judged_anew_and_shown_as_corrected() {
    let mut rows = vec![
        priced(Country::Vietnam, 0, "5300", "15000"),
        Row { phone: "12345".to_owned(), ..priced(Country::Vietnam, 1, "5301", "20000") },
        row(Country::Nigeria, 2, "0004"),
        priced(Country::Vietnam, 3, "5303", "oops"),
        priced(Country::Vietnam, 4, "5304", "10000"),
    ];
    for (row, name) in rows.iter_mut().zip(["=1+1", "'=2", "@x", "+y", "=z"]) {
        name.clone_into(&mut row.name);
    }
    let mut world = World::new("", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    assert_eq!(world.requests(), 2);
    edit(&world.results, &world.path("work/fixed.csv"), |table| {
        put(table, 1, "amount", "30000");
        put(table, 2, "phone", "0912777001");
        put(table, 3, "phone", "08037777002");
        put(table, 4, "amount", "still wrong");
    });
    "30000".clone_into(&mut rows[0].amount);
    "0912777001".clone_into(&mut rows[1].phone);
    "08037777002".clone_into(&mut rows[2].phone);
    "still wrong".clone_into(&mut rows[3].amount);
    rows::write(&world.input, &rows);
    let ended = retry(&world, "fixed.csv", &[]);
    assert_exit(&ended, 3);
    world.results = world.path("work/fixed.results-2.csv");
    assert_eq!(world.requests(), 5);
    assert_sound_over_retries(&world, &ended);
    for row in [1, 2, 3, 5] {
        assert_eq!(state(&world, row).0, "succeeded", "row {row}");
    }
    assert_state(&world, 4, "invalid", "fix", "bad_amount");
    let ids = sent(&world, 3);
    assert_ne!(ids[0], ids[1], "another order went under a refused id");
}

#[test]
fn a_file_that_says_failed_of_what_succeeded_or_may_have_is_not_believed() {
    let rows =
        [row(Country::Nigeria, 0, "5400"), row(Country::Vietnam, 1, "0007"), row(Country::China, 2, "5402")];
    let mut world = World::new("", 1, &rows);
    assert_exit(&world.topup(&["--settle-for", "2s"]), 4);
    edit(&world.results, &world.path("work/lies.csv"), |table| {
        for row in 1..=3 {
            put(table, row, "topup_status", if row == 3 { "invalid" } else { "failed" });
            put(table, row, "topup_next", "retry");
            put(table, row, "topup_reason", "provider_failed");
        }
    });
    let ended = retry(&world, "lies.csv", &["--settle-for", "1s"]);
    assert_exit(&ended, 4);
    for told in ["row 1: the file says failed", "row 2: the file says failed", "row 3: the file says invalid"]
    {
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    assert_eq!(world.requests(), 3, "what the ledger forbids was sent");
    world.results = world.path("work/lies.results-2.csv");
    world.assert_sound(&ended, true);
}

#[test]
fn of_a_row_that_stands_twice_the_first_line_counts() {
    let rows = [priced(Country::Vietnam, 0, "5500", "15000")];
    let mut world = World::new("", 1, &[rows[0].clone(), priced(Country::Vietnam, 1, "5501", "20000")]);
    assert_exit(&world.topup(&[]), 3);
    edit(&world.results, &world.path("work/twice.csv"), |table| {
        let again = table.rows[0].clone();
        table.rows.push(again);
        put(table, 1, "amount", "20000");
        put(table, 3, "amount", "50000");
    });
    edit(&world.path("work/twice.csv"), &world.path("work/twice.csv"), |table| {
        for row in ["18446744073709551615", "999999999999999", "0", "-1", "x"] {
            let mut line = table.rows[0].clone();
            row.clone_into(line.last_mut().unwrap());
            table.rows.push(line);
        }
    });
    let ended = retry(&world, "twice.csv", &[]);
    assert_exit(&ended, 0);
    assert_eq!(ended.stderr.matches("is no row number").count(), 5, "{}", ended.stderr);
    assert!(ended.stderr.contains("row 1 stands in the file before"), "{}", ended.stderr);
    assert_eq!(world.requests(), 2);
    world.results = world.path("work/twice.results-2.csv");
    assert_eq!(world.table().cell(0, "topup_amount"), "20000");
    assert_eq!(world.table().cell(0, "amount"), "20000");
}

#[test]
fn rows_of_two_batches_are_refused_whole_with_and_without_a_ledger() {
    let rows: Vec<_> = (0..3).map(|n| row(Country::Nigeria, n, &format!("56{n:02}"))).collect();
    let mut world = World::new(ALL_FAIL, 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    world.serve("", 1);
    edit(&world.results, &world.path("work/two.csv"), |table| {
        put(table, 3, "topup_batch", "other-01234567");
    });
    let ended = retry(&world, "two.csv", &[]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("other-01234567"), "{}", ended.stderr);
    fs::remove_dir_all(world.ledger.parent().unwrap()).unwrap();
    assert_exit(&retry(&world, "two.csv", &[]), 2);
    assert_eq!(world.requests(), 3);
    // The refused file left nothing behind that would hide the rows it named under the other batch.
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 0);
    assert_eq!(world.requests(), 6);
}

#[test]
fn retry_never_writes_over_its_input_or_a_file_that_is_not_this_batchs() {
    let mut world = World::new(ALL_FAIL, 1, &[row(Country::Nigeria, 0, "5700")]);
    assert_exit(&world.topup(&[]), 3);
    world.serve("", 1);
    fs::write(world.path("work/notes.csv"), "phone\n1\n").unwrap();
    for path in ["payroll.results.csv", "./payroll.results.csv", "notes.csv", "payroll.csv"] {
        assert_exit(&retry(&world, "payroll.results.csv", &["-o", path]), 2);
    }
    std::os::unix::fs::symlink("payroll.results.csv", world.path("work/linked.csv")).unwrap();
    assert_exit(&retry(&world, "payroll.results.csv", &["-o", "linked.csv"]), 2);
    assert_exit(&retry(&world, "linked.csv", &["-o", "payroll.results.csv"]), 2);
    assert_eq!(world.requests(), 1);
    assert_exit(&world.run(&["retry", "payroll.results.csv"]), 2);
    assert_exit(&world.run(&["retry", "payroll.csv", "--yes"]), 2);
    assert_eq!(world.requests(), 1);
    assert_exit(&retry(&world, "payroll.results.csv", &["-o", "done.csv"]), 0);
    assert!(world.path("work/done.csv").exists());
}

#[test]
fn a_retry_has_its_own_canary_and_its_total_is_the_whole_files() {
    let tails = ["5800", "0003", "0003", "0003", "0003"];
    let rows: Vec<_> = (0..5).map(|n| priced(Country::Vietnam, n, tails[n], "20000")).collect();
    let mut world = World::new("", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    assert_exit(&retry(&world, "payroll.results.csv", &["--expect-total", "VND=80000"]), 2);
    assert_exit(&retry(&world, "payroll.results.csv", &["--all-or-nothing", "--expect-total", "VND=1"]), 2);
    assert_eq!(world.requests(), 5);
    let ended = retry(&world, "payroll.results.csv", &["--expect-total", "VND=100000", "--first", "2"]);
    assert_eq!(world.requests(), 7, "the rest went although the canary had failed");
    world.results = world.path("work/payroll.results-2.csv");
    assert_sound_over_retries(&world, &ended);
    assert_eq!([2, 3, 4, 5].map(|row| sent(&world, row).len()), [2, 2, 1, 1]);
}

#[test]
fn a_second_retry_of_a_file_goes_by_what_the_first_one_left() {
    let rows: Vec<_> = (0..4).map(|n| priced(Country::Vietnam, n, &format!("59{n:02}"), "20000")).collect();
    let mut world = World::new("failed=100", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    // The retry loses every answer: nobody may send these rows again.
    world.serve("drop_after=100", 1);
    assert_exit(&retry(&world, "payroll.results.csv", &["--settle-for", "0s"]), 4);
    world.serve("", 1);
    let ended = retry(&world, "payroll.results.csv", &["--settle-for", "1s"]);
    assert_exit(&ended, 4);
    assert_eq!(world.requests(), 8);
    assert!(
        ended.stderr.contains("row 1: the file says failed, the ledger says unknown"),
        "{}",
        ended.stderr
    );
    world.results = world.path("work/payroll.results-3.csv");
    assert_sound_over_retries(&world, &ended);
    assert_state(&world, 1, "unknown", "ask", "no_answer");
}
