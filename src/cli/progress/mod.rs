//! Progress on stderr: bars on a terminal, a plain line every ten seconds elsewhere. Halts and pauses are told
//! as they happen.

mod line;

use std::collections::VecDeque;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::line::{LaneView, RunView, lane_line, plain_line, run_line, shortened};
use super::plan::{duration, wrapped};
use super::screen;
use super::terminal::Terminal;
use crate::domain::{Now, Status, Tick};
use crate::engine::{CallEnd, CallKind, LaneStats, Mode, Notice};
use crate::job::Work;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// The rate that is shown is that of so long.
const RATE_SPAN: Duration = Duration::from_secs(10);

/// Columns that the name of the run's own line takes.
const SETTLED_WIDTH: usize = 7;

/// Columns of a terminal that does not say.
const COLUMNS: usize = 80;

/// One provider while it is watched.
struct Watched {
    work: Work,
    bar: Option<ProgressBar>,
    stats: LaneStats,
    looked_up: u64,
    /// Submits by time, of the last seconds.
    recent: VecDeque<(Tick, u64)>,
}

/// Watches a run for a person.
pub struct Progress {
    terminal: Terminal,
    label: String,
    mode: Mode,
    lanes: Vec<Watched>,
    name_width: usize,
    main: Option<ProgressBar>,
    total: u64,
    settled: [u64; Status::ALL.len()],
    told: Option<Tick>,
}

impl Progress {
    /// Watches a run of a batch through these provider entries, in the order of their lanes.
    pub fn new(terminal: Terminal, label: &str, mode: Mode, work: Vec<Work>) -> Self {
        let total = work.iter().map(|work| work.to_send + work.open).sum();
        let watched = |work| Watched {
            work,
            bar: None,
            stats: LaneStats::default(),
            looked_up: 0,
            recent: VecDeque::new(),
        };
        let names = work.iter().filter(|work| work.to_send + work.open > 0).map(|work| shortened(&work.name));
        let name_width = names.map(|name| name.chars().count()).chain([SETTLED_WIDTH]).max();
        let mut progress = Self {
            name_width: name_width.unwrap_or(SETTLED_WIDTH),
            terminal,
            label: label.to_owned(),
            mode,
            lanes: work.into_iter().map(watched).collect(),
            main: None,
            total,
            settled: [0; Status::ALL.len()],
            told: None,
        };
        if terminal.bars {
            progress.begin_bars();
        }
        progress
    }

    /// A line for the run, and one for each provider that has something to do.
    fn begin_bars(&mut self) {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        // The whole line is ours: what fits depends on the width.
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let add = || multi.add(ProgressBar::new_spinner().with_style(style.clone()));
        if self.mode != Mode::Look {
            self.main = Some(add());
        }
        for lane in &mut self.lanes {
            if lane.work.to_send + lane.work.open > 0 {
                lane.bar = Some(add());
            }
        }
        screen::draw(&multi);
    }

    fn of(&self, status: Status) -> u64 {
        let place = Status::ALL.iter().position(|s| *s == status);
        place.and_then(|place| self.settled.get(place)).copied().unwrap_or(0)
    }

    /// A sentence beside the bars.
    fn tell(&self, words: &str) {
        // Providers repeat numbers in their words.
        self.terminal.say(wrapped(0, &self.terminal.text(words)).trim_end());
    }

    /// A halt, pause or fault; the rows themselves are counted.
    pub fn notice(&mut self, notice: &Notice) {
        let only = |operator: &Option<String>| {
            operator.as_ref().map(|name| format!(" ({name} only)")).unwrap_or_default()
        };
        match notice {
            Notice::Halted { provider, halt } => {
                let word = self.terminal.warning("STOPPED");
                let operator = only(&halt.operator);
                self.tell(&format!("{word} {provider}{operator}: {}", halt.message));
            }
            Notice::Paused { provider, operator, wait, why } => {
                self.tell(&format!("paused {provider}{} for {}: {why}", only(operator), duration(*wait)))
            }
            Notice::Sent { .. } => {}
            // A row that leaves a final state (an order that turned up) is counted again when it comes back.
            Notice::Changed { from, to, .. } => {
                for (status, comes) in [(from, false), (to, true)] {
                    let place = Status::ALL.iter().position(|s| s == status);
                    if let Some(count) = place.and_then(|place| self.settled.get_mut(place)) {
                        *count = if comes { *count + 1 } else { count.saturating_sub(1) };
                    }
                }
            }
            Notice::Fault(fault) => {
                self.tell(&format!("{}: {fault}", self.terminal.warning("FAULT")));
            }
        }
    }

    /// A request came to its end.
    pub fn called(&mut self, end: &CallEnd) {
        if let Some(lane) = self.lanes.get_mut(end.lane.0).filter(|_| end.kind == CallKind::Check) {
            lane.looked_up += 1;
        }
    }

