//! What a person decides: `resolve`, `cancel`, a canary, and the question before money moves.

use std::fs;

use super::program::Program;
use super::retry::{assert_sound_over_retries, assert_state, charges, priced, retry, row, sent, state};
use super::rows::{Country, Row};
use super::world::{LONG, Settings, World, assert_exit};

fn vietnamese(count: usize, first: &str) -> Vec<Row> {
    let tail = |n: usize| if n == 0 { first.to_owned() } else { format!("80{n:02}") };
    (0..count).map(|n| priced(Country::Vietnam, n, &tail(n), "20000")).collect()
}

#[test]
fn only_unknown_rows_are_decided_by_a_person() {
    let rows = [
        row(Country::Nigeria, 0, "8000"),
        row(Country::Nigeria, 1, "0003"),
        priced(Country::Vietnam, 2, "8002", "15000"),
        row(Country::Nigeria, 3, "0001"),
        row(Country::China, 4, "8004"),
        row(Country::Vietnam, 5, "0007"),
    ];
    let world = World::new("settle=60s,tutom_code=21102", 1, &rows);
    assert_exit(&world.topup(&["--settle-for", "1s"]), 5);
    let wanted = ["succeeded", "failed", "invalid", "pending", "not_sent"];
    let bytes = fs::read(&world.results).unwrap();
    for (row, status) in (1..).zip(wanted) {
        assert_eq!(state(&world, row).0, status);
        for decision in ["succeeded", "failed"] {
            let row = row.to_string();
            let ended = world.run(&["resolve", "payroll", &row, "--as", decision, "--note", "told so"]);
            assert_exit(&ended, 2);
            assert!(ended.stderr.contains(status), "{}", ended.stderr);
        }
    }
    assert_exit(&world.run(&["resolve", "payroll", "7", "--as", "failed", "--note", "x"]), 2);
    assert_eq!(fs::read(&world.results).unwrap(), bytes);
    let decided = world.run(&["resolve", "payroll", "6", "--as", "succeeded", "--note", "ticket 4711"]);
    assert_exit(&decided, 0);
    assert_state(&world, 6, "succeeded", "none", "resolved");
    // The decision is done; the batch is not.
    assert!(decided.stdout.contains("exit 5: some rows not sent"), "{}", decided.stdout);
    assert_exit(&world.run(&["resolve", "payroll", "6", "--as", "failed", "--note", "no"]), 2);
    assert_state(&world, 6, "succeeded", "none", "resolved");
}

#[test]
fn what_a_person_resolved_as_failed_goes_under_a_new_id_and_the_decision_is_kept() {
    let mut world = World::new("drop_before=100", 1, &vietnamese(2, "8100"));
    assert_exit(&world.topup(&["--settle-for", "1s"]), 4);
    world.serve("", 1);
    let note = "provider has no such order, ticket 4711";
    let ended = world.run(&["resolve", "payroll", "1", "--as", "failed", "--note", note]);
    assert_exit(&ended, 0);
    assert_state(&world, 1, "failed", "retry", "resolved");
    assert!(world.table().cell(0, "topup_message").contains(note));
    let ended = retry(&world, "payroll.results.csv", &["--settle-for", "1s"]);
    assert_exit(&ended, 4);
    world.results = world.path("work/payroll.results-2.csv");
    assert_sound_over_retries(&world, &ended);
    assert_eq!(state(&world, 1).0, "succeeded");
    let ids = sent(&world, 1);
    assert_eq!((ids.len(), ids[0] != ids[1], sent(&world, 2).len(), charges(&world)), (2, true, 1, 1));
    let history = world.run(&["status", "payroll", "--row", "1"]);
    assert_exit(&history, 0);
    for told in [note, "resolved", &ids[0], &ids[1]] {
        assert!(history.stdout.contains(told), "{told} is not in\n{}", history.stdout);
    }
    let kept = world.events().into_iter().find_map(|(_, body)| body.get("resolved").cloned()).unwrap();
    assert!(kept["user"].as_str().is_some_and(|user| !user.is_empty()), "{kept}");
}

