//! Appending to the chain within one transaction, and keeping the projection of it.

use std::path::Path;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::LedgerError;
use super::chain::{Hash, Link};
use super::linked::{Insert, Linked, Submitted, Waiting};
use super::record::{BatchEvent, Record, path_text, place_of, signed};
use super::standing::{Addressee, Known};
use super::states::STATE;
use crate::domain::{AccountId, Order, RowNumber, TransactionId, WallTime};
use crate::lifecycle::{Entry, Event, Intent, Phase, TopUp};

/// Row and id of one intent that stands in an uncommitted transaction.
pub(super) type Intended = (RowNumber, TransactionId);

/// Where a row stands after an event of it, if no other event came between.
const STAND: &str =
    "UPDATE standings SET phase = ?2, unsettled = ?3, changed_at = max(changed_at, ?4), last = ?5
     WHERE place = ?1 AND last = ?6";

/// As [`STAND`], for an intent: whatever went wrong above, no order that does not stand ready is sent.
const STAND_SENDING: &str =
    "UPDATE standings SET phase = ?2, unsettled = ?3, changed_at = max(changed_at, ?4), last = ?5
     WHERE place = ?1 AND last = ?6 AND phase = 'ready'";

/// The end of the chain, moved on in one transaction. Nothing counts before [`Appender::finish`] and the
/// commit after it.
pub(super) struct Appender<'c> {
    conn: &'c Connection,
    path: &'c Path,
    known: &'c mut Known,
    seq: i64,
    hash: Hash,
    /// Statements used so far: looked up once for all records of a transaction.
    held: Vec<(&'static str, CachedStatement<'c>)>,
    /// Events of this transaction that are linked, but not inserted yet.
    waiting: Waiting<Linked>,
    /// Submits of this transaction that are not inserted yet.
    submits: Waiting<Submitted>,
}

impl<'c> Appender<'c> {
    /// Takes up the chain where it ends. `conn` must be within a transaction that can write.
    pub(super) fn begin(
        conn: &'c Connection,
        path: &'c Path,
        known: &'c mut Known,
    ) -> Result<Self, LedgerError> {
        let head = conn.prepare_cached("SELECT seq, hash FROM head");
        let head = head.and_then(|mut ask| ask.query_row([], |row| Ok((row.get(0)?, row.get(1)?))));
        let (seq, hash) = head.map_err(|e| LedgerError::of_sqlite(path, &e))?;
        known.begin(path, seq)?;
        Ok(Self {
            conn,
            path,
            known,
            seq,
            hash,
            held: Vec::new(),
            waiting: Waiting::default(),
            submits: Waiting::default(),
        })
    }

    /// Appends one record; gives the intents in it, in their order.
    pub(super) fn record(&mut self, record: &Record) -> Result<Vec<Intended>, LedgerError> {
        let batch = record.batch.0;
        self.known.batch(self.conn, self.path, batch)?;
        for (at, event) in &record.batch_events {
            self.batch_event(batch, *at, event)?;
        }
        let mut intended = Vec::new();
        for entry in &record.entries {
            if cfg!(debug_assertions) {
                self.check_legal(batch, entry)?;
            }
            match &entry.event {
                Event::Intent(intent) => {
                    self.intent(batch, entry, intent)?;
                    intended.push((entry.row, intent.id.clone()));
                }
                event @ (Event::NotSent { .. }
                | Event::Answered { .. }
                | Event::NoAnswer { .. }
                | Event::Interrupted { .. }
                | Event::LookedUp { .. }
                | Event::NotFound { .. }
                | Event::GraceRestarted { .. }
                | Event::SeriesEnded
                | Event::GaveUp
                | Event::Judged { .. }
                | Event::Held { .. }
                | Event::Cancelled { .. }
                | Event::Resolved { .. }
                | Event::Released
                | Event::Readmitted { .. }
                | Event::Rejudged { .. }
                | Event::Contradicted { .. }) => {
                    let prev = self.last(batch, entry.row)?;
                    let state = json(self.path, &entry.state)?;
                    self.entry(batch, entry, (prev, Some(state)), STAND)?;
                    if let Event::Readmitted { order } = event {
                        self.new_order(place_of(batch, entry.row), order)?;
                    }
                }
            }
        }
        Ok(intended)
    }

