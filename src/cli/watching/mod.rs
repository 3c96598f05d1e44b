//! Whoever watches a run: the screen, the log and the figures, each told the same.

mod log;

use std::collections::BTreeMap;
use std::time::Duration;

use self::log::RunLog;
use super::context::Context;
use super::progress::Progress;
use crate::domain::{BatchName, Now, Status};
use crate::engine::{CallEnd, LaneStats, Mode, Notice};
use crate::job::{Front, Work};
use crate::lifecycle::Entry;
use crate::run::Observer;

/// A person's screen while a batch is worked on, with the log and the figures.
pub struct Screen<'a> {
    context: &'a Context,
    /// Whether `--yes` was given.
    yes: bool,
    work: Option<(Progress, RunLog)>,
}

impl<'a> Screen<'a> {
    /// A screen where nothing will be asked.
    pub fn watching(context: &'a Context) -> Self {
        Self { context, yes: false, work: None }
    }

    /// A screen where the person is asked after the first rows, unless `yes` answers.
    pub fn asking(context: &'a Context, yes: bool) -> Self {
        Self { context, yes, work: None }
    }
}

impl Observer for Screen<'_> {
    fn notice(&mut self, notice: &Notice, _now: Now) {
        if let Some(metrics) = &self.context.metrics {
            metrics.noticed(notice);
        }
        if let Some((progress, log)) = &mut self.work {
            log.notice(notice);
            progress.notice(notice);
        }
    }

    fn progress(&mut self, lanes: &[LaneStats], now: Now) {
        if let Some((progress, _)) = &mut self.work {
            progress.draw(lanes, now);
        }
    }

    fn recorded(&mut self, entries: &[Entry], _now: Now) {
        if let Some((_, log)) = &self.work {
            log.recorded(entries);
        }
    }

    fn called(&mut self, end: &CallEnd, took: Duration, _now: Now) {
        let Some((progress, log)) = &mut self.work else { return };
        log.called(end, took);
        progress.called(end);
        if let (Some(metrics), Some(provider)) = (&self.context.metrics, log.provider(end.lane)) {
            metrics.called(provider, end, took);
        }
    }

    fn stopping(&mut self, signals: u32, under_way: usize) {
        tracing::warn!(signals, under_way, "asked to stop");
        if let Some((progress, _)) = &self.work {
            progress.stopping(signals, under_way);
        }
    }
}

impl Front for Screen<'_> {
    fn begin(&mut self, batch: &BatchName, mode: Mode, work: &[Work]) {
        let (terminal, batch) = (self.context.terminal, batch.as_str());
        let names = work.iter().map(|work| work.provider.clone()).collect();
        let log = RunLog::new(batch, names, terminal.show_phones);
        self.work = Some((Progress::new(terminal, batch, mode, work.to_vec()), log));
    }

    fn end(&mut self) {
        self.work = None;
    }

    /// With `--yes` only if every one of the first rows succeeded, else as the person says.
    fn goes_on(&mut self, first: &BTreeMap<Status, u64>, left: u64) -> bool {
        let terminal = &self.context.terminal;
        let told: Vec<String> = first.iter().map(|(status, rows)| format!("{rows} {status}")).collect();
        let all_good = first.keys().all(|status| *status == Status::Succeeded);
        terminal.complain(&format!("First rows: {}. {left} rows are left.", told.join(", ")));
        if self.yes || !terminal.interactive {
            if !all_good {
                terminal.complain("Not all of the first rows succeeded: the rest was not sent.");
            }
            return all_good;
        }
        let answer = terminal.ask("Send the rest? Type yes, or anything else to stop here: ");
        answer.is_some_and(|text| text.eq_ignore_ascii_case("yes"))
    }
}
