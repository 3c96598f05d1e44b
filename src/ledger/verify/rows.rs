//! The rows of a batch, each rebuilt from its admission and its events.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, OptionalExtension, Row, params};

use super::rebuilt::{Rebuilt, Stored};
use super::{Difference, VerifyReport};
use crate::domain::{RowNumber, WallTime};
use crate::ledger::chain::AdmissionDigest;
use crate::ledger::histories::PAST;
use crate::ledger::record::{BatchId, places_after, unsigned};
use crate::ledger::{Ledger, LedgerError};
use crate::lifecycle::{Intent, TopUp};

const ROWS: &str = "SELECT r.row, r.line, r.cells, r.admitted_order, r.admitted_state, r.notes, r.new_cells,
     r.new_order, a.kind, a.tag, s.phone, r.goods, r.amount, s.phase, s.unsettled, s.changed_at, s.last
     FROM rows r LEFT JOIN standings s ON s.place = r.place
     LEFT JOIN accounts a ON a.id = s.account WHERE r.place >= ?1 AND r.place <= ?2 ORDER BY r.place";

/// Events that no row's standing leads to: those of rows that were never admitted, and those after the last that a
/// standing names.
const STRAYS: &str = "SELECT e.seq, e.row, r.place IS NULL FROM events e
     LEFT JOIN rows r ON r.place = (e.batch << 32) + e.row
     LEFT JOIN standings s ON s.place = (e.batch << 32) + e.row
     WHERE e.batch = ?1 AND e.row IS NOT NULL AND e.seq > coalesce(s.last, 0) LIMIT 100";

/// Rows of a batch that stand somewhere and are not there; also one of the number 0, which none has.
const STRANGERS: &str = "SELECT s.row FROM standings s WHERE s.place >= ?1 AND s.place <= ?2
     AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.place = s.place) LIMIT 100";

/// What was found of a row that is as it was written.
struct Found {
    events: u64,
    /// Ids that it was admitted with.
    admitted_ids: u64,
}

