//! A provider's statement beside the ledger: whose order an id is, and the lines put in the order of the rows.
//! The ledger itself is only read.
//!
//! Our ids are found as the ledger finds them. The provider's ids, the lines and the findings go to a private
//! temporary database, which SQLite keeps on disk and takes away when it is closed: memory is bounded by its page
//! cache, whatever the statement's length.

use std::cell::Cell;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::record::{BatchId, place_of, places_after, signed, unsigned};
use super::states::STATE;
use super::{Ledger, LedgerError};
use crate::domain::{AccountId, ProviderKind, RowNumber};
use crate::lifecycle::StoredRow;
use crate::report::{Class, Finding, Stated};

/// Page cache of the temporary database, in KiB.
const CACHE_KIB: i64 = 65_536;

/// A provider entry that rows of a batch were sent through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchProvider {
    /// Its name when they were admitted.
    pub name: String,
    /// Its account.
    pub account: AccountId,
}

/// Whose an id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Batch.
    pub batch: BatchId,
    /// Row of it.
    pub row: RowNumber,
    /// Name of the provider entry of that row.
    pub provider: String,
    /// Its account's digest.
    pub tag: String,
}

const OWNER: &str = "SELECT json_extract(coalesce(r.new_order, r.admitted_order), '$.provider'), a.tag
     FROM standings s JOIN rows r ON r.place = s.place JOIN accounts a ON a.id = s.account
     WHERE s.place = ?1";

fn refs() -> String {
    format!(
        "SELECT coalesce(json_extract(state, '$.provider_ref'), ''), coalesce(json_extract(state, '$.past'), ''),
         batch, row, provider FROM (
           SELECT {STATE} AS state, s.batch, s.row,
             json_extract(coalesce(r.new_order, r.admitted_order), '$.provider') AS provider
           FROM standings s CROSS JOIN rows r ON r.place = s.place
           LEFT JOIN events e ON e.seq = s.last
           WHERE s.account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2))"
    )
}

const TABLES: &str = "
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE refs(ref TEXT, batch INTEGER, row INTEGER, provider TEXT, PRIMARY KEY(ref, batch, row)) WITHOUT ROWID;
CREATE TABLE lines(row INTEGER, name TEXT, line INTEGER, body TEXT, PRIMARY KEY(row, name, line)) WITHOUT ROWID;
CREATE TABLE findings(rank INTEGER, row INTEGER, line INTEGER, n INTEGER, body TEXT,
  PRIMARY KEY(rank, row, line, n)) WITHOUT ROWID;
BEGIN;";

impl Ledger {
    /// The provider entries that rows of a batch were judged for, by name.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn providers_of(&self, batch: BatchId) -> Result<Vec<BatchProvider>, LedgerError> {
        let sql =
            "SELECT DISTINCT json_extract(coalesce(r.new_order, r.admitted_order), '$.provider') AS name,
                   a.kind, a.tag FROM standings s CROSS JOIN rows r ON r.place = s.place
                   CROSS JOIN accounts a ON a.id = s.account WHERE s.place > ?1 AND s.place <= ?2 ORDER BY name";
        let found: Vec<(String, String, String)> =
            self.list(sql, places_after(batch.0, None), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let provider = |(name, kind, tag): (String, String, String)| {
            let kind = ProviderKind::parse(&kind)
                .ok_or_else(|| LedgerError::damaged(&self.path, "an account has an unknown kind"))?;
            Ok(BatchProvider { name, account: AccountId::from_parts(kind, tag) })
        };
        found.into_iter().map(provider).collect()
    }

    /// Whose order was ever to be sent under this id of ours.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn owner_of(&self, id: &str) -> Result<Option<Owner>, LedgerError> {
        let Some((batch, row)) = self.ids.borrow_mut().find(&self.conn, &self.path, id)? else {
            return Ok(None);
        };
        self.sql(|conn| {
            let mut ask = conn.prepare_cached(OWNER)?;
            ask.query_row([place_of(batch, RowNumber(unsigned(row)))], |found| {
                Ok(Owner {
                    batch: BatchId(batch),
                    row: RowNumber(unsigned(row)),
                    provider: found.get::<_, Option<String>>(0)?.unwrap_or_default(),
                    tag: found.get(1)?,
                })
            })
            .optional()
        })
    }
}

