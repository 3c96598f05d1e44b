//! Finding rows for a person: by phase and number, over one batch or all of them, and how many there are. Every
//! question has an index, or walks the rows once without holding them.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::append::phase_word;
use super::read::{Columns, rows_by};
use super::record::{BatchId, places_after, signed, unsigned};
use super::{Ledger, LedgerError};
use crate::domain::AccountId;
use crate::lifecycle::{Phase, StoredRow};

/// Which rows are wanted; what is empty does not matter.
#[derive(Clone, Debug, Default)]
pub struct RowFilter {
    /// Of this batch.
    pub batch: Option<BatchId>,
    /// In one of these phases.
    pub phases: Vec<Phase>,
    /// To one of these numbers, in canonical digits. Rows that were invalid from the start have none.
    pub numbers: Vec<String>,
}

impl RowFilter {
    /// Asks by way of what leads to the rows. Without a word SQLite would walk through the batch.
    fn rows(&self) -> String {
        let all = |wanted: fn(&Phase) -> bool| !self.phases.is_empty() && self.phases.iter().all(wanted);
        if !self.numbers.is_empty() {
            rows_by("standings_phone")
        } else if all(|phase| phase.is_open()) {
            rows_by("standings_unsettled")
        } else {
            rows_by("")
        }
    }

    fn clause(&self) -> (String, Vec<Value>) {
        let mut holds = vec!["1".to_owned()];
        let mut values = Vec::new();
        if let Some(batch) = self.batch {
            let (first, last) = places_after(batch.0, None);
            holds.push("s.place > ? AND s.place <= ?".to_owned());
            values.extend([Value::Integer(first), Value::Integer(last)]);
        }
        if !self.phases.is_empty() {
            let marks = vec!["?"; self.phases.len()].join(", ");
            holds.push(format!("s.phase IN ({marks})"));
            values.extend(self.phases.iter().map(|phase| Value::Text(phase_word(*phase).to_owned())));
            if self.phases.iter().all(|phase| phase.is_open()) {
                holds.push("s.unsettled = 1".to_owned());
            }
        }
        if !self.numbers.is_empty() {
            let marks = vec!["?"; self.numbers.len()].join(", ");
            holds.push(format!("s.phone IS NOT NULL AND s.phone IN ({marks})"));
            values.extend(self.numbers.iter().map(|digits| Value::Text(digits.clone())));
        }
        (holds.join(" AND "), values)
    }
}

impl Ledger {
    /// Hands over the rows that were asked for, by batch and row, until `each` says that it is enough.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`.
    pub fn find_rows<E: From<LedgerError>>(
        &self,
        filter: &RowFilter,
        mut each: impl FnMut(BatchId, StoredRow) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (clause, values) = filter.clause();
        let sql = format!("{} WHERE {clause} ORDER BY s.place", filter.rows());
        let fail = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare(&sql).map_err(fail)?;
        let mut rows = ask.query(params_from_iter(values)).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let batch = BatchId(row.get(6).map_err(fail)?);
            if !each(batch, Columns::of(row).map_err(fail)?.decode(&self.path)?)? {
                break;
            }
        }
        Ok(())
    }

    /// Rows of a batch by phase.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn phase_counts(&self, batch: BatchId) -> Result<Vec<(Phase, u64)>, LedgerError> {
        let sql = "SELECT phase, count(*) FROM standings WHERE place > ?1 AND place <= ?2 GROUP BY phase";
        let found: Vec<(String, i64)> =
            self.list(sql, places_after(batch.0, None), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let known = |(word, rows): (String, i64)| {
            let phase = Phase::ALL.into_iter().find(|phase| phase_word(*phase) == word);
            let phase =
                phase.ok_or_else(|| LedgerError::damaged(&self.path, "a row has an unknown phase"))?;
            Ok((phase, unsigned(rows)))
        };
        found.into_iter().map(known).collect()
    }

    /// Rows of a batch and account that are ready, and those that are open.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn work_of(&self, batch: BatchId, account: &AccountId) -> Result<(u64, u64), LedgerError> {
        let count = |index: &str, holds: &str| {
            let sql = format!(
                "SELECT count(*) FROM standings INDEXED BY {index}
                 WHERE place > ?1 AND place <= ?4 AND batch = ?5 AND {holds}
                 AND account = (SELECT id FROM accounts WHERE kind = ?2 AND tag = ?3)"
            );
            let (first, last) = places_after(batch.0, None);
            let values = (first, account.kind.as_str(), account.tag(), last, batch.0);
            self.sql(|conn| conn.query_row(&sql, values, |row| row.get(0))).map(unsigned)
        };
        Ok((count("standings_ready", "phase = 'ready'")?, count("standings_unsettled", "unsettled = 1")?))
    }

    /// Open rows of all batches that are not of the sandbox, by the provider entry they were admitted for.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open_rows_by_provider(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        let sql =
            "SELECT json_extract(coalesce(r.new_order, r.admitted_order), '$.provider') AS provider, count(*)
                   FROM standings s INDEXED BY standings_unsettled
                   CROSS JOIN rows r ON r.place = s.place WHERE s.unsettled = 1
                   AND s.batch IN (SELECT id FROM batches WHERE sandbox = ?1) GROUP BY provider";
        let found: Vec<(Option<String>, i64)> =
            self.list(sql, [signed(0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.into_iter().filter_map(|(name, rows)| Some((name?, unsigned(rows)))).collect())
    }
}