impl Ledger {
    /// Rebuilds every row; gives the digest of what was admitted.
    pub(super) fn verify_rows(
        &self,
        batch: BatchId,
        of_rows: u64,
        report: &mut VerifyReport,
    ) -> Result<String, LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let info = self.batch(batch)?;
        let admitted = "SELECT min(seq) FROM events WHERE batch = ?1 AND row IS NULL";
        let admitted: Option<i64> = self.sql(|conn| conn.query_row(admitted, [batch.0], |row| row.get(0)))?;
        let admitted = (admitted.unwrap_or_default(), info.created_at);
        let mut digest = AdmissionDigest::of_batch(&info.name, &info.file_sha256, &info.header, info.sandbox);
        let mut ask = self.conn.prepare(ROWS).map_err(sql)?;
        let mut rows = ask.query(places_after(batch.0, None)).map_err(sql)?;
        let (mut reached, mut wrong): (u64, bool) = (0, false);
        let (mut stand, mut with_ids): (u64, u64) = (0, 0);
        while let Some(row) = rows.next().map_err(sql)? {
            let stored = Stored::read(row).map_err(sql)?;
            let cells = String::from_utf8_lossy(&stored.cells);
            let order = stored.admitted_order.as_deref().unwrap_or_default();
            digest.add(stored.row, stored.line, [&cells, order, &stored.admitted_state, &stored.notes]);
            report.rows = report.rows.saturating_add(1);
            stand = stand.saturating_add(u64::from(stored.stands.is_some()));
            match self.verify_row(batch, &stored, admitted)? {
                Ok(found) => {
                    reached = reached.saturating_add(found.events);
                    with_ids = with_ids.saturating_add(found.admitted_ids);
                }
                Err(what) => {
                    wrong = true;
                    report.add(Difference::Row { row: RowNumber(unsigned(stored.row)), what });
                }
            }
        }
        let strays: Vec<(i64, i64, bool)> =
            self.list(STRAYS, [batch.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for (seq, row, unknown) in strays {
            wrong = true;
            let what = if unknown {
                "it has events but was never admitted".to_owned()
            } else {
                format!("it does not stand after its event {seq}")
            };
            report.add(Difference::Row { row: RowNumber(unsigned(row)), what });
        }
        // Each row's events lead from its last one to the admission, so what is of no row is missing in the sum.
        if !wrong && reached != of_rows {
            report.add(Difference::Batch("events of rows"));
        }
        self.verify_strangers(batch, stand, report)?;
        let listed = "SELECT count(*) FROM ids WHERE upto = 0 AND batch = ?1";
        let listed: i64 = self.sql(|conn| conn.query_row(listed, [batch.0], |row| row.get(0)))?;
        if !wrong && unsigned(listed) != with_ids {
            report.add(Difference::AdmittedIds);
        }
        Ok(digest.finish())
    }

    /// Standings of rows that were never admitted, where there are more than those of the rows.
    fn verify_strangers(
        &self,
        batch: BatchId,
        of_rows: u64,
        report: &mut VerifyReport,
    ) -> Result<(), LedgerError> {
        let all = "SELECT count(*) FROM standings WHERE place >= ?1 AND place <= ?2";
        let places = places_after(batch.0, None);
        let all: i64 = self.sql(|conn| conn.query_row(all, places, |row| row.get(0)))?;
        if unsigned(all) == of_rows {
            return Ok(());
        }
        for row in self.list(STRANGERS, places, |row| row.get(0))? {
            let what = "it stands somewhere but was never admitted".to_owned();
            report.add(Difference::Row { row: RowNumber(unsigned(row)), what });
        }
        Ok(())
    }

    /// Whether the ids that a row was admitted with are found as its own; how many, or the one that is not.
    fn knows_admitted(
        &self,
        rebuilt: &Rebuilt,
        place: (i64, i64),
    ) -> Result<Result<u64, String>, LedgerError> {
        let ids: BTreeSet<String> =
            rebuilt.state.submitted_ids().into_iter().map(|past| past.id.as_str().to_owned()).collect();
        for id in &ids {
            if self.ids.borrow_mut().find(&self.conn, &self.path, id)? != Some(place) {
                return Ok(Err(format!("its id {id} does not lead to it")));
            }
        }
        Ok(Ok(u64::try_from(ids.len()).unwrap_or(u64::MAX)))
    }

    /// Gives what was found of it; the inner error says what differs.
    fn verify_row(
        &self,
        batch: BatchId,
        stored: &Stored,
        (admission, at): (i64, WallTime),
    ) -> Result<Result<Found, String>, LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut rebuilt = match Rebuilt::admitted(stored, at) {
            Ok(rebuilt) => rebuilt,
            Err(what) => return Ok(Err(what)),
        };
        let admitted_ids = match self.knows_admitted(&rebuilt, (batch.0, stored.row))? {
            Ok(ids) => ids,
            Err(what) => return Ok(Err(what)),
        };
        let Some(last) = stored.stands.as_ref().map(|stands| stands.last) else {
            return Ok(Err("where it stands is missing".to_owned()));
        };
        let mut ask: CachedStatement<'_> = self.conn.prepare_cached(PAST).map_err(sql)?;
        let mut past = ask.query([last]).map_err(sql)?;
        let (mut count, mut first): (u64, Option<i64>) = (0, None);
        while let Some(event) = past.next().map_err(sql)? {
            let event = Past::read(event).map_err(sql)?;
            let seq = event.seq;
            if first.is_none() {
                first = Some(seq);
                if seq != admission || event.row.is_some() {
                    break;
                }
                continue;
            }
            if (event.batch, event.row) != (batch.0, Some(stored.row)) {
                return Ok(Err(format!("event {seq}, which its events lead to, is of another row")));
            }
            count = count.saturating_add(1);
            let intent = match rebuilt.take(WallTime(event.at), &event.body) {
                Ok(intent) => intent,
                Err(what) => return Ok(Err(format!("event {seq}: {what}"))),
            };
            let kept = event.state.as_deref().map(serde_json::from_str::<TopUp>);
            let as_rebuilt = match (kept, &intent) {
                (None, Some(_)) => true,
                (Some(Ok(kept)), None) => kept == rebuilt.state,
                (Some(_) | None, _) => false,
            };
            if !as_rebuilt {
                return Ok(Err(format!("the state after event {seq} is not what its events say")));
            }
            if let Some(intent) = intent
                && !self.knows_submit(batch, stored.row, &rebuilt, &intent, (seq, event.at))?
            {
                return Ok(Err(format!("the submit of event {seq} is not listed")));
            }
        }
        if first != Some(admission) {
            return Ok(Err("its events do not lead back to its admission".to_owned()));
        }
        Ok(rebuilt.compare(stored).map(|()| Found { events: count, admitted_ids }))
    }

    /// Whether an intent's id is found, and its submit listed as it was.
    fn knows_submit(
        &self,
        batch: BatchId,
        row: i64,
        rebuilt: &Rebuilt,
        intent: &Intent,
        (seq, at): (i64, i64),
    ) -> Result<bool, LedgerError> {
        let Some(order) = &rebuilt.order else { return Ok(false) };
        let id = (seq, intent.id.as_str());
        let found = self.ids.borrow_mut().leads(&self.conn, &self.path, id, (batch.0, row))?;
        let sql =
            "SELECT phone, tick, boot FROM submits WHERE at = ?3 AND seq = ?4 AND batch = ?5 AND row = ?6
                   AND account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2)";
        let (kind, tag) = (order.account.kind.as_str(), order.account.tag());
        let values = params![kind, tag, at, seq, batch.0, row];
        let submit: Option<(String, i64, i64)> = self.sql(|conn| {
            let mut ask = conn.prepare_cached(sql)?;
            ask.query_row(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })?;
        let (tick, boot) = (intent.at.tick.0.cast_signed(), intent.at.boot.0.cast_signed());
        Ok(found && submit == Some((order.phone.digits().to_owned(), tick, boot)))
    }
}

/// An event of a row, as [`PAST`] gives it.
struct Past {
    seq: i64,
    batch: i64,
    row: Option<i64>,
    at: i64,
    body: String,
    state: Option<String>,
}

impl Past {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            batch: row.get(1)?,
            row: row.get(2)?,
            at: row.get(3)?,
            body: row.get(4)?,
            state: row.get(5)?,
        })
    }
}
