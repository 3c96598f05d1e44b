//! What limits need to know of the past: submits of an account, numbers under way, repeats, spending; and the
//! hints a listener leaves.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, TransactionBehavior, params};
use rust_decimal::Decimal;

use super::append::amount_text;
use super::record::{BatchId, places_after, signed, unsigned};
use super::{Ledger, LedgerError};
use crate::domain::{
    AccountId, BatchName, Boot, Currency, Money, Now, Order, ProviderRef, RowNumber, Status, Tick,
    TransactionId, WallTime,
};
use crate::lifecycle::{Phase, StoredRow, TopUp};

/// Hints that are kept: older ones were read long ago, or nobody reads them.
const HINTS_MAX: i64 = 100_000;

/// An order like the one asked about, in another batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The other batch.
    pub batch: BatchName,
    /// Its row.
    pub row: RowNumber,
    /// Where that stands.
    pub status: Status,
    /// When that last changed.
    pub at: WallTime,
}

/// A submit of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentSubmit {
    /// When its intent was recorded.
    pub intended: Now,
    /// When it was put down what came of it: nothing of it left after that. None: that is not known.
    pub over: Option<Now>,
}

/// A provider's callback: a reason to look, never a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Name of the provider entry it came to.
    pub provider: String,
    /// Our id, where it named one.
    pub id: Option<TransactionId>,
    /// The provider's id, where it named one.
    pub provider_ref: Option<ProviderRef>,
    /// When.
    pub received_at: WallTime,
}

