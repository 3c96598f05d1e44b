//! Lost answers and late orders: what the provider does not know is sent again under its id, and what it knows is
//! never paid twice.

use std::thread::sleep;
use std::time::Duration;

use super::program::until;
use super::retry::{assert_sound_over_retries, assert_state, charges, retry, row, sent, state};
use super::rows::{self, Country, Row};
use super::world::{Settings, World, assert_exit};

fn hasty() -> Settings {
    Settings { timeout: "1200ms".to_owned(), not_found_grace: "2s".to_owned(), ..Settings::default() }
}

fn nigerians(count: usize) -> Vec<Row> {
    (0..count).map(|n| row(Country::Nigeria, n, &format!("60{n:02}"))).collect()
}

#[test]
fn an_order_that_never_arrived_goes_again_under_its_id_and_is_charged_once() {
    let mut world = World::with("drop_before=100", 1, &nigerians(3), hasty());
    let ended = world.topup(&["--settle-for", "20s"]);
    assert_exit(&ended, 3);
    world.assert_sound(&ended, true);
    for row in 1..=3 {
        assert_state(&world, row, "failed", "retry", "not_received");
    }
    world.serve("", 1);
    let ended = retry(&world, "payroll.results.csv", &[]);
    assert_exit(&ended, 0);
    for row in 1..=3 {
        let ids = sent(&world, row);
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1], "the same order went under another id");
    }
    assert_eq!(charges(&world), 3);
    world.results = world.path("work/payroll.results-2.csv");
    assert_sound_over_retries(&world, &ended);
    assert_eq!(world.table().cell(0, "topup_attempts"), "2");
}

#[test]
fn an_order_that_turned_up_before_its_retry_is_followed_and_not_sent() {
    let mut world = World::with("late=100,late_by=7s,pending=100,settle=500ms", 1, &nigerians(2), hasty());
    assert_exit(&world.topup(&["--settle-for", "20s"]), 3);
    assert_state(&world, 1, "failed", "retry", "not_received");
    until("charges", Duration::from_secs(20), || (charges(&world) == 2).then_some(()));
    let ended = retry(&world, "payroll.results.csv", &[]);
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 2, "an order that had turned up was sent again");
    world.results = world.path("work/payroll.results-2.csv");
    world.assert_sound(&ended, true);
}

#[test]
fn settle_takes_up_an_order_that_arrived_after_it_was_counted_out() {
    let world = World::with("late=100,late_by=7s", 1, &nigerians(2), hasty());
    assert_exit(&world.topup(&["--settle-for", "20s"]), 3);
    until("charges", Duration::from_secs(20), || (charges(&world) == 2).then_some(()));
    let ended = world.run(&["settle", &world.batch(), "--json", "--settle-for", "5s"]);
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 2);
    world.assert_sound(&ended, true);
}

#[test]
fn an_order_that_arrives_late_after_its_retry_is_charged_once() {
    let mut world = World::with("late=60,late_by=6s", 3, &nigerians(8), hasty());
    let ended = world.topup(&["--settle-for", "5s"]);
    assert_exit(&ended, 3);
    let lost = world.table().count("topup_reason").get("not_received").copied().unwrap_or(0);
    assert!(lost >= 3, "{:?}", world.table().count("topup_reason"));
    assert_eq!(charges(&world), 8 - lost, "an order arrived before it was counted out");
    let ended = retry(&world, "payroll.results.csv", &["--settle-for", "15s"]);
    assert!([0, 3].contains(&ended.code.unwrap()), "{ended:?}");
    sleep(Duration::from_secs(7));
    world.results = world.path("work/payroll.results-2.csv");
    let ended = world.run(&["settle", &world.batch(), "--json", "--settle-for", "5s"]);
    assert_exit(&ended, 0);
    assert_eq!(charges(&world), 8);
    assert_sound_over_retries(&world, &ended);
}

#[test]
fn with_a_tenth_of_the_answers_lost_every_row_that_can_be_asked_about_settles_by_itself() {
    let settings = Settings { not_found_grace: "3s".to_owned(), ..hasty() };
    let rows = rows::plain(120, &[Country::Nigeria, Country::China], 9);
    let mut world = World::with("drop_before=5,drop_after=5", 9, &rows, settings);
    let ended = world.topup(&["--settle-for", "30s"]);
    world.assert_sound(&ended, true);
    assert_exit(&ended, 3);
    let table = world.table();
    let counts = table.count("topup_status");
    assert_eq!(counts.get("unknown").or(counts.get("pending")), None, "{counts:?}");
    let lost = table.count("topup_reason")["not_received"];
    assert!(lost > 1);
    world.serve("", 9);
    let ended = retry(&world, "payroll.results.csv", &[]);
    assert_exit(&ended, 0);
    assert_eq!((charges(&world), world.requests()), (120, 120 + lost));
    world.results = world.path("work/payroll.results-2.csv");
    assert_sound_over_retries(&world, &ended);
}

#[test]
fn an_order_that_cannot_be_asked_about_is_left_to_a_person_with_its_id_and_time() {
    let rows = rows::plain(60, &[Country::Vietnam], 4);
    let world = World::with("drop_before=10,drop_after=10", 4, &rows, hasty());
    let ended = world.topup(&["--settle-for", "5s"]);
    assert_exit(&ended, 4);
    world.assert_sound(&ended, true);
    let log = world.charge_log();
    let table = world.table();
    let mut lost = 0;
    for row in 1..=60 {
        let ids = sent(&world, row);
        assert_eq!(ids.len(), 1, "row {row} was sent again");
        let fault = log.iter().any(|line| line.id == ids[0] && line.fault.is_some());
        lost += usize::from(fault);
        let (status, next, reason) = state(&world, row);
        let wanted = if fault { ("unknown", "ask", "no_answer") } else { ("succeeded", "none", "") };
        assert_eq!((&*status, &*next, &*reason), wanted, "row {row}");
        if fault {
            let message = table.cell(row - 1, "topup_message");
            let at = &table.cell(row - 1, "topup_submitted_at")[..16];
            assert!(message.contains(&ids[0]) && message.contains(at), "{message:?}, {at}");
        }
    }
    assert!(lost > 3);
}