    /// Appends one event of a batch and marks the batch with it.
    pub(super) fn batch_event(
        &mut self,
        batch: i64,
        at: WallTime,
        event: &BatchEvent,
    ) -> Result<(), LedgerError> {
        if let BatchEvent::Corrected { row, cells } = event {
            return self.corrected(batch, at, *row, cells, event);
        }
        let seq = self.link((batch, None, None), at, event, None)?;
        match event {
            BatchEvent::Admitted { .. }
            | BatchEvent::RunEnded { .. }
            | BatchEvent::Halted { .. }
            | BatchEvent::Corrected { .. } => Ok(()),
            BatchEvent::RunStarted { .. } => {
                self.mark(batch, "UPDATE batches SET run_seq = ?2 WHERE id = ?1", seq)
            }
            BatchEvent::Cancelled { .. } => {
                self.known.cancel(batch);
                self.mark(batch, "UPDATE batches SET cancelled_at = ?2 WHERE id = ?1", at.0)
            }
            BatchEvent::ResultsWritten { path } => {
                self.mark(batch, "UPDATE batches SET results_path = ?2 WHERE id = ?1", path_text(path))
            }
        }
    }

    /// Writes the end of the chain. The commit is the caller's.
    pub(super) fn finish(mut self) -> Result<(), LedgerError> {
        self.insert_waiting(true)?;
        self.insert_submits(true)?;
        let (seq, hash) = (self.seq, self.hash);
        self.execute("UPDATE head SET seq = ?1, hash = ?2", params![seq, hash])?;
        self.known.holds_at(seq);
        Ok(())
    }

    /// Number of the next event.
    pub(super) fn next_seq(&self) -> i64 {
        self.seq.saturating_add(1)
    }

    /// Appends an event of a batch, or of its row after the one before, with where the row stands then.
    fn link(
        &mut self,
        (batch, row, prev): (i64, Option<i64>, Option<i64>),
        at: WallTime,
        event: &impl serde::Serialize,
        state: Option<String>,
    ) -> Result<i64, LedgerError> {
        let (body, at) = (json(self.path, event)?, at.0);
        let seq = self.next_seq();
        let hash = Link { seq, batch, row, prev, at, body: &body }.hash(&self.hash);
        self.waiting.push(Linked { seq, batch, row, prev, at, body, hash, state });
        (self.seq, self.hash) = (seq, hash);
        self.insert_waiting(false)?;
        Ok(seq)
    }

    /// Inserts events that wait: all of them, or as many as go together.
    fn insert_waiting(&mut self, all: bool) -> Result<(), LedgerError> {
        while let Some((sql, events)) = self.waiting.take(all) {
            self.insert(sql, &events)?;
        }
        Ok(())
    }

    /// As [`Appender::insert_waiting`], for submits.
    fn insert_submits(&mut self, all: bool) -> Result<(), LedgerError> {
        while let Some((sql, submits)) = self.submits.take(all) {
            self.insert(sql, &submits)?;
        }
        Ok(())
    }

    fn insert(&mut self, sql: &'static str, rows: &[impl Insert]) -> Result<(), LedgerError> {
        let values: Vec<&dyn rusqlite::ToSql> = rows.iter().flat_map(Insert::values).collect();
        self.execute(sql, values.as_slice()).map(|_| ())
    }

    fn mark(
        &mut self,
        batch: i64,
        sql: &'static str,
        value: impl rusqlite::ToSql,
    ) -> Result<(), LedgerError> {
        self.execute(sql, params![batch, value]).map(|_| ())
    }

    /// Appends what happened to a row, with the state it leads to where one is kept.
    fn entry(
        &mut self,
        batch: i64,
        entry: &Entry,
        (prev, state): (i64, Option<String>),
        stand: &'static str,
    ) -> Result<i64, LedgerError> {
        let row = signed(entry.row.0);
        let seq = self.link((batch, Some(row), Some(prev)), entry.at, &entry.event, state)?;
        let (word, unsettled) = (phase_word(entry.state.phase), unsettled(&entry.state));
        let place = place_of(batch, entry.row);
        match self.execute(stand, params![place, word, unsettled, entry.at.0, seq, prev])? {
            1 => self.known.moved(place, seq, entry.state.phase.is_open()),
            _ => return Err(LedgerError::NotReady { row: entry.row }),
        }
        Ok(seq)
    }

