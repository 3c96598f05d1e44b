//! Admission: a whole file becomes a batch in one transaction, or nothing of it does.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Statement, TransactionBehavior, params};

use super::append::{Appender, OrderColumns, account_number, join_cells, json, phase_word, unsettled};
use super::chain::AdmissionDigest;
use super::ids::{self, Ids};
use super::open::{CACHE_ADMITTING_KIB, CACHE_KIB};
use super::record::{BatchEvent, BatchId, path_text, place_of, signed};
use super::standing::Known;
use super::{Ledger, LedgerError};
use crate::domain::{AccountId, BatchName, Order, RowNumber, WallTime};
use crate::lifecycle::{PastAttempt, TopUp};
use crate::report::OutputDialect;

/// What is known of a batch before its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// Its name.
    pub name: BatchName,
    /// SHA-256 of the file's bytes.
    pub file_sha256: [u8; 32],
    /// The file.
    pub source: PathBuf,
    /// Its header cells, as written.
    pub header: Vec<String>,
    /// How its results are written.
    pub dialect: OutputDialect,
    /// Where its results go.
    pub results_path: PathBuf,
    /// Whether it works on the local sandbox.
    pub sandbox: bool,
    /// When.
    pub at: WallTime,
}

/// One row of the file as it was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedRow {
    /// Row of the file, counted from 1.
    pub row: RowNumber,
    /// Line it starts on, counted from 1.
    pub line: u64,
    /// Its cells; none holds a NUL.
    pub cells: Vec<String>,
    /// The order of a good row (and of a wrong one, where it is known).
    pub order: Option<Order>,
    /// Ready or invalid; of a batch rebuilt from a results file any state.
    pub state: TopUp,
    /// Repairs and warnings.
    pub notes: Vec<String>,
}

/// Why a file was not admitted: nothing of it is in the ledger then.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError<E> {
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The rows ended with an error of their own.
    #[error("the rows could not be read to their end")]
    Rows(E),
}

const INSERT_ROW: &str = "INSERT INTO rows(place, line, cells, admitted_order, admitted_state, notes,
     goods, amount) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const INSERT_STANDING: &str =
    "INSERT INTO standings(place, account, phone, phase, unsettled, changed_at, last)
     VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";

impl Ledger {
    /// Stores a batch with all its rows in one transaction: when this returns, they are on disk. Memory does
    /// not grow with the rows.
    ///
    /// # Errors
    /// [`AdmitError`], with nothing stored.
    pub fn admit<E>(
        &mut self,
        batch: &NewBatch,
        rows: impl IntoIterator<Item = Result<AdmittedRow, E>>,
    ) -> Result<BatchId, AdmitError<E>> {
        self.set_cache(CACHE_ADMITTING_KIB)?;
        let admitted = self.admit_all(batch, rows);
        self.set_cache(CACHE_KIB)?;
        admitted
    }

    fn set_cache(&self, kib: i64) -> Result<(), LedgerError> {
        self.sql(|conn| {
            conn.pragma_update(None, "cache_size", kib)?;
            if kib == CACHE_KIB { conn.execute_batch("PRAGMA shrink_memory") } else { Ok(()) }
        })
    }

    fn admit_all<E>(
        &mut self,
        batch: &NewBatch,
        rows: impl IntoIterator<Item = Result<AdmittedRow, E>>,
    ) -> Result<BatchId, AdmitError<E>> {
        let path = self.path.clone();
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&path, &e);
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let id = insert_batch(&tx, batch, &path)?;
        let mut known = Known::default();
        let mut appender = Appender::begin(&tx, &path, &mut known)?;
        let mut admission = Admission {
            conn: &tx,
            insert: tx.prepare(INSERT_ROW).map_err(sql)?,
            stand: tx.prepare(INSERT_STANDING).map_err(sql)?,
            path: &path,
            ids: self.ids.get_mut(),
            batch: id,
            admitted: appender.next_seq(),
            at: batch.at,
            account: None,
            state: None,
        };
        let mut digest =
            AdmissionDigest::of_batch(&batch.name, &batch.file_sha256, &batch.header, batch.sandbox);
        let mut count: u64 = 0;
        for row in rows {
            admission.insert(&row.map_err(AdmitError::Rows)?, &mut digest)?;
            count = count.saturating_add(1);
        }
        drop(admission);
        tx.execute("UPDATE batches SET rows = ?2 WHERE id = ?1", params![id, signed(count)]).map_err(sql)?;
        let event = BatchEvent::Admitted { rows: count, digest: digest.finish() };
        appender.batch_event(id, batch.at, &event)?;
        appender.finish()?;
        tx.commit().map_err(sql)?;
        Ok(BatchId(id))
    }
}

