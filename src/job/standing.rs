//! How a batch stands: counts, sums, reasons, and the exit code they call for.

use super::{Exit, Stop};
use crate::domain::{Next, Reason, Status};
use crate::ledger::{BatchInfo, Ledger};
use crate::lifecycle::{Phase, TopUp};
use crate::report::{Counts, ProviderHalt, Totals};

/// Rows by provider entry and status.
pub type ByProvider = std::collections::BTreeMap<(String, Status), u64>;

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
    /// Rows by provider entry and status; invalid ones have no provider.
    pub providers: ByProvider,
}

impl Standing {
    /// Reads every row of a batch once.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn of(ledger: &Ledger, batch: &BatchInfo) -> Result<Self, Stop> {
        let view = ledger.run_view(batch.id)?;
        let mut standing = Self { halts: view.halts.clone(), ..Self::nothing() };
        let mut totals = Totals::default();
        ledger.for_each_row::<Stop>(batch.id, |row| {
            let shown = crate::report::effective(&row, &view);
            let status = row.state.status();
            standing.counts.add(status, 1);
            let provider = row.order.as_ref().map(|order| order.provider.as_str()).unwrap_or_default();
            *standing.providers.entry((provider.to_owned(), status)).or_insert(0) += 1;
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

    /// What the phases of a batch's rows tell, without reading a row: no money, no reasons.
    pub fn by_phase(phases: &[(Phase, u64)], batch: &BatchInfo) -> Self {
        let mut standing = Self::nothing();
        for (phase, rows) in phases {
            let status = phase.status();
            // Nothing of a cancelled batch is sent any more.
            let next = match (TopUp { phase: *phase, ..TopUp::ready() }).next() {
                Next::Retry | Next::Fix if batch.cancelled_at.is_some() => Next::None,
                next @ (Next::None | Next::Retry | Next::Fix | Next::Wait | Next::Ask) => next,
            };
            standing.counts.add(status, *rows);
            *standing.reasons.entry((status, None, next)).or_insert(0) += rows;
            if *phase == Phase::Ready && batch.cancelled_at.is_none() {
                standing.left += rows;
            }
        }
        standing
    }

    fn nothing() -> Self {
        Self {
            counts: Counts::default(),
            totals: Vec::new(),
            halts: Vec::new(),
            reasons: std::collections::BTreeMap::new(),
            charged: std::collections::BTreeMap::new(),
            conflicts: 0,
            left: 0,
            providers: ByProvider::new(),
        }
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
