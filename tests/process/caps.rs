//! Caps, expected totals, all-or-nothing and repeats: what is refused costs no request.

use std::fs;

use super::program::Ended;
use super::retry::{assert_state, priced, retry, row, sent, state};
use super::rows::{self, Country, Row};
use super::world::{World, assert_exit};

/// Puts lines into `[limits]` of the configuration.
fn limit(world: &World, lines: &str) {
    let text = fs::read_to_string(world.config_path()).unwrap();
    let place = text.find("[[providers]]").unwrap();
    let text = format!("{}[limits]\n{lines}\n\n{}", &text[..place], &text[place..]);
    fs::write(world.config_path(), text).unwrap();
}

fn vietnamese(count: usize, block: usize) -> Vec<Row> {
    (0..count).map(|n| priced(Country::Vietnam, n, &format!("{block}{n:02}"), "20000")).collect()
}

fn chinese(count: usize, block: usize) -> Vec<Row> {
    let data = |n: usize| Row {
        amount: String::new(),
        product: "6GB".to_owned(),
        phone: format!("186{n:04}{block}00"),
        ..row(Country::China, n, "9000")
    };
    (0..count).map(data).collect()
}

/// `run` of another file of the working folder.
fn run(world: &World, file: &str, more: &[&str]) -> Ended {
    let mut args = vec!["run", file, "--yes", "--json"];
    args.extend(more);
    world.run(&args)
}

fn refused(world: &World, ended: &Ended, told: &str) {
    assert_exit(ended, 2);
    assert!(ended.stderr.contains(told), "{told} is not in\n{}", ended.stderr);
    assert_eq!(world.requests(), 0);
}

#[test]
fn rows_over_a_cap_are_invalid_and_cost_no_request() {
    let mut rows = vietnamese(3, 90);
    "50000".clone_into(&mut rows[0].amount);
    rows[2] = Row { reference: "another".to_owned(), amount: "10000".to_owned(), ..rows[1].clone() };
    rows.extend(chinese(1, 90));
    let world = World::new("", 1, &rows);
    limit(&world, "max_row = { VND = \"40000\", USD = \"45\" }\nmax_number = { VND = \"25000\" }");
    let ended = world.topup(&[]);
    assert_exit(&ended, 3);
    for row in [1, 3, 4] {
        assert_state(&world, row, "invalid", "fix", "over_cap");
        assert!(sent(&world, row).is_empty());
    }
    assert_eq!((state(&world, 2).0.as_str(), world.requests()), ("succeeded", 1));
    world.assert_sound(&ended, true);
}

#[test]
fn a_batch_over_the_cap_of_batch_or_day_is_refused_whole() {
    let world = World::new("", 1, &vietnamese(3, 91));
    limit(&world, "max_batch = { VND = \"59999\" }");
    refused(&world, &world.topup(&[]), "max_batch");
    world.configure();
    limit(&world, "max_day = { VND = \"59999\" }");
    refused(&world, &world.topup(&[]), "max_day");
    world.configure();
    limit(&world, "max_day = { VND = \"60000\" }\nmax_batch = { VND = \"60000\" }");
    assert_exit(&world.topup(&[]), 0);
    rows::write(&world.path("work/more.csv"), &vietnamese(1, 92));
    let ended = run(&world, "more.csv", &[]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("max_day"), "{}", ended.stderr);
    assert_eq!(world.requests(), 3);
}

#[test]
fn caps_of_batch_and_day_hold_when_a_batch_goes_on_and_when_it_is_retried() {
    let mut world = World::new("connect_code=-3", 1, &vietnamese(3, 93));
    assert_exit(&world.topup(&[]), 5);
    world.serve("failed=100", 1);
    for cap in ["max_day", "max_batch"] {
        world.configure();
        limit(&world, &format!("{cap} = {{ VND = \"59999\" }}"));
        for ended in [world.topup(&[]), retry(&world, "payroll.results.csv", &[])] {
            assert_exit(&ended, 2);
            assert!(ended.stderr.contains(cap), "{}", ended.stderr);
        }
    }
    assert_eq!(world.requests(), 1);
    world.configure();
    assert_exit(&world.topup(&[]), 3);
    limit(&world, "max_day = { VND = \"59999\" }");
    assert_exit(&retry(&world, "payroll.results.csv", &[]), 2);
    assert_eq!(world.requests(), 4);
}

