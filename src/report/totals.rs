//! Counts, sums and the JSON summary (`contract.md` 8). Pure.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::effective::ProviderHalt;
use crate::domain::{Currency, Status};
use crate::lifecycle::StoredRow;

/// Rows per status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Done and charged.
    pub succeeded: u64,
    /// Submitted, proved not charged.
    pub failed: u64,
    /// Never submitted, wrong.
    pub invalid: u64,
    /// The provider is working on them.
    pub pending: u64,
    /// Money may have moved.
    pub unknown: u64,
    /// Valid, not taken by anybody.
    pub not_sent: u64,
}

impl Counts {
    /// Adds rows of one status.
    pub fn add(&mut self, status: Status, rows: u64) {
        let count = match status {
            Status::Succeeded => &mut self.succeeded,
            Status::Failed => &mut self.failed,
            Status::Invalid => &mut self.invalid,
            Status::Pending => &mut self.pending,
            Status::Unknown => &mut self.unknown,
            Status::NotSent => &mut self.not_sent,
        };
        *count = count.saturating_add(rows);
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        let Self { succeeded, failed, invalid, pending, unknown, not_sent } = *self;
        [succeeded, failed, invalid, pending, unknown, not_sent].iter().sum()
    }

    /// Whether every row is `succeeded`, `failed` or `invalid`.
    pub fn all_finished(&self) -> bool {
        self.pending == 0 && self.unknown == 0 && self.not_sent == 0
    }
}

/// Sums beyond what an exact decimal holds: amounts no provider sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amounts add up to more than an exact decimal holds")]
pub struct SumTooLarge;

/// Exact sums of one provider and currency: `asked` = `succeeded` + `failed` + `open` + `not_sent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Name of the provider entry.
    pub provider: String,
    /// Currency; none for data rows whose price is not known yet.
    pub currency: Option<Currency>,
    /// Of all valid rows.
    #[serde(serialize_with = "plain")]
    pub asked: Decimal,
    /// Of rows that succeeded.
    #[serde(serialize_with = "plain")]
    pub succeeded: Decimal,
    /// Of rows that failed.
    #[serde(serialize_with = "plain")]
    pub failed: Decimal,
    /// Of pending and unknown rows.
    #[serde(serialize_with = "plain")]
    pub open: Decimal,
    /// Of valid rows nobody took.
    #[serde(serialize_with = "plain")]
    pub not_sent: Decimal,
}

fn plain<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&amount.normalize())
}

/// Sums in the making. Grows with providers and currencies, not with rows.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    sums: BTreeMap<(String, Option<Currency>), Total>,
}

impl Totals {
    /// Adds one row. Invalid rows, and data rows with neither a price nor a ceiling, add nothing.
    ///
    /// # Errors
    /// [`SumTooLarge`].
    pub fn add(&mut self, row: &StoredRow) -> Result<(), SumTooLarge> {
        let (Some(order), Some((amount, currency))) = (&row.order, row.asked()) else { return Ok(()) };
        let status = row.state.status();
        if status == Status::Invalid {
            return Ok(());
        }
        let total = self.sums.entry((order.provider.clone(), currency)).or_insert_with(|| Total {
            provider: order.provider.clone(),
            currency,
            asked: Decimal::ZERO,
            succeeded: Decimal::ZERO,
            failed: Decimal::ZERO,
            open: Decimal::ZERO,
            not_sent: Decimal::ZERO,
        });
        let part = match status {
            Status::Succeeded => &mut total.succeeded,
            Status::Failed => &mut total.failed,
            Status::Pending | Status::Unknown => &mut total.open,
            Status::NotSent => &mut total.not_sent,
            Status::Invalid => return Ok(()),
        };
        *part = part.checked_add(amount).ok_or(SumTooLarge)?;
        total.asked = total.asked.checked_add(amount).ok_or(SumTooLarge)?;
        Ok(())
    }

    /// The sums, by provider and currency.
    pub fn finish(self) -> Vec<Total> {
        self.sums.into_values().collect()
    }
}

/// One halt, as the summary shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HaltLine {
    /// Name of the provider entry.
    pub provider: String,
    /// None: the whole provider.
    pub operator: Option<String>,
    /// Stable word.
    pub reason: String,
    /// The provider's code.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}