    /// Draws the counts, or tells them if it is time.
    pub fn draw(&mut self, stats: &[LaneStats], now: Now) {
        for (lane, stats) in self.lanes.iter_mut().zip(stats) {
            lane.stats = stats.clone();
            lane.recent.push_back((now.tick, stats.sent));
            while lane.recent.front().is_some_and(|(at, _)| now.tick.since(*at) > RATE_SPAN) {
                lane.recent.pop_front();
            }
        }
        if !self.terminal.bars {
            return self.tell_plain(now);
        }
        // The last column stays free: a terminal that wraps at it would tear the bars.
        let width = screen::columns().unwrap_or(COLUMNS).saturating_sub(1);
        if let Some(main) = &self.main {
            main.set_message(run_line(&self.run_view(now), width));
        }
        for lane in &self.lanes {
            if let Some(bar) = &lane.bar {
                bar.set_message(lane_line(&self.view(lane, now), width));
            }
        }
    }

    fn tell_plain(&mut self, now: Now) {
        if self.told.is_some_and(|at| now.tick.since(at) < PLAIN_EVERY) {
            return;
        }
        // The first look shows nothing yet.
        if self.told.is_some() {
            self.terminal.say(&plain_line(&now.wall.rfc3339(), &self.label, &self.run_view(now)));
        }
        self.told = Some(now.tick);
    }

    fn view(&self, lane: &Watched, now: Now) -> LaneView {
        LaneView { name_width: self.name_width, ..lane.view(self.mode, now) }
    }

    fn run_view(&self, now: Now) -> RunView {
        let views: Vec<LaneView> = self.lanes.iter().map(|lane| self.view(lane, now)).collect();
        let names = |wanted: fn(&LaneView) -> bool| {
            views.iter().filter(|view| wanted(view)).map(|view| view.name.clone()).collect()
        };
        RunView {
            name_width: self.name_width,
            total: self.total,
            succeeded: self.of(Status::Succeeded),
            failed: self.of(Status::Failed),
            invalid: self.of(Status::Invalid),
            open: views.iter().map(|view| view.open).sum(),
            unknown: views.iter().map(|view| view.unknown).sum(),
            sent: views.iter().map(|view| view.sent).sum(),
            rate_tenths: self.lanes.iter().map(|lane| lane.tenths_in(Duration::from_secs(1), now)).sum(),
            left: views.iter().filter_map(|view| view.left).max(),
            stopped: names(|view| !view.halts.is_empty()),
            paused: names(|view| view.paused_for.is_some()),
        }
    }

    /// Tells that a signal was heard, and what holds now.
    pub fn stopping(&self, signals: u32, under_way: usize) {
        let requests = if under_way == 1 { "request" } else { "requests" };
        self.tell(&match (signals, under_way) {
            (1, 0) => "Stopping: nothing new is sent, and nothing is under way.".to_owned(),
            (1, _) => format!(
                "Stopping: nothing new is sent; {under_way} {requests} under way will be waited for. Once more \
                 (Ctrl-C) leaves at once."
            ),
            (_, 0) => "Leaving: nothing is under way.".to_owned(),
            (_, _) => format!(
                "Leaving: what became of {under_way} {requests} under way is unknown; run or settle looks them up."
            ),
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal.bars {
            screen::wipe();
        }
    }
}

impl Watched {
    fn view(&self, mode: Mode, now: Now) -> LaneView {
        let stats = &self.stats;
        let halt = |halt: &crate::domain::Halt| {
            let operator = halt.operator.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
            format!("{operator}{}", halt.reason)
        };
        let sends = self.work.to_send > stats.sent;
        LaneView {
            name: self.work.name.clone(),
            to_send: self.work.to_send,
            began_open: self.work.open,
            sent: stats.sent,
            settled: stats.settled,
            open: stats.open,
            unknown: stats.unknown,
            looked_up: Some(self.looked_up).filter(|_| mode == Mode::Look),
            name_width: 0,
            rate_tenths: Some(self.tenths_in(self.work.window, now).min(self.work.limit_count * 10))
                .filter(|_| sends),
            limit: self.work.limit.clone(),
            left: self.left(now).filter(|_| sends && stats.halts.is_empty()),
            paused_for: stats.paused_for,
            halts: stats.halts.iter().map(halt).collect(),
        }
    }

    /// Submits of the last seconds, in tenths for each window; of the first seconds it is a guess that may be
    /// above the limit, which no window is.
    fn tenths_in(&self, window: Duration, now: Now) -> u64 {
        let Some((at, sent)) = self.recent.front() else { return 0 };
        let span_ms = now.tick.since(*at).as_millis().max(1);
        let submits = u128::from(self.stats.sent.saturating_sub(*sent));
        u64::try_from(submits * window.as_millis() * 10 / span_ms).unwrap_or(u64::MAX)
    }

    /// Until the last submit, at the rate of the last seconds.
    fn left(&self, now: Now) -> Option<Duration> {
        let (at, sent) = self.recent.front()?;
        let (span_ms, submits) = (now.tick.since(*at).as_millis(), self.stats.sent.saturating_sub(*sent));
        let rest = u128::from(self.work.to_send.saturating_sub(self.stats.sent));
        let ms = (rest * span_ms).checked_div(u128::from(submits))?;
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
    }
}
