//! Providers that work: every row ends as its provider decided.

use std::collections::BTreeMap;

use super::rows::{self, Chance, Country};
use super::world::{World, assert_exit};

#[test]
fn three_hundred_mixed_rows_end_as_their_providers_decided() {
    let mut chance = Chance::new(300);
    let scenarios = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"];
    let rows: Vec<_> = (0..300)
        .map(|number| {
            let country = rows::ALL[number % 3];
            let tail = match scenarios.get(number / 3 % 25) {
                // CONNECT TOPUP cannot be asked for an order whose answer was lost.
                Some(&"0007") if country == Country::Vietnam => "0006".to_owned(),
                Some(tail) => (*tail).to_owned(),
                None => rows::plain_tail(&mut chance),
            };
            rows::row(country, number, &tail, &mut chance)
        })
        .collect();
    let world = World::new("", 1, &rows);
    let ended = world.topup(&["--settle-for", "30s"]);
    assert_exit(&ended, 3);
    world.assert_sound(&ended, true);
    let table = world.table();
    let counts = table.count("topup_status");
    let known: BTreeMap<_, _> =
        counts.iter().filter(|(word, _)| !["succeeded", "failed"].contains(&word.as_str())).collect();
    assert!(known.is_empty(), "{counts:?}");
    // Every ending has its kind of end.
    for row in 0..rows.len() {
        let digits: String = table.cell(row, "topup_phone").to_owned();
        let wanted = match &digits[digits.len() - 4..] {
            "0002" | "0003" | "0004" | "0008" => "failed",
            _ => "succeeded",
        };
        assert_eq!(table.cell(row, "topup_status"), wanted, "row {}: {digits}", row + 1);
    }
    let sent = world.requests();
    let before = std::fs::read(&world.results).unwrap();
    let again = world.topup(&[]);
    assert_exit(&again, 2);
    assert_eq!(world.requests(), sent, "a finished batch run again submitted something");
    assert_eq!(std::fs::read(&world.results).unwrap(), before, "a refused run wrote results");
}

#[test]
fn an_order_whose_answer_was_lost_and_cannot_be_asked_for_is_left_to_a_person() {
    let mut chance = Chance::new(7);
    let rows: Vec<_> = (0..4).map(|n| rows::row(Country::Vietnam, n, "0007", &mut chance)).collect();
    let world = World::new("", 1, &rows);
    let ended = world.topup(&["--settle-for", "5s"]);
    assert_exit(&ended, 4);
    world.assert_sound(&ended, true);
    for row in 0..4 {
        assert_eq!(world.table().cell(row, "topup_status"), "unknown");
        assert_eq!(world.table().cell(row, "topup_next"), "ask");
    }
    let sent = world.requests();
    assert_exit(&world.topup(&["--settle-for", "1s"]), 4);
    assert_exit(&world.run(&["settle", "--settle-for", "1s"]), 4);
    assert_eq!(world.requests(), sent, "an unknown row was submitted again");
}