/// A private temporary database that puts a statement in the order of the rows.
pub struct Scratch {
    conn: Connection,
    tag: String,
    findings: Cell<i64>,
}

impl Scratch {
    /// An empty one, for a statement of this account.
    ///
    /// # Errors
    /// [`LedgerError`] when no temporary file can be made.
    pub fn new(account: &AccountId) -> Result<Self, LedgerError> {
        let open = || {
            // An empty name: on disk, without a name there, gone with the connection.
            let conn = Connection::open(Path::new(""))?;
            conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
            conn.execute_batch(TABLES)?;
            Ok(conn)
        };
        let conn = open().map_err(|e| failed(&e))?;
        Ok(Self { conn, tag: account.tag().to_owned(), findings: Cell::new(0) })
    }

    /// Takes in the provider's ids of every order of the account, of all batches.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn index_refs(&mut self, ledger: &Ledger, account: &AccountId) -> Result<(), LedgerError> {
        let sql = |e: rusqlite::Error| LedgerError::of_sqlite(&ledger.path, &e);
        let mut ask = ledger.conn.prepare(&refs()).map_err(sql)?;
        let mut rows = ask.query(params![account.kind.as_str(), account.tag()]).map_err(sql)?;
        let insert = "INSERT OR IGNORE INTO refs VALUES(?1, ?2, ?3, ?4)";
        let mut put = self.conn.prepare(insert).map_err(|e| failed(&e))?;
        while let Some(row) = rows.next().map_err(sql)? {
            let (current, past): (String, String) = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
            let place: (i64, i64, Option<String>) =
                (row.get(2).map_err(sql)?, row.get(3).map_err(sql)?, row.get(4).map_err(sql)?);
            let past: Vec<crate::lifecycle::PastAttempt> = match past.as_str() {
                "" => Vec::new(),
                text => serde_json::from_str(text).map_err(|e| LedgerError::damaged(&ledger.path, e))?,
            };
            let past = past.iter().filter_map(|p| p.provider_ref.as_ref()).map(|r| r.as_str().to_owned());
            for reference in past.chain(std::iter::once(current)).filter(|reference| !reference.is_empty()) {
                put.execute(params![reference, place.0, place.1, place.2]).map_err(|e| failed(&e))?;
            }
        }
        Ok(())
    }

    /// Whose order the provider calls so; [`Several`] when more than one is.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn owner_of_ref(&self, reference: &str) -> Result<Result<Option<Owner>, Several>, LedgerError> {
        let sql = "SELECT batch, row, provider FROM refs WHERE ref = ?1 LIMIT 2";
        let found = || {
            let mut ask = self.conn.prepare_cached(sql)?;
            let owner = |row: &rusqlite::Row<'_>| {
                Ok(Owner {
                    batch: BatchId(row.get(0)?),
                    row: RowNumber(unsigned(row.get(1)?)),
                    provider: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                    tag: self.tag.clone(),
                })
            };
            ask.query_map([reference], owner)?.collect::<rusqlite::Result<Vec<_>>>()
        };
        let mut found = found().map_err(|e| failed(&e))?;
        Ok(if found.len() > 1 { Err(Several) } else { Ok(found.pop()) })
    }

    /// Keeps a line about a row of the batch, or, without one, about the order of this name.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn keep(&self, row: Option<RowNumber>, name: &str, stated: &Stated) -> Result<(), LedgerError> {
        let body = serde_json::to_string(stated).map_err(|e| unwritten(&e))?;
        let values = params![row.map_or(0, |row| signed(row.0)), name, signed(stated.line), body];
        let put = || self.conn.prepare_cached("INSERT INTO lines VALUES(?1, ?2, ?3, ?4)")?.execute(values);
        put().map(|_| ()).map_err(|e| failed(&e))
    }

    /// Hands over the lines about a row, in the order of the statement.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`.
    pub fn lines_of<E: From<LedgerError>>(
        &self,
        row: RowNumber,
        mut each: impl FnMut(Stated) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT body FROM lines WHERE row = ?1 ORDER BY line";
        let mut ask = self.conn.prepare_cached(sql).map_err(|e| failed(&e))?;
        let mut rows = ask.query([signed(row.0)]).map_err(|e| failed(&e))?;
        while let Some(row) = rows.next().map_err(|e| failed(&e))? {
            let body: String = row.get(0).map_err(|e| failed(&e))?;
            each(serde_json::from_str(&body).map_err(|e| unwritten(&e))?)?;
        }
        Ok(())
    }

    /// Hands over the lines about orders that are not the batch's, those of one name together.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`.
    pub fn strangers<E: From<LedgerError>>(
        &self,
        mut each: impl FnMut(&str, Stated) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT name, body FROM lines WHERE row = 0 ORDER BY name, line";
        let mut ask = self.conn.prepare_cached(sql).map_err(|e| failed(&e))?;
        let mut rows = ask.query([]).map_err(|e| failed(&e))?;
        while let Some(row) = rows.next().map_err(|e| failed(&e))? {
            let (name, body): (String, String) =
                (row.get(0).map_err(|e| failed(&e))?, row.get(1).map_err(|e| failed(&e))?);
            each(&name, serde_json::from_str(&body).map_err(|e| unwritten(&e))?)?;
        }
        Ok(())
    }

    /// Keeps what was found.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn keep_finding(&self, finding: &Finding) -> Result<(), LedgerError> {
        let rank = Class::ALL.iter().position(|class| *class == finding.class).unwrap_or(0);
        let body = serde_json::to_string(finding).map_err(|e| unwritten(&e))?;
        self.findings.set(self.findings.get() + 1);
        let values = params![
            i64::try_from(rank).unwrap_or(0),
            finding.row.map_or(i64::MAX, |row| signed(row.0)),
            finding.first_lines.first().copied().map_or(0, signed),
            self.findings.get(),
            body
        ];
        let put =
            || self.conn.prepare_cached("INSERT INTO findings VALUES(?1, ?2, ?3, ?4, ?5)")?.execute(values);
        put().map(|_| ()).map_err(|e| failed(&e))
    }

    /// Hands over what was found, the worst first, then by row and line. `each` says whether to go on.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `each`.
    pub fn findings<E: From<LedgerError>>(
        &self,
        mut each: impl FnMut(Finding) -> Result<bool, E>,
    ) -> Result<(), E> {
        let sql = "SELECT body FROM findings ORDER BY rank, row, line, n";
        let mut ask = self.conn.prepare_cached(sql).map_err(|e| failed(&e))?;
        let mut rows = ask.query([]).map_err(|e| failed(&e))?;
        while let Some(row) = rows.next().map_err(|e| failed(&e))? {
            let body: String = row.get(0).map_err(|e| failed(&e))?;
            if !each(serde_json::from_str(&body).map_err(|e| unwritten(&e))?)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Several orders have the same id of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Several;

impl Ledger {
    /// Up to `limit` rows of a batch that were ever given an id to be sent under, after `after`, in row order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn named_page(
        &self,
        batch: BatchId,
        after: Option<RowNumber>,
        limit: u32,
    ) -> Result<Vec<StoredRow>, LedgerError> {
        let clause = format!(
            "WHERE s.place > ?1 AND s.place <= ?2 AND json_extract({STATE}, '$.id') IS NOT NULL ORDER BY s.place LIMIT ?3"
        );
        let places = places_after(batch.0, after);
        self.rows("", &clause, params![places.0, places.1, limit])
    }
}

fn failed(error: &rusqlite::Error) -> LedgerError {
    LedgerError::Scratch { folder: std::env::temp_dir(), why: error.to_string() }
}

fn unwritten(error: &serde_json::Error) -> LedgerError {
    LedgerError::Scratch { folder: std::env::temp_dir(), why: error.to_string() }
}
