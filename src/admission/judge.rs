//! The judge: one row in, an order or one named problem out. It remembers what earlier rows of the batch
//! were, for duplicates and caps, and nothing else.

use std::sync::Arc;

use super::key::Key;
use super::reader::{Cells, ReadRow, RowReader, column_of};
use super::seen::{NewFile, Seen, Sought, Stale};
use super::sums::Sums;
use super::{Judged, OverBatch, Policy, Problem, Totals};
use crate::domain::{Money, Order, Reason, Refusal};
use crate::intake::{Column, Columns, RawRow};
use crate::numbering::{PhonePlan, PlanError};

/// Judges the rows of one batch, in order.
pub struct Judge {
    reader: RowReader,
    memory: Memory,
}

impl Judge {
    /// A judge with the tables that come with the program.
    ///
    /// # Errors
    /// [`PlanError`] when a table is damaged.
    pub fn new(policy: Policy) -> Result<Self, PlanError> {
        Ok(Self::with_plan(policy, PhonePlan::load()?))
    }

    /// A judge with the user's tables.
    pub fn with_plan(policy: Policy, plan: PhonePlan) -> Self {
        let policy = Arc::new(policy);
        Self { reader: RowReader::new(plan, Arc::clone(&policy)), memory: Memory::new(policy) }
    }

    /// Lets what must be remembered of a large file go to files that this makes (unnamed temporary ones);
    /// without it all is kept in memory, 40 bytes and more a row.
    #[must_use]
    pub fn spill_to(mut self, new_file: NewFile) -> Self {
        self.memory.seen.spill_to(new_file);
        self.memory.numbers.spill_to(new_file);
        self
    }

    /// What the rows judged so far come to.
    pub fn totals(&self) -> &Totals {
        self.memory.totals()
    }

    /// Caps of the whole batch that the rows judged so far exceed.
    pub fn over_batch(&self) -> Vec<OverBatch> {
        self.memory.totals.over(&self.memory.policy.caps.max_batch)
    }

    /// Takes an order as given that stands already: equal rows after it are duplicates, and it counts for the
    /// cap of its number.
    pub fn remember(&mut self, order: &Order) {
        self.memory.remember(order);
    }

    /// Judges a row by itself and the rows before it.
    pub fn row(&mut self, columns: &Columns, row: &RawRow) -> Judged {
        self.row_asking(columns, row, &mut |_| Ok(None))
    }

    /// Judges a row; a row that is good so far is put to `ask` too, which knows catalogues and other batches
    /// and may tell the price of data.
    pub fn row_asking(
        &mut self,
        columns: &Columns,
        row: &RawRow,
        ask: &mut dyn FnMut(&Order) -> Result<Option<Money>, Refusal>,
    ) -> Judged {
        let mut read = ReadRow::default();
        self.reader.read(columns, row, &mut read);
        self.memory.decide(columns, row, &mut read, ask);
        read.into_judged()
    }

    /// Its two halves: what tells of a row by itself, and what tells of it beside the rows before. Every row goes
    /// through the one and then, in the order of the file, through the other.
    pub fn halves(self) -> (RowReader, Memory) {
        (self.reader, self.memory)
    }
}

/// What earlier rows of the batch were.
pub struct Memory {
    policy: Arc<Policy>,
    seen: Seen,
    /// Money by number, where a cap asks for it.
    numbers: Sums,
    totals: Totals,
}

impl Memory {
    fn new(policy: Arc<Policy>) -> Self {
        Self { policy, seen: Seen::default(), numbers: Sums::default(), totals: Totals::default() }
    }

