//! Lines of the table.

use std::time::Duration;

use crate::lane::{Lane, Rate};
use crate::program::{Recorded, There};
use crate::provider::Arrivals;

/// Nothing left for so long: a pause that somebody asked for, or the program was not there.
const PAUSE_US: i64 = 1_500_000;

/// One limit of one provider, in one stretch without a pause.
pub struct Measured;

impl Measured {
    pub const HEAD: &'static str = "| provider | limit | stretch | began after | requests | allowed | used | first second | worst by record | worst by arrival |\n|---|---|---|---|---|---|---|---|---|---|";

    /// Submits first, look-ups below.
    pub fn lines(lane: &Lane, recorded: &Recorded, arrived: &Arrivals, there: &[There]) -> Vec<String> {
        let mut all = recorded.sent.clone();
        all.extend(&recorded.interrupted);
        all.sort_unstable();
        let name = lane.kind.name();
        let mut lines = limit(name, lane.submit, &all, true, &arrived.submits, there);
        if arrived.look_ups.len() > 1 {
            let named = format!("{name}, look-ups");
            lines.extend(limit(&named, lane.query, &arrived.look_ups, false, &arrived.look_ups, there));
        }
        lines
    }
}

/// One line for each stretch.
fn limit(
    name: &str,
    rate: Rate,
    instants: &[i64],
    are_recorded: bool,
    arrived: &[i64],
    there: &[There],
) -> Vec<String> {
    let mut lines = Vec::new();
    let worst = |instants: &[i64]| percent(most(instants, rate.window) as f64 / f64::from(rate.count));
    let (by_record, by_arrival) =
        (if are_recorded { worst(instants) } else { "-".to_owned() }, worst(arrived));
    for (place, stretch) in stretches(instants, there).iter().enumerate() {
        let (first, last) = (stretch[0], stretch[stretch.len() - 1]);
        let began = there.iter().rev().find(|there| there.from <= first).unwrap();
        let before = instants.iter().rev().find(|at| **at < first && **at >= began.from);
        let since = before.map_or(began.from, |at| *at);
        let what = match (before, began.from == there[0].from) {
            (Some(_), _) => "a pause",
            (None, true) => "the start",
            (None, false) => "the restart",
        };
        // One stands at the very beginning: only those behind it took time.
        let allowed = rate.allowed(last - first);
        let in_first = stretch.iter().take_while(|at| **at - first < 1_000_000).count();
        lines.push(format!(
            "| {name} | {} | {} | {:.2} s after {what} | {} | {allowed:.0} | {} | {} | {by_record} | {by_arrival} |",
            rate.text,
            place + 1,
            (first - since) as f64 / 1e6,
            stretch.len() - 1,
            percent((stretch.len() - 1) as f64 / allowed),
            percent(in_first as f64 / rate.allowed(1_000_000)),
        ));
    }
    lines
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What lies between pauses, and between starts of the program.
fn stretches<'a>(instants: &'a [i64], there: &[There]) -> Vec<&'a [i64]> {
    let process = |at: i64| there.iter().rposition(|there| there.from <= at);
    instants
        .chunk_by(|one, next| next - one < PAUSE_US && process(*one) == process(*next))
        .filter(|stretch| stretch.len() > 1)
        .collect()
}

/// The most that any window of this length holds.
fn most(instants: &[i64], window: Duration) -> usize {
    let window = i64::try_from(window.as_micros()).unwrap();
    let (mut first, mut most) = (0, 0);
    for (place, at) in instants.iter().enumerate() {
        while instants[first] + window <= *at {
            first += 1;
        }
        most = most.max(place - first + 1);
    }
    most
}
