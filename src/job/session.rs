//! One process's work on one batch: lanes from settings and ledger, engine runs, rows from the ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::exit::Exit;
use super::past::{recent_submits, spaced_numbers};
use super::preflights::Preflights;
use super::row_set::RowSet;
use super::standing::Standing;
use super::stop::Stop;
use crate::domain::{Now, ProviderKind, Reason, RowNumber, TransactionId, WallTime};
use crate::engine::{
    Clearances, Engine, LaneConfig, LaneId, LaneStart, Loaded, Mode, Rate as EngineRate, RunConfig,
};
use crate::ledger::{
    BatchEvent, BatchId, BatchInfo, Ledger, LedgerError, LedgerLock, Record, Writer, write_results_file,
};
use crate::lifecycle::{Event, FollowPolicy, Phase, StoredRow};
use crate::net::{Client, NetOptions};
use crate::run::{Clock, Drive, Ended, Hinted, LaneClients, Observer, Rows, Signals, crash_at};
use crate::settings::{ADDRESS_KEY, ProviderSettings, Rate, Settings};

pub use crate::report::REBUILT_NOTE;

/// Which rows a run may submit.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only rows up to this one (canary).
    pub up_to: Option<RowNumber>,
    /// Only these rows, and those of them that failed in a way that a retry may send again.
    pub retry: Option<RowSet>,
    /// Rows that succeeded from this time on, to be asked about again.
    pub recheck: Option<WallTime>,
}

/// One engine run.
#[derive(Debug)]
pub struct Leg {
    /// What to do.
    pub mode: Mode,
    /// How long to follow after the last submit.
    pub settle_for: Duration,
    /// Which rows.
    pub selection: Selection,
    /// What a look-up leg settled.
    pub clearances: Clearances,
}

/// A process's work on a batch, under the ledger's lock.
pub struct Session {
    /// For reading.
    pub ledger: Ledger,
    /// For writing.
    pub writer: Writer,
    /// The batch.
    pub batch: BatchInfo,
    /// What may stop it.
    pub signals: Signals,
    /// The clock.
    pub clock: Clock,
    hints_seen: u64,
    /// Held to the end. Fields are dropped in their order: it has to be the last one, or another process could submit
    /// while this one's writer still writes.
    _lock: Arc<LedgerLock>,
}

/// How a process's work on a batch ended.
#[derive(Debug)]
pub struct Finished {
    /// How the batch stands.
    pub standing: Standing,
    /// The exit code that says so.
    pub exit: Exit,
    /// What the ledger did not take; the results were written all the same.
    pub trouble: Option<Stop>,
}