    /// What the rows judged so far come to.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    fn remember(&mut self, order: &Order) {
        if !self.policy.allow_duplicates {
            let place = self.policy.providers.iter().position(|rule| rule.name == order.provider);
            let bare = Key::of(order, place);
            let reference = order.reference.as_deref().map(|reference| (reference, bare.tag(reference)));
            if let Ok(fresh) = self.seen.look(&Sought { bare, reference, row: order.row }) {
                self.seen.keep(&fresh);
            }
        }
        if let (Some(amount), Some(currency)) = (order.amount, order.currency)
            && self.policy.caps.max_number.contains_key(&currency)
            && let Ok(sum) = self.numbers.get(order, currency)
        {
            // A sum that cannot be kept is told as such when the next row comes.
            let _told_then = self.numbers.set(order, currency, sum + amount);
        }
    }

    /// Prepares for rows that [`Memory::decide`] gets next: what it remembers of a large file lies far apart, and
    /// is fetched faster for many rows at once. Changes nothing.
    pub fn expect<'r>(&self, rows: impl Iterator<Item = &'r ReadRow>) {
        let touched = rows.fold(0, |sum, read| sum ^ self.seen.touch(read.key));
        std::hint::black_box(touched);
    }

    /// Judges a row that was read beside the rows before it, and counts it. A row that is good so far is put to
    /// `ask` too, as in [`Judge::row_asking`].
    pub fn decide(
        &mut self,
        columns: &Columns,
        row: &RawRow,
        read: &mut ReadRow,
        ask: &mut dyn FnMut(&Order) -> Result<Option<Money>, Refusal>,
    ) {
        let ReadRow { judged, key, tag } = read;
        if let Ok(order) = &judged.verdict {
            match self.check(&Cells { columns, row }, order, (*key, *tag), ask) {
                Ok(price) => judged.price = price,
                Err(problem) => judged.verdict = Err(problem),
            }
        }
        let counted =
            judged.verdict.as_ref().map(|order| (order, judged.price)).map_err(|problem| problem.reason);
        self.totals.count(counted, !judged.repairs.is_empty(), !judged.warnings.is_empty());
    }

    fn check(
        &mut self,
        cells: &Cells<'_>,
        order: &Order,
        (bare, tag): (Key, Option<u64>),
        ask: &mut dyn FnMut(&Order) -> Result<Option<Money>, Refusal>,
    ) -> Result<Option<Money>, Problem> {
        let price = ask(order)
            .map_err(|refusal| cells.problem(column_of(refusal.reason), refusal.reason, refusal.message))?;
        let worth =
            price.or(order.amount.zip(order.currency).map(|(amount, currency)| Money { amount, currency }));
        self.check_row_cap(cells, worth)?;
        if self.policy.allow_duplicates {
            self.check_number_cap(cells, order, worth)?;
            return Ok(price);
        }
        let sought = Sought { bare, reference: order.reference.as_deref().zip(tag), row: order.row };
        let fresh = self.seen.look(&sought).map_err(|stale| {
            let message = match stale {
                Stale::Repeats(first) => format!(
                    "row {first} is the same order; give both a different reference if it is meant twice"
                ),
                Stale::CannotTell(error) => {
                    format!("it cannot be told whether an earlier row is the same order ({error}); run again")
                }
            };
            cells.problem(Column::Phone, Reason::DuplicateRow, message)
        })?;
        self.check_number_cap(cells, order, worth)?;
        self.seen.keep(&fresh);
        Ok(price)
    }

    fn check_row_cap(&self, cells: &Cells<'_>, worth: Option<Money>) -> Result<(), Problem> {
        let Some(Money { amount, currency }) = worth else { return Ok(()) };
        match self.policy.caps.max_row.get(&currency) {
            Some(cap) if amount > *cap => {
                let message = format!("the amount is over the cap of a row, max_row = {cap} {currency}");
                Err(cells.problem(Column::Amount, Reason::OverCap, message))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_number_cap(
        &mut self,
        cells: &Cells<'_>,
        order: &Order,
        worth: Option<Money>,
    ) -> Result<(), Problem> {
        let Some(Money { amount, currency }) = worth else { return Ok(()) };
        let Some(cap) = self.policy.caps.max_number.get(&currency) else { return Ok(()) };
        let unknown = |error: std::io::Error| {
            let message =
                format!("it cannot be told what the number gets in the rows before ({error}); run again");
            cells.problem(Column::Amount, Reason::OverCap, message)
        };
        let sum = self.numbers.get(order, currency).map_err(unknown)? + amount;
        if sum > *cap {
            let message = format!(
                "with the rows before, the number would get over the cap of a number, max_number = {cap} {currency}"
            );
            return Err(cells.problem(Column::Amount, Reason::OverCap, message));
        }
        self.numbers.set(order, currency, sum).map_err(unknown)
    }
}
