//! Verification: the hash chain is computed again, every row is rebuilt from its admission and its events, and
//! what differs is listed.

use rusqlite::{CachedStatement, OptionalExtension, Row, params};

use super::append::{amount_text, join_cells, phase_word, unsettled};
use super::chain::{AdmissionDigest, Hash, Link};
use super::histories::PAST;
use super::record::{BatchEvent, BatchId, RowBody, path_text, signed, unsigned};
use super::{Ledger, LedgerError};
use crate::domain::{Order, RowNumber, WallTime};
use crate::lifecycle::{Event, Intent, TopUp};

/// Differences that are listed; the rest is counted.
const LISTED_MAX: usize = 100;

/// Something in the ledger that cannot be as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// SQLite finds the file itself damaged.
    #[error("the file is damaged: {0}")]
    File(String),
    /// An event was changed, removed or slipped in.
    #[error("the chain of events breaks at event {seq}")]
    Chain {
        /// Its number in the ledger.
        seq: u64,
    },
    /// The chain ends elsewhere than recorded: events at its end are missing.
    #[error("the last events are missing: the chain ends at {found}, not at {recorded}")]
    End {
        /// Last event there.
        found: u64,
        /// Last event recorded.
        recorded: u64,
    },
    /// The admitted rows are not those that were admitted.
    #[error("the admitted rows differ from those of the day of admission")]
    Admission,
    /// The batch's own columns are not what its events lead to.
    #[error("the batch's {0} is not what its events say")]
    Batch(&'static str),
    /// A row's columns are not what its events lead to.
    #[error("row {row}: {what}")]
    Row {
        /// The row.
        row: RowNumber,
        /// What differs.
        what: String,
    },
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows of the batch that were rebuilt.
    pub rows: u64,
    /// Events of the whole ledger that the chain was computed over.
    pub events: u64,
    /// The first hundred differences.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
}

