//! Sums, courses and lists of a batch, gathered row by row. Memory grows with providers, operators and
//! denominations up to a bound, never with rows.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::capped::Capped;
use super::chronicle::{Chronicle, Decision};
use super::rowline::{RowLine, RowLiner};
use super::spans::Spans;
use super::timeline::Timeline;
use crate::domain::{Currency, Money, Next, Reason, Status, WallTime};
use crate::lifecycle::{Event, Phase, ResolvedAs, StoredRow};
use crate::report::effective::{RunView, effective};
use crate::report::totals::{Counts, SumTooLarge, Total, Totals};

/// Rows that each table of the page shows; the results file has them all.
pub(super) const ROWS_SHOWN: usize = 200;

/// Rows that were not sent: mostly they differ in nothing but their number.
pub(super) const UNSENT_SHOWN: usize = 50;

/// Pairs of provider and operator that are told apart; the operators of further ones are added up.
const GROUPS_MAX: usize = 60;

/// Amounts that are told apart; further ones are added up.
const AMOUNTS_MAX: usize = 500;

/// Rows charged at another amount than asked that are listed.
const CHARGES_SHOWN: usize = 50;

/// Decisions about rows that are listed.
const DECISIONS_SHOWN: usize = 200;

/// What stands for the operators that are not told apart.
pub(super) const OTHERS: &str = "further operators";

/// One event of a row, with the status before and after it.
#[derive(Clone, Debug)]
pub struct RowStep {
    /// When it was recorded.
    pub at: WallTime,
    /// Before it.
    pub from: Status,
    /// After it.
    pub to: Status,
    /// What happened.
    pub event: Event,
}

/// Rows of one provider and operator.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) counts: Counts,
    pub(super) spans: Spans,
}

/// Rows of one amount.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amounts {
    pub(super) rows: u64,
    pub(super) succeeded: u64,
    pub(super) sum: Decimal,
}

/// What providers told they charged, in one currency.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Charged {
    pub(super) rows: u64,
    pub(super) charged: Decimal,
    /// Of these rows, what was asked, where it was asked in this currency.
    pub(super) asked: Decimal,
    /// Rows asked in another currency, or in none that is known.
    pub(super) elsewhere: u64,
}

/// A row charged at another amount than asked.
#[derive(Clone, Debug)]
pub(super) struct ChargeLine {
    pub(super) row: u64,
    pub(super) asked: String,
    pub(super) charged: Money,
}

/// Everything that the page tells of the rows.
#[derive(Debug)]
pub struct Gatherer {
    liner: RowLiner,
    run: RunView,
    totals: Totals,
    /// Rows per status.
    pub counts: Counts,
    /// Rows by status, reason and next step.
    pub reasons: BTreeMap<(Status, Option<Reason>, Next), u64>,
    /// What the providers say they charged for rows that succeeded, by currency.
    pub charged: BTreeMap<Currency, Decimal>,
    /// Rows whose final state a later answer contradicts.
    pub conflicts: u64,
    /// Of them those that count as failed: that nothing was charged for them is not proved any more.
    pub(super) failed_in_doubt: u64,
    /// Valid rows that were not sent and still could be.
    pub left: u64,
    pub(super) unpriced: u64,
    pub(super) submits: u64,
    pub(super) groups: BTreeMap<(String, String), Group>,
    pub(super) spans: Spans,
    pub(super) closed_by_people: u64,
    pub(super) amounts: BTreeMap<(Option<Currency>, Decimal), Amounts>,
    pub(super) amounts_beyond: u64,
    pub(super) charges: BTreeMap<Currency, Charged>,
    pub(super) charge_differences: Capped<ChargeLine>,
    pub(super) failed: Capped<RowLine>,
    pub(super) open: Capped<RowLine>,
    pub(super) invalid: Capped<RowLine>,
    pub(super) not_sent: Capped<RowLine>,
    pub(super) contradicted: Capped<RowLine>,
    pub(super) oddities: Capped<RowLine>,
    pub(super) decisions: Capped<Decision>,
    pub(super) released: u64,
    pub(super) rejudged: u64,
    pub(super) timeline: Timeline,
}

