//! The rate of submits, as recorded: no window holds more than the limit. How much of it is used is measured by
//! `cargo bench --bench rates`, and proved in virtual time beside the engine.

use super::rows::{self, Country};
use super::world::{Settings, World, assert_exit};

/// Instants at which submits were handed to the network, in microseconds, in order.
fn sent(world: &World) -> Vec<i64> {
    let sent_at = |event: &serde_json::Value| {
        let outcome = event.get("answered").or_else(|| event.get("no_answer"))?;
        outcome.get("sent_at")?.as_i64()
    };
    let mut sent: Vec<i64> = world.events().iter().filter_map(|(_, event)| sent_at(event)).collect();
    sent.sort_unstable();
    sent
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

#[test]
fn no_second_holds_more_submits_than_the_limit() {
    for (rate, count) in [(40, 160), (300, 1200)] {
        let settings =
            Settings { submit_rate: format!("{rate}/s"), max_in_flight: 64, ..Settings::default() };
        let world = World::with("latency=5ms", 1, &rows::plain(count, &[Country::Vietnam], 1), settings);
        let ended = world.topup(&[]);
        assert_exit(&ended, 0);
        let sent = sent(&world);
        assert_eq!(sent.len(), count);
        let most = most_in_a_second(&sent);
        assert!(most <= rate, "{most} were sent within a second, the limit is {rate}");
        world.assert_sound(&ended, true);
    }
}

#[test]
fn no_second_holds_more_submits_than_the_limit_across_kills_and_starts() {
    let settings = Settings { submit_rate: "20/s".to_owned(), ..Settings::default() };
    let world = World::with("", 1, &rows::plain(60, &[Country::Vietnam], 1), settings);
    let mut runs = 0;
    loop {
        let before = world.requests();
        let mut program = world.start_topup(&["--settle-for", "0s"]);
        runs += 1;
        // Killed in the midst of its submits, however long its start takes.
        let killed = loop {
            if let Some(ended) = program.try_wait(std::time::Duration::from_millis(20)) {
                assert!(ended.code.is_some(), "{ended:?}");
                break false;
            }
            if world.requests() >= before + 5 {
                program.signal(rustix::process::Signal::KILL);
                break true;
            }
        };
        drop(program);
        if !killed {
            break;
        }
        assert!(runs < 60, "the batch does not come to its end");
    }
    assert!(runs > 5, "too few starts to show anything: {runs}");
    let sent = sent(&world);
    let most = most_in_a_second(&sent);
    eprintln!("20/s: {} submits with an answer in {runs} runs, at most {most} in a second", sent.len());
    assert!(most <= 20, "{most} were sent within a second");
}
