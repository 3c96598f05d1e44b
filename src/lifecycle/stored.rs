//! One row as the ledger keeps it.

use rust_decimal::Decimal;

use super::TopUp;
use crate::domain::{Currency, Goods, Money, Order, RowNumber};

/// A row of a batch: what the file said, what it was judged to be, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// Row of the file, counted from 1.
    pub row: RowNumber,
    /// Line of the file it starts on, counted from 1.
    pub line: u64,
    /// Its cells as they stood in the file (or in the corrected file of a `retry`).
    pub cells: Vec<String>,
    /// The order; none for a row that could not be read as one.
    pub order: Option<Order>,
    /// Repairs and warnings a person should see.
    pub notes: Vec<String>,
    /// Where it stands.
    pub state: TopUp,
}

impl StoredRow {
    /// What was asked for, with its currency: face value of airtime; the price of data once it is known, else
    /// the most it may cost. The currency of data is unknown until a catalogue named it.
    pub fn asked(&self) -> Option<(Decimal, Option<Currency>)> {
        let order = self.order.as_ref()?;
        asked(order.goods == Goods::Airtime, order.amount, order.currency, self.state.price)
    }
}

/// What an order of airtime, or of data, asks for: see [`StoredRow::asked`].
pub fn asked(
    airtime: bool,
    amount: Option<Decimal>,
    currency: Option<Currency>,
    price: Option<Money>,
) -> Option<(Decimal, Option<Currency>)> {
    let ordered = amount.map(|amount| (amount, currency.or(price.map(|p| p.currency))));
    let priced = price.map(|Money { amount, currency }| (amount, Some(currency)));
    if airtime { ordered.or(priced) } else { priced.or(ordered) }
}