#[test]
fn an_answer_against_a_persons_decision_is_a_conflict_and_nothing_is_sent() {
    let rows = [row(Country::Nigeria, 0, "8200")];
    let mut world = World::new("drop_after=100,lookup_drop=0,paynicorn_lookup_code=4029", 1, &rows);
    assert_exit(&world.topup(&["--settle-for", "1s"]), 4);
    assert_exit(&world.run(&["resolve", "payroll", "1", "--as", "failed", "--note", "support said so"]), 0);
    world.serve("", 1);
    let ended = retry(&world, "payroll.results.csv", &["--settle-for", "2s"]);
    assert_eq!(world.requests(), 1, "what the provider knows as done was sent again");
    assert_exit(&ended, 3);
    world.results = world.path("work/payroll.results-2.csv");
    assert_state(&world, 1, "failed", "ask", "conflict");
    let ended = retry(&world, "payroll.results-2.csv", &[]);
    assert_exit(&ended, 2);
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_cancelled_batch_sends_nothing_more_and_its_open_rows_still_settle() {
    let mut rows = vietnamese(3, "8300");
    rows.push(row(Country::Nigeria, 3, "0001"));
    let mut world = World::new("settle=4s,connect_code=-3", 1, &rows);
    assert_exit(&world.topup(&["--settle-for", "0s"]), 5);
    let sent = world.requests();
    assert_exit(&world.run(&["cancel", "payroll", "--note", "wrong month"]), 0);
    for row in 1..=3 {
        assert_state(&world, row, "not_sent", "none", "cancelled");
    }
    assert_eq!(state(&world, 4).0, "pending");
    world.serve("settle=4s", 1);
    assert_exit(&world.topup(&[]), 2);
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 2);
    assert_exit(&world.run(&["cancel", "payroll", "--note", "again"]), 2);
    let ended = world.run(&["settle", "payroll", "--json", "--settle-for", "10s"]);
    assert_exit(&ended, 0);
    assert_eq!(state(&world, 4).0, "succeeded");
    assert_eq!(world.requests(), sent, "a cancelled batch was sent");
}

#[test]
fn a_canary_that_fails_stops_the_rest_and_the_same_command_goes_on() {
    let rows = vietnamese(6, "0003");
    let world = World::new("", 1, &rows);
    let ended = world.topup(&["--first", "2"]);
    assert_exit(&ended, 5);
    assert_eq!(world.requests(), 2);
    world.assert_sound(&ended, true);
    for row in 3..=6 {
        assert_state(&world, row, "not_sent", "retry", "interrupted");
    }
    let ended = world.topup(&["--first", "2"]);
    assert_exit(&ended, 3);
    assert_eq!(world.requests(), 6, "an old failure stopped rows that it has nothing to do with");
    world.assert_sound(&ended, true);
}

#[test]
fn a_canary_that_succeeds_lets_the_rest_go() {
    let world = World::new("", 1, &vietnamese(5, "8400"));
    let ended = world.topup(&["--first", "1"]);
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 5);
    world.assert_sound(&ended, true);
    let world = World::new("", 1, &vietnamese(2, "8400"));
    assert_exit(&world.topup(&["--first", "9"]), 0);
    // Not final is not succeeded.
    let world = World::new("settle=60s", 1, &vietnamese(3, "0001"));
    let ended = world.topup(&["--first", "1", "--settle-for", "1s"]);
    assert_exit(&ended, 5);
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_batch_goes_on_only_when_it_is_confirmed_again() {
    let mut world = World::with("connect_code=-3", 1, &vietnamese(4, "8500"), Settings::default());
    assert_exit(&world.topup(&[]), 5);
    world.serve("", 1);
    let ended = world.run(&["run", "payroll.csv"]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("--yes"), "{}", ended.stderr);
    let ended = world.topup(&["--expect-total", "VND=60000"]);
    assert_exit(&ended, 2);
    assert_eq!(world.requests(), 1, "an unconfirmed batch went on");
    let ended = world.topup(&["--expect-total", "VND=80000"]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 5);
}

#[test]
fn a_canary_of_a_retry_that_failed_again_does_not_go_out_with_the_rest() {
    // Rows 1 and 2 fail whenever they are sent, the others only the first time.
    let mut rows = vietnamese(5, "0003");
    rows[1] = priced(Country::Vietnam, 1, "0003", "20000");
    let mut world = World::new("failed=100", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    assert_eq!(world.requests(), 5);
    world.serve("", 1);
    let mut command = world.command();
    command.args(["retry", "payroll.results.csv", "--first", "2", "--no-progress"]);
    let (mut program, mut person) = Program::start_before(command, &world.next_stem());
    person.reads("Type the VND total (100000)");
    person.answers("100000");
    let told = person.reads("Send the rest?");
    assert!(told.contains("First rows: 2 failed. 3 rows are left."), "{told}");
    person.answers("yes");
    let ended = program.wait(LONG);
    assert_exit(&ended, 3);
    // One submit of before, and one of this retry.
    assert_eq!([1, 2, 3, 4, 5].map(|row| sent(&world, row).len()), [2; 5]);
    world.results = world.path("work/payroll.results-2.csv");
    assert_sound_over_retries(&world, &ended);
    assert_eq!(
        [1, 2, 3, 4, 5].map(|row| state(&world, row).0 == "failed"),
        [true, true, false, false, false]
    );
}
