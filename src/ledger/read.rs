//! Reading batches and rows. Pages and streams only: memory does not grow with the rows.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Params, Row, Statement, params};

use super::record::{BatchId, path_of, place_of, places_after, unsigned};
use super::states::STATE;
use super::{Ledger, LedgerError};
use crate::domain::{AccountId, BatchName, RowNumber, TransactionId, WallTime};
use crate::lifecycle::{Event, StoredRow};
use crate::report::{Counts, OutputDialect, Total, Totals};

/// A batch, without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    /// Its key.
    pub id: BatchId,
    /// Its name.
    pub name: BatchName,
    /// SHA-256 of the file's bytes.
    pub file_sha256: [u8; 32],
    /// The file it came from.
    pub source: PathBuf,
    /// The file's header cells.
    pub header: Vec<String>,
    /// How its results are written.
    pub dialect: OutputDialect,
    /// Where its results were written last, or are to be written.
    pub results_path: PathBuf,
    /// Whether it works on the local sandbox.
    pub sandbox: bool,
    /// When it was admitted.
    pub created_at: WallTime,
    /// How many rows it has.
    pub rows: u64,
    /// When it was cancelled.
    pub cancelled_at: Option<WallTime>,
}

/// What the beginning of a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundBatch {
    /// Exactly one batch (or one of exactly this name).
    One(Box<BatchInfo>),
    /// None.
    None,
    /// Several, up to ten of them.
    Ambiguous(Vec<BatchName>),
}

const BATCH: &str =
    "SELECT id, name, file_sha256, source, header, dialect, results_path, sandbox, created_at,
     rows, cancelled_at FROM batches";

/// Asks for rows, in the columns that [`Columns`] reads, and their batch, by where they stand: `s` is the standing, which
/// is walked through first, along the index where one is named. Without a word SQLite would walk through the batch: it
/// knows nothing of how many rows are left.
pub(super) fn rows_by(index: &str) -> String {
    let indexed = if index.is_empty() { "" } else { "INDEXED BY " };
    format!(
        "{} FROM standings s {indexed}{index} CROSS JOIN rows r ON r.place = s.place
         LEFT JOIN events e ON e.seq = s.last",
        columns("")
    )
}

/// As [`rows_by`], for all rows of a batch in their order, with more columns behind. The wide table is walked through,
/// and the narrow one looked into.
pub(super) fn all_rows(more: &str) -> String {
    format!(
        "{} FROM rows r CROSS JOIN standings s ON s.place = r.place
         LEFT JOIN events e ON e.seq = s.last WHERE r.place > ?1 AND r.place <= ?2 ORDER BY r.place",
        columns(more)
    )
}

fn columns(more: &str) -> String {
    format!(
        "SELECT r.row, r.line, coalesce(r.new_cells, r.cells), coalesce(r.new_order, r.admitted_order), r.notes,
         {STATE}, r.batch{more}"
    )
}

