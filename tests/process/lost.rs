//! A ledger that is gone: a results file alone leads to the same ids, and to no second payment.

use std::collections::BTreeMap;
use std::fs;

use super::program::Ended;
use super::retry::{assert_state, charges, edit, priced, put, retry, row, state};
use super::rows::{self, Country, Row};
use super::world::{World, assert_exit};

fn lose_the_ledger(world: &World) {
    fs::remove_dir_all(world.ledger.parent().unwrap()).unwrap();
}

/// No number got more than one lasting charge.
fn assert_paid_once(world: &World, ended: &Ended) {
    let mut lasting: BTreeMap<String, i32> = BTreeMap::new();
    let mut taken: Vec<(String, String)> = Vec::new();
    for line in world.charge_log() {
        match line.event.as_str() {
            "charge" => {
                *lasting.entry(line.phone.clone()).or_default() += 1;
                taken.push((line.reference, line.phone));
            }
            "fail" => {
                if let Some((_, phone)) = taken.iter().find(|(reference, _)| *reference == line.reference) {
                    *lasting.get_mut(phone).unwrap() -= 1;
                }
            }
            _ => {}
        }
    }
    assert!(lasting.values().all(|count| *count <= 1), "{lasting:?}\n{}", ended.stderr);
}

fn ids_by_phone(world: &World) -> Vec<(String, String)> {
    let requests = world.charge_log().into_iter().filter(|line| line.event == "request");
    let mut found: Vec<_> = requests.map(|line| (line.phone, line.id)).collect();
    found.sort();
    found
}

#[test]
fn without_the_ledger_the_same_ids_are_derived_and_nothing_is_paid_twice() {
    let rows: Vec<_> = (0..9).map(|n| row(rows::ALL[n % 3], n, &format!("70{n:02}"))).collect();
    // What would have been sent with the ledger in place.
    let halts = "connect_code=-3,paynicorn_code=4012,tutom_code=21102";
    let mut kept = World::new(halts, 1, &rows);
    assert_exit(&kept.topup(&[]), 5);
    kept.serve("", 1);
    assert_exit(&retry(&kept, "payroll.results.csv", &[]), 0);

    let mut world = World::new(halts, 1, &rows);
    assert_exit(&world.topup(&[]), 5);
    assert_eq!(world.requests(), 3);
    lose_the_ledger(&world);
    world.serve("", 1);
    let ended = world.topup(&[]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("retry"), "{}", ended.stderr);
    assert_eq!(world.requests(), 3);
    // CONNECT TOPUP's one submitted row cannot be asked about.
    let ended = retry(&world, "payroll.results.csv", &[]);
    assert_exit(&ended, 5);
    assert!(ended.stderr.contains("--trust-results"), "{}", ended.stderr);
    assert_eq!(charges(&world), 8);
    world.results = world.path("work/payroll.results-2.csv");
    let left = world.table().count("topup_status");
    assert_eq!(left.get("not_sent"), Some(&1), "{left:?}");
    let ended = retry(&world, "payroll.results-2.csv", &["--trust-results"]);
    assert_exit(&ended, 0);
    assert_eq!(charges(&world), 9);
    assert_eq!(ids_by_phone(&world), ids_by_phone(&kept));
    assert_paid_once(&world, &ended);
}

#[test]
fn without_the_ledger_what_failed_goes_under_the_next_id_and_what_succeeded_never() {
    let rows: Vec<_> = (0..12).map(|n| row(rows::ALL[n % 3], n, &format!("71{n:02}"))).collect();
    let mut world = World::new("failed=50", 2, &rows);
    assert_exit(&world.topup(&[]), 3);
    let failed = world.table().count("topup_status")["failed"];
    assert!((2..=10).contains(&failed), "{failed}");
    let before: Vec<String> = ids_by_phone(&world).into_iter().map(|(_, id)| id).collect();
    lose_the_ledger(&world);
    world.serve("", 1);
    let ended = retry(&world, "payroll.results.csv", &["--trust-results"]);
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 12 + failed);
    let after: Vec<String> = ids_by_phone(&world).into_iter().map(|(_, id)| id).collect();
    assert!(before.iter().all(|id| after.iter().filter(|other| *other == id).count() == 1));
    assert_paid_once(&world, &ended);
    // Once more from the older file and no ledger: every attempt has its own id, the provider knows it.
    lose_the_ledger(&world);
    let ended = retry(&world, "payroll.results.csv", &["--trust-results", "--settle-for", "3s"]);
    assert_paid_once(&world, &ended);
    let vietnamese = world.charge_log().into_iter().filter(|line| line.event == "charge").count();
    assert_eq!(vietnamese, 12, "a repeated id was charged again");
}

