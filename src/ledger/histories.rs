//! A batch from its beginning: its chronicle, and its rows with everything that happened to each. Streams only:
//! memory does not grow with rows or events.

use rusqlite::OptionalExtension;

use super::read::{Columns, all_rows};
use super::record::{BatchEvent, BatchId, RowBody, places_after};
use super::{Ledger, LedgerError};
use crate::domain::WallTime;
use crate::lifecycle::{Event, StoredRow, TopUp};
use crate::report::{Chronicle, RowStep};

/// An event and those of the same row before it, back to the admission of its batch, which is the event of no row;
/// oldest first.
pub(super) const PAST: &str = "WITH RECURSIVE past(seq, batch, row, at, body, state, prev) AS (
       SELECT seq, batch, row, at, body, state, prev FROM events WHERE seq = ?1
       UNION ALL
       SELECT e.seq, e.batch, e.row, e.at, e.body, e.state, e.prev FROM past p
       CROSS JOIN events e ON e.seq = p.prev AND e.seq < p.seq)
     SELECT seq, batch, row, at, body, state FROM past ORDER BY seq";

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
        let sql = "SELECT at FROM events WHERE batch = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1";
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
            let mut ask = ledger.conn.prepare(&all_rows(", r.admitted_state, s.last")).map_err(sql)?;
            let mut rows = ask.query(places_after(batch.0, None)).map_err(sql)?;
            let mut steps = Vec::new();
            while let Some(row) = rows.next().map_err(sql)? {
                let (admitted, last): (String, i64) = (row.get(7).map_err(sql)?, row.get(8).map_err(sql)?);
                let stored = Columns::of(row).map_err(sql)?.decode(&ledger.path)?;
                steps.clear();
                ledger.steps(&stored, &admitted, last, &mut steps)?;
                each(stored, &steps)?;
            }
            Ok(())
        })
    }

    fn steps(
        &self,
        row: &StoredRow,
        admitted: &str,
        last: i64,
        steps: &mut Vec<RowStep>,
    ) -> Result<(), LedgerError> {
        let mut state: Option<TopUp> = None;
        self.each_past(last, |at, event| {
            let mut now = match state.take() {
                Some(state) => state,
                None => serde_json::from_str(admitted).map_err(|e| LedgerError::damaged(&self.path, e))?,
            };
            let from = now.status();
            now.apply(&event, at)
                .map_err(|e| LedgerError::damaged(&self.path, format!("row {}: {e}", row.row)))?;
            steps.push(RowStep { at, from, to: now.status(), event });
            state = Some(now);
            Ok(())
        })
    }

    /// Hands over what happened to a row, oldest first, from its last event.
    pub(super) fn each_past(
        &self,
        last: i64,
        mut each: impl FnMut(WallTime, Event) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare_cached(PAST).map_err(sql)?;
        let mut events = ask.query([last]).map_err(sql)?;
        while let Some(found) = events.next().map_err(sql)? {
            if found.get::<_, Option<i64>>(2).map_err(sql)?.is_none() {
                continue;
            }
            let (at, body) = (found.get(3).map_err(sql)?, found.get_ref(4).map_err(sql)?);
            let body = body.as_str().map_err(|e| LedgerError::damaged(&self.path, e))?;
            match RowBody::parse(body).map_err(|e| LedgerError::damaged(&self.path, e))? {
                RowBody::Event(event) => each(WallTime(at), event)?,
                // The event that came of the corrected cells stands beside it.
                RowBody::Corrected(_) => {}
            }
        }
        Ok(())
    }
}
