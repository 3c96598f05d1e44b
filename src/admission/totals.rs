//! What a batch comes to: counts by reason and money by provider, operator and currency, exact.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use crate::domain::{Currency, Money, Order, Reason};

/// Rows of one provider, operator and currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotalLine {
    /// Entry of the configuration.
    pub provider: String,
    /// Operator the row named, else that of the prefix.
    pub operator: Option<String>,
    /// `None`: the catalogue will tell.
    pub currency: Option<Currency>,
    /// Rows.
    pub rows: u64,
    /// Data rows among them with neither a price nor a ceiling.
    pub unpriced: u64,
    /// Sum of prices and amounts in major units; unpriced rows add nothing.
    pub sum: Decimal,
}

/// A batch that is worth more than its cap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch is worth {sum} {currency}, the cap max_batch is {cap} {currency}")]
pub struct OverBatch {
    /// Currency.
    pub currency: Currency,
    /// What the valid rows come to.
    pub sum: Decimal,
    /// The cap.
    pub cap: Decimal,
}

/// What a batch comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows judged: `ready` and those of `invalid`.
    pub rows: u64,
    /// Rows that can be sent.
    pub ready: u64,
    /// Rows among the ready that were repaired.
    pub repaired: u64,
    /// Rows among the ready that carry a warning.
    pub warned: u64,
    /// Rows among the ready that name no operator: the one shown for them is that of the prefix, a hint.
    pub hinted: u64,
    /// Rows that cannot be sent, by reason.
    pub invalid: BTreeMap<Reason, u64>,
    /// Money of the ready rows, in the order first met.
    pub lines: Vec<TotalLine>,
}

impl Totals {
    /// Rows that cannot be sent.
    pub fn invalid_rows(&self) -> u64 {
        self.invalid.values().sum()
    }

    /// Sum of the ready rows in each known currency.
    pub fn by_currency(&self) -> BTreeMap<Currency, Decimal> {
        let mut sums = BTreeMap::new();
        for line in &self.lines {
            if let Some(currency) = line.currency {
                *sums.entry(currency).or_insert(Decimal::ZERO) += line.sum;
            }
        }
        sums
    }

    /// Caps of the whole batch that it exceeds.
    pub fn over(&self, max_batch: &HashMap<Currency, Decimal>) -> Vec<OverBatch> {
        let over = self.by_currency().into_iter().filter_map(|(currency, sum)| {
            let cap = *max_batch.get(&currency)?;
            (sum > cap).then_some(OverBatch { currency, sum, cap })
        });
        over.collect()
    }

    /// Counts a row: an order with its price where one is known, or why it is none.
    pub fn count(&mut self, verdict: Result<(&Order, Option<Money>), Reason>, repaired: bool, warned: bool) {
        self.rows += 1;
        match verdict {
            Ok((order, price)) => {
                self.ready += 1;
                self.repaired += u64::from(repaired);
                self.warned += u64::from(warned);
                self.add(order, price);
            }
            Err(reason) => *self.invalid.entry(reason).or_insert(0) += 1,
        }
    }

    /// Adds an order: at its price where one is known, else at its amount.
    fn add(&mut self, order: &Order, price: Option<Money>) {
        let operator = order.operator.as_deref().or(order.operator_hint.as_deref());
        self.hinted += u64::from(order.operator.is_none() && operator.is_some());
        let amount = price.map(|price| price.amount).or(order.amount).unwrap_or_default();
        let currency = price.map(|price| price.currency).or(order.currency);
        let unpriced = u64::from(price.is_none() && order.amount.is_none());
        let same = |line: &&mut TotalLine| {
            line.operator.as_deref() == operator
                && line.currency == currency
                && line.provider == order.provider
        };
        if let Some(line) = self.lines.iter_mut().find(same) {
            line.rows += 1;
            line.unpriced += unpriced;
            line.sum += amount;
            return;
        }
        self.lines.push(TotalLine {
            provider: order.provider.clone(),
            operator: operator.map(str::to_owned),
            currency,
            rows: 1,
            unpriced,
            sum: amount,
        });
    }
}
