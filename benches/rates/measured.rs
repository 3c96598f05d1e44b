//! Lines of the table.

use std::time::Duration;

use crate::lane::{Lane, Rate};
use crate::program::{Recorded, There};
use crate::provider::Arrivals;

/// One limit of one provider, in one stretch without a pause.
pub struct Measured;

impl Measured {
    pub const HEAD: &'static str = "| provider | limit | stretch | began after | requests | allowed | used | first second | worst by record | worst by arrival |\n|---|---|---|---|---|---|---|---|---|---|";

    /// Submits first, look-ups below: those are not recorded when they leave, so only their arrival is known.
    pub fn lines(lane: &Lane, recorded: &Recorded, arrived: &Arrivals, there: &[There]) -> Vec<String> {
        let name = lane.kind.name();
        // Of a submit that a kill cut short only its intent is known, which is older: it counts as sent, but in no
        // window.
        let mut sent = [recorded.sent.as_slice(), &recorded.interrupted].concat();
        sent.sort_unstable();
        let mut lines = limit(name, lane.submit, &sent, Some(&recorded.sent), &arrived.submits, there);
        let named = format!("{name}, look-ups");
        if lane.looks_are_narrower() {
            lines.extend(limit(&named, lane.query, &arrived.look_ups, None, &arrived.look_ups, there));
        } else if !arrived.look_ups.is_empty() {
            // They come as rows are read, many at a time: only the limit is of interest.
            let (count, worst) = (arrived.look_ups.len(), worst(&arrived.look_ups, lane.query));
            lines.push(format!("| {named} | {} | | | {count} | | | | - | {worst} |", lane.query.text));
        }
        lines
    }
}

fn worst(instants: &[i64], rate: Rate) -> String {
    percent(most(instants, rate.window) as f64 / f64::from(rate.count))
}

/// Requests of each second and the longest gaps: where a limit was not used.
fn detail(stretch: &[i64]) -> String {
    let first = stretch[0];
    let mut seconds: Vec<u32> = Vec::new();
    for at in stretch {
        let second = usize::try_from((at - first) / 1_000_000).unwrap();
        seconds.resize(seconds.len().max(second + 1), 0);
        seconds[second] += 1;
    }
    let mut gaps: Vec<i64> = stretch.windows(2).map(|two| two[1] - two[0]).collect();
    gaps.sort_unstable();
    let gaps: Vec<String> =
        gaps.iter().rev().take(8).map(|gap| format!("{:.1}", *gap as f64 / 1e3)).collect();
    format!("    each second {seconds:?}, longest gaps {} ms", gaps.join(" "))
}

/// One line for each stretch.
fn limit(
    name: &str,
    rate: Rate,
    instants: &[i64],
    recorded: Option<&[i64]>,
    arrived: &[i64],
    there: &[There],
) -> Vec<String> {
    let mut lines = Vec::new();
    let by_record = recorded.map_or("-".to_owned(), |recorded| worst(recorded, rate));
    let by_arrival = worst(arrived, rate);
    let in_detail = std::env::var_os("RATES_DETAIL").is_some();
    for (place, stretch) in stretches(instants, rate, there).iter().enumerate() {
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
        if in_detail {
            lines.push(detail(stretch));
        }
    }
    lines
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What lies between pauses, and between starts of the program.
fn stretches<'a>(instants: &'a [i64], rate: Rate, there: &[There]) -> Vec<&'a [i64]> {
    // Nothing left for so long: a pause that somebody asked for, or nothing to do.
    let pause = 300_000.max(3 * i64::try_from(rate.window.as_micros()).unwrap() / i64::from(rate.count));
    let process = |at: i64| there.iter().rposition(|there| there.from <= at);
    instants
        .chunk_by(|one, next| next - one < pause && process(*one) == process(*next))
        .filter(|stretch| stretch.len() > 10)
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
