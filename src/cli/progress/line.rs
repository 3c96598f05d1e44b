//! What the progress of one provider, or of the whole run, looks like at a given width. Pure: counts come in, a
//! line comes out, never wider than it may be.

use std::time::Duration;

use crate::cli::plan::duration;
use crate::domain::grouped;

/// One provider, as it is drawn.
#[derive(Clone, Debug, Default)]
pub struct LaneView {
    /// Name of the provider entry.
    pub name: String,
    /// Columns that the names of all lines take.
    pub name_width: usize,
    /// Rows to be sent by this run; zero when it only follows.
    pub to_send: u64,
    /// Open rows it began with.
    pub began_open: u64,
    /// Submits that left.
    pub sent: u64,
    /// Rows that came to their end.
    pub settled: u64,
    /// Open rows that are followed, unknown ones among them.
    pub open: u64,
    /// Rows of which nobody knows whether money moved.
    pub unknown: u64,
    /// Look-ups before a submit that were answered, where nothing is sent.
    pub looked_up: Option<u64>,
    /// Submits in the last seconds, in tenths for each unit of the limit.
    pub rate_tenths: Option<u64>,
    /// The limit, as the configuration writes it.
    pub limit: String,
    /// Until the last submit, at this rate.
    pub left: Option<Duration>,
    /// No submit leaves for so long.
    pub paused_for: Option<Duration>,
    /// Why nothing is submitted any more.
    pub halts: Vec<String>,
}

/// The whole run, as it is drawn.
#[derive(Clone, Debug, Default)]
pub struct RunView {
    /// Columns that the names of all lines take.
    pub name_width: usize,
    /// Rows of the run.
    pub total: u64,
    /// Of them succeeded in it.
    pub succeeded: u64,
    /// Failed in it.
    pub failed: u64,
    /// Invalid in it.
    pub invalid: u64,
    /// Open now.
    pub open: u64,
    /// Unknown now.
    pub unknown: u64,
    /// Submits that left.
    pub sent: u64,
    /// Submits in the last seconds, in tenths for each second.
    pub rate_tenths: u64,
    /// Until the last submit.
    pub left: Option<Duration>,
    /// Provider entries that are halted.
    pub stopped: Vec<String>,
    /// Provider entries that are paused.
    pub paused: Vec<String>,
}

/// A part of a line: the lower its rank, the later it gives way.
struct Part {
    rank: u8,
    /// None: the bar.
    text: Option<String>,
}

/// A line of at most `width` columns: the parts that fit, in their order, joined by two blanks. What ranks
/// highest goes first; the first part always stays, cut if it must be. A bar takes what room is left.
fn fitted(mut parts: Vec<Part>, bar: Option<(u64, u64)>, width: usize) -> String {
    loop {
        let texts = |cells: usize| {
            let shown = parts.iter().map(|part| match (&part.text, bar) {
                (None, Some((done, total))) => drawn(done, total, cells),
                (None, None) => String::new(),
                (Some(text), _) => text.clone(),
            });
            shown.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("  ")
        };
        let line = texts(CELLS_MIN);
        let length = line.chars().count();
        if length <= width || parts.len() <= 1 {
            let room = width.saturating_sub(length).saturating_add(CELLS_MIN).min(CELLS_MAX);
            // In steps, so that a bar does not jump with every digit beside it.
            let room = room - room % CELLS_MIN;
            return texts(room).chars().take(width).collect();
        }
        let weakest = parts.iter().enumerate().skip(1).max_by_key(|(_, part)| part.rank);
        let Some(place) = weakest.map(|(place, _)| place) else { return line };
        parts.remove(place);
    }
}

/// Cells of a bar, at least and at most.
const CELLS_MIN: usize = 4;
const CELLS_MAX: usize = 20;

/// A bar of so many cells.
fn drawn(done: u64, total: u64, cells: usize) -> String {
    let of = u64::try_from(cells).unwrap_or(u64::MAX);
    let full = (done.min(total).saturating_mul(of)).checked_div(total).unwrap_or(0);
    let full = usize::try_from(full).unwrap_or(0);
    format!("[{}{}]", "█".repeat(full), "░".repeat(cells.saturating_sub(full)))
}

/// Tenths as a decimal: 198 is 19.8.
pub fn tenths(value: u64) -> String {
    format!("{}.{}", grouped(&(value / 10).to_string()), value % 10)
}

fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// One provider's line.
pub fn lane_line(view: &LaneView, width: usize) -> String {
    let total = if view.to_send > 0 { view.to_send } else { view.began_open };
    let done = if view.to_send > 0 { view.sent } else { view.settled };
    let name = shortened(&view.name);
    let mut parts = vec![Part { rank: 0, text: Some(format!("{name:<0$}", view.name_width)) }];
    if let Some(looked_up) = view.looked_up {
        let text = format!("{} looked up, nothing is sent yet", count(looked_up));
        parts.push(Part { rank: 1, text: Some(text) });
        return fitted(parts, None, width);
    }
    parts.push(Part { rank: 8, text: None });
    let mut part = |rank: u8, text: String| parts.push(Part { rank, text: Some(text) });
    if view.to_send > 0 || view.sent > 0 {
        part(4, format!("sent {}/{}", count(view.sent), count(view.to_send.max(view.sent))));
    }
    part(9, format!("settled {}", count(view.settled)));
    part(5, format!("open {}", count(view.open)));
    let rank = if view.unknown > 0 { 2 } else { 10 };
    part(rank, format!("unknown {}", count(view.unknown)));
    if let Some(rate) = view.rate_tenths.filter(|_| view.halts.is_empty()) {
        part(6, format!("{} of {}", tenths(rate), view.limit));
    }
    if let Some(left) = view.left.filter(|_| view.halts.is_empty()) {
        part(7, format!("{} left", duration(left)));
    }
    if let Some(wait) = view.paused_for {
        part(3, format!("PAUSED {}", duration(wait)));
    }
    for halt in &view.halts {
        part(1, format!("STOPPED {halt}"));
    }
    fitted(parts, Some((done, total)), width)
}