    /// An intent is refused unless the row stands ready in a batch that goes on, and its id is that row's alone:
    /// whatever went wrong above, no order is sent twice.
    fn intent(&mut self, batch: i64, entry: &Entry, intent: &Intent) -> Result<(), LedgerError> {
        let row = signed(entry.row.0);
        let found = self.known.addressee(self.conn, self.path, place_of(batch, entry.row))?;
        let Addressee { last, account, phone } = found.ok_or(LedgerError::NoSuchRow { row: entry.row })?;
        let (Some(account), Some(phone)) = (account, phone) else {
            return Err(LedgerError::NotReady { row: entry.row });
        };
        self.known.may_send(self.conn, self.path, (entry.row, account), intent)?;
        let seq = self.entry(batch, entry, (last, None), STAND_SENDING)?;
        self.known.named.push(intent.id.as_str(), (batch, row));
        // Ticks and boots are whole 64-bit numbers: kept bit by bit.
        let (tick, boot) = (intent.at.tick.0.cast_signed(), intent.at.boot.0.cast_signed());
        self.submits.push(Submitted { account, at: entry.at.0, seq, tick, boot, batch, row, phone });
        self.insert_submits(false)
    }

    /// The row's cells as they are now; it stands where it stood.
    fn corrected(
        &mut self,
        batch: i64,
        at: WallTime,
        row: RowNumber,
        cells: &[String],
        event: &BatchEvent,
    ) -> Result<(), LedgerError> {
        let (number, cells) = (signed(row.0), join_cells(row, cells)?);
        let (prev, state) = (self.last(batch, row)?, self.stored_state(batch, row)?);
        let seq = self.link((batch, Some(number), Some(prev)), at, event, Some(state))?;
        let sql = "UPDATE standings SET last = ?2 WHERE place = ?1 AND last = ?3";
        let place = place_of(batch, row);
        self.one(row, sql, params![place, seq, prev])?;
        self.known.moved(place, seq, true);
        let sql = "UPDATE rows SET new_cells = ?2 WHERE place = ?1";
        self.one(row, sql, params![place, cells.as_bytes()])
    }

    fn new_order(&mut self, place: i64, order: &Order) -> Result<(), LedgerError> {
        let account = account_number(self.conn, self.path, &order.account)?;
        let columns = OrderColumns::of(order, account);
        let sql = "UPDATE rows SET new_order = ?2, goods = ?3, amount = ?4 WHERE place = ?1";
        let new = json(self.path, order)?;
        self.one(order.row, sql, params![place, new, columns.goods, columns.amount])?;
        let sql = "UPDATE standings SET account = ?2, phone = ?3 WHERE place = ?1";
        self.one(order.row, sql, params![place, columns.account, columns.phone])
    }

    /// The last event of a row.
    fn last(&mut self, batch: i64, row: RowNumber) -> Result<i64, LedgerError> {
        let place = place_of(batch, row);
        if let Some(last) = self.known.last(place) {
            return Ok(last);
        }
        let sql = "SELECT last FROM standings WHERE place = ?1";
        self.ask(sql, [place], |row| row.get(0))?.ok_or(LedgerError::NoSuchRow { row })
    }

    fn stored_state(&mut self, batch: i64, row: RowNumber) -> Result<String, LedgerError> {
        let number = signed(row.0);
        if self.waiting.any(|event| event.batch == batch && event.row == Some(number)) {
            self.insert_waiting(true)?;
        }
        let sql = format!(
            "SELECT {STATE} FROM standings s CROSS JOIN rows r ON r.place = s.place
             LEFT JOIN events e ON e.seq = s.last WHERE s.place = ?1"
        );
        let ask = self.conn.prepare_cached(&sql);
        let found =
            ask.and_then(|mut ask| ask.query_row([place_of(batch, row)], |row| row.get(0)).optional());
        found.map_err(|e| LedgerError::of_sqlite(self.path, &e))?.ok_or(LedgerError::NoSuchRow { row })
    }

    /// In builds with debug assertions: the entry's state is what the event makes of the stored one.
    fn check_legal(&mut self, batch: i64, entry: &Entry) -> Result<(), LedgerError> {
        let stored = self.stored_state(batch, entry.row)?;
        let mut state: TopUp =
            serde_json::from_str(&stored).map_err(|e| LedgerError::damaged(self.path, e))?;
        let illegal = |why: String| LedgerError::Illegal { row: entry.row, why };
        state.apply(&entry.event, entry.at).map_err(|e| illegal(e.to_string()))?;
        if state == entry.state { Ok(()) } else { Err(illegal("it does not lead to this state".to_owned())) }
    }

