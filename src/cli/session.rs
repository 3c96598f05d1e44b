//! One process's work on one batch: lanes from settings and ledger, engine runs, rows from the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::retrying::REBUILT_NOTE;
use super::settings::{ADDRESS_KEY, ProviderSettings, Rate, Settings};
use super::stop::Stop;
use crate::domain::{Catalogue, Halt, Now, ProviderKind, Reason, RowNumber, Told, TransactionId, WallTime};
use crate::engine::{
    Clearances, Engine, LaneConfig, LaneId, LaneStart, Loaded, Mode, Rate as EngineRate, RunConfig,
};
use crate::ledger::{BatchEvent, BatchId, BatchInfo, Ledger, LedgerError, LedgerLock, Record, Writer};
use crate::lifecycle::{Event, FollowPolicy, Phase, StoredRow};
use crate::net::{Client, NetOptions};
use crate::run::{Asked, Clock, Drive, Ended, Hinted, LaneClients, Observer, Rows, Signals, ask};

/// A submit leaves at most this long after its intent was recorded.
const INTENT_AGE_MAX: Duration = Duration::from_secs(5);

/// What the read-only calls before a run told, by provider entry.
#[derive(Debug, Default)]
pub struct Preflights {
    /// What was answered.
    pub asked: HashMap<String, Asked>,
}

impl Preflights {
    /// Asks every named provider entry its one question; those asked before are not asked again.
    ///
    /// # Errors
    /// [`Stop`] when a client cannot be made.
    pub async fn ask(&mut self, settings: &Settings, names: &[String], clock: &Clock) -> Result<(), Stop> {
        for entry in settings.providers.iter().filter(|entry| names.contains(&entry.name)) {
            if self.asked.contains_key(&entry.name) {
                continue;
            }
            let client = Client::new(entry.net_options())?;
            let question = entry.codec.preflight(None);
            let answer = ask(&entry.codec, &client, &question, clock).await;
            self.asked.insert(entry.name.clone(), answer);
        }
        Ok(())
    }

    /// What a provider entry sells, if it said so.
    pub fn catalogue(&self, name: &str) -> Option<&Catalogue> {
        match self.asked.get(name) {
            Some(Asked::Told(Told::Catalogue(catalogue))) => Some(catalogue),
            Some(_) | None => None,
        }
    }

    /// Provider entries that refuse submits already, by name.
    pub fn halts(&self) -> BTreeMap<String, Halt> {
        let halted = |(name, asked): (&String, &Asked)| match asked {
            Asked::Told(Told::Halted(halt)) => Some((name.clone(), halt.clone())),
            Asked::Told(_) | Asked::Silent(_) | Asked::NoSuchCall => None,
        };
        self.asked.iter().filter_map(halted).collect()
    }

    fn start(&self, name: &str, start: &mut LaneStart) {
        match self.asked.get(name) {
            Some(Asked::Told(Told::Catalogue(catalogue))) => start.preflight = Some(catalogue.clone()),
            Some(Asked::Told(Told::Balance(_))) => start.preflight = Some(Catalogue::default()),
            Some(Asked::Told(Told::Halted(halt))) => start.halt = Some(halt.clone()),
            // No usable answer: the engine asks again before the first submit.
            Some(_) | None => {}
        }
    }
}

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

/// A set of row numbers, one bit each.
#[derive(Clone, Debug, Default)]
pub struct RowSet {
    words: Vec<u64>,
    len: u64,
}

impl RowSet {
    /// The last row number that is taken for one: a set of that many is 128 MB, no file is as long, and a
    /// mistyped cell must not ask for more.
    pub const LAST: RowNumber = RowNumber(1_000_000_000);

    /// Adds a row; true if it was not in it.
    pub fn insert(&mut self, row: RowNumber) -> bool {
        let (word, bit) = Self::place(row);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(slot) = self.words.get_mut(word) else { return false };
        let new = *slot & bit == 0;
        *slot |= bit;
        self.len += u64::from(new);
        new
    }

    /// Whether a row is in it.
    pub fn contains(&self, row: RowNumber) -> bool {
        let (word, bit) = Self::place(row);
        self.words.get(word).is_some_and(|slot| slot & bit != 0)
    }

    /// The highest row in it.
    pub fn last(&self) -> Option<RowNumber> {
        let (word, bits) = self.words.iter().enumerate().rev().find(|(_, bits)| **bits != 0)?;
        let word = u64::try_from(word).ok()?;
        Some(RowNumber(word * 64 + u64::from(bits.ilog2())))
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place(row: RowNumber) -> (usize, u64) {
        (usize::try_from(row.0 / 64).unwrap_or(usize::MAX), 1 << (row.0 % 64))
    }
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
    /// Held to the end.
    _lock: Arc<LedgerLock>,
    /// For reading.
    pub ledger: Ledger,
    /// For writing.
    pub writer: Writer,
    /// The batch.
    pub batch: BatchInfo,
    /// What may stop it.
    pub signals: Signals,
    clock: Clock,
    hints_seen: u64,
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
        Ok(Self { _lock: lock, ledger, writer, batch, signals, clock, hints_seen: 0 })
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

    /// Puts down that this process begins to work on the batch.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub async fn begin(&self, context: &Context, command: &str) -> Result<(), Stop> {
        let settings = context.settings()?;
        // A sandbox has another port every time.
        let before = self.ledger.last_run(self.batch.id)?.filter(|_| !context.sandbox);
        let before = before.map(|run| run.settings).unwrap_or_default();
        for entry in &settings.providers {
            let (name, new) = (&entry.name, entry.base_url().as_str());
            if let Some(old) =
                before.get(&format!("providers.{name}.{ADDRESS_KEY}")).filter(|old| *old != new)
            {
                context.terminal.complain(&format!(
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
        self.note(event).await
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
        let back = |span: Duration| {
            WallTime(now.wall.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
        };
        let recent = back(entry.submit_rate.window.saturating_add(INTENT_AGE_MAX));
        let recent = self.ledger.recent_intents(&entry.account, recent)?;
        let spaced = if entry.phone_spacing.is_zero() {
            Vec::new()
        } else {
            self.ledger.last_submits_of_numbers(&entry.account, back(entry.phone_spacing))?
        };
        let mut start = LaneStart {
            preflight: None,
            halt: None,
            open_numbers: self.ledger.open_numbers(&entry.account, Some(self.batch.id))?,
            spaced_numbers: spaced,
            // After a restart of the machine nobody can say how long ago it was: as if it were now.
            recent_submits: recent.into_iter().map(|at| now.elapsed_since(at).unwrap_or_default()).collect(),
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
        let in_set = self.selection.retry.as_ref().is_none_or(|set| set.contains(row.row));
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
