//! What is left of a batch, page by page: rows to be sent, rows under way. Each query walks through an index of
//! those rows alone, so that a large batch goes on as soon as a small one.

use rusqlite::params;

use super::read::{after_row, raw_row, rows_by};
use super::record::{BatchId, signed, unsigned};
use super::{Ledger, LedgerError};
use crate::domain::{AccountId, RowNumber, WallTime};
use crate::lifecycle::StoredRow;

const COUNT_READY: &str =
    "SELECT count(*) FROM standings INDEXED BY standings_ready WHERE batch = ?1 AND phase = 'ready'";

const COUNT_OPEN: &str =
    "SELECT count(*) FROM standings INDEXED BY standings_unsettled WHERE batch = ?1 AND unsettled = 1";

const READY: &str = "standings_ready";

const UNSETTLED: &str = "standings_unsettled";

const READY_ROWS: &str = "WHERE s.batch = ?1 AND s.phase = 'ready'";

const READY_PAGE: &str =
    "WHERE s.batch = ?1 AND s.account = (SELECT id FROM accounts WHERE kind = ?2 AND tag = ?3)
     AND s.phase = 'ready' AND s.row > ?4 ORDER BY s.row LIMIT ?5";

const OPEN_PAGE: &str = "WHERE s.unsettled = 1 AND (s.batch, s.row) > (?1, ?2) AND s.batch <= ?3
     ORDER BY s.batch, s.row LIMIT ?4";

const OPEN_PAGE_OF: &str = "WHERE s.batch = ?1 AND s.unsettled = 1 AND s.row > ?4
     AND s.account = (SELECT id FROM accounts WHERE kind = ?2 AND tag = ?3) ORDER BY s.row LIMIT ?5";

/// A row changes no earlier than it succeeds.
const SUCCEEDED_PAGE: &str =
    "WHERE s.batch = ?1 AND s.account = (SELECT id FROM accounts WHERE kind = ?2 AND tag = ?3)
     AND s.phase = 'succeeded' AND s.changed_at >= ?4
     AND json_extract(coalesce(e.state, r.admitted_state), '$.final_at') >= ?4
     AND s.row > ?5 ORDER BY s.row LIMIT ?6";

const UNSETTLED_PAGE_OF: &str = "WHERE s.batch = ?1 AND s.unsettled IS NOT NULL AND s.row > ?4
     AND s.account = (SELECT id FROM accounts WHERE kind = ?2 AND tag = ?3) ORDER BY s.row LIMIT ?5";

