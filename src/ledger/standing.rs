//! What an appender has to know of a batch and a row before it appends an event of theirs, kept from one
//! transaction to the next: nobody else appends between them.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::LedgerError;
use super::ids::{self, Named};
use super::record::signed;
use crate::domain::{AccountId, BatchName, HashMap, ProviderKind, RowNumber};
use crate::lifecycle::Intent;

/// Rows whose last event is remembered: more than can be under way.
const ROWS_MAX: usize = 16_384;

/// Rows that are read at once where intents come in the order of the rows.
const AHEAD: i64 = 64;

/// How far apart rows of intents may be that come in order: rows of another account, or wrong ones, lie between.
const GAP_MAX: i64 = 8;

/// What is true as long as the chain ends where it did.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Where that is; zero: nowhere yet.
    head: i64,
    batch: Option<Batch>,
    accounts: Vec<(i64, AccountId)>,
    /// The last events of rows that go on.
    last: HashMap<i64, i64>,
    /// Rows that are probably sent next: most intents come in the order of the rows.
    next: HashMap<i64, Addressee>,
    /// The place of the last intent's row.
    sent: i64,
    /// Whether any row was admitted with an id.
    admitted_ids: Option<bool>,
    /// The last event whose id is sorted in.
    pub(super) sorted: Option<i64>,
    /// Ids that are not.
    pub(super) named: Named,
}

/// A batch that is appended to.
#[derive(Debug)]
struct Batch {
    id: i64,
    name: BatchName,
    cancelled: bool,
}

/// A row, as an intent needs it; without account and number it never had an order.
#[derive(Debug)]
pub(super) struct Addressee {
    pub(super) last: i64,
    pub(super) account: Option<i64>,
    pub(super) phone: Option<String>,
}

impl Known {
    /// Takes up what is known where the chain ends. Nothing is known until [`Known::holds_at`] says so.
    ///
    /// # Errors
    /// [`LedgerError::Shared`] when it ends elsewhere than where it was left: only one may append at a time, and
    /// rows that another moved on are not ours to move.
    pub(super) fn begin(&mut self, path: &Path, head: i64) -> Result<(), LedgerError> {
        let left_at = std::mem::take(&mut self.head);
        if left_at == 0 {
            *self = Self { named: Named::behind(head), ..Self::default() };
        } else if left_at != head {
            return Err(LedgerError::Shared { path: path.to_owned() });
        }
        Ok(())
    }

    /// What was learned holds if the chain comes to end here.
    pub(super) fn holds_at(&mut self, head: i64) {
        self.head = head;
    }

    /// Where the chain ends, as far as is known.
    pub(super) fn head(&self) -> i64 {
        self.head
    }

    /// Makes sure that the batch is there.
    pub(super) fn batch(&mut self, conn: &Connection, path: &Path, id: i64) -> Result<(), LedgerError> {
        if self.batch.as_ref().is_some_and(|batch| batch.id == id) {
            return Ok(());
        }
        let read = || {
            let mut ask =
                conn.prepare_cached("SELECT name, cancelled_at IS NOT NULL FROM batches WHERE id = ?1")?;
            ask.query_row([id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).optional()
        };
        let (name, cancelled) = read()
            .map_err(|e| LedgerError::of_sqlite(path, &e))?
            .ok_or_else(|| LedgerError::damaged(path, "a batch is missing"))?;
        let name = BatchName::parse(&name).map_err(|e| LedgerError::damaged(path, e))?;
        self.batch = Some(Batch { id, name, cancelled });
        Ok(())
    }

    /// The batch was cancelled just now.
    pub(super) fn cancel(&mut self, id: i64) {
        if let Some(batch) = self.batch.as_mut().filter(|batch| batch.id == id) {
            batch.cancelled = true;
        }
    }

    /// Whether an intent may be recorded at all: its batch goes on, and its id is the one that account, batch, row
    /// and attempt lead to, which therefore no other row has.
    pub(super) fn may_send(
        &mut self,
        conn: &Connection,
        path: &Path,
        (row, account): (RowNumber, i64),
        intent: &Intent,
    ) -> Result<(), LedgerError> {
        let of_another = || {
            let why = format!("the id {} belongs to another row", intent.id);
            Err(LedgerError::Illegal { row, why })
        };
        let account = self.account(conn, path, account)?;
        let Some(batch) = self.batch.as_ref().filter(|batch| !batch.cancelled) else {
            return Err(LedgerError::NotReady { row });
        };
        let derived = crate::domain::TransactionId::derive(&account, &batch.name, row, intent.attempt);
        if derived != intent.id {
            return of_another();
        }
        // A results file that a ledger was rebuilt from may have named it under another row.
        let place = (batch.id, signed(row.0));
        let any = match self.admitted_ids {
            Some(any) => any,
            None => ids::any_admitted(conn).map_err(|e| LedgerError::of_sqlite(path, &e))?,
        };
        self.admitted_ids = Some(any);
        if any && ids::admitted(conn, path, intent.id.as_str())?.is_some_and(|owner| owner != place) {
            return of_another();
        }
        Ok(())
    }

    fn account(&mut self, conn: &Connection, path: &Path, id: i64) -> Result<AccountId, LedgerError> {
        if let Some((_, account)) = self.accounts.iter().find(|(known, _)| *known == id) {
            return Ok(account.clone());
        }
        let sql = "SELECT kind, tag FROM accounts WHERE id = ?1";
        let (kind, tag): (String, String) = conn
            .query_row(sql, params![id], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(|e| LedgerError::of_sqlite(path, &e))?;
        let kind = ProviderKind::parse(&kind)
            .ok_or_else(|| LedgerError::damaged(path, "an account has an unknown kind"))?;
        let account = AccountId::from_parts(kind, tag);
        self.accounts.push((id, account.clone()));
        Ok(account)
    }

    /// The row of an intent; none: there is no such row.
    pub(super) fn addressee(
        &mut self,
        conn: &Connection,
        path: &Path,
        place: i64,
    ) -> Result<Option<Addressee>, LedgerError> {
        let in_order = (1..=GAP_MAX).contains(&place.saturating_sub(self.sent));
        self.sent = place;
        if let Some(known) = self.next.remove(&place) {
            return Ok(Some(known));
        }
        self.next.clear();
        let end = place.saturating_add(if in_order { AHEAD } else { 0 });
        let mut read = || {
            let sql = "SELECT place, last, account, phone FROM standings
                       WHERE place BETWEEN ?1 AND ?2";
            let mut ask = conn.prepare_cached(sql)?;
            let mut rows = ask.query([place, end])?;
            while let Some(found) = rows.next()? {
                let place = found.get(0)?;
                let (last, account, phone) = (found.get(1)?, found.get(2)?, found.get(3)?);
                self.next.insert(place, Addressee { last, account, phone });
            }
            Ok(())
        };
        read().map_err(|e: rusqlite::Error| LedgerError::of_sqlite(path, &e))?;
        Ok(self.next.remove(&place))
    }

    /// The last event of a row, if it is known.
    pub(super) fn last(&self, place: i64) -> Option<i64> {
        self.last.get(&place).copied()
    }

    /// The last event of a row is this one now; `more` are to be expected.
    pub(super) fn moved(&mut self, place: i64, last: i64, more: bool) {
        self.next.remove(&place);
        if !more {
            self.last.remove(&place);
            return;
        }
        if self.last.len() >= ROWS_MAX {
            self.last.clear();
        }
        self.last.insert(place, last);
    }
}