/// The line of the whole run.
pub fn run_line(view: &RunView, width: usize) -> String {
    let settled = view.succeeded + view.failed + view.invalid;
    let percent = (settled.min(view.total) * 100).checked_div(view.total).unwrap_or(0);
    let name = format!("{:<1$}", "settled", view.name_width);
    let mut parts = vec![Part { rank: 0, text: Some(name) }, Part { rank: 8, text: None }];
    let mut part = |rank: u8, text: String| parts.push(Part { rank, text: Some(text) });
    part(1, format!("{}/{} {percent}%", count(settled), count(view.total)));
    part(3, format!("succeeded {}", count(view.succeeded)));
    part(2, format!("failed {}", count(view.failed)));
    if view.invalid > 0 {
        part(4, format!("invalid {}", count(view.invalid)));
    }
    fitted(parts, Some((settled, view.total)), width)
}

/// The plain line, for a log of whoever runs the program without a terminal.
pub fn plain_line(time: &str, batch: &str, view: &RunView) -> String {
    let settled = view.succeeded + view.failed + view.invalid;
    let mut line = format!(
        "{time} batch={batch} settled={settled}/{} sent={} succeeded={} failed={} open={} unknown={} rate={}/s",
        view.total,
        view.sent,
        view.succeeded,
        view.failed,
        view.open,
        view.unknown,
        tenths(view.rate_tenths)
    );
    if let Some(left) = view.left {
        line.push_str(&format!(" left={}s", left.as_secs()));
    }
    for (word, names) in [("paused", &view.paused), ("stopped", &view.stopped)] {
        if !names.is_empty() {
            line.push_str(&format!(" {word}={}", names.join(",")));
        }
    }
    line
}

/// A name that leaves room for what is said of it.
pub fn shortened(name: &str) -> String {
    const CHARS_MAX: usize = 16;
    if name.chars().count() <= CHARS_MAX {
        return name.to_owned();
    }
    name.chars().take(CHARS_MAX - 1).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views() -> Vec<LaneView> {
        let good = LaneView {
            name: "vietnam".to_owned(),
            name_width: 7,
            to_send: 12_462,
            sent: 7_804,
            settled: 7_696,
            open: 108,
            unknown: 11,
            rate_tenths: Some(198),
            limit: "20/s".to_owned(),
            left: Some(Duration::from_secs(235)),
            ..LaneView::default()
        };
        let paused = LaneView {
            name: "nigeria".to_owned(),
            unknown: 0,
            paused_for: Some(Duration::from_secs(42)),
            rate_tenths: Some(0),
            left: None,
            ..good.clone()
        };
        let halted = LaneView {
            name: "a-provider-with-a-very-long-name".to_owned(),
            halts: vec!["insufficient_balance".to_owned()],
            ..good.clone()
        };
        let follows = LaneView {
            name: "china".to_owned(),
            to_send: 0,
            sent: 0,
            began_open: 14,
            settled: 3,
            open: 11,
            rate_tenths: None,
            left: None,
            ..good.clone()
        };
        let looks = LaneView { looked_up: Some(31), ..follows.clone() };
        vec![good, paused, halted, follows, looks]
    }

    fn run() -> RunView {
        RunView {
            name_width: 7,
            total: 12_462,
            succeeded: 7_655,
            failed: 41,
            invalid: 0,
            open: 108,
            unknown: 11,
            sent: 7_804,
            rate_tenths: 198,
            left: Some(Duration::from_secs(235)),
            stopped: vec!["china".to_owned()],
            paused: vec!["nigeria".to_owned()],
        }
    }

    #[test]
    fn the_lines_at_every_width() {
        let mut shown = String::new();
        for width in [120, 100, 80, 60, 40] {
            shown.push_str(&format!("-- {width} columns\n{}\n", run_line(&run(), width)));
            for view in views() {
                shown.push_str(&format!("{}\n", lane_line(&view, width)));
            }
        }
        insta::assert_snapshot!(shown);
        insta::assert_snapshot!("plain", plain_line("2026-11-22T09:07:20Z", "payroll-3f9a2c1d", &run()));
    }

    #[test]
    fn no_line_is_wider_than_it_may_be_and_an_unknown_row_is_told_as_long_as_there_is_room() {
        for width in 1..130 {
            for view in views() {
                let line = lane_line(&view, width);
                assert!(line.chars().count() <= width, "{width}: {line}");
                let told = view.unknown == 0 || view.looked_up.is_some() || line.contains("unknown 11");
                assert!(told || width < 60, "{width}: {line}");
            }
            assert!(run_line(&run(), width).chars().count() <= width);
        }
    }
}