impl Ledger {
    /// All batches, oldest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn batches(&self) -> Result<Vec<BatchInfo>, LedgerError> {
        self.infos("ORDER BY id", [])
    }

    /// The batch whose name begins so.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn find_batch(&self, prefix: &str) -> Result<FoundBatch, LedgerError> {
        let clause =
            "WHERE substr(name, 1, length(?1)) = ?1 ORDER BY length(name) <> length(?1), id LIMIT 10";
        let found = self.infos(clause, [prefix])?;
        let names = || found.iter().map(|batch| batch.name.clone()).collect();
        Ok(match found.as_slice() {
            [] => FoundBatch::None,
            [one] => FoundBatch::One(Box::new(one.clone())),
            [first, ..] if first.name.as_str() == prefix => FoundBatch::One(Box::new(first.clone())),
            [_, ..] => FoundBatch::Ambiguous(names()),
        })
    }

    /// One batch.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Corrupt`] when there is none of this key.
    pub fn batch(&self, batch: BatchId) -> Result<BatchInfo, LedgerError> {
        let found = self.infos("WHERE id = ?1", [batch.0])?.into_iter().next();
        found.ok_or_else(|| LedgerError::damaged(&self.path, "a batch is missing"))
    }

    /// Batches of this stem, not cancelled, that still have rows to be sent, with how many.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn unfinished_batches_of_stem(&self, stem: &str) -> Result<Vec<(BatchInfo, u64)>, LedgerError> {
        // A name is the stem, a dash and eight hex digits.
        let clause = "WHERE substr(name, 1, length(name) - 9) = ?1 AND cancelled_at IS NULL ORDER BY id";
        let mut unfinished = Vec::new();
        for batch in self.infos(clause, [stem])? {
            let ready = self.ready_rows(batch.id)?;
            if ready > 0 {
                unfinished.push((batch, ready));
            }
        }
        Ok(unfinished)
    }

    /// Up to `limit` rows after `after`, in row order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn rows_page(
        &self,
        batch: BatchId,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let clause = "WHERE s.place > ?1 AND s.place <= ?2 ORDER BY s.place LIMIT ?3";
        let (first, last) = places_after(batch.0, after);
        self.rows("", clause, params![first, last, limit])
    }

    /// Up to `limit` rows of this account among which a `retry` finds those that it may send again: ready ones, and
    /// those that failed, contradicted or not. After `after`, in row order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn sendable_page(
        &self,
        batch: BatchId,
        account: &AccountId,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let clause =
            "WHERE s.place > ?4 AND s.place <= ?1 AND s.account = (SELECT id FROM accounts WHERE kind = ?2 AND tag = ?3)
                      AND s.phase IN ('ready', 'failed') ORDER BY s.place LIMIT ?5";
        let (kind, tag) = (account.kind.as_str(), account.tag());
        let (first, last) = places_after(batch.0, after);
        self.rows("", clause, params![last, kind, tag, first, limit])
    }

    /// One row.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn row(&self, batch: BatchId, row: RowNumber) -> Result<Option<StoredRow>, LedgerError> {
        let found = self.rows("", "WHERE s.place = ?1", [place_of(batch.0, row)])?;
        Ok(found.into_iter().next())
    }

    /// The row that was ever submitted under this id of ours.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn row_by_txn(&self, id: &TransactionId) -> Result<Option<(BatchId, RowNumber)>, LedgerError> {
        let found = self.ids.borrow_mut().find(&self.conn, &self.path, id.as_str())?;
        Ok(found.map(|(batch, row)| (BatchId(batch), RowNumber(unsigned(row)))))
    }

    /// Everything that happened to a row, oldest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn history(&self, batch: BatchId, row: RowNumber) -> Result<Vec<(WallTime, Event)>, LedgerError> {
        let last = "SELECT last FROM standings WHERE place = ?1";
        let mut events = Vec::new();
        self.snapshot(|ledger| {
            for last in ledger.list(last, [place_of(batch.0, row)], |row| row.get(0))? {
                ledger.each_past(last, |at, event| {
                    events.push((at, event));
                    Ok(())
                })?;
            }
            Ok::<_, LedgerError>(())
        })?;
        Ok(events)
    }

    /// Hands over every row of a batch, in row order, as they stood at one moment.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`.
    pub fn for_each_row<E: From<LedgerError>>(
        &self,
        batch: BatchId,
        mut each: impl FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_of(places_after(batch.0, None), &all_rows(""), &mut each)
    }

    pub(super) fn each_of<E: From<LedgerError>>(
        &self,
        values: impl Params,
        text: &str,
        each: &mut dyn FnMut(StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare(text).map_err(sql)?;
        let mut rows = ask.query(values).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            each(Columns::of(row).map_err(sql)?.decode(&self.path)?)?;
        }
        Ok(())
    }

    /// Hands over the columns of every row of a batch, in row order, as they stood at one moment; ends when
    /// `each` says that it has enough.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub(super) fn for_each_raw(
        &self,
        batch: BatchId,
        mut each: impl FnMut(&Columns<'_>) -> Result<ControlFlow<()>, LedgerError>,
    ) -> Result<(), LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare(&all_rows("")).map_err(sql)?;
        let mut rows = ask.query(places_after(batch.0, None)).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            if each(&Columns::of(row).map_err(sql)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Rows per status.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn counts(&self, batch: BatchId) -> Result<Counts, LedgerError> {
        let mut counts = Counts::default();
        for (phase, rows) in self.phase_counts(batch)? {
            counts.add(phase.status(), rows);
        }
        Ok(counts)
    }

    /// Exact sums per provider and currency.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn totals(&self, batch: BatchId) -> Result<Vec<Total>, LedgerError> {
        let mut totals = Totals::default();
        self.for_each_row(batch, |row| totals.add(&row).map_err(LedgerError::from))?;
        Ok(totals.finish())
    }

    /// Runs several reads on one state of the ledger, whatever is written meanwhile.
    ///
    /// # Errors
    /// [`LedgerError`], or that of `read`.
    pub fn snapshot<T, E: From<LedgerError>>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if !self.conn.is_autocommit() {
            return read(self);
        }
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let transaction = self.conn.unchecked_transaction().map_err(sql)?;
        let told = read(self)?;
        transaction.rollback().map_err(sql)?;
        Ok(told)
    }

    fn infos(&self, clause: &str, values: impl Params) -> Result<Vec<BatchInfo>, LedgerError> {
        let found = self.list(&format!("{BATCH} {clause}"), values, raw_batch)?;
        found.into_iter().map(|raw| raw.decode(&self.path)).collect()
    }

    /// The rows of a clause, by way of this index; none: of the primary key.
    pub(super) fn rows(
        &self,
        index: &str,
        clause: &str,
        values: impl Params,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        self.listed(&format!("{} {clause}", rows_by(index)), values, |_, columns| columns.decode(&self.path))
    }

    /// All rows of a query that a limit bounds, in the columns of [`rows_by`], made of them where they stand.
    pub(super) fn listed<T>(
        &self,
        sql: &str,
        values: impl Params,
        mut make: impl FnMut(&Row<'_>, &Columns<'_>) -> Result<T, LedgerError>,
    ) -> Result<Vec<T>, LedgerError> {
        let failed = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare_cached(sql).map_err(failed)?;
        let mut rows = ask.query(values).map_err(failed)?;
        let mut made = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            made.push(make(row, &Columns::of(row).map_err(failed)?)?);
        }
        Ok(made)
    }

    /// All answers of a query that a limit bounds.
    pub(super) fn list<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let run = |mut ask: rusqlite::CachedStatement<'_>| {
            let statement: &mut Statement<'_> = &mut ask;
            statement.query_map(values, read)?.collect()
        };
        self.sql(|conn: &Connection| conn.prepare_cached(sql).and_then(run))
    }
}