/// A path that still means the same file from another folder.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Session {
    /// Takes over a ledger for a batch.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn new(
        lock: impl Into<Arc<LedgerLock>>,
        ledger: Ledger,
        batch: BatchInfo,
        clock: Clock,
    ) -> Result<Self, Stop> {
        let lock = lock.into();
        let writer = Writer::start(lock.ledger())?;
        let signals = Signals::new().map_err(|e| Stop::internal(format!("signals: {e}")))?;
        // Hints of before count too: nobody may have looked since.
        Ok(Self { ledger, writer, batch, signals, clock, hints_seen: 0, _lock: lock })
    }

    /// Puts down an event of the batch, durable when this returns.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub async fn note(&self, event: BatchEvent) -> Result<(), Stop> {
        let at = self.clock.now().wall;
        let record = Record { batch: self.batch.id, batch_events: vec![(at, event)], entries: Vec::new() };
        self.writer.append(record).await?;
        Ok(())
    }

    /// Puts down that this process begins to work on the batch. Gives what a person should know of it: providers
    /// that were reached elsewhere when it was last worked on.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub async fn begin(&self, settings: &Settings, command: &str) -> Result<Vec<String>, Stop> {
        let mut notes = Vec::new();
        // A sandbox has another port every time.
        let before = self.ledger.last_run(self.batch.id)?.filter(|_| !self.batch.sandbox);
        let before = before.map(|run| run.settings).unwrap_or_default();
        for entry in &settings.providers {
            let (name, new) = (&entry.name, entry.base_url().as_str());
            if let Some(old) =
                before.get(&format!("providers.{name}.{ADDRESS_KEY}")).filter(|old| *old != new)
            {
                notes.push(format!(
                    "Note: {name} was reached at {old} when this batch was last worked on, now at {new}"
                ));
            }
        }
        let event = BatchEvent::RunStarted {
            command: command.to_owned(),
            user: user_name(),
            host: host_name(),
            pid: std::process::id(),
            at: self.clock.now(),
            settings: settings.described(),
        };
        self.note(event).await?;
        Ok(notes)
    }

    /// Ends this process's work on the batch: puts the run's end down and writes the results. `also` is what
    /// applies beside the rows (interrupted, internal), `reason` why rows were left.
    ///
    /// # Errors
    /// [`Stop`] when the results cannot be written or the ledger cannot be read; a ledger that takes no more
    /// is told in [`Finished::trouble`], after the results were written.
    pub async fn finish(&self, also: Exit, reason: Option<Reason>, results: &Path) -> Result<Finished, Stop> {
        // The code follows from the phases alone: no row is read for it.
        let by_phase = Standing::by_phase(&self.ledger.phase_counts(self.batch.id)?, &self.batch);
        let exit = by_phase.exit().and(also);
        // A ledger that takes no more can still be read: what is known is written before its failure is told.
        let ended = self.note(BatchEvent::RunEnded { reason, exit: exit.code() }).await;
        crash_at("mid_results");
        write_results_file(&self.ledger, self.batch.id, results)?;
        let noted = self.note(BatchEvent::ResultsWritten { path: absolute(results) }).await;
        // Read now: the reasons of rows that were not reached depend on the run's end.
        let standing = Standing::of(&self.ledger, &self.batch)?;
        let trouble = ended.and(noted).err();
        let exit = if trouble.is_some() { exit.and(Exit::Internal) } else { exit };
        Ok(Finished { standing, exit, trouble })
    }

    /// Provider entries whose account has rows to be sent; in a retry failed ones too.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn entries_to_send(&self, settings: &Settings, retry: bool) -> Result<Vec<String>, Stop> {
        let mut names = Vec::new();
        for entry in &settings.providers {
            let page = if retry {
                self.ledger.sendable_page(self.batch.id, &entry.account, None, 1)?
            } else {
                self.ledger.ready_page(self.batch.id, &entry.account, None, 1)?
            };
            if !page.is_empty() {
                names.push(entry.name.clone());
            }
        }
        Ok(names)
    }

    /// Runs an engine over the batch.
    ///
    /// # Errors
    /// [`Stop`] when ledger or program fail; nothing was submitted after that.
    pub async fn run(
        &mut self,
        settings: &Settings,
        preflights: &Preflights,
        leg: Leg,
        observer: &mut dyn Observer,
    ) -> Result<(Engine, Ended), Stop> {
        let now = self.clock.now();
        let mut lanes = Vec::new();
        let mut clients = Vec::new();
        for entry in &settings.providers {
            lanes.push((lane_config(entry), self.lane_start(entry, preflights, now)?));
            clients.push(clients_of(entry)?);
        }
        let config = RunConfig {
            batch: self.batch.name.clone(),
            mode: leg.mode,
            settle_for: leg.settle_for,
            max_row: settings.limits.max_row.clone(),
            seed: u64::try_from(now.wall.0).unwrap_or(0),
        };
        let engine = Engine::new(config, lanes, leg.clearances, now);
        let mut rows = LedgerRows {
            ledger: &self.ledger,
            batch: &self.batch,
            settings,
            selection: leg.selection,
            follows_only: leg.mode == Mode::Follow,
            hints_seen: &mut self.hints_seen,
        };
        let drive = Drive {
            engine,
            clients,
            writer: &self.writer,
            batch: self.batch.id,
            rows: &mut rows,
            observer,
            signals: &mut self.signals,
            clock: self.clock,
        };
        Ok(drive.go().await?)
    }

    fn lane_start(
        &self,
        entry: &ProviderSettings,
        preflights: &Preflights,
        now: Now,
    ) -> Result<LaneStart, Stop> {
        let mut start = LaneStart {
            preflight: None,
            halt: None,
            open_numbers: self.ledger.open_numbers(&entry.account, Some(self.batch.id))?,
            spaced_numbers: spaced_numbers(&self.ledger, entry, now)?,
            recent_submits: recent_submits(&self.ledger, &entry.account, entry.submit_rate, now)?,
            // The read-only calls before this, an earlier run of this process, or one that was killed.
            looked_before: true,
        };
        preflights.start(&entry.name, &mut start);
        Ok(start)
    }
}

/// A provider entry as the engine needs it.
fn lane_config(entry: &ProviderSettings) -> LaneConfig {
    let rate = |rate: Rate| EngineRate { count: rate.count, window: rate.window };
    LaneConfig {
        name: entry.name.clone(),
        codec: entry.codec.clone(),
        submit_rate: rate(entry.submit_rate),
        query_rate: rate(entry.query_rate),
        max_in_flight: entry.max_in_flight,
        phone_spacing: entry.phone_spacing,
        follow: FollowPolicy {
            first_check: entry.first_check,
            max_check: entry.max_check,
            give_up: entry.give_up,
            not_found_grace: entry.not_found_grace,
            not_found_times: entry.not_found_times,
            trust_not_found: entry.trust_not_found,
        },
        throttle_pause: entry.throttle_pause,
        unreachable_for: entry.unreachable_for,
        halt_after_unclear: entry.halt_after_unclear,
    }
}

/// Rows of a batch, page by page, for the lanes of the settings.
struct LedgerRows<'a> {
    ledger: &'a Ledger,
    batch: &'a BatchInfo,
    settings: &'a Settings,
    selection: Selection,
    follows_only: bool,
    hints_seen: &'a mut u64,
}

