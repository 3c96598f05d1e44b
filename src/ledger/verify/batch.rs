//! A batch's own columns against its own events.

use rusqlite::Row;

use super::{Difference, VerifyReport};
use crate::ledger::record::{BatchEvent, BatchId, path_text, signed, unsigned};
use crate::ledger::{Ledger, LedgerError};

impl Ledger {
    /// Holds what was admitted (`digest`) and what a batch's columns say against its events.
    pub(super) fn verify_batch(
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