impl From<&ProviderHalt> for HaltLine {
    fn from(from: &ProviderHalt) -> Self {
        Self {
            provider: from.provider.clone(),
            operator: from.halt.operator.clone(),
            reason: from.halt.reason.to_string(),
            code: from.halt.code.clone(),
            message: from.halt.message.clone(),
        }
    }
}

/// The one object of `--json` and `status BATCH --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    schema: u32,
    /// Batch name.
    pub batch: String,
    /// Rows of the file.
    pub rows: u64,
    /// Exit code.
    pub exit: u8,
    /// Rows per status.
    pub counts: Counts,
    /// Exact sums.
    pub totals: Vec<Total>,
    /// Halts of the last run.
    pub halts: Vec<HaltLine>,
    /// Where the results file is; none when none was written.
    pub results: Option<String>,
}

impl Summary {
    /// Puts the summary together.
    pub fn new(
        batch: &str,
        exit: u8,
        counts: Counts,
        totals: Vec<Total>,
        halts: &[ProviderHalt],
        results: Option<String>,
    ) -> Self {
        Self {
            schema: 1,
            batch: batch.to_owned(),
            rows: counts.rows(),
            exit,
            counts,
            totals,
            halts: halts.iter().map(HaltLine::from).collect(),
            results,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Money, Reason, Refusal, WallTime};
    use crate::lifecycle::{Phase, TopUp};
    use crate::report::sample::{airtime_row, data_row, halt};

    #[test]
    fn asked_is_the_sum_of_its_parts_for_every_phase() {
        let mut totals = Totals::default();
        let mut counts = Counts::default();
        for phase in Phase::ALL {
            let mut row = airtime_row(1);
            row.state.phase = phase;
            totals.add(&row).unwrap();
            counts.add(phase.status(), 1);
        }
        let sums = totals.finish();
        assert_eq!(sums.len(), 1);
        let sum = &sums[0];
        assert_eq!(sum.asked, sum.succeeded + sum.failed + sum.open + sum.not_sent);
        assert_eq!(sum.asked, Decimal::from(9 * 20_000));
        assert_eq!(counts.rows(), 10);
        assert!(!counts.all_finished());
    }

    #[test]
    fn data_counts_at_its_price_and_an_invalid_row_not_at_all() {
        let mut totals = Totals::default();
        let mut row = data_row(1);
        row.state.price = Some(Money::parse("46.10", "CNY").unwrap());
        totals.add(&row).unwrap();
        let refusal = Refusal { reason: Reason::OverCap, message: String::new() };
        row.state = TopUp::invalid(refusal, WallTime(0));
        totals.add(&row).unwrap();
        let sums = totals.finish();
        assert_eq!(sums.len(), 1);
        assert_eq!((sums[0].currency.unwrap().code(), sums[0].asked.to_string().as_str()), ("CNY", "46.10"));
    }

    #[test]
    fn sums_that_no_decimal_holds_are_an_error_not_a_wrong_number() {
        let mut row = airtime_row(1);
        row.order.as_mut().unwrap().amount = Some(Decimal::MAX);
        let mut totals = Totals::default();
        totals.add(&row).unwrap();
        assert_eq!(totals.add(&row), Err(SumTooLarge));
    }

    #[test]
    fn the_summary_has_the_fields_of_the_contract() {
        let mut totals = Totals::default();
        let mut failed = airtime_row(2);
        failed.state.phase = Phase::Failed;
        totals.add(&failed).unwrap();
        let mut counts = Counts::default();
        counts.add(Status::Failed, 1);
        let halts = [halt("vietnam", None, Reason::InsufficientBalance)];
        let results = Some("payroll.results.csv".to_owned());
        let summary = Summary::new("payroll-3f9a2c1d", 3, counts, totals.finish(), &halts, results);
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            r#"{"schema":1,"batch":"payroll-3f9a2c1d","rows":1,"exit":3,"counts":{"succeeded":0,"failed":1,"invalid":0,"pending":0,"unknown":0,"not_sent":0},"totals":[{"provider":"vietnam","currency":"VND","asked":"20000","succeeded":"0","failed":"20000","open":"0","not_sent":"0"}],"halts":[{"provider":"vietnam","operator":null,"reason":"insufficient_balance","code":"-3","message":"halted: insufficient_balance"}],"results":"payroll.results.csv"}"#
        );
    }
}
