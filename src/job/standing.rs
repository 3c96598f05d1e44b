//! How a batch stands: counts, sums, reasons, and the exit code they call for.

use super::{Exit, Stop};
use crate::domain::{Next, Reason, Status};
use crate::ledger::{BatchInfo, Ledger};
use crate::lifecycle::Phase;
use crate::report::{Counts, ProviderHalt, Totals};

/// What a batch looks like now.
#[derive(Debug)]
pub struct Standing {
    /// Rows per status.
    pub counts: Counts,
    /// Sums.
    pub totals: Vec<crate::report::Total>,
    /// Halts of the last run.
    pub halts: Vec<ProviderHalt>,
    /// Rows by status, reason and next step.
    pub reasons: std::collections::BTreeMap<(Status, Option<Reason>, Next), u64>,
    /// What the provider says it charged, by currency.
    pub charged: std::collections::BTreeMap<crate::domain::Currency, rust_decimal::Decimal>,
    /// Rows whose final state a later answer contradicts.
    pub conflicts: u64,
    /// Valid rows that were not sent and still could be.
    pub left: u64,
}

impl Standing {
    /// Reads every row of a batch once.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn of(ledger: &Ledger, batch: &BatchInfo) -> Result<Self, Stop> {
        let view = ledger.run_view(batch.id)?;
        let mut standing = Self {
            counts: Counts::default(),
            totals: Vec::new(),
            halts: view.halts.clone(),
            reasons: std::collections::BTreeMap::new(),
            charged: std::collections::BTreeMap::new(),
            conflicts: 0,
            left: 0,
        };
        let mut totals = Totals::default();
        ledger.for_each_row::<Stop>(batch.id, |row| {
            let shown = crate::report::effective(&row, &view);
            let status = row.state.status();
            standing.counts.add(status, 1);
            *standing.reasons.entry((status, shown.reason, shown.next)).or_insert(0) += 1;
            standing.conflicts += u64::from(row.state.contradicted);
            standing.left += u64::from(row.state.phase == Phase::Ready && !view.cancelled);
            if let Some(cost) = row.state.cost.filter(|_| status == Status::Succeeded) {
                *standing.charged.entry(cost.currency).or_default() += cost.amount;
            }
            totals.add(&row).map_err(|e| Stop::internal(e.to_string()))
        })?;
        standing.totals = totals.finish();
        Ok(standing)
    }

    /// The exit code that the rows call for.
    pub fn exit(&self) -> Exit {
        let Counts { invalid, failed, pending, unknown, .. } = self.counts;
        let mut exit = Exit::Success;
        if failed + invalid > 0 {
            exit = exit.and(Exit::SomeFailed);
        }
        if pending + unknown > 0 {
            exit = exit.and(Exit::SomeOpen);
        }
        if self.left > 0 {
            exit = exit.and(Exit::SomeNotSent);
        }
        exit
    }
}