#[test]
fn an_older_results_file_never_pays_again_where_the_provider_can_be_asked() {
    let askable = [Country::Nigeria, Country::China];
    let rows: Vec<_> = (0..6).map(|n| row(askable[n % 2], n, &format!("73{n:02}"))).collect();
    let mut world = World::new("failed=100", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    // Nothing but our own question keeps these providers from charging a repeated id.
    world.serve("duplicate_ok=1", 1);
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 0);
    let sent = world.requests();
    assert_eq!(sent, 12);
    // The file of before the retry, and nobody who remembers it.
    lose_the_ledger(&world);
    let ended = retry(&world, "payroll.results.csv", &["--settle-for", "3s"]);
    assert_exit(&ended, 3);
    assert_eq!(world.requests(), sent, "an id that was used since went out again: {}", ended.stderr);
    assert_paid_once(&world, &ended);
}

#[test]
fn an_id_that_nothing_here_leads_to_is_left_to_a_person() {
    let rows: Vec<_> = (0..3).map(|n| row(rows::ALL[n % 3], n, &format!("72{n:02}"))).collect();
    let mut world = World::new("failed=100", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    lose_the_ledger(&world);
    world.serve("", 1);
    for lost in ["topup_transaction_id", "topup_reason", "topup_attempts", "topup_status"] {
        edit(&world.results, &world.path("work/narrow.csv"), |table| {
            let place = table.header.iter().position(|title| title == lost).unwrap();
            table.header.remove(place);
            table.rows.iter_mut().for_each(|row| drop(row.remove(place)));
        });
        let ended = retry(&world, "narrow.csv", &["--trust-results"]);
        assert_exit(&ended, 2);
        assert!(ended.stderr.contains(lost), "{}", ended.stderr);
    }
    edit(&world.results, &world.path("work/foreign.csv"), |table| {
        for row in 1..=3 {
            put(table, row, "topup_transaction_id", &format!("0123456789ABCDEFGHIJKLM{row}"));
        }
    });
    let ended = retry(&world, "foreign.csv", &["--trust-results", "--settle-for", "1s"]);
    assert_exit(&ended, 4);
    assert_eq!(world.requests(), 3);
    world.results = world.path("work/foreign.results-2.csv");
    for row in 1..=3 {
        assert_state(&world, row, "unknown", "ask", "conflict");
    }
}

#[test]
fn without_the_ledger_a_changed_order_is_held_against_what_the_file_says_was_sent() {
    let rows = [
        priced(Country::Nigeria, 0, "7300", "100"),
        priced(Country::Nigeria, 1, "7301", "100"),
        priced(Country::Nigeria, 2, "7302", "100"),
    ];
    let mut world = World::new("failed=100", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    lose_the_ledger(&world);
    world.serve("", 1);
    edit(&world.results, &world.path("work/changed.csv"), |table| {
        put(table, 1, "phone", "08037777001");
        put(table, 2, "amount", "500");
    });
    let ended = retry(&world, "changed.csv", &[]);
    assert_exit(&ended, 3);
    for told in ["row 1: ", "row 2: "] {
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    assert_eq!(world.requests(), 4, "a changed order was sent as the one that had failed");
    world.results = world.path("work/changed.results-2.csv");
    assert_eq!(state(&world, 3).0, "succeeded");
}

#[test]
fn without_the_ledger_the_rows_that_the_file_lacks_are_named_and_a_cancelled_batch_stays_so() {
    let rows: Vec<Row> = (0..4).map(|n| priced(Country::Vietnam, n, &format!("74{n:02}"), "10000")).collect();
    let mut world = World::new("connect_code=-3", 1, &rows);
    assert_exit(&world.topup(&[]), 5);
    edit(&world.results, &world.path("work/cut.csv"), |table| {
        table.rows.remove(1);
    });
    assert_exit(&world.run(&["cancel", &world.batch(), "--note", "wrong month"]), 0);
    let cancelled = world.path("work/cancelled.csv");
    fs::copy(&world.results, &cancelled).unwrap();
    lose_the_ledger(&world);
    world.serve("", 1);
    assert_exit(&retry(&world, "cancelled.csv", &["--trust-results"]), 2);
    assert_eq!(world.requests(), 1);
    lose_the_ledger(&world);
    let ended = retry(&world, "cut.csv", &["--trust-results"]);
    assert!(ended.stderr.contains("1 rows of batch") && ended.stderr.contains(": 2\n"), "{}", ended.stderr);
    assert_eq!(charges(&world), 3);
}