impl LedgerRows<'_> {
    fn chosen(&self, row: &StoredRow) -> bool {
        let in_reach = self.selection.up_to.is_none_or(|last| row.row <= last);
        let retried = |set: &RowSet| set.contains(row.row) && may_be_retried(row);
        let in_set = self.selection.retry.as_ref().is_none_or(retried);
        in_reach && in_set
    }
}

impl Rows for LedgerRows<'_> {
    fn page(
        &mut self,
        lane: LaneId,
        open: bool,
        after: Option<RowNumber>,
        limit: usize,
    ) -> Result<(Vec<Loaded>, bool), LedgerError> {
        let Some(entry) = self.settings.providers.get(lane.0) else { return Ok((Vec::new(), false)) };
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let retry = self.selection.retry.is_some();
        let mut after = after;
        // A page that holds none of the chosen rows is no reason to stop: the next one may.
        loop {
            let page = if open {
                if self.follows_only {
                    self.ledger.unsettled_page_of(self.batch.id, &entry.account, after, limit)?
                } else {
                    self.ledger.open_page_of(self.batch.id, &entry.account, after, limit)?
                }
            } else if let Some(since) = self.selection.recheck {
                self.ledger.succeeded_page(self.batch.id, &entry.account, since, after, limit)?
            } else if retry {
                self.ledger.sendable_page(self.batch.id, &entry.account, after, limit)?
            } else {
                self.ledger.ready_page(self.batch.id, &entry.account, after, limit)?
            };
            let last = page.last().map(|row| row.row);
            let full = page.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            let beyond = self.selection.up_to.zip(last).is_some_and(|(end, last)| !open && last >= end);
            let mut rows = Vec::new();
            for row in page.into_iter().filter(|row| open || self.chosen(row)) {
                let to_send = !open && self.selection.recheck.is_none();
                let ahead = if to_send && is_rebuilt(self.ledger, self.batch.id, &row)? { AHEAD } else { 0 };
                let verify = retry && row.state.submits > 0;
                if let Some(order) = row.order {
                    rows.push(Loaded { order, topup: row.state, verify, ahead });
                }
            }
            let more = full && !beyond;
            if !rows.is_empty() || !more {
                return Ok((rows, more));
            }
            after = last;
        }
    }

    fn hints(&mut self) -> Result<Hinted, LedgerError> {
        const HINTS_MAX: u32 = 1000;
        let found = self.ledger.hints_after(*self.hints_seen, HINTS_MAX)?;
        if let Some((seq, _)) = found.last() {
            *self.hints_seen = *seq;
        }
        let ids: Vec<TransactionId> = found.into_iter().filter_map(|(_, hint)| hint.id).collect();
        let mut turned_up = Vec::new();
        for id in &ids {
            let Some((batch, number)) = self.ledger.row_by_txn(id)? else { continue };
            if batch != self.batch.id {
                continue;
            }
            let Some(row) = self.ledger.row(batch, number)?.filter(|row| row.state.is_not_received()) else {
                continue;
            };
            let Some(order) = row.order else { continue };
            let lane = self.settings.providers.iter().position(|entry| entry.account == order.account);
            if let Some(lane) = lane {
                turned_up.push((LaneId(lane), Loaded { order, topup: row.state, verify: false, ahead: 0 }));
            }
        }
        Ok(Hinted { ids, turned_up })
    }
}

/// Coming attempts that are looked up of a row whose ledger was lost: nobody retried it more often since the
/// results file that told of it.
const AHEAD: u32 = 3;

/// Whether all that is known of a row came from a results file: nothing was recorded of it since.
///
/// # Errors
/// What the ledger says.
pub fn is_rebuilt(ledger: &Ledger, batch: BatchId, row: &StoredRow) -> Result<bool, LedgerError> {
    if !row.notes.iter().any(|note| note == REBUILT_NOTE) {
        return Ok(false);
    }
    let history = ledger.history(batch, row.row)?;
    Ok(!history.iter().any(|(_, event)| matches!(event, Event::Intent(_))))
}

/// Whether a row may be sent again by `retry` as it stands.
pub fn may_be_retried(row: &StoredRow) -> bool {
    let failed = row.state.phase == Phase::Failed && !row.state.contradicted;
    (failed || row.state.phase == Phase::Ready) && row.state.reason != Some(Reason::Cancelled)
}

/// Clients of a provider entry. A reply that does not name our order could be a stray one of the request
/// before it on the same connection, so such submits have a connection each.
fn clients_of(entry: &ProviderSettings) -> Result<LaneClients, Stop> {
    let look_up = Client::new(entry.net_options())?;
    let submit = match entry.kind {
        ProviderKind::Paynicorn => look_up.clone(),
        ProviderKind::Tutom | ProviderKind::ConnectTopup => {
            Client::new(NetOptions { idle: Duration::ZERO, ..entry.net_options() })?
        }
    };
    Ok(LaneClients { submit, look_up })
}

/// Who runs the program, for the record.
pub fn user_name() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// The machine's name, for the record.
pub fn host_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}