impl Ledger {
    /// This account's submits of all batches whose intents were recorded from `since` on (later ones too, if the
    /// clock went back since), and whenever they were recorded the last `least`: the clock may have gone forward. No
    /// more than the last `most`, in order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn recent_submits(
        &self,
        account: &AccountId,
        since: WallTime,
        (least, most): (u32, u32),
    ) -> Result<Vec<RecentSubmit>, LedgerError> {
        let newest = "FROM submits WHERE account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2)";
        let columns = "at, tick, boot, batch, row, seq";
        let sql = format!(
            "SELECT * FROM (SELECT {columns} {newest} AND at >= ?3 ORDER BY at DESC, seq DESC LIMIT ?5)
             UNION SELECT * FROM (SELECT {columns} {newest} ORDER BY at DESC, seq DESC LIMIT ?4) ORDER BY at, seq"
        );
        let values = params![account.kind.as_str(), account.tag(), since.0, least, most];
        let found = self.list(&sql, values, |row| {
            Ok((now_of(row, 0)?, BatchId(row.get(3)?), RowNumber(unsigned(row.get(4)?))))
        })?;
        let submit = |(intended, batch, row): (Now, BatchId, RowNumber)| {
            let over = self.row(batch, row)?.and_then(|row| over_of(&row.state, intended));
            Ok(RecentSubmit { intended, over })
        };
        found.into_iter().map(submit).collect()
    }

    /// Every number this account submitted to `within` this time of now, by the wall clock or by the ticks of this
    /// start of the machine (the wall clock may have gone forward), with the time of the last one.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn last_submits_of_numbers(
        &self,
        account: &AccountId,
        now: Now,
        within: Duration,
    ) -> Result<Vec<(String, Now)>, LedgerError> {
        let sql = "SELECT phone, max(seq), at, tick, boot FROM submits
                   WHERE account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2)
                   AND (at >= ?3 OR (boot = ?4 AND tick >= ?5)) GROUP BY phone";
        let since = now.wall.0.saturating_sub(i64::try_from(within.as_micros()).unwrap_or(i64::MAX));
        let (boot, tick) = (now.boot.0.cast_signed(), now.tick.before(within).0.cast_signed());
        let values = params![account.kind.as_str(), account.tag(), since, boot, tick];
        self.list(sql, values, |row| Ok((row.get(0)?, now_of(row, 2)?)))
    }

    /// Numbers (digits) with an order of this account under way in batches other than `except`.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open_numbers(
        &self,
        account: &AccountId,
        except: Option<BatchId>,
    ) -> Result<Vec<String>, LedgerError> {
        // Asked for as "another batch", SQLite would look at every open row of the batch itself.
        let others = |side: &str| {
            format!(
                "SELECT phone FROM standings INDEXED BY standings_unsettled
                 WHERE unsettled = 1 AND place {side}
                 AND account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2)"
            )
        };
        let sql = format!("{} UNION {}", others("<= ?3"), others("> ?4"));
        let (first, last) = places_after(except.map_or(0, |batch| batch.0), None);
        let values = params![account.kind.as_str(), account.tag(), first, last];
        self.list(&sql, values, |row| row.get(0))
    }

    /// An order of another batch than `except` for the same number, product and amount that is
    /// succeeded, pending, unknown or still to be sent and changed at `since` or later.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn recent_repeat(
        &self,
        order: &Order,
        since: WallTime,
        except: Option<BatchId>,
    ) -> Result<Option<Repeat>, LedgerError> {
        let sql = "SELECT b.name, s.row, s.phase, s.changed_at FROM standings s INDEXED BY standings_phone
                   CROSS JOIN rows r ON r.place = s.place
                   CROSS JOIN batches b ON b.id = s.batch
                   WHERE s.phone = ?1 AND r.goods = ?2 AND r.amount IS ?3 AND s.batch <> ?4
                   AND s.changed_at >= ?5
                   AND (s.phase IN ('sending','pending','unknown','asking','succeeded')
                        OR (s.phase = 'ready' AND b.cancelled_at IS NULL))
                   LIMIT 1";
        let values = params![
            order.phone.digits(),
            order.goods.canonical(),
            amount_text(order),
            except.map_or(0, |b| b.0),
            since.0
        ];
        let found: Option<(String, i64, String, i64)> = self.sql(|conn| {
            let mut ask = conn.prepare_cached(sql)?;
            ask.query_row(values, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))).optional()
        })?;
        let Some((name, row, word, at)) = found else { return Ok(None) };
        let phase = Phase::ALL.into_iter().find(|phase| super::append::phase_word(*phase) == word);
        let phase = phase.ok_or_else(|| LedgerError::damaged(&self.path, "a row has an unknown phase"))?;
        Ok(Some(Repeat {
            batch: BatchName::parse(&name).map_err(|e| LedgerError::damaged(&self.path, e))?,
            row: RowNumber(unsigned(row)),
            status: phase.status(),
            at: WallTime(at),
        }))
    }

    /// [`Ledger::recent_repeat`] of several orders, in their order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn recent_repeats(
        &self,
        orders: &[&Order],
        since: WallTime,
        except: Option<BatchId>,
    ) -> Result<Vec<Option<Repeat>>, LedgerError> {
        orders.iter().map(|order| self.recent_repeat(order, since, except)).collect()
    }

    /// Batches other than cancelled ones that were admitted at `since` or later, the newest first, with at
    /// least `least` and at most `most` rows; up to `limit` of them.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn batches_like(
        &self,
        since: WallTime,
        least: u64,
        most: u64,
        limit: u32,
    ) -> Result<Vec<(BatchId, BatchName, u64)>, LedgerError> {
        let sql = "SELECT id, name, rows FROM batches WHERE created_at >= ?1 AND rows BETWEEN ?2 AND ?3
                   AND cancelled_at IS NULL ORDER BY id DESC LIMIT ?4";
        let found = self.list(sql, params![since.0, signed(least), signed(most), limit], |row| {
            Ok((BatchId(row.get(0)?), row.get::<_, String>(1)?, unsigned(row.get(2)?)))
        })?;
        let named = |(id, name, rows): (BatchId, String, u64)| {
            BatchName::parse(&name)
                .map(|name| (id, name, rows))
                .map_err(|e| LedgerError::damaged(&self.path, e))
        };
        found.into_iter().map(named).collect()
    }

    /// Batches that hold an order for the same number, product and amount, whatever became of it.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn batches_holding(&self, order: &Order) -> Result<Vec<BatchId>, LedgerError> {
        let sql = "SELECT DISTINCT s.batch FROM standings s INDEXED BY standings_phone
                   CROSS JOIN rows r ON r.place = s.place
                   WHERE s.phone = ?1 AND r.goods = ?2 AND r.amount IS ?3";
        let values = params![order.phone.digits(), order.goods.canonical(), amount_text(order)];
        self.list(sql, values, |row| Ok(BatchId(row.get(0)?)))
    }

    /// What this account's orders submitted from `since` on are worth, per currency, as far as they succeeded
    /// or are under way.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn spent_since(&self, account: &AccountId, since: WallTime) -> Result<Vec<Money>, LedgerError> {
        let mut spent: Vec<Money> = Vec::new();
        self.for_each_submitted(account, since, |row, at| {
            let status = row.state.status();
            // A row submitted several times counts once, at its last submit.
            let counts =
                (status.is_open() || status == Status::Succeeded) && row.state.submitted_at == Some(at);
            match row.asked() {
                Some((amount, Some(currency))) if counts => add(&mut spent, amount, currency),
                Some(_) | None => Ok(()),
            }
        })?;
        Ok(spent)
    }

    fn for_each_submitted(
        &self,
        account: &AccountId,
        since: WallTime,
        mut each: impl FnMut(StoredRow, WallTime) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        // Of submits of one row at the very same time only the last is taken.
        let sql = "SELECT batch, row, at FROM submits s
                   WHERE account = (SELECT id FROM accounts WHERE kind = ?1 AND tag = ?2) AND at >= ?3
                   AND NOT EXISTS (SELECT 1 FROM submits l WHERE l.account = s.account AND l.at = s.at
                                   AND l.seq > s.seq AND l.batch = s.batch AND l.row = s.row)";
        let failed = |e: rusqlite::Error| LedgerError::of_sqlite(&self.path, &e);
        let mut ask = self.conn.prepare(sql).map_err(failed)?;
        let mut found = ask.query(params![account.kind.as_str(), account.tag(), since.0]).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            let key = (row.get(0), row.get::<_, i64>(1), row.get(2));
            let (batch, number, at) =
                (key.0.map_err(failed)?, key.1.map_err(failed)?, key.2.map_err(failed)?);
            if let Some(stored) = self.row(BatchId(batch), RowNumber(unsigned(number)))? {
                each(stored, WallTime(at))?;
            }
        }
        Ok(())
    }

    /// Keeps a hint; gives its sequence number. Works beside a submitting process.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn append_hint(&self, hint: &Hint) -> Result<u64, LedgerError> {
        self.append_hints(std::slice::from_ref(hint))
    }

    /// Keeps several hints in one transaction, so that a submitting process waits for one commit instead of
    /// many; gives the sequence number of the last hint kept. All are kept, or none.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn append_hints(&self, hints: &[Hint]) -> Result<u64, LedgerError> {
        self.sql(|conn| {
            // Immediate: it waits for the write lock before it has read anything, so it never meets a snapshot
            // that another process has overtaken.
            let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
            let sql = "INSERT INTO hints(provider, id, provider_ref, received_at) VALUES(?1, ?2, ?3, ?4)";
            for hint in hints {
                tx.prepare_cached(sql)?.execute(params![
                    hint.provider,
                    hint.id.as_ref().map(TransactionId::as_str),
                    hint.provider_ref.as_ref().map(ProviderRef::as_str),
                    hint.received_at.0
                ])?;
            }
            let last: i64 = tx.query_row("SELECT coalesce(max(seq), 0) FROM hints", [], |row| row.get(0))?;
            let old = last.saturating_sub(HINTS_MAX);
            tx.prepare_cached("DELETE FROM hints WHERE seq <= ?1")?.execute([old])?;
            tx.commit()?;
            Ok(unsigned(last))
        })
    }

    /// Up to `limit` hints after the one numbered `seq` (0: from the oldest), in order.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn hints_after(&self, seq: u64, limit: u32) -> Result<Vec<(u64, Hint)>, LedgerError> {
        let sql = "SELECT seq, provider, id, provider_ref, received_at FROM hints WHERE seq > ?1
                   ORDER BY seq LIMIT ?2";
        self.list(sql, params![signed(seq), limit], |row| {
            let id: Option<String> = row.get(2)?;
            let provider_ref: Option<String> = row.get(3)?;
            let hint = Hint {
                provider: row.get(1)?,
                id: id.and_then(|text| TransactionId::parse(&text).ok()),
                provider_ref: provider_ref.and_then(|text| ProviderRef::parse(&text).ok()),
                received_at: WallTime(row.get(4)?),
            };
            Ok((unsigned(row.get(0)?), hint))
        })
    }
}

/// Since when nothing of a submit can leave any more. A row that is not being sent has the outcome of its last
/// submit, and of every earlier one, behind it.
fn over_of(state: &TopUp, intended: Now) -> Option<Now> {
    let outcome_known = state.phase != Phase::Sending;
    // A clock that went back between intent and answer leaves the intent's own time there.
    state.quiet_since.filter(|quiet| outcome_known && quiet.tick > intended.tick)
}

/// Reads wall time, tick and boot from three columns.
fn now_of(row: &Row<'_>, first: usize) -> rusqlite::Result<Now> {
    let bits = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let (tick, boot) = (bits(first.saturating_add(1))?, bits(first.saturating_add(2))?);
    Ok(Now { wall: WallTime(row.get(first)?), tick: Tick(tick), boot: Boot(boot) })
}

fn add(sums: &mut Vec<Money>, amount: Decimal, currency: Currency) -> Result<(), LedgerError> {
    if let Some(sum) = sums.iter_mut().find(|sum| sum.currency == currency) {
        sum.amount = sum.amount.checked_add(amount).ok_or(crate::report::SumTooLarge)?;
    } else {
        sums.push(Money { amount, currency });
    }
    Ok(())
}