struct RawBatch {
    info: BatchInfo,
    name: String,
    header: String,
    dialect: String,
}

fn raw_batch(row: &Row<'_>) -> rusqlite::Result<RawBatch> {
    Ok(RawBatch {
        info: BatchInfo {
            id: BatchId(row.get(0)?),
            name: BatchName::of_file("", &[0; 32]),
            file_sha256: row.get(2)?,
            source: path_of(&row.get::<_, String>(3)?),
            header: Vec::new(),
            dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
            results_path: path_of(&row.get::<_, String>(6)?),
            sandbox: row.get(7)?,
            created_at: WallTime(row.get(8)?),
            rows: unsigned(row.get(9)?),
            cancelled_at: row.get::<_, Option<i64>>(10)?.map(WallTime),
        },
        name: row.get(1)?,
        header: row.get(4)?,
        dialect: row.get(5)?,
    })
}

impl RawBatch {
    fn decode(self, path: &Path) -> Result<BatchInfo, LedgerError> {
        let damaged = |e: serde_json::Error| LedgerError::damaged(path, e);
        Ok(BatchInfo {
            name: BatchName::parse(&self.name).map_err(|e| LedgerError::damaged(path, e))?,
            header: serde_json::from_str(&self.header).map_err(damaged)?,
            dialect: serde_json::from_str(&self.dialect).map_err(damaged)?,
            ..self.info
        })
    }
}

/// The columns of [`rows_by`], where they stand.
#[derive(Clone, Copy)]
pub(super) struct Columns<'r> {
    pub(super) row: i64,
    pub(super) line: i64,
    pub(super) cells: &'r [u8],
    pub(super) order: Option<&'r str>,
    pub(super) notes: &'r str,
    pub(super) state: &'r str,
}

impl<'r> Columns<'r> {
    pub(super) fn of(row: &'r Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: row.get(0)?,
            line: row.get(1)?,
            cells: row.get_ref(2)?.as_blob()?,
            order: row.get_ref(3)?.as_str_or_null()?,
            notes: row.get_ref(4)?.as_str()?,
            state: row.get_ref(5)?.as_str()?,
        })
    }

    /// The row that they hold.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`], which names the row.
    pub(super) fn decode(&self, path: &Path) -> Result<StoredRow, LedgerError> {
        let order = self.order.map(serde_json::from_str).transpose();
        Ok(StoredRow {
            row: RowNumber(unsigned(self.row)),
            line: unsigned(self.line),
            cells: self.cells(path)?.map(str::to_owned).collect(),
            order: order.map_err(|_| self.damaged(path, "order"))?,
            notes: self.notes(path)?,
            state: serde_json::from_str(self.state).map_err(|_| self.damaged(path, "state"))?,
        })
    }

    /// The row's cells as in the file.
    pub(super) fn cells(&self, path: &Path) -> Result<impl Iterator<Item = &'r str> + use<'r>, LedgerError> {
        let cells = std::str::from_utf8(self.cells).map_err(|_| self.damaged(path, "cells"))?;
        Ok(cells.split('\0'))
    }

    pub(super) fn notes(&self, path: &Path) -> Result<Vec<String>, LedgerError> {
        if self.notes.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(self.notes).map_err(|_| self.damaged(path, "notes"))
    }

    /// What to say when one of the columns cannot be read.
    pub(super) fn damaged(&self, path: &Path, what: &str) -> LedgerError {
        let row = RowNumber(unsigned(self.row));
        LedgerError::damaged(path, format!("row {row}: its {what} cannot be read"))
    }
}