impl Gatherer {
    /// Begins. `header` is the file's, `run` what the last run says about rows it did not reach, `chronicle` when
    /// somebody worked on the batch.
    pub fn new(header: &[String], run: RunView, chronicle: &Chronicle, show_phones: bool) -> Self {
        let list = || Capped::new(ROWS_SHOWN);
        Self {
            liner: RowLiner::new(header, show_phones),
            run,
            totals: Totals::default(),
            counts: Counts::default(),
            reasons: BTreeMap::new(),
            charged: BTreeMap::new(),
            conflicts: 0,
            failed_in_doubt: 0,
            left: 0,
            unpriced: 0,
            submits: 0,
            groups: BTreeMap::new(),
            spans: Spans::default(),
            closed_by_people: 0,
            amounts: BTreeMap::new(),
            amounts_beyond: 0,
            charges: BTreeMap::new(),
            charge_differences: Capped::new(CHARGES_SHOWN),
            failed: list(),
            open: list(),
            invalid: list(),
            not_sent: Capped::new(UNSENT_SHOWN),
            contradicted: list(),
            oddities: list(),
            decisions: Capped::new(DECISIONS_SHOWN),
            released: 0,
            rejudged: 0,
            timeline: Timeline::new(&chronicle.stretches),
        }
    }

    /// Adds one row with everything that happened to it, oldest first.
    ///
    /// # Errors
    /// [`SumTooLarge`].
    pub fn add(&mut self, row: &StoredRow, steps: &[RowStep]) -> Result<(), SumTooLarge> {
        let status = row.state.status();
        let shown = effective(row, &self.run);
        self.counts.add(status, 1);
        *self.reasons.entry((status, shown.reason, shown.next)).or_insert(0) += 1;
        self.conflicts += u64::from(row.state.contradicted);
        self.failed_in_doubt += u64::from(row.state.contradicted && status == Status::Failed);
        self.left += u64::from(row.state.phase == Phase::Ready && !self.run.cancelled);
        self.submits = self.submits.saturating_add(u64::from(row.state.submits));
        self.totals.add(row)?;
        self.list(row, status);
        self.course(row, steps);
        if status == Status::Invalid {
            return Ok(());
        }
        self.group(row, status);
        self.amount(row, status)?;
        self.charge(row, status)
    }

    /// Exact sums by provider and currency.
    pub fn sums(&self) -> Vec<Total> {
        self.totals.clone().finish()
    }

    fn list(&mut self, row: &StoredRow, status: Status) {
        let list = match status {
            Status::Failed => Some(&mut self.failed),
            Status::Pending | Status::Unknown => Some(&mut self.open),
            Status::Invalid => Some(&mut self.invalid),
            Status::NotSent => Some(&mut self.not_sent),
            Status::Succeeded => None,
        };
        let (liner, run) = (&self.liner, &self.run);
        if let Some(list) = list {
            list.add(|| liner.line(row, run));
        }
        if row.state.contradicted {
            self.contradicted.add(|| liner.line(row, run));
        }
        if liner.is_odd(row) {
            self.oddities.add(|| liner.oddity(row, run));
        }
    }

