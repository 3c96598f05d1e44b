//! `settle --recheck`: orders that succeeded are asked about again; a late reversal is told and overwrites nothing.

use std::time::Duration;

use super::program::until;
use super::retry::{assert_state, row, state};
use super::rows::Country;
use super::world::{World, assert_exit};

fn of_each_provider() -> Vec<super::rows::Row> {
    [Country::Vietnam, Country::Nigeria, Country::China]
        .into_iter()
        .enumerate()
        .map(|(n, c)| row(c, n, "8000"))
        .collect()
}

fn contradictions(world: &World) -> usize {
    world.events().iter().filter(|(_, body)| body.get("contradicted").is_some()).count()
}

#[test]
fn a_late_reversal_is_put_on_record_and_told_and_the_row_stays_succeeded() {
    let world = World::new("reverse=100,reverse_after=300ms", 1, &of_each_provider());
    assert_exit(&world.topup(&[]), 0);
    until("the reversals", Duration::from_secs(30), || {
        let reversed = world.charge_log().iter().filter(|line| line.event == "reverse").count();
        (reversed == 3).then_some(())
    });
    let sent = world.requests();
    let ended = world.run(&["settle", "--recheck", "24h"]);
    assert_exit(&ended, 3);
    assert!(ended.stderr.contains("3 CONTRADICTED"), "{}", ended.stderr);
    for told in ["exit 3: a later answer contradicts", "conflict", "status payroll-"] {
        assert!(ended.stdout.contains(told), "{told}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("bulk-topup resolve"), "a final row cannot be resolved: {}", ended.stdout);
    for row in 1..=3 {
        assert_state(&world, row, "succeeded", "ask", "conflict");
    }
    assert_eq!((world.requests(), contradictions(&world)), (sent, 3));
    // Again: told again, recorded once.
    assert_exit(&world.run(&["settle", "payroll", "--recheck", "1h", "--json"]), 3);
    assert_eq!((world.requests(), contradictions(&world)), (sent, 3));
    let shown = world.run(&["status", "payroll"]);
    assert!(
        shown.stdout.contains("3 rows with a final state that a later answer contradicts"),
        "{}",
        shown.stdout
    );
    let history = world.run(&["status", "payroll", "--row", "2"]);
    assert!(history.stdout.contains("now reports it failed"), "{}", history.stdout);
    // Exit codes of other commands are about the rows, which stay as they are.
    assert_exit(&world.run(&["settle", "payroll"]), 0);
    // Nothing of it goes out again.
    assert_exit(&world.run(&["retry", "payroll.results.csv", "--yes"]), 2);
    assert_eq!(world.requests(), sent);
}

#[test]
fn what_is_still_so_is_confirmed_and_nothing_is_written_down() {
    let mut world = World::new("", 1, &of_each_provider());
    assert_exit(&world.topup(&[]), 0);
    let (sent, events) = (world.requests(), world.events().len());
    let ended = world.run(&["settle", "--recheck", "24h"]);
    assert_exit(&ended, 0);
    assert!(ended.stderr.contains("Asked again about 3 rows: 3 confirmed"), "{}", ended.stderr);
    let old = world.run(&["settle", "--recheck", "1ms"]);
    assert_exit(&old, 0);
    assert!(old.stderr.contains("nothing to ask"), "{}", old.stderr);
    // No answer that tells anything, and an order that the provider forgot: neither proves a reversal.
    world.serve("paynicorn_lookup_code=4029,tutom_lookup_code=21106,connect_lookup_code=-99", 1);
    let ended = world.run(&["settle", "payroll", "--recheck", "24h"]);
    assert_exit(&ended, 0);
    for told in ["1 not known to the provider any more", "2 without an answer"] {
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
    assert_eq!((world.requests(), world.events().len()), (sent, events));
    assert_eq!(state(&world, 1).0, "succeeded");
}

#[test]
fn open_rows_are_followed_first_and_an_order_that_cannot_be_asked_about_is_told() {
    let rows = [
        row(Country::Vietnam, 0, "8000"),
        row(Country::Vietnam, 1, "8001"),
        row(Country::Nigeria, 2, "0001"),
    ];
    let world = World::new("drop_after=100,settle=1s", 1, &rows);
    assert_exit(&world.topup(&["--settle-for", "0s"]), 4);
    let said = "the provider confirmed it by phone";
    assert_exit(&world.run(&["resolve", "payroll", "1", "--as", "succeeded", "--note", said]), 0);
    let ended = world.run(&["settle", "payroll", "--recheck", "24h", "--settle-for", "20s"]);
    assert_exit(&ended, 4);
    assert_eq!(state(&world, 3).0, "succeeded");
    assert_eq!(state(&world, 2).0, "unknown");
    let told = "Asked again about 2 rows: 1 confirmed, 1 cannot be asked about";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}