    /// Works with a statement that is kept for the rest of the transaction.
    fn with<T>(
        &mut self,
        sql: &'static str,
        work: impl FnOnce(&mut CachedStatement<'c>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        match self.held.iter_mut().find(|(known, _)| *known == sql) {
            Some((_, statement)) => work(statement),
            None => {
                let mut statement = self.conn.prepare_cached(sql)?;
                let done = work(&mut statement);
                self.held.push((sql, statement));
                done
            }
        }
    }

    fn ask<T>(
        &mut self,
        sql: &'static str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, LedgerError> {
        let found = self.with(sql, |statement| statement.query_row(values, read).optional());
        found.map_err(|e| LedgerError::of_sqlite(self.path, &e))
    }

    fn execute(&mut self, sql: &'static str, values: impl rusqlite::Params) -> Result<usize, LedgerError> {
        let done = self.with(sql, |statement| statement.execute(values));
        done.map_err(|e| LedgerError::of_sqlite(self.path, &e))
    }

    fn one(
        &mut self,
        row: RowNumber,
        sql: &'static str,
        values: impl rusqlite::Params,
    ) -> Result<(), LedgerError> {
        if self.execute(sql, values)? == 1 { Ok(()) } else { Err(LedgerError::NoSuchRow { row }) }
    }
}

/// The columns that an order is found by.
pub(super) struct OrderColumns {
    pub(super) account: i64,
    pub(super) phone: String,
    pub(super) goods: String,
    pub(super) amount: Option<String>,
}

impl OrderColumns {
    pub(super) fn of(order: &Order, account: i64) -> Self {
        Self {
            account,
            phone: order.phone.digits().to_owned(),
            goods: order.goods.canonical(),
            amount: amount_text(order),
        }
    }
}

/// One spelling for one amount, so that equal amounts are found as equal texts.
pub(super) fn amount_text(order: &Order) -> Option<String> {
    order.amount.map(|amount| amount.normalize().to_string())
}

/// The account's number in this ledger, given to it where it has none.
pub(super) fn account_number(
    conn: &Connection,
    path: &Path,
    account: &AccountId,
) -> Result<i64, LedgerError> {
    let key = params![account.kind.as_str(), account.tag()];
    let number = || {
        let mut ask = conn.prepare_cached("SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2")?;
        if let Some(id) = ask.query_row(key, |row| row.get(0)).optional()? {
            return Ok(id);
        }
        conn.execute("INSERT INTO accounts(kind, tag) VALUES(?1, ?2)", key)?;
        Ok(conn.last_insert_rowid())
    };
    number().map_err(|e| LedgerError::of_sqlite(path, &e))
}

/// Cells of a row as one text.
pub(super) fn join_cells(row: RowNumber, cells: &[String]) -> Result<String, LedgerError> {
    if cells.iter().any(|cell| cell.contains('\0')) {
        return Err(LedgerError::NulCell { row });
    }
    Ok(cells.join("\0"))
}

/// How `standings` marks a row that may change by itself: 1, money may be under way; 2, it counts as never received.
pub(super) fn unsettled(state: &TopUp) -> Option<i64> {
    if state.phase.is_open() {
        Some(1)
    } else if state.is_not_received() {
        Some(2)
    } else {
        None
    }
}

/// The word a phase has in the file.
pub(super) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Ready => "ready",
        Phase::Sending => "sending",
        Phase::Pending => "pending",
        Phase::Unknown => "unknown",
        Phase::Asking => "asking",
        Phase::Succeeded => "succeeded",
        Phase::Failed => "failed",
        Phase::Refused => "refused",
        Phase::Invalid => "invalid",
        Phase::Cancelled => "cancelled",
    }
}

pub(super) fn json(path: &Path, value: &impl serde::Serialize) -> Result<String, LedgerError> {
    // Most texts of a ledger find room in it at once.
    let mut text = Vec::with_capacity(512);
    serde_json::to_writer(&mut text, value).map_err(|e| LedgerError::damaged(path, e))?;
    String::from_utf8(text).map_err(|e| LedgerError::damaged(path, e))
}
