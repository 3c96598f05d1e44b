//! Figures for Prometheus: counted while a command works, written at its end (`--metrics-file`) or served
//! (`listen --metrics`). Labels are names of the configuration, words of closed lists, and batch names of this
//! command: never a number, a row or an id.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::reading::begins_with;
use crate::callbacks::{Refused, Tally};
use crate::domain::{BatchName, WallTime};
use crate::engine::{CallEnd, CallKind, Notice};
use crate::job::Exit;
use crate::job::Standing;
use crate::job::Stop;
use crate::ledger::{Ledger, is_ledger_file};

/// Upper bounds of the request times, in seconds: a local answer, a good provider, a slow one, the longest wait
/// that is usual.
const SECONDS: [f64; 11] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The figures of one command.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    rows: IntGaugeVec,
    amount: GaugeVec,
    open_rows: IntGaugeVec,
    submits: IntCounterVec,
    lookups: IntCounterVec,
    seconds: HistogramVec,
    halts: IntCounterVec,
    pauses: IntCounterVec,
    callbacks: IntGaugeVec,
    exit: IntGauge,
    ended: GaugeVec,
    ledger: Arc<OnceLock<PathBuf>>,
}

impl Metrics {
    /// Whose figures they are: they are never written over this ledger.
    pub fn are_of(&self, ledger: &Path) {
        // The first one stays: a command has one ledger.
        let _ = self.ledger.set(ledger.to_owned());
    }

    /// All of them at zero.
    ///
    /// # Errors
    /// [`Stop`] for a name that cannot be one: a fault of the program.
    pub fn new() -> Result<Self, Stop> {
        Self::registered().map_err(|e| Stop::internal(format!("figures cannot be kept: {e}")))
    }

    fn registered() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        let amounts = |name: &str, help: &str, labels: &[&str]| {
            let gauges = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let times = HistogramOpts::new("bulk_topup_request_duration_seconds", "Requests of this command")
            .buckets(SECONDS.to_vec());
        let seconds = HistogramVec::new(times, &["provider", "call"])?;
        registry.register(Box::new(seconds.clone()))?;
        let exit = IntGauge::new("bulk_topup_last_exit_code", "How the last command ended")?;
        Ok(Self {
            rows: gauges(
                "bulk_topup_rows",
                "Rows of a batch as they stand",
                &["batch", "provider", "status"],
            )?,
            amount: amounts(
                "bulk_topup_amount",
                "Money of a batch as it stands, in major units",
                &["batch", "provider", "currency", "status"],
            )?,
            open_rows: gauges("bulk_topup_open_rows", "Pending and unknown rows", &["provider"])?,
            submits: counters(
                "bulk_topup_submits_total",
                "Submits of this command, by what their answer means",
                &["provider", "meaning"],
            )?,
            lookups: counters(
                "bulk_topup_lookups_total",
                "Look-ups of this command, by what their answer means",
                &["provider", "call", "meaning"],
            )?,
            seconds,
            halts: counters("bulk_topup_halts_total", "Halts of this command", &["provider", "reason"])?,
            pauses: counters("bulk_topup_pauses_total", "Pauses of this command", &["provider"])?,
            callbacks: gauges(
                "bulk_topup_callbacks",
                "Callbacks since the start of the listener",
                &["result"],
            )?,
            exit,
            ended: amounts(
                "bulk_topup_last_end_timestamp_seconds",
                "When the last command ended",
                &["command"],
            )?,
            registry,
            ledger: Arc::default(),
        })
    }

    /// A request to a provider came to its end.
    pub fn called(&self, provider: &str, end: &CallEnd, took: Duration) {
        match end.kind {
            CallKind::Submit => self.submits.with_label_values(&[provider, end.meaning]).inc(),
            CallKind::Preflight | CallKind::Check | CallKind::LookUp => {
                self.lookups.with_label_values(&[provider, end.kind.word(), end.meaning]).inc();
            }
        }
        self.seconds.with_label_values(&[provider, end.kind.word()]).observe(took.as_secs_f64());
    }

    /// Something was told.
    pub fn noticed(&self, notice: &Notice) {
        match notice {
            Notice::Halted { provider, halt } => self.halted(provider, halt.reason.as_str()),
            Notice::Paused { provider, .. } => self.pauses.with_label_values(&[provider.as_str()]).inc(),
            Notice::Sent { .. } | Notice::Changed { .. } | Notice::Fault(_) => {}
        }
    }

    /// A provider was halted.
    pub fn halted(&self, provider: &str, reason: &str) {
        self.halts.with_label_values(&[provider, reason]).inc();
    }

