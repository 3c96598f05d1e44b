//! Verification: the hash chain is computed again, every row is rebuilt from its admission and its events, the tables
//! that things are found by are held against them, and what differs is listed. Here: what a verification says.

mod batch;
mod chain;
mod ids;
mod rebuilt;
mod rows;

use rusqlite::OptionalExtension;

use super::record::{BatchId, places_after, unsigned};
use super::{Ledger, LedgerError};
use crate::domain::RowNumber;

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
    /// An event that says where a row stands, and is not of one.
    #[error("event {seq} is of a whole batch, and a state stands beside it")]
    State {
        /// Its number in the ledger.
        seq: u64,
    },
    /// A batch that others lead to.
    #[error("batch number {batch} is missing, and {what} of it are there")]
    NoBatch {
        /// Its key.
        batch: u64,
        /// What leads to it.
        what: &'static str,
    },
    /// Submits that nobody intended, or intents whose submit is not listed.
    #[error("{listed} submits are listed, and {intended} were intended")]
    Submits {
        /// Submits there.
        listed: u64,
        /// Intents in the chain.
        intended: u64,
    },
    /// Ids that lead to no row, or to another one.
    #[error("the ids of the events up to {upto} are not those of their intents")]
    Ids {
        /// The last of these events.
        upto: u64,
    },
    /// The same, of ids that rows were admitted with.
    #[error("the ids that rows were admitted with are not theirs")]
    AdmittedIds,
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

impl Ledger {
    /// Checks a batch against the chain of events, and what is the whole ledger's as [`Ledger::verify_whole`]. It reads
    /// one moment's state, beside whoever writes; memory does not grow with rows or events.
    ///
    /// # Errors
    /// [`LedgerError`] when the ledger cannot be read at all; what reads but is wrong is a [`Difference`].
    pub fn verify(&self, batch: BatchId) -> Result<VerifyReport, LedgerError> {
        self.snapshot(|ledger| {
            let mut report = VerifyReport::default();
            ledger.verify_file(&mut report)?;
            let walked = ledger.verify_chain(Some(batch), &mut report)?;
            let digest = ledger.verify_rows(batch, walked.of_rows, &mut report)?;
            ledger.verify_batch(batch, &digest, &mut report)?;
            ledger.verify_tables(&walked, &mut report)?;
            Ok(report)
        })
    }

    /// Checks what is of no batch alone: the file, the chain of events against itself, and the tables that batches,
    /// submits and ids are found by.
    ///
    /// # Errors
    /// As [`Ledger::verify`].
    pub fn verify_whole(&self) -> Result<VerifyReport, LedgerError> {
        self.snapshot(|ledger| {
            let mut report = VerifyReport::default();
            ledger.verify_file(&mut report)?;
            let walked = ledger.verify_chain(None, &mut report)?;
            ledger.verify_tables(&walked, &mut report)?;
            Ok(report)
        })
    }

    /// The pages, and every index against its table: rows are found by them that are followed or not sent twice.
    fn verify_file(&self, report: &mut VerifyReport) -> Result<(), LedgerError> {
        for found in self.list("PRAGMA integrity_check(10)", [], |row| row.get::<_, String>(0))? {
            if found != "ok" {
                report.add(Difference::File(found));
            }
        }
        Ok(())
    }

    /// What the chain led to against the tables beside it.
    fn verify_tables(&self, walked: &chain::Walked, report: &mut VerifyReport) -> Result<(), LedgerError> {
        let known = self.list("SELECT id FROM batches", [], |row| row.get::<_, i64>(0))?;
        let led_to = [
            ("events", walked.batches.iter().copied().collect()),
            ("rows", self.batches_in("SELECT batch FROM rows WHERE place > ?1 ORDER BY place LIMIT 1")?),
            (
                "standings",
                self.batches_in("SELECT batch FROM standings WHERE place > ?1 ORDER BY place LIMIT 1")?,
            ),
        ];
        for (what, batches) in led_to {
            for batch in batches.into_iter().filter(|batch| !known.contains(batch)) {
                report.add(Difference::NoBatch { batch: unsigned(batch), what });
            }
        }
        let listed: i64 =
            self.sql(|conn| conn.query_row("SELECT count(*) FROM submits", [], |row| row.get(0)))?;
        if unsigned(listed) != walked.intents {
            report.add(Difference::Submits { listed: unsigned(listed), intended: walked.intents });
        }
        for upto in &walked.wrong_ids {
            report.add(Difference::Ids { upto: unsigned(*upto) });
        }
        let stray =
            "SELECT EXISTS(SELECT 1 FROM ids WHERE upto = 0 AND batch NOT IN (SELECT id FROM batches))";
        if self.sql(|conn| conn.query_row(stray, [], |row| row.get(0)))? {
            report.add(Difference::AdmittedIds);
        }
        Ok(())
    }

    /// The batches that a table knows, by a statement that gives the next one behind a place.
    fn batches_in(&self, next: &str) -> Result<Vec<i64>, LedgerError> {
        self.sql(|conn| {
            let mut ask = conn.prepare(next)?;
            let (mut batches, mut last) = (Vec::new(), i64::MIN);
            while let Some(batch) = ask.query_row([last], |row| row.get(0)).optional()? {
                batches.push(batch);
                last = places_after(batch, None).1;
            }
            Ok(batches)
        })
    }
}