impl VerifyReport {
    /// Whether everything is as it was written.
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }

    fn add(&mut self, difference: Difference) {
        if self.differences.len() < LISTED_MAX {
            self.differences.push(difference);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

const ROWS: &str = "SELECT r.row, r.line, r.cells, r.admitted_order, r.admitted_state, r.notes, r.new_cells,
     r.new_order, a.kind, a.tag, s.phone, r.goods, r.amount, s.phase, s.unsettled, s.changed_at, s.last
     FROM rows r LEFT JOIN standings s ON s.batch = r.batch AND s.row = r.row
     LEFT JOIN accounts a ON a.id = s.account WHERE r.batch = ?1 ORDER BY r.row";

/// Events that no row's standing leads to: those of rows that were never admitted, and those after the last that a
/// standing names.
const STRAYS: &str = "SELECT e.seq, e.row, r.row IS NULL FROM events e
     LEFT JOIN rows r ON r.batch = e.batch AND r.row = e.row
     LEFT JOIN standings s ON s.batch = e.batch AND s.row = e.row
     WHERE e.batch = ?1 AND e.row IS NOT NULL AND e.seq > coalesce(s.last, 0) LIMIT 100";

impl Ledger {
    /// Checks a batch against the chain of events, and the chain of the whole ledger against itself. It reads
    /// one moment's state, beside whoever writes; memory does not grow with rows or events.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be read at all; what reads but is wrong is a [`Difference`].
    pub fn verify(&self, batch: BatchId) -> Result<VerifyReport, LedgerError> {
        self.snapshot(|ledger| {
            let mut report = VerifyReport::default();
            for found in ledger.list("PRAGMA quick_check(10)", [], |row| row.get::<_, String>(0))? {
                if found != "ok" {
                    report.add(Difference::File(found));
                }
            }
            let of_rows = ledger.verify_chain(batch, &mut report)?;
            let digest = ledger.verify_rows(batch, of_rows, &mut report)?;
            ledger.verify_batch(batch, &digest, &mut report)?;
            Ok(report)
        })
    }

    /// Gives the number of events of the batch's rows.
    fn verify_chain(&self, batch: BatchId, report: &mut VerifyReport) -> Result<u64, LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self
            .conn
            .prepare("SELECT seq, batch, row, prev, at, body, hash FROM events ORDER BY seq")
            .map_err(sql)?;
        let mut events = ask.query([]).map_err(sql)?;
        let (mut last, mut previous): (i64, Vec<u8>) = (0, vec![0; 32]);
        let mut of_rows: u64 = 0;
        while let Some(event) = events.next().map_err(sql)? {
            let (seq, computed, stored) = rehash(event, &previous).map_err(sql)?;
            let of: (i64, Option<i64>) = (event.get(1).map_err(sql)?, event.get(2).map_err(sql)?);
            of_rows = of_rows.saturating_add(u64::from(of.0 == batch.0 && of.1.is_some()));
            if seq != last.saturating_add(1) || computed.as_slice() != stored {
                report.add(Difference::Chain { seq: unsigned(seq) });
            }
            report.events = report.events.saturating_add(1);
            // The stored hash goes on, so that one changed event is reported once.
            (last, previous) = (seq, stored);
        }
        let head = "SELECT seq, hash FROM head";
        let (recorded, hash): (i64, Vec<u8>) =
            self.sql(|conn| conn.query_row(head, [], |row| Ok((row.get(0)?, row.get(1)?))))?;
        if recorded != last || hash != previous {
            report.add(Difference::End { found: unsigned(last), recorded: unsigned(recorded) });
        }
        Ok(of_rows)
    }

    /// Rebuilds every row; gives the digest of what was admitted.
    fn verify_rows(
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
        let mut rows = ask.query([batch.0]).map_err(sql)?;
        let (mut reached, mut wrong): (u64, bool) = (0, false);
        while let Some(row) = rows.next().map_err(sql)? {
            let stored = Stored::read(row).map_err(sql)?;
            let cells = String::from_utf8_lossy(&stored.cells);
            let order = stored.admitted_order.as_deref().unwrap_or_default();
            digest.add(stored.row, stored.line, [&cells, order, &stored.admitted_state, &stored.notes]);
            report.rows = report.rows.saturating_add(1);
            match self.verify_row(batch, &stored, admitted)? {
                Ok(events) => reached = reached.saturating_add(events),
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
        Ok(digest.finish())
    }

    /// Gives the number of its events; the inner error says what differs.
    fn verify_row(
        &self,
        batch: BatchId,
        stored: &Stored,
        (admission, at): (i64, WallTime),
    ) -> Result<Result<u64, String>, LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut rebuilt = match Rebuilt::admitted(stored, at) {
            Ok(rebuilt) => rebuilt,
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
        Ok(rebuilt.compare(stored).map(|()| count))
    }

    /// Whether an intent's id is found and its submit listed.
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
        let sql = "SELECT phone FROM submits WHERE at = ?3 AND seq = ?4 AND batch = ?5 AND row = ?6
                   AND account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2)";
        let (kind, tag) = (order.account.kind.as_str(), order.account.tag());
        let values = params![kind, tag, at, seq, batch.0, row];
        let phone: Option<String> =
            self.sql(|conn| conn.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional())?;
        Ok(found && phone.as_deref() == Some(order.phone.digits()))
    }

    fn verify_batch(
        &self,
        batch: BatchId,
        digest: &str,
        report: &mut VerifyReport,
    ) -> Result<(), LedgerError> {
        let sql = "SELECT seq, at, body FROM events WHERE batch = ?1 AND row IS NULL ORDER BY seq";
        let failed = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare(sql).map_err(failed)?;
        let mut events = ask.query([batch.0]).map_err(failed)?;
        let (mut admitted, mut cancelled_at, mut run_seq, mut results) = (None, None, None, None);
        while let Some(event) = events.next().map_err(failed)? {
            let (seq, at, body) = triple(event).map_err(failed)?;
            match serde_json::from_str(&body) {
                Ok(BatchEvent::Admitted { rows, digest }) => admitted = Some((rows, digest)),
                Ok(BatchEvent::RunStarted { .. }) => run_seq = Some(seq),
                Ok(BatchEvent::Cancelled { .. }) => cancelled_at = Some(at),
                Ok(BatchEvent::ResultsWritten { path }) => results = Some(path_text(&path)),
                Ok(
                    BatchEvent::RunEnded { .. } | BatchEvent::Halted { .. } | BatchEvent::Corrected { .. },
                ) => {}
                Err(_) => report.add(Difference::Chain { seq: unsigned(seq) }),
            }
        }
        let sql = "SELECT rows, cancelled_at, run_seq, results_path FROM batches WHERE id = ?1";
        let (rows, cancelled, run, path): (i64, Option<i64>, Option<i64>, String) = self.sql(|conn| {
            conn.query_row(sql, [batch.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        })?;
        if admitted.as_ref().is_none_or(|(rows, was)| *rows != report.rows || was != digest) {
            report.add(Difference::Admission);
        }
        let differs = [
            ("number of rows", rows != signed(report.rows)),
            ("cancellation", cancelled != cancelled_at),
            ("last run", run != run_seq),
            ("results file", results.is_some_and(|was| was != path)),
        ];
        for (what, _) in differs.iter().filter(|(_, differs)| *differs) {
            report.add(Difference::Batch(what));
        }
        Ok(())
    }
}

fn triple(row: &Row<'_>) -> rusqlite::Result<(i64, i64, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// An event's number, the hash it should have, and the one it has.
fn rehash(event: &Row<'_>, previous: &[u8]) -> rusqlite::Result<(i64, Hash, Vec<u8>)> {
    let (seq, batch, row, prev, at) =
        (event.get(0)?, event.get(1)?, event.get(2)?, event.get(3)?, event.get(4)?);
    let link = Link { seq, batch, row, prev, at, body: event.get_ref(5)?.as_str()? };
    Ok((seq, link.hash(previous), event.get(6)?))
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

/// A row's columns, as they are stored.
struct Stored {
    row: i64,
    line: i64,
    cells: Vec<u8>,
    admitted_order: Option<String>,
    admitted_state: String,
    notes: String,
    new_cells: Option<Vec<u8>>,
    new_order: Option<String>,
    /// Kind and tag of the account, number, goods, amount.
    found_by: [Option<String>; 5],
    stands: Option<Stands>,
}

/// Where a row stands, as it is stored.
struct Stands {
    phase: String,
    unsettled: Option<i64>,
    changed_at: i64,
    last: i64,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let stands = match row.get(16)? {
            Some(last) => {
                Some(Stands { phase: row.get(13)?, unsettled: row.get(14)?, changed_at: row.get(15)?, last })
            }
            None => None,
        };
        Ok(Self {
            row: row.get(0)?,
            line: row.get(1)?,
            cells: row.get(2)?,
            admitted_order: row.get(3)?,
            admitted_state: row.get(4)?,
            notes: row.get(5)?,
            new_cells: row.get(6)?,
            new_order: row.get(7)?,
            found_by: [row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?],
            stands,
        })
    }
}

/// A row as its admission and events make it.
struct Rebuilt {
    state: TopUp,
    order: Option<Order>,
    readmitted: bool,
    new_cells: Option<String>,
    changed_at: WallTime,
}

impl Rebuilt {
    fn admitted(stored: &Stored, at: WallTime) -> Result<Self, String> {
        let state = serde_json::from_str(&stored.admitted_state);
        let order = stored.admitted_order.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            state: state.map_err(|e| format!("its admitted state cannot be read: {e}"))?,
            order: order.map_err(|e| format!("its admitted order cannot be read: {e}"))?,
            readmitted: false,
            new_cells: None,
            changed_at: at,
        })
    }

    /// Applies one event; gives the intent it was.
    fn take(&mut self, at: WallTime, body: &str) -> Result<Option<Intent>, String> {
        let event = match RowBody::parse(body).map_err(|e| format!("it cannot be read: {e}"))? {
            RowBody::Event(event) => event,
            RowBody::Corrected(cells) => {
                let joined = join_cells(RowNumber(0), &cells).map_err(|e| e.to_string())?;
                self.new_cells = Some(joined);
                return Ok(None);
            }
        };
        self.state.apply(&event, at).map_err(|e| e.to_string())?;
        self.changed_at = self.changed_at.max(at);
        match event {
            Event::Intent(intent) => Ok(Some(intent)),
            Event::Readmitted { order } => {
                (self.order, self.readmitted) = (Some(*order), true);
                Ok(None)
            }
            Event::NotSent { .. }
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
            | Event::Rejudged { .. }
            | Event::Contradicted { .. } => Ok(None),
        }
    }

    fn compare(&self, stored: &Stored) -> Result<(), String> {
        let order = self.order.as_ref();
        let found_by = [
            order.map(|o| o.account.kind.as_str().to_owned()),
            order.map(|o| o.account.tag().to_owned()),
            order.map(|o| o.phone.digits().to_owned()),
            order.map(|o| o.goods.canonical()),
            order.and_then(amount_text),
        ];
        let new_order: Option<Order> =
            stored.new_order.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let order_stays = if self.readmitted { new_order == self.order } else { stored.new_order.is_none() };
        let (phase, stands) = (self.state.phase, stored.stands.as_ref());
        let same = [
            (
                "phase",
                stands.is_some_and(|s| s.phase == phase_word(phase) && s.unsettled == unsettled(&self.state)),
            ),
            ("order", order_stays),
            ("number, product, amount or account", found_by == stored.found_by),
            ("cells", self.new_cells.as_deref().map(str::as_bytes) == stored.new_cells.as_deref()),
            ("time of change", stands.is_some_and(|s| s.changed_at == self.changed_at.0)),
        ];
        let wrong: Vec<&str> = same.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("not what its events say: {}", wrong.join(", "))) }
    }
}