    /// How a batch stands.
    pub fn stands(&self, batch: &BatchName, standing: &Standing) {
        let batch = batch.as_str();
        for ((provider, status), rows) in &standing.providers {
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            self.rows.with_label_values(&[batch, provider.as_str(), status.as_str()]).set(rows);
            if status.is_open() {
                self.open_rows.with_label_values(&[provider.as_str()]).add(rows);
            }
        }
        for total in &standing.totals {
            let currency = total.currency.map_or_else(|| "unknown".to_owned(), |c| c.to_string());
            for (status, amount) in [
                ("succeeded", total.succeeded),
                ("failed", total.failed),
                ("open", total.open),
                ("not_sent", total.not_sent),
            ] {
                let labels = [batch, total.provider.as_str(), currency.as_str(), status];
                self.amount.with_label_values(&labels).set(shown(amount));
            }
        }
    }

    /// What the ledger holds that is open, by provider entry.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn open(&self, ledger: &Ledger) -> Result<(), Stop> {
        self.open_rows.reset();
        for (provider, rows) in ledger.open_rows_by_provider()? {
            let rows = i64::try_from(rows).unwrap_or(i64::MAX);
            self.open_rows.with_label_values(&[provider.as_str()]).set(rows);
        }
        Ok(())
    }

    /// What the listener counted.
    pub fn callbacks(&self, tally: &Tally) {
        let set = |result: &str, count: u64| {
            self.callbacks.with_label_values(&[result]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("stored", tally.stored);
        set("repeated", tally.repeated);
        set("unknown_order", tally.unknown);
        for why in Refused::ALL {
            set(&format!("refused_{}", why.word()), tally.refused(why));
        }
    }

    /// How the command ended, and when.
    pub fn ended(&self, command: &str, exit: Exit, at: WallTime) -> Result<(), Stop> {
        // A listener has no end to tell of, so this one is not there from the start.
        let registered = self.registry.register(Box::new(self.exit.clone()));
        registered.map_err(|e| Stop::internal(e.to_string()))?;
        self.exit.set(i64::from(exit.code()));
        self.ended.with_label_values(&[command]).set(shown(Decimal::from(at.0 / 1_000_000)));
        Ok(())
    }

    /// All of it as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        // Only a writer that fails or a family without a name stops it; there is neither.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// An exact amount as the nearest number that Prometheus has.
fn shown(amount: Decimal) -> f64 {
    amount.to_f64().unwrap_or(f64::NAN)
}

/// How the text of the figures begins.
const FIGURES_HEAD: &[u8] = b"# HELP bulk_topup_";

/// A place for the figures that was found to be good before anything was done.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    folder: PathBuf,
}

impl MetricsFile {
    /// Looks whether a file can be written there.
    ///
    /// # Errors
    /// [`Stop`] with exit 2.
    pub fn at(path: &Path) -> Result<Self, Stop> {
        let refused =
            |why: &str| Stop::refused(format!("--metrics-file {}: {why}; nothing was done", path.display()));
        if path.is_dir() || path.file_name().is_none() {
            return Err(refused("that is a folder, not a file"));
        }
        let there = std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
        if there && !begins_with(path, FIGURES_HEAD).map_err(|e| refused(&e.to_string()))? {
            return Err(refused(
                "it is there already and holds no figures of this program; name another file",
            ));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = Self { path: path.to_owned(), folder: folder.unwrap_or(Path::new(".")).to_owned() };
        file.beside().map_err(|e| refused(&e.to_string()))?;
        Ok(file)
    }

    /// A file beside it, under a name that no collector reads.
    fn beside(&self) -> std::io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix(".metrics-").suffix(".tmp").tempfile_in(&self.folder)
    }

    /// Writes the figures in one step. Whoever collects them is another user, so all may read them.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, metrics: &Metrics) -> std::io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;
        if metrics.ledger.get().is_some_and(|ledger| is_ledger_file(ledger, &self.path)) {
            return Err(std::io::Error::other("this is the ledger's place"));
        }
        let mut file = self.beside()?;
        file.write_all(metrics.text().as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|e| e.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::LaneId;

    #[test]
    fn what_is_counted_stands_in_the_text() {
        let metrics = Metrics::new().unwrap();
        let end = |kind, meaning| CallEnd { lane: LaneId(0), kind, row: None, id: None, meaning, code: None };
        metrics.called("vietnam", &end(CallKind::Submit, "succeeded"), Duration::from_millis(120));
        metrics.called("vietnam", &end(CallKind::LookUp, "pending"), Duration::from_millis(20));
        metrics.halted("vietnam", "insufficient_balance");
        metrics.ended("run", Exit::SomeOpen, WallTime(1_700_000_000_500_000)).unwrap();
        let text = metrics.text();
        for line in [
            "bulk_topup_submits_total{meaning=\"succeeded\",provider=\"vietnam\"} 1",
            "bulk_topup_lookups_total{call=\"lookup\",meaning=\"pending\",provider=\"vietnam\"} 1",
            "bulk_topup_request_duration_seconds_bucket{call=\"submit\",provider=\"vietnam\",le=\"0.25\"} 1",
            "bulk_topup_halts_total{provider=\"vietnam\",reason=\"insufficient_balance\"} 1",
            "bulk_topup_last_exit_code 4",
            "bulk_topup_last_end_timestamp_seconds{command=\"run\"} 1700000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