#[test]
fn another_total_than_the_expected_one_costs_no_request() {
    let mut rows = vietnamese(2, 94);
    rows.push(priced(Country::Vietnam, 2, "9402", "15000"));
    let world = World::new("", 1, &rows);
    for total in ["VND=20000", "VND=55000", "USD=40000", "VND=40001"] {
        refused(&world, &world.topup(&["--expect-total", total]), "--expect-total");
    }
    refused(
        &world,
        &world.topup(&["--expect-total", "VND=40000", "--expect-total", "USD=1"]),
        "--expect-total",
    );
    assert_exit(&world.topup(&["--expect-total", "VND=40000"]), 3);
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_total_of_prices_that_only_the_provider_knows_is_checked_before_the_first_submit() {
    let mut rows = chinese(2, 95);
    rows.push(priced(Country::Vietnam, 2, "9502", "20000"));
    rows.push(priced(Country::Nigeria, 3, "9503", "100"));
    let world = World::new("", 1, &rows);
    let whole = ["--expect-total", "VND=20000", "--expect-total", "NGN=100", "--expect-total"];
    let ended = world.topup(&[&whole[..], &["USD=91"]].concat());
    refused(&world, &ended, "--expect-total");
    let ended = world.topup(&whole[..4]);
    refused(&world, &ended, "--expect-total");
    let ended = world.topup(&[&whole[..], &["USD=92"]].concat());
    assert_exit(&ended, 0);
    assert_eq!(world.requests(), 4);
    world.assert_sound(&ended, true);
}

#[test]
fn with_all_or_nothing_one_wrong_row_costs_no_request() {
    let mut rows = vietnamese(2, 96);
    rows.push(priced(Country::Vietnam, 2, "9602", "15000"));
    let world = World::new("", 1, &rows);
    refused(&world, &world.topup(&["--all-or-nothing"]), "--all-or-nothing");
    // Only the look-up of its number shows that the provider does not sell this.
    let mut rows = vietnamese(2, 97);
    rows.extend(chinese(1, 97));
    "35".clone_into(&mut rows[2].product);
    let world = World::new("", 1, &rows);
    refused(&world, &world.topup(&["--all-or-nothing"]), "--all-or-nothing");
    assert_exit(&world.topup(&[]), 3);
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_recent_order_of_another_batch_is_not_repeated_unless_allowed() {
    let mut rows = vietnamese(2, 98);
    let world = World::new("", 1, &rows);
    assert_exit(&world.topup(&[]), 0);
    "another".clone_into(&mut rows[0].reference);
    rows.push(priced(Country::Vietnam, 7, "9807", "20000"));
    rows::write(&world.path("work/again.csv"), &rows);
    let ended = run(&world, "again.csv", &[]);
    assert_exit(&ended, 3);
    assert_eq!(world.requests(), 3);
    let table = super::evidence::Table::read(&world.path("work/again.results.csv"));
    assert_eq!(table.count("topup_reason").get("recent_repeat"), Some(&2));
    let ended = run(&world, "again.csv", &[]);
    assert_exit(&ended, 2);
    assert_exit(&retry(&world, "again.results.csv", &[]), 2);
    assert_eq!(world.requests(), 3);
    assert_exit(&retry(&world, "again.results.csv", &["--allow-repeats"]), 0);
    assert_eq!(world.requests(), 5);
}

#[test]
fn repeats_are_looked_for_again_when_a_batch_goes_on_and_when_it_is_retried() {
    let rows = vietnamese(3, 99);
    let mut world = World::new("connect_code=-3", 1, &rows);
    assert_exit(&world.topup(&[]), 5);
    world.serve("", 1);
    // Somebody pays two of the three from another file meanwhile.
    rows::write(&world.path("work/urgent.csv"), &rows[..2]);
    assert_exit(&run(&world, "urgent.csv", &["--allow-repeats"]), 0);
    let before = world.requests();
    let ended = retry(&world, "payroll.results.csv", &["-o", "retried.csv"]);
    assert_exit(&ended, 5);
    assert_eq!(world.requests(), before + 1, "{}", ended.stderr);
    let ended = world.topup(&[]);
    assert_exit(&ended, 3);
    assert_eq!(world.requests(), before + 1, "a row that was paid in another batch was sent");
    let table = super::evidence::Table::read(&world.path("work/retried.csv"));
    assert_eq!(table.count("topup_reason").get("recent_repeat"), Some(&2), "{table:?}");

    // The same for rows that had failed.
    let mut world = World::new("failed=100", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    world.serve("", 1);
    rows::write(&world.path("work/urgent.csv"), &rows);
    assert_exit(&run(&world, "urgent.csv", &[]), 0);
    let ended = retry(&world, "payroll.results.csv", &[]);
    assert_exit(&ended, 2);
    assert!(ended.stderr.contains("--allow-repeats"), "{}", ended.stderr);
    assert_eq!(world.requests(), 6);
    assert_exit(&retry(&world, "payroll.results.csv", &["--allow-repeats"]), 0);
    assert_eq!(world.requests(), 9);
}
