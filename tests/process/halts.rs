//! Halts: what stops, what goes on, and the same command when the cause is gone.

use std::fs;

use super::retry::{assert_state, charges, priced, sent, state};
use super::rows::{Country, Row};
use super::world::{Settings, World, assert_exit};

fn vietnamese(count: usize, block: usize) -> Vec<Row> {
    (0..count).map(|n| priced(Country::Vietnam, n, &format!("{block}{n:02}"), "20000")).collect()
}

fn nigerian(number: usize, prefix: &str, tail: &str) -> Row {
    let phone = format!("{prefix}{number:03}{tail}");
    Row { phone, ..priced(Country::Nigeria, number, tail, "100") }
}

#[test]
fn a_balance_that_runs_out_stops_its_provider_alone_and_the_same_command_sends_the_rest() {
    let mut rows = vietnamese(6, 20);
    rows.extend((6..12).map(|n| nigerian(n, "0803", &format!("20{n:02}"))));
    let settings = Settings { max_in_flight: 1, ..Settings::default() };
    let mut world = World::with("vnd_balance=50000", 1, &rows, settings);
    let ended = world.topup(&[]);
    assert_exit(&ended, 5);
    world.assert_sound(&ended, true);
    assert_eq!(charges(&world), 8);
    for row in 3..=6 {
        assert_state(&world, row, "not_sent", "retry", "insufficient_balance");
    }
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(summary["halts"][0]["provider"], "vietnam");
    assert_eq!(summary["halts"][0]["code"], "-3");
    let refused = sent(&world, 3);
    world.serve("vnd_balance=1000000", 1);
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(charges(&world), 12);
    assert_eq!(world.requests(), 13);
    assert_eq!(sent(&world, 3), [refused[0].clone(), refused[0].clone()]);
}

#[test]
fn a_channel_that_is_off_stops_its_operator_alone() {
    let rows: Vec<Row> =
        (0..6).map(|n| nigerian(n, if n % 2 == 0 { "0803" } else { "0805" }, &format!("21{n:02}"))).collect();
    for code in ["4016", "4017", "4018"] {
        let settings = Settings { max_in_flight: 1, ..Settings::default() };
        let faults = format!("paynicorn_code={code},code_count=1");
        let mut world = World::with(&faults, 1, &rows, settings);
        let ended = world.topup(&[]);
        assert_exit(&ended, 5);
        world.assert_sound(&ended, true);
        let counts = world.table().count("topup_status");
        assert_eq!((counts.get("succeeded"), counts.get("not_sent")), (Some(&3), Some(&3)), "{counts:?}");
        assert_eq!(world.requests(), 4, "{code}: more than one row met the halt");
        assert_eq!(world.table().count("topup_reason").get("service_paused"), Some(&3));
        world.serve("", 1);
        let ended = world.topup(&[]);
        assert_exit(&ended, 0);
        world.assert_sound(&ended, true);
        assert_eq!(world.requests(), 7);
    }
}

#[test]
fn a_paused_service_stops_its_gateway_alone_where_the_row_names_it() {
    let settings = Settings { max_in_flight: 1, ..Settings::default() };
    let mut world = World::with("connect_code=-304,code_count=1", 1, &[], settings);
    let mut text = "phone,amount,country,operator\n".to_owned();
    for n in 0..6 {
        let (prefix, operator) = if n % 2 == 0 { ("098", "VTL") } else { ("091", "VNP") };
        text.push_str(&format!("{prefix}22222{n:02},20000,VN,{operator}\n"));
    }
    fs::write(&world.input, text).unwrap();
    let ended = world.topup(&[]);
    assert_exit(&ended, 5);
    world.assert_sound(&ended, true);
    assert_eq!((world.requests(), charges(&world)), (4, 3));
    for row in [1, 3, 5] {
        assert_state(&world, row, "not_sent", "retry", "service_paused");
    }
    world.serve("", 1);
    assert_exit(&world.topup(&[]), 0);
    assert_eq!((world.requests(), charges(&world)), (7, 6));
}

#[test]
fn a_halted_providers_open_rows_are_still_followed() {
    let rows: Vec<Row> = (0..6).map(|n| nigerian(n, "0803", if n == 0 { "0001" } else { "2300" })).collect();
    let settings = Settings { max_in_flight: 1, ..Settings::default() };
    let world = World::with("settle=2s,paynicorn_code=4012,code_from=3", 1, &rows, settings);
    let ended = world.topup(&["--settle-for", "20s"]);
    assert_exit(&ended, 5);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 3);
    assert_eq!((state(&world, 1).0.as_str(), state(&world, 2).0.as_str()), ("succeeded", "succeeded"));
    assert_state(&world, 6, "not_sent", "retry", "insufficient_balance");
}

#[test]
fn so_many_unclear_answers_in_succession_halt_their_provider() {
    let mut rows = vietnamese(10, 24);
    rows.extend((10..14).map(|n| nigerian(n, "0803", &format!("24{n:02}"))));
    let settings = Settings { max_in_flight: 1, timeout: "1200ms".to_owned(), ..Settings::default() };
    let world = World::with("connect_code=-99", 1, &rows, settings);
    let text = fs::read_to_string(world.config_path()).unwrap();
    fs::write(world.config_path(), text.replace("halt_after_unclear = 1000", "halt_after_unclear = 3"))
        .unwrap();
    let ended = world.topup(&["--settle-for", "1s"]);
    assert_exit(&ended, 5);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 3 + 4);
    for row in 4..=10 {
        assert_state(&world, row, "not_sent", "retry", "unclear_answers");
    }
}
