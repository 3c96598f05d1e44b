//! The runs of a batch: when the last one began, what it halted, how it ended.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::record::{BatchEvent, BatchId};
use super::{Ledger, LedgerError};
use crate::domain::{Now, Reason, WallTime};
use crate::report::{ProviderHalt, RunView};

/// One process's work on a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// `run`, `settle`, `retry`.
    pub command: String,
    /// Who started it.
    pub user: String,
    /// Where.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// When, by both clocks.
    pub started: Now,
    /// The settings it worked with, by their keys in the configuration (a provider's under `providers.<name>.`).
    pub settings: BTreeMap<String, String>,
    /// What it halted, in the order it came.
    pub halts: Vec<ProviderHalt>,
    /// How it ended; none while it works, or when it was killed.
    pub ended: Option<RunEnd>,
}

/// The orderly end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub at: WallTime,
    /// Why rows were left.
    pub reason: Option<Reason>,
    /// Exit code.
    pub exit: u8,
}

impl Ledger {
    /// The last run of a batch.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn last_run(&self, batch: BatchId) -> Result<Option<Run>, LedgerError> {
        let sql = "SELECT at, body FROM events WHERE batch = ?1 AND row IS NULL
                   AND seq >= (SELECT run_seq FROM batches WHERE id = ?1) ORDER BY seq";
        let found: Vec<(i64, String)> = self.list(sql, [batch.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut run: Option<Run> = None;
        for (at, body) in found {
            let event = serde_json::from_str(&body).map_err(|e| LedgerError::damaged(&self.path, e))?;
            match (event, run.as_mut()) {
                (BatchEvent::RunStarted { command, user, host, pid, at, settings }, _) => {
                    let halts = Vec::new();
                    run = Some(Run { command, user, host, pid, started: at, settings, halts, ended: None });
                }
                (BatchEvent::Halted { provider, halt }, Some(run)) => {
                    run.halts.push(ProviderHalt { provider, halt });
                }
                (BatchEvent::RunEnded { reason, exit }, Some(run)) => {
                    run.ended = Some(RunEnd { at: WallTime(at), reason, exit });
                }
                (
                    BatchEvent::Halted { .. }
                    | BatchEvent::RunEnded { .. }
                    | BatchEvent::Admitted { .. }
                    | BatchEvent::Cancelled { .. }
                    | BatchEvent::ResultsWritten { .. }
                    | BatchEvent::Corrected { .. },
                    _,
                ) => {}
            }
        }
        Ok(run)
    }

    /// Halts of the last run.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn halts(&self, batch: BatchId) -> Result<Vec<ProviderHalt>, LedgerError> {
        Ok(self.last_run(batch)?.map(|run| run.halts).unwrap_or_default())
    }

    /// What the last run says about rows it did not reach, for [`crate::report::effective`].
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn run_view(&self, batch: BatchId) -> Result<RunView, LedgerError> {
        let run = self.last_run(batch)?;
        let sql = "SELECT cancelled_at IS NOT NULL FROM batches WHERE id = ?1";
        let cancelled =
            self.sql(|conn| conn.query_row(sql, params![batch.0], |row| row.get(0)).optional())?;
        Ok(RunView {
            end_reason: run.as_ref().and_then(|run| run.ended.as_ref()).and_then(|end| end.reason),
            halts: run.map(|run| run.halts).unwrap_or_default(),
            cancelled: cancelled.unwrap_or(false),
        })
    }
}