    fn course(&mut self, row: &StoredRow, steps: &[RowStep]) {
        let provider = row.order.as_ref().map(|order| order.provider.as_str()).unwrap_or_default();
        let mut intended = None;
        for RowStep { at, from, to, event } in steps {
            if from != to {
                self.timeline.moved(*at, *from, *to);
            }
            match event {
                Event::Intent(intent) => intended = Some(intent.at.wall),
                Event::Answered { sent_at, .. } | Event::NoAnswer { sent_at, .. } => {
                    self.timeline.sent(*sent_at, provider);
                }
                Event::Interrupted { .. } => {
                    if let Some(at) = intended.take() {
                        self.timeline.sent(at, provider);
                    }
                }
                Event::Resolved { decision, note, user } => {
                    let what = match decision {
                        ResolvedAs::Succeeded => "resolved as succeeded",
                        ResolvedAs::Failed => "resolved as failed",
                    };
                    let (what, row) = (what.to_owned(), Some(row.row));
                    let (note, user) = (note.clone(), user.clone());
                    self.decisions.add(|| Decision { at: *at, what, row, note, user });
                }
                Event::Released => self.released += 1,
                Event::Readmitted { .. } | Event::Rejudged { .. } => self.rejudged += 1,
                Event::NotSent { .. }
                | Event::LookedUp { .. }
                | Event::NotFound { .. }
                | Event::GraceRestarted { .. }
                | Event::SeriesEnded
                | Event::GaveUp
                | Event::Judged { .. }
                | Event::Held { .. }
                | Event::Cancelled { .. }
                | Event::Contradicted { .. } => {}
            }
        }
    }

    fn group(&mut self, row: &StoredRow, status: Status) {
        let order = row.order.as_ref();
        let provider = order.map(|order| order.provider.clone()).unwrap_or_default();
        let named = row.state.operator.as_ref().or(order.and_then(|o| o.operator.as_ref()));
        let operator = named.or(order.and_then(|o| o.operator_hint.as_ref())).cloned().unwrap_or_default();
        let mut key = (provider, operator);
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&key) {
            key.1 = OTHERS.to_owned();
        }
        let group = self.groups.entry(key).or_default();
        group.counts.add(status, 1);
        let (Status::Succeeded | Status::Failed, Some(submitted), Some(last)) =
            (status, row.state.submitted_at, row.state.final_at)
        else {
            return;
        };
        if row.state.reason == Some(Reason::Resolved) {
            self.closed_by_people += 1;
        } else {
            group.spans.add(last.since(submitted));
            self.spans.add(last.since(submitted));
        }
    }

    fn amount(&mut self, row: &StoredRow, status: Status) -> Result<(), SumTooLarge> {
        let Some((amount, currency)) = row.asked() else {
            self.unpriced += 1;
            return Ok(());
        };
        let key = (currency, amount.normalize());
        if self.amounts.len() >= AMOUNTS_MAX && !self.amounts.contains_key(&key) {
            self.amounts_beyond += 1;
            return Ok(());
        }
        let amounts = self.amounts.entry(key).or_default();
        amounts.rows += 1;
        amounts.succeeded += u64::from(status == Status::Succeeded);
        amounts.sum = amounts.sum.checked_add(amount).ok_or(SumTooLarge)?;
        Ok(())
    }

    fn charge(&mut self, row: &StoredRow, status: Status) -> Result<(), SumTooLarge> {
        let Some(cost) = row.state.cost.filter(|_| status == Status::Succeeded) else { return Ok(()) };
        let add = |sum: &mut Decimal, amount: Decimal| {
            *sum = sum.checked_add(amount).ok_or(SumTooLarge)?;
            Ok(())
        };
        add(self.charged.entry(cost.currency).or_default(), cost.amount)?;
        let charged = self.charges.entry(cost.currency).or_default();
        charged.rows += 1;
        add(&mut charged.charged, cost.amount)?;
        let asked = row.asked();
        match asked {
            Some((amount, Some(currency))) if currency == cost.currency => {
                add(&mut charged.asked, amount)?;
                if amount == cost.amount {
                    return Ok(());
                }
            }
            Some(_) | None => charged.elsewhere += 1,
        }
        self.charge_differences.add(|| ChargeLine {
            row: row.row.0,
            asked: asked.map_or_else(
                || "no price known".to_owned(),
                |(amount, currency)| {
                    let currency = currency.map_or_else(String::new, |c| format!(" {c}"));
                    format!("{}{currency}", crate::report::text::amount(amount))
                },
            ),
            charged: cost,
        });
        Ok(())
    }
}
