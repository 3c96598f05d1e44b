//! Appending to the chain within one transaction, and keeping the projection of it.

use std::path::Path;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::LedgerError;
use super::chain::{Hash, Link};
use super::record::{BatchEvent, Record, path_text, signed};
use crate::domain::{AccountId, Order, RowNumber, TransactionId, WallTime};
use crate::lifecycle::{Entry, Event, Intent, Phase, TopUp};

/// Row and id of one intent that stands in an uncommitted transaction.
pub(super) type Intended = (RowNumber, TransactionId);

/// The end of the chain, moved on in one transaction. Nothing counts before [`Appender::finish`] and the
/// commit after it.
pub(super) struct Appender<'c> {
    conn: &'c Connection,
    path: &'c Path,
    seq: i64,
    hash: Hash,
    /// Statements used so far: looked up once for all records of a transaction.
    held: Vec<(&'static str, CachedStatement<'c>)>,
}

impl<'c> Appender<'c> {
    /// Takes up the chain where it ends. `conn` must be within a transaction that can write.
    pub(super) fn begin(conn: &'c Connection, path: &'c Path) -> Result<Self, LedgerError> {
        let head = conn.query_row("SELECT seq, hash FROM head", [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (seq, hash) = head.map_err(|e| LedgerError::of_sqlite(path, &e))?;
        Ok(Self { conn, path, seq, hash, held: Vec::new() })
    }

    /// Appends one record; gives the intents in it, in their order.
    pub(super) fn record(&mut self, record: &Record) -> Result<Vec<Intended>, LedgerError> {
        let batch = record.batch.0;
        for (at, event) in &record.batch_events {
            self.batch_event(batch, *at, event)?;
        }
        let mut intended = Vec::new();
        for entry in &record.entries {
            if cfg!(debug_assertions) {
                self.check_legal(batch, entry)?;
            }
            let row = signed(entry.row.0);
            let seq = self.link(batch, Some(row), entry.at, &entry.event)?;
            if let Event::Readmitted { order } = &entry.event {
                self.new_order(batch, row, order)?;
            }
            self.project(batch, entry)?;
            if let Event::Intent(intent) = &entry.event {
                self.intent(batch, entry, intent, seq)?;
                intended.push((entry.row, intent.id.clone()));
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
        let row = match event {
            BatchEvent::Corrected { row, .. } => Some(signed(row.0)),
            BatchEvent::Admitted { .. }
            | BatchEvent::RunStarted { .. }
            | BatchEvent::RunEnded { .. }
            | BatchEvent::Halted { .. }
            | BatchEvent::Cancelled { .. }
            | BatchEvent::ResultsWritten { .. } => None,
        };
        let seq = self.link(batch, row, at, event)?;
        match event {
            BatchEvent::Admitted { .. } | BatchEvent::RunEnded { .. } | BatchEvent::Halted { .. } => Ok(()),
            BatchEvent::RunStarted { .. } => {
                self.mark(batch, "UPDATE batches SET run_seq = ?2 WHERE id = ?1", seq)
            }
            BatchEvent::Cancelled { .. } => {
                self.mark(batch, "UPDATE batches SET cancelled_at = ?2 WHERE id = ?1", at.0)
            }
            BatchEvent::ResultsWritten { path } => {
                self.mark(batch, "UPDATE batches SET results_path = ?2 WHERE id = ?1", path_text(path))
            }
            BatchEvent::Corrected { row, cells } => {
                let sql = "UPDATE rows SET new_cells = ?3 WHERE batch = ?1 AND row = ?2";
                let cells = join_cells(*row, cells)?;
                self.one(*row, sql, params![batch, signed(row.0), cells.as_bytes()])
            }
        }
    }

    /// Writes the end of the chain. The commit is the caller's.
    pub(super) fn finish(mut self) -> Result<(), LedgerError> {
        let (seq, hash) = (self.seq, self.hash);
        self.execute("UPDATE head SET seq = ?1, hash = ?2", params![seq, hash]).map(|_| ())
    }

    fn link(
        &mut self,
        batch: i64,
        row: Option<i64>,
        at: WallTime,
        event: &impl serde::Serialize,
    ) -> Result<i64, LedgerError> {
        let body = json(self.path, event)?;
        let seq = self.seq.saturating_add(1);
        let hash = Link { seq, batch, row, at: at.0, body: &body }.hash(&self.hash);
        let sql = "INSERT INTO events(seq, batch, row, at, body, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
        self.execute(sql, params![seq, batch, row, at.0, body, hash])?;
        (self.seq, self.hash) = (seq, hash);
        Ok(seq)
    }

    fn mark(
        &mut self,
        batch: i64,
        sql: &'static str,
        value: impl rusqlite::ToSql,
    ) -> Result<(), LedgerError> {
        self.execute(sql, params![batch, value]).map(|_| ())
    }

    /// Where the row stands after the entry. An intent is refused unless the row stands ready in a batch that
    /// goes on: whatever went wrong above, no order is sent twice.
    fn project(&mut self, batch: i64, entry: &Entry) -> Result<(), LedgerError> {
        const SET: &str = "UPDATE rows SET phase = ?3, open = ?4, state = ?5, changed_at = max(changed_at, ?6) WHERE batch = ?1 AND row = ?2";
        const SET_READY: &str =
            "UPDATE rows SET phase = ?3, open = ?4, state = ?5, changed_at = max(changed_at, ?6) WHERE batch = ?1 AND row = ?2
             AND phase = 'ready' AND (SELECT cancelled_at FROM batches WHERE id = ?1) IS NULL";
        let is_intent = matches!(entry.event, Event::Intent(_));
        let (phase, state) = (entry.state.phase, json(self.path, &entry.state)?);
        let (word, open) = (phase_word(phase), phase.is_open());
        let values = params![batch, signed(entry.row.0), word, open, state, entry.at.0];
        if self.execute(if is_intent { SET_READY } else { SET }, values)? == 1 {
            Ok(())
        } else if is_intent {
            Err(LedgerError::NotReady { row: entry.row })
        } else {
            Err(LedgerError::NoSuchRow { row: entry.row })
        }
    }

    fn intent(&mut self, batch: i64, entry: &Entry, intent: &Intent, seq: i64) -> Result<(), LedgerError> {
        claim_id(self.conn, self.path, batch, entry.row, &intent.id)?;
        let sql = "INSERT INTO submits(account, at, seq, tick, boot, batch, row, phone)
                   SELECT account, ?3, ?4, ?5, ?6, batch, row, phone FROM rows WHERE batch = ?1 AND row = ?2";
        // Ticks and boots are whole 64-bit numbers: kept bit by bit.
        let (tick, boot) = (intent.at.tick.0.cast_signed(), intent.at.boot.0.cast_signed());
        let values = params![batch, signed(entry.row.0), entry.at.0, seq, tick, boot];
        self.one(entry.row, sql, values)
    }

    fn new_order(&mut self, batch: i64, row: i64, order: &Order) -> Result<(), LedgerError> {
        let account = account_number(self.conn, self.path, &order.account)?;
        let columns = OrderColumns::of(order, account);
        let sql = "UPDATE rows SET new_order = ?3, account = ?4, phone = ?5, goods = ?6, amount = ?7
                   WHERE batch = ?1 AND row = ?2";
        let values = params![
            batch,
            row,
            json(self.path, order)?,
            columns.account,
            columns.phone,
            columns.goods,
            columns.amount
        ];
        self.one(order.row, sql, values)
    }

    /// In builds with debug assertions: the entry's state is what the event makes of the stored one.
    fn check_legal(&self, batch: i64, entry: &Entry) -> Result<(), LedgerError> {
        let sql = "SELECT state FROM rows WHERE batch = ?1 AND row = ?2";
        let stored: Option<String> = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut ask| ask.query_row(params![batch, signed(entry.row.0)], |r| r.get(0)).optional())
            .map_err(|e| LedgerError::of_sqlite(self.path, &e))?;
        let stored = stored.ok_or(LedgerError::NoSuchRow { row: entry.row })?;
        let mut state: TopUp =
            serde_json::from_str(&stored).map_err(|e| LedgerError::damaged(self.path, e))?;
        let illegal = |why: String| LedgerError::Illegal { row: entry.row, why };
        state.apply(&entry.event, entry.at).map_err(|e| illegal(e.to_string()))?;
        if state == entry.state { Ok(()) } else { Err(illegal("it does not lead to this state".to_owned())) }
    }

    fn execute(&mut self, sql: &'static str, values: impl rusqlite::Params) -> Result<usize, LedgerError> {
        let path = self.path;
        let known = self.held.iter_mut().find(|(known, _)| *known == sql);
        let done = match known {
            Some((_, statement)) => statement.execute(values),
            None => self.conn.prepare_cached(sql).and_then(|mut statement| {
                let done = statement.execute(values);
                self.held.push((sql, statement));
                done
            }),
        };
        done.map_err(|e| LedgerError::of_sqlite(path, &e))
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

/// The columns of `rows` that an order is found by.
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

/// Binds an id to its row; an id of another row is refused.
pub(super) fn claim_id(
    conn: &Connection,
    path: &Path,
    batch: i64,
    row: RowNumber,
    id: &TransactionId,
) -> Result<(), LedgerError> {
    let sql = "INSERT INTO ids(id, batch, row) VALUES(?1, ?2, ?3)
               ON CONFLICT(id) DO UPDATE SET id = id WHERE batch = ?2 AND row = ?3";
    let values = params![id.as_str(), batch, signed(row.0)];
    let done = conn.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
    match done.map_err(|e| LedgerError::of_sqlite(path, &e))? {
        1 => Ok(()),
        _ => Err(LedgerError::Illegal { row, why: format!("the id {id} belongs to another row") }),
    }
}

/// Cells of a row as one text.
pub(super) fn join_cells(row: RowNumber, cells: &[String]) -> Result<String, LedgerError> {
    if cells.iter().any(|cell| cell.contains('\0')) {
        return Err(LedgerError::NulCell { row });
    }
    Ok(cells.join("\0"))
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
    serde_json::to_string(value).map_err(|e| LedgerError::damaged(path, e))
}
