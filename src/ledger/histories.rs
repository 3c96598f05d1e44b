//! A batch from its beginning: its chronicle, and its rows with everything that happened to each. Streams only:
//! memory does not grow with rows or events.

use rusqlite::OptionalExtension;

use super::read::{ROW_COLUMNS, raw_row};
use super::record::{BatchEvent, BatchId, RowBody, signed};
use super::{Ledger, LedgerError};
use crate::domain::WallTime;
use crate::lifecycle::{StoredRow, TopUp};
use crate::report::{Chronicle, RowStep};

impl Ledger {
    /// Runs, halts, decisions and files of a batch.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn chronicle(&self, batch: BatchId) -> Result<Chronicle, LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let text = "SELECT seq, at, body FROM events WHERE batch = ?1 AND row IS NULL ORDER BY seq";
        let mut ask = self.conn.prepare(text).map_err(sql)?;
        let mut found = ask.query([batch.0]).map_err(sql)?;
        let mut chronicle = Chronicle::default();
        let mut works = false;
        while let Some(event) = found.next().map_err(sql)? {
            let (seq, at): (i64, i64) = (event.get(0).map_err(sql)?, event.get(1).map_err(sql)?);
            let body: String = event.get(2).map_err(sql)?;
            let body = serde_json::from_str(&body).map_err(|e| LedgerError::damaged(&self.path, e))?;
            let at = WallTime(at);
            match body {
                BatchEvent::RunStarted { command, user, host, pid, at: now, settings } => {
                    // A run that did not end was at work until its last event.
                    if works && let Some(last) = self.last_event(batch, seq)? {
                        chronicle.seen_until(last);
                    }
                    chronicle.run_started(now.wall, &command, (&user, &host), pid, &settings);
                    works = true;
                }
                BatchEvent::RunEnded { exit, .. } => {
                    chronicle.run_ended(at, exit);
                    works = false;
                }
                BatchEvent::Halted { provider, halt } => chronicle.halted(at, &provider, &halt),
                BatchEvent::Cancelled { note, user } => chronicle.cancelled(at, &note, &user),
                BatchEvent::ResultsWritten { path } => chronicle.written(at, &path),
                BatchEvent::Admitted { .. } | BatchEvent::Corrected { .. } => {}
            }
        }
        if works && let Some(last) = self.last_event(batch, i64::MAX)? {
            chronicle.seen_until(last);
        }
        Ok(chronicle)
    }

    /// When the last event of a batch before this one was recorded.
    fn last_event(&self, batch: BatchId, before: i64) -> Result<Option<WallTime>, LedgerError> {
        // The plus keeps SQLite from sorting all events of the batch: it walks back from the end instead.
        let sql = "SELECT at FROM events WHERE +batch = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1";
        self.sql(|conn| conn.query_row(sql, [batch.0, before], |row| row.get(0).map(WallTime)).optional())
    }

    /// Hands over every row of a batch, in row order, with its events, oldest first, as they stood at one moment.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`; [`LedgerError::Corrupt`] when an event cannot have happened.
    pub fn for_each_history<E: From<LedgerError>>(
        &self,
        batch: BatchId,
        mut each: impl FnMut(StoredRow, &[RowStep]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.snapshot(|ledger| {
            let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&ledger.path, &e);
            let text = format!("{ROW_COLUMNS}, admitted_state FROM rows WHERE batch = ?1 ORDER BY row");
            let mut ask = ledger.conn.prepare(&text).map_err(sql)?;
            let mut rows = ask.query([batch.0]).map_err(sql)?;
            let mut steps = Vec::new();
            while let Some(row) = rows.next().map_err(sql)? {
                let admitted: String = row.get(6).map_err(sql)?;
                let stored = raw_row(row).map_err(sql)?.decode(&ledger.path)?;
                steps.clear();
                ledger.steps(batch, &stored, &admitted, &mut steps)?;
                each(stored, &steps)?;
            }
            Ok(())
        })
    }

    fn steps(
        &self,
        batch: BatchId,
        row: &StoredRow,
        admitted: &str,
        steps: &mut Vec<RowStep>,
    ) -> Result<(), LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let text = "SELECT at, body FROM events WHERE batch = ?1 AND row = ?2 ORDER BY seq";
        let mut ask = self.conn.prepare_cached(text).map_err(sql)?;
        let mut events = ask.query([batch.0, signed(row.row.0)]).map_err(sql)?;
        let mut state: Option<TopUp> = None;
        while let Some(found) = events.next().map_err(sql)? {
            let at = WallTime(found.get(0).map_err(sql)?);
            let body: String = found.get(1).map_err(sql)?;
            let event = match RowBody::parse(&body).map_err(|e| LedgerError::damaged(&self.path, e))? {
                RowBody::Event(event) => event,
                RowBody::Corrected(_) => continue,
            };
            let mut now = match state.take() {
                Some(state) => state,
                None => serde_json::from_str(admitted).map_err(|e| LedgerError::damaged(&self.path, e))?,
            };
            let from = now.status();
            now.apply(&event, at)
                .map_err(|e| LedgerError::damaged(&self.path, format!("row {}: {e}", row.row)))?;
            steps.push(RowStep { at, from, to: now.status(), event });
            state = Some(now);
        }
        Ok(())
    }
}
