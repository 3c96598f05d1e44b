//! The rate of submits, as recorded and as the provider sees it. These measure, so they run alone.

use super::rows::{self, Country};
use super::world::{Settings, World, alone, assert_exit};

/// Measurements of use may be spoiled by the machine; the limit itself may never be passed.
const TRIES: usize = 3;

/// Instants of a run, in microseconds.
struct Instants {
    sent: Vec<i64>,
    arrived: Vec<i64>,
}

fn instants(world: &World) -> Instants {
    let sent_at = |event: &serde_json::Value| {
        let outcome = event.get("answered").or_else(|| event.get("no_answer"))?;
        outcome.get("sent_at")?.as_i64()
    };
    let mut sent: Vec<i64> = world.events().iter().filter_map(|(_, event)| sent_at(event)).collect();
    let log = world.charge_log();
    let requests = log.iter().filter(|line| line.event == "request");
    let mut arrived: Vec<i64> = requests.map(|line| micros(&line.at)).collect();
    sent.sort_unstable();
    arrived.sort_unstable();
    Instants { sent, arrived }
}

/// Microseconds of the day of `2026-01-31T12:34:56.123456Z`; a run does not pass midnight twice.
fn micros(at: &str) -> i64 {
    let number = |from: usize, to: usize| at[from..to].parse::<i64>().unwrap();
    let (day, hour, minute, second) = (number(8, 10), number(11, 13), number(14, 16), number(17, 19));
    (((day * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + number(20, 26)
}

/// The most that any window of one second holds.
fn most_in_a_second(instants: &[i64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (place, at) in instants.iter().enumerate() {
        while instants[first] + 1_000_000 <= *at {
            first += 1;
        }
        most = most.max(place - first + 1);
    }
    most
}

fn measure(rate: usize, count: usize, used_percent: f64) {
    let _machine = alone();
    for turn in 1..=TRIES {
        let settings =
            Settings { submit_rate: format!("{rate}/s"), max_in_flight: 64, ..Settings::default() };
        let world = World::with("latency=5ms", 1, &rows::plain(count, &[Country::Vietnam], 1), settings);
        let ended = world.topup(&[]);
        assert_exit(&ended, 0);
        let seen = instants(&world);
        assert_eq!((seen.sent.len(), seen.arrived.len()), (count, count));
        let (sent, arrived) = (most_in_a_second(&seen.sent), most_in_a_second(&seen.arrived));
        let span = (seen.sent[count - 1] - seen.sent[0]) as f64 / 1e6;
        let used = 100.0 * (count - 1) as f64 / span / rate as f64;
        eprintln!(
            "{rate}/s: {count} in {span:.2} s ({used:.1} %), windows of {sent} sent, {arrived} arrived"
        );
        assert!(sent <= rate, "{sent} were sent within a second");
        if used >= used_percent && arrived <= rate * 102 / 100 {
            world.assert_sound(&ended, true);
            return;
        }
        assert!(turn < TRIES, "{used:.1} % of {rate}/s used, {arrived} arrived within a second");
    }
}

#[test]
fn forty_a_second_is_never_passed_and_well_used() {
    measure(40, 400, 95.0);
}

#[test]
fn three_hundred_a_second_is_never_passed_and_well_used() {
    measure(300, 3000, 98.0);
}

#[test]
fn the_rate_holds_across_kills_and_starts() {
    let _machine = alone();
    let settings = Settings { submit_rate: "20/s".to_owned(), ..Settings::default() };
    let world = World::with("", 1, &rows::plain(60, &[Country::Vietnam], 1), settings);
    let mut runs = 0;
    loop {
        let mut program = world.start_topup(&["--settle-for", "0s"]);
        runs += 1;
        if let Some(ended) = program.try_wait(std::time::Duration::from_millis(300)) {
            assert!(ended.code.is_some(), "{ended:?}");
            break;
        }
        program.signal(rustix::process::Signal::KILL);
        drop(program);
        assert!(runs < 60, "the batch does not come to its end");
    }
    assert!(runs > 5, "too few starts to show anything: {runs}");
    let seen = instants(&world);
    let (arrived, count) = (most_in_a_second(&seen.arrived), seen.arrived.len());
    eprintln!("20/s: {count} submits in {runs} runs, at most {arrived} in a second");
    assert!(arrived <= 20, "{arrived} arrived within a second");
}
