//! Progress on stderr: bars on a terminal, a plain line every ten seconds elsewhere. Halts and pauses are told
//! as they happen.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plan::duration;
use super::terminal::Terminal;
use crate::domain::grouped;
use crate::domain::{Now, Status, Tick};
use crate::engine::{LaneStats, Notice};
use crate::run::Observer;

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Watches a run for a person.
pub struct Progress {
    terminal: Terminal,
    label: String,
    names: Vec<String>,
    bars: Vec<ProgressBar>,
    group: Option<MultiProgress>,
    total: u64,
    sent: u64,
    settled: [u64; Status::ALL.len()],
    started: Option<Tick>,
    told: Option<Tick>,
}

impl Progress {
    /// Watches `total` rows of a batch through these provider entries.
    pub fn new(terminal: Terminal, label: &str, names: Vec<String>, total: u64) -> Self {
        let (mut bars, mut group) = (Vec::new(), None);
        if terminal.bars {
            let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            let style = |template: &str| {
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
            };
            let main = multi.add(ProgressBar::new(total.max(1)));
            main.set_style(style("{prefix:<12} [{bar:20}] {wide_msg}"));
            main.set_prefix("settled");
            bars.push(main);
            for name in &names {
                let bar = multi.add(ProgressBar::new_spinner());
                bar.set_style(style("{prefix:<12} {wide_msg}"));
                bar.set_prefix(name.clone());
                bars.push(bar);
            }
            group = Some(multi);
        }
        Self {
            terminal,
            label: label.to_owned(),
            names,
            bars,
            group,
            total,
            sent: 0,
            settled: [0; Status::ALL.len()],
            started: None,
            told: None,
        }
    }

    fn tell(&self, line: &str) {
        match &self.group {
            Some(group) => {
                let _ = group.println(line);
            }
            None => self.terminal.say(line),
        }
    }

    fn count(&mut self, status: Status, by: i64) {
        let place = Status::ALL.iter().position(|s| *s == status);
        if let Some(count) = place.and_then(|place| self.settled.get_mut(place)) {
            *count = count.saturating_add_signed(by);
        }
    }

    fn of(&self, status: Status) -> u64 {
        let place = Status::ALL.iter().position(|s| *s == status);
        place.and_then(|place| self.settled.get(place)).copied().unwrap_or(0)
    }

    fn line(&self, now: Now) -> String {
        let final_rows = self.of(Status::Succeeded) + self.of(Status::Failed) + self.of(Status::Invalid);
        let open = self.of(Status::Pending) + self.of(Status::Unknown);
        let spent = self.started.map(|from| now.tick.since(from)).unwrap_or_default();
        let left = self.time_left(final_rows, spent);
        format!(
            "{}/{} settled · sent {} · ok {} · failed {} · open {open}{left}",
            grouped(&final_rows.to_string()),
            grouped(&self.total.to_string()),
            grouped(&self.sent.to_string()),
            grouped(&self.of(Status::Succeeded).to_string()),
            grouped(&self.of(Status::Failed).to_string()),
        )
    }

    fn time_left(&self, done: u64, spent: Duration) -> String {
        let left = self.total.saturating_sub(done);
        if done == 0 || left == 0 {
            return String::new();
        }
        let per_row = spent.as_millis() / u128::from(done);
        let time = Duration::from_millis(u64::try_from(per_row * u128::from(left)).unwrap_or(u64::MAX));
        // Rows that only wait for the provider tell nothing about the time.
        if time < Duration::from_secs(1) {
            String::new()
        } else {
            format!(" · about {} left", duration(time))
        }
    }

    /// Takes the bars off the screen.
    pub fn finish(&self) {
        if let Some(group) = &self.group {
            let _ = group.clear();
        }
    }
}

impl Observer for Progress {
    fn notice(&mut self, notice: &Notice, _now: Now) {
        match notice {
            Notice::Halted { provider, halt } => {
                let operator =
                    halt.operator.as_ref().map(|name| format!(" ({name} only)")).unwrap_or_default();
                self.tell(&format!("STOPPED {provider}{operator}: {}", halt.message));
            }
            Notice::Paused { provider, operator, wait, why } => {
                let operator = operator.as_ref().map(|name| format!(" ({name} only)")).unwrap_or_default();
                self.tell(&format!("paused {provider}{operator} for {}: {why}", duration(*wait)));
            }
            Notice::Sent { .. } => self.sent += 1,
            Notice::Changed { from, to, .. } => {
                self.count(*from, -1);
                self.count(*to, 1);
            }
            Notice::Fault(fault) => self.tell(&format!("FAULT: {fault}")),
        }
    }

    fn progress(&mut self, lanes: &[LaneStats], now: Now) {
        self.started.get_or_insert(now.tick);
        let line = self.line(now);
        if self.group.is_none() {
            let due = self.told.is_none_or(|at| now.tick.since(at) >= PLAIN_EVERY);
            if due {
                // The first look shows nothing yet.
                if self.told.is_some() {
                    self.terminal.say(&format!("{} batch={} {line}", now.wall.rfc3339(), self.label));
                }
                self.told = Some(now.tick);
            }
            return;
        }
        let settled = self.of(Status::Succeeded) + self.of(Status::Failed) + self.of(Status::Invalid);
        if let Some((main, rest)) = self.bars.split_first() {
            main.set_position(settled.min(self.total));
            main.set_message(line);
            for (bar, (name, lane)) in rest.iter().zip(self.names.iter().zip(lanes)) {
                bar.set_prefix(name.clone());
                bar.set_message(lane_line(lane));
            }
        }
    }

    fn stopping(&mut self, signals: u32, under_way: usize) {
        self.tell(&if signals == 1 {
            format!(
                "Stopping: nothing new is sent; {} waited for. Once more (Ctrl-C) leaves at once.",
                under_way_words(under_way, "is", "are")
            )
        } else {
            format!(
                "Leaving: {} unknown; run or settle looks them up.",
                under_way_words(under_way, "stays", "stay")
            )
        });
    }
}

fn under_way_words(requests: usize, one: &str, many: &str) -> String {
    if requests == 1 {
        format!("1 request under way {one}")
    } else {
        format!("{requests} requests under way {many}")
    }
}

fn lane_line(lane: &LaneStats) -> String {
    let mut text = format!(
        "sent {} · under way {} · following {}",
        grouped(&lane.sent.to_string()),
        lane.in_flight,
        lane.following
    );
    if let Some(wait) = lane.paused_for {
        text.push_str(&format!(" · paused {}", duration(wait)));
    }
    for halt in &lane.halts {
        let operator = halt.operator.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        text.push_str(&format!(" · {operator}stopped: {}", halt.reason));
    }
    text
}