fn insert_batch(conn: &Connection, batch: &NewBatch, path: &Path) -> Result<i64, LedgerError> {
    let sql = |e: rusqlite::Error| LedgerError::of_sqlite(path, &e);
    let exists = conn
        .query_row("SELECT EXISTS(SELECT 1 FROM batches WHERE name = ?1)", [batch.name.as_str()], |r| {
            r.get(0)
        })
        .map_err(sql)?;
    if exists {
        return Err(LedgerError::BatchExists { name: batch.name.to_string() });
    }
    conn.execute(
        "INSERT INTO batches(name, file_sha256, source, header, dialect, results_path, sandbox, created_at, rows)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)",
        params![
            batch.name.as_str(),
            batch.file_sha256,
            path_text(&batch.source),
            json(path, &batch.header)?,
            json(path, &batch.dialect)?,
            path_text(&batch.results_path),
            batch.sandbox,
            batch.at.0
        ],
    )
    .map_err(sql)?;
    Ok(conn.last_insert_rowid())
}

struct Admission<'c> {
    conn: &'c Connection,
    insert: Statement<'c>,
    stand: Statement<'c>,
    path: &'c Path,
    ids: &'c mut Ids,
    batch: i64,
    /// The event of the admission, from which the chain of each row's events starts.
    admitted: i64,
    at: WallTime,
    /// The account of the row before, most often that of the next one too.
    account: Option<(AccountId, i64)>,
    /// The state of the row before, as it is stored: most rows of a file have the same.
    state: Option<(TopUp, String)>,
}

impl Admission<'_> {
    fn insert(&mut self, admitted: &AdmittedRow, digest: &mut AdmissionDigest) -> Result<(), LedgerError> {
        let (row, line) = (signed(admitted.row.0), signed(admitted.line));
        let place = place_of(self.batch, admitted.row);
        if place < 0 {
            return Err(LedgerError::TooManyRows);
        }
        let cells = join_cells(admitted.row, &admitted.cells)?;
        let order = admitted.order.as_ref().map(|order| json(self.path, order)).transpose()?;
        let state = match self.state.take().filter(|(state, _)| *state == admitted.state) {
            Some((_, text)) => text,
            None => json(self.path, &admitted.state)?,
        };
        let notes = if admitted.notes.is_empty() { String::new() } else { json(self.path, &admitted.notes)? };
        let columns = admitted.order.as_ref().map(|order| self.columns(order)).transpose()?;
        digest.add(row, line, [&cells, order.as_deref().unwrap_or_default(), &state, &notes]);
        let failed = |e: rusqlite::Error| LedgerError::of_sqlite(self.path, &e);
        let values = params![
            place,
            line,
            cells.as_bytes(),
            order,
            state,
            notes,
            columns.as_ref().map(|c| &c.goods),
            columns.as_ref().and_then(|c| c.amount.as_ref())
        ];
        self.insert.execute(values).map_err(failed)?;
        let columns = columns.as_ref();
        let values = params![
            place,
            columns.map(|c| c.account),
            columns.map(|c| &c.phone),
            phase_word(admitted.state.phase),
            unsettled(&admitted.state),
            self.at.0,
            self.admitted
        ];
        self.stand.execute(values).map_err(failed)?;
        self.state = Some((admitted.state.clone(), state));
        for PastAttempt { id, .. } in admitted.state.submitted_ids() {
            if !ids::admit(self.conn, self.path, self.ids, id.as_str(), (self.batch, row))? {
                let why = format!("the id {id} belongs to another row");
                return Err(LedgerError::Illegal { row: admitted.row, why });
            }
        }
        Ok(())
    }

    fn columns(&mut self, order: &Order) -> Result<OrderColumns, LedgerError> {
        if let Some((_, number)) = self.account.as_ref().filter(|(account, _)| *account == order.account) {
            return Ok(OrderColumns::of(order, *number));
        }
        let number = account_number(self.conn, self.path, &order.account)?;
        self.account = Some((order.account.clone(), number));
        Ok(OrderColumns::of(order, number))
    }
}
