//! A file that is nearly the same as one that was sent lately.

use std::collections::BTreeMap;

use super::stop::Stop;
use crate::domain::{BatchName, Order, RowNumber, WallTime};
use crate::ledger::{BatchId, Ledger};

/// A batch that a file is nearly the same as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The batch.
    pub batch: BatchName,
    /// Its rows.
    pub rows: u64,
    /// Rows of the file that were compared.
    pub compared: u64,
    /// Those with an equal number, product and amount in the batch.
    pub equal: u64,
    /// The first of the others.
    pub differing: Vec<RowNumber>,
}

/// Compares a file with the batches of late, row by row; of a large file only some rows.
pub struct Twins<'a> {
    ledger: &'a Ledger,
    since: WallTime,
    compared: u64,
    batches: BTreeMap<BatchId, Likeness>,
    /// Rows that no batch at all holds, the first of them.
    nowhere: Vec<RowNumber>,
}

/// How a batch compares.
#[derive(Default)]
struct Likeness {
    equal: u64,
    /// The first rows that other batches hold and this one does not.
    differing: Vec<RowNumber>,
}

impl<'a> Twins<'a> {
    /// Every row up to this one is compared,
    const ALL_UP_TO: u64 = 5_000;
    /// then every so many-th,
    const STRIDE: u64 = 251;
    /// until so many were: a fraction of a second of look-ups, however large the file is.
    const COMPARED_MAX: u64 = 20_000;
    /// Rows that are named.
    const NAMED: usize = 10;
    /// Equal rows of a hundred from which a file is nearly the same.
    const PERCENT: u64 = 80;
    /// Batches of late that are considered.
    const BATCHES_MAX: u32 = 50;

    /// Prepares to compare with batches admitted at `since` or later; none when there is nothing to compare
    /// with.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn new(ledger: &'a Ledger, since: WallTime) -> Result<Option<Self>, Stop> {
        let any = ledger.batches_like(since, 1, u64::from(u32::MAX), 1)?;
        Ok((!any.is_empty()).then(|| Self {
            ledger,
            since,
            compared: 0,
            batches: BTreeMap::new(),
            nowhere: Vec::new(),
        }))
    }

    /// Compares one order, if it is one of those that are.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn compare(&mut self, order: &Order) -> Result<(), Stop> {
        let row = order.row;
        let chosen = row.0 <= Self::ALL_UP_TO || row.0.is_multiple_of(Self::STRIDE);
        if !chosen || self.compared >= Self::COMPARED_MAX {
            return Ok(());
        }
        self.compared += 1;
        let holding = self.ledger.batches_holding(order)?;
        if holding.is_empty() {
            if self.nowhere.len() < Self::NAMED {
                self.nowhere.push(row);
            }
            return Ok(());
        }
        for batch in &holding {
            self.batches.entry(*batch).or_default().equal += 1;
        }
        for (batch, likeness) in &mut self.batches {
            if likeness.differing.len() < Self::NAMED && !holding.contains(batch) {
                likeness.differing.push(row);
            }
        }
        Ok(())
    }

    /// The batch of about as many rows that most rows of the file equal, if nearly all do.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn finish(mut self, rows: u64) -> Result<Option<Twin>, Stop> {
        let (least, most) = (rows * Self::PERCENT / 100, (rows * 100).div_ceil(Self::PERCENT));
        let known = self.ledger.batches_like(self.since, least.max(1), most, Self::BATCHES_MAX)?;
        let mut best: Option<Twin> = None;
        for (id, batch, rows) in known {
            let Some(likeness) = self.batches.remove(&id) else { continue };
            let equal = likeness.equal;
            let near = equal > 0 && equal * 100 >= self.compared * Self::PERCENT;
            if near && best.as_ref().is_none_or(|best| equal > best.equal) {
                let mut differing = likeness.differing;
                differing.extend(&self.nowhere);
                differing.sort_unstable();
                differing.truncate(Self::NAMED);
                best = Some(Twin { batch, rows, compared: self.compared, equal, differing });
            }
        }
        Ok(best)
    }
}

impl std::fmt::Display for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { batch, rows, compared, equal, differing } = self;
        write!(
            f,
            "this file is nearly the same as batch {batch}, which has {rows} rows: {equal} of {compared} rows are \
             equal in number, product and amount"
        )?;
        let named: Vec<String> = differing.iter().map(ToString::to_string).collect();
        let rest = (compared - equal).saturating_sub(u64::try_from(named.len()).unwrap_or(u64::MAX));
        match (named.as_slice(), rest) {
            ([], _) => Ok(()),
            ([one], 0) => write!(f, "; row {one} differs"),
            (_, 0) => write!(f, "; rows {} differ", named.join(", ")),
            (_, rest) => write!(f, "; rows {} and {rest} more differ", named.join(", ")),
        }
    }
}
