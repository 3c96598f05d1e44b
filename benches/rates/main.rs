//! How much of its limits the program uses by the wall, and whether any window holds more than it may: three
//! providers at once, from the first second, with limits a minute, after a pause that a provider asked for, after
//! a kill and a restart, and with look-ups limited apart. It is the built program against a provider on this
//! machine; submits are read from its ledger, arrivals from the provider.
//!
//! `cargo bench --bench rates`. Variables: `RATES_SECONDS` (how long each provider is kept busy, 30),
//! `RATES_LATENCY` (milliseconds, 20), `RATES_ROUNDS` (numbers of the rounds, comma separated), `RATES_DETAIL`
//! (requests of each second, and the longest gaps).
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::as_conversions, clippy::float_arithmetic, reason = "figures for people, no money")]

mod lane;
mod measured;
mod program;
mod provider;

use lane::{Kind, Lane};
use measured::Measured;
use program::Place;
use provider::Provider;

/// Three providers at once.
struct Round {
    what: &'static str,
    lanes: [Lane; 3],
    /// Paynicorn asks to slow down when this share of the time has passed, in percent.
    throttles_at: u64,
    /// The program is killed when this share of the time has passed, in percent, and started again.
    killed_at: u64,
}

fn rounds() -> [Round; 4] {
    use Kind::{ConnectTopup, Paynicorn, Tutom};
    [
        Round {
            what: "three at once",
            lanes: [
                Lane::new(ConnectTopup, "40/s", "40/s"),
                Lane::new(Tutom, "100/s", "200/s"),
                Lane::new(Paynicorn, "300/s", "400/s"),
            ],
            throttles_at: 0,
            killed_at: 0,
        },
        Round {
            what: "few, by the minute, throttled in the middle",
            lanes: [
                Lane::new(ConnectTopup, "10/s", "10/s"),
                Lane::new(Tutom, "600/m", "1200/m"),
                Lane::new(Paynicorn, "100/s", "200/s"),
            ],
            throttles_at: 50,
            killed_at: 0,
        },
        Round {
            what: "killed in the middle, started again",
            lanes: [
                Lane::new(ConnectTopup, "40/s", "40/s"),
                Lane::new(Tutom, "100/s", "200/s"),
                Lane::new(Paynicorn, "300/s", "400/s"),
            ],
            throttles_at: 0,
            killed_at: 50,
        },
        Round {
            what: "look-ups are the narrower limit",
            lanes: [
                Lane::new(ConnectTopup, "6000/m", "10/s"),
                Lane::new(Tutom, "200/s", "40/s"),
                Lane::new(Paynicorn, "300/s", "100/s"),
            ],
            throttles_at: 0,
            killed_at: 0,
        },
    ]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["provider", latency, throttle] => {
            provider::serve(latency.parse().unwrap(), throttle.parse().unwrap());
        }
        // `cargo bench` says --bench; `cargo test` does not, and then there is nothing to do.
        _ if words.contains(&"--bench") => measure(),
        _ => {}
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn measure() {
    let (seconds, latency) = (setting("RATES_SECONDS", 30), setting("RATES_LATENCY", 20));
    let wanted = std::env::var("RATES_ROUNDS").unwrap_or_else(|_| "1,2,3,4".to_owned());
    println!("{seconds} s for each provider, answers after {latency} ms");
    println!(
        "allowed: the limit times the time from the first request to the last (without pauses and the time"
    );
    println!("in which the program was not there); worst: the fullest window, in percent of the limit");
    for (place, round) in rounds().iter().enumerate() {
        if !wanted.split(',').any(|word| word == (place + 1).to_string()) {
            continue;
        }
        println!();
        println!("{}. {}", place + 1, round.what);
        println!("{}", Measured::HEAD);
        play(round, seconds, latency);
    }
}

fn play(round: &Round, seconds: u64, latency: u64) {
    let provider = Provider::start(latency, seconds * 1000 * round.throttles_at / 100);
    let place = Place::new(&round.lanes, &provider.addr, seconds);
    let mut there = Vec::new();
    if round.killed_at > 0 {
        there.push(place.run_for(std::time::Duration::from_millis(seconds * 10 * round.killed_at)));
    }
    there.push(place.run());
    let arrivals = provider.arrivals();
    for lane in &round.lanes {
        let arrived = arrivals(lane.kind);
        let recorded = place.recorded(lane.kind);
        for line in Measured::lines(lane, &recorded, &arrived, &there) {
            println!("{line}");
        }
    }
}
