//! Counts and sums of a comparison. They add up: every line and every row stands in exactly one class, and the
//! sums of the classes are the sums of the two sides.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::{Class, Finding};
use crate::domain::Currency;
use crate::report::SumTooLarge;

/// One class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClassLine {
    /// Which.
    pub class: Class,
    /// Rows of the ledger in it.
    pub rows: u64,
    /// Lines of the statement in it.
    pub lines: u64,
}

/// Both sides in one currency; `difference` = `there` - `here`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CurrencyLine {
    /// Currency; none where neither side names one.
    pub currency: Option<Currency>,
    /// Of rows that succeeded.
    #[serde(serialize_with = "plain")]
    pub here: Decimal,
    /// Of the statement's charges, less what was given back; other batches' left out.
    #[serde(serialize_with = "plain")]
    pub there: Decimal,
    /// What is charged beyond what the ledger knows.
    #[serde(serialize_with = "plain")]
    pub difference: Decimal,
}

fn plain<S: Serializer>(amount: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&amount.normalize())
}

/// A comparison in the making. Grows with classes and currencies, not with rows.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    classes: BTreeMap<Class, (u64, u64)>,
    sums: BTreeMap<(Option<Currency>, Class), (Decimal, Decimal)>,
}

impl Tally {
    /// Adds one finding.
    ///
    /// # Errors
    /// [`SumTooLarge`].
    pub fn add(&mut self, finding: &Finding) -> Result<(), SumTooLarge> {
        self.count(finding.class, u64::from(finding.row.is_some()), finding.lines);
        if finding.currency.is_none() && finding.sum_here.is_zero() && finding.sum_there.is_zero() {
            return Ok(());
        }
        let (here, there) = self.sums.entry((finding.currency, finding.class)).or_default();
        *here = here.checked_add(finding.sum_here).ok_or(SumTooLarge)?;
        *there = there.checked_add(finding.sum_there).ok_or(SumTooLarge)?;
        Ok(())
    }

    /// Counts rows and lines of a class that have no part in the sums.
    pub fn count(&mut self, class: Class, rows: u64, lines: u64) {
        let count = self.classes.entry(class).or_default();
        count.0 += rows;
        count.1 += lines;
    }

    /// Every class that occurs, the worst first.
    pub fn classes(&self) -> Vec<ClassLine> {
        self.classes
            .iter()
            .map(|(class, (rows, lines))| ClassLine { class: *class, rows: *rows, lines: *lines })
            .collect()
    }

    /// Rows and lines of all classes.
    pub fn totals(&self) -> (u64, u64) {
        self.classes.values().fold((0, 0), |sum, (rows, lines)| (sum.0 + rows, sum.1 + lines))
    }

    /// What a class comes to, by currency: here and there.
    pub fn sums_of(&self, class: Class) -> impl Iterator<Item = (Option<Currency>, Decimal, Decimal)> + '_ {
        self.sums
            .iter()
            .filter(move |((_, of), _)| *of == class)
            .map(|((currency, _), (here, there))| (*currency, *here, *there))
    }

    /// Both sides, by currency.
    ///
    /// # Errors
    /// [`SumTooLarge`].
    pub fn currencies(&self) -> Result<Vec<CurrencyLine>, SumTooLarge> {
        let mut sides: BTreeMap<Option<Currency>, (Decimal, Decimal)> = BTreeMap::new();
        for ((currency, _), (here, there)) in &self.sums {
            let side = sides.entry(*currency).or_default();
            side.0 = side.0.checked_add(*here).ok_or(SumTooLarge)?;
            side.1 = side.1.checked_add(*there).ok_or(SumTooLarge)?;
        }
        let line = |(currency, (here, there)): (Option<Currency>, (Decimal, Decimal))| {
            let difference = there.checked_sub(here).ok_or(SumTooLarge)?;
            Ok(CurrencyLine { currency, here, there, difference })
        };
        sides.into_iter().map(line).collect()
    }

    /// Whether ledger and statement agree about everything.
    pub fn agrees(&self) -> bool {
        !self.classes.iter().any(|(class, (rows, lines))| class.is_difference() && rows + lines > 0)
    }
}