impl Ledger {
    /// How many rows of a batch are still to be sent. Reads an index of them alone.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn ready_rows(&self, batch: BatchId) -> Result<u64, LedgerError> {
        self.sql(|conn| conn.query_row(COUNT_READY, [batch.0], |row| row.get(0))).map(unsigned)
    }

    /// How many rows of a batch are under way. Reads an index of them alone.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open_rows(&self, batch: BatchId) -> Result<u64, LedgerError> {
        self.sql(|conn| conn.query_row(COUNT_OPEN, [batch.0], |row| row.get(0))).map(unsigned)
    }

    /// Up to `limit` rows that may be sent through this account, after `after`, in row order. A row belongs
    /// to its account, whatever its provider entry is called now.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn ready_page(
        &self,
        batch: BatchId,
        account: &AccountId,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let (kind, tag) = (account.kind.as_str(), account.tag());
        self.rows(READY, READY_PAGE, params![batch.0, kind, tag, after_row(after), limit])
    }

    /// Up to `limit` rows under way (sending, pending, unknown, asking) of one batch or of all, after `after`,
    /// by batch and row.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open_page(
        &self,
        batch: Option<BatchId>,
        after: Option<(BatchId, RowNumber)>,
        limit: u32,
    ) -> Result<Vec<(BatchId, StoredRow)>, LedgerError> {
        let sql = format!("{} {OPEN_PAGE}", rows_by(UNSETTLED));
        let first = batch.map_or((-1, -1), |batch| (batch.0, -1));
        let start = after.map_or(first, |(batch, row)| first.max((batch.0, signed(row.0))));
        let last = batch.map_or(i64::MAX, |batch| batch.0);
        let values = params![start.0, start.1, last, limit];
        let found = self.list(&sql, values, |row| Ok((BatchId(row.get(6)?), raw_row(row)?)))?;
        found.into_iter().map(|(batch, raw)| Ok((batch, raw.decode(&self.path)?))).collect()
    }

    /// Up to `limit` rows of this account under way, after `after`, in row order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open_page_of(
        &self,
        batch: BatchId,
        account: &AccountId,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let (kind, tag) = (account.kind.as_str(), account.tag());
        self.rows(UNSETTLED, OPEN_PAGE_OF, params![batch.0, kind, tag, after_row(after), limit])
    }

    /// As [`Ledger::open_page_of`], with the rows that count as never received: the one verdict that gives way
    /// to an order that turns up (`contract.md` 5).
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn unsettled_page_of(
        &self,
        batch: BatchId,
        account: &AccountId,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let (kind, tag) = (account.kind.as_str(), account.tag());
        self.rows(UNSETTLED, UNSETTLED_PAGE_OF, params![batch.0, kind, tag, after_row(after), limit])
    }

    /// Up to `limit` rows of this account that succeeded at `since` or later, after `after`, in row order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn succeeded_page(
        &self,
        batch: BatchId,
        account: &AccountId,
        since: WallTime,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let (kind, tag) = (account.kind.as_str(), account.tag());
        self.rows("", SUCCEEDED_PAGE, params![batch.0, kind, tag, since.0, after_row(after), limit])
    }

    /// Whether any row of a batch succeeded at `since` or later.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn succeeded_since(&self, batch: BatchId, since: WallTime) -> Result<bool, LedgerError> {
        let sql =
            "SELECT EXISTS(SELECT 1 FROM standings s CROSS JOIN rows r ON r.batch = s.batch AND r.row = s.row
                   LEFT JOIN events e ON e.seq = s.last
                   WHERE s.batch = ?1 AND s.phase = 'succeeded' AND s.changed_at >= ?2
                   AND json_extract(coalesce(e.state, r.admitted_state), '$.final_at') >= ?2)";
        self.sql(|conn| conn.query_row(sql, params![batch.0, since.0], |row| row.get(0)))
    }

    /// Hands over every row of a batch that is still to be sent, those of one account after the other, as they
    /// stood at one moment. Reads no other row.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`.
    pub fn for_each_ready_row<E: From<LedgerError>>(
        &self,
        batch: BatchId,
        mut each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_of(batch, &format!("{} {READY_ROWS}", rows_by(READY)), &mut each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite goes about a query of rows.
    fn plan(ledger: &Ledger, sql: &str) -> String {
        let mut ask = ledger.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = ask.parameter_count();
        let values = rusqlite::params_from_iter(vec![1_i64; count]);
        let steps = ask.query_map(values, |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    /// A scan reads what a batch or a ledger holds, a sort reads it all before the first row comes.
    fn assert_short(plan: &str, index: &str) {
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{plan}");
    }

    #[test]
    fn going_on_reads_the_rows_that_are_open_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
        let queries = [
            (format!("{} {OPEN_PAGE}", rows_by(UNSETTLED)), UNSETTLED),
            (format!("{} {OPEN_PAGE_OF}", rows_by(UNSETTLED)), UNSETTLED),
            (format!("{} {UNSETTLED_PAGE_OF}", rows_by(UNSETTLED)), UNSETTLED),
            (format!("{} {READY_PAGE}", rows_by(READY)), READY),
            (format!("{} {READY_ROWS}", rows_by(READY)), READY),
            (COUNT_READY.to_owned(), READY),
            (COUNT_OPEN.to_owned(), UNSETTLED),
        ];
        for (sql, index) in queries {
            assert_short(&plan(&ledger, &sql), index);
        }
    }
}
