//! Whoever watches a run: the screen, the log and the figures, each told the same.

mod log;

use std::time::Duration;

use super::metrics::Metrics;
use super::progress::Progress;
use crate::domain::Now;
use crate::engine::{CallEnd, LaneStats, Notice};
use crate::lifecycle::Entry;
use crate::run::Observer;
pub use log::RunLog;

/// All who watch.
pub struct Watching {
    /// The screen.
    pub progress: Progress,
    /// The log.
    pub log: RunLog,
    /// The figures, where they are wanted.
    pub metrics: Option<Metrics>,
}

impl Observer for Watching {
    fn notice(&mut self, notice: &Notice, now: Now) {
        self.log.notice(notice);
        if let Some(metrics) = &self.metrics {
            metrics.noticed(notice);
        }
        self.progress.notice(notice);
        let _ = now;
    }

    fn progress(&mut self, lanes: &[LaneStats], now: Now) {
        self.progress.draw(lanes, now);
    }

    fn recorded(&mut self, entries: &[Entry], _now: Now) {
        self.log.recorded(entries);
    }

    fn called(&mut self, end: &CallEnd, took: Duration, _now: Now) {
        self.log.called(end, took);
        if let (Some(metrics), Some(provider)) = (&self.metrics, self.log.provider(end.lane)) {
            metrics.called(provider, end, took);
        }
        self.progress.called(end);
    }

    fn stopping(&mut self, signals: u32, under_way: usize) {
        tracing::warn!(signals, under_way, "asked to stop");
        self.progress.stopping(signals, under_way);
    }
}
