//! What a results row says of a row, borrowed from where the row is held: in memory, or as the ledger stores it. The
//! stored form is read without the parts that no results row tells.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};

use crate::domain::{Currency, Goods, Money, Order, PhoneNumber, Reason, RowNumber, WallTime};
use crate::lifecycle::{Phase, StoredRow, TopUp, asked};

/// A text, borrowed wherever it stands without escapes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Words<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl Words<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Words<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// What a results row says of an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OrderWords<'a> {
    /// Name of the provider entry.
    #[serde(borrow)]
    pub provider: Words<'a>,
    /// Who gets it.
    pub phone: PhoneNumber,
    /// Airtime, else data.
    #[serde(rename = "goods", deserialize_with = "is_airtime")]
    pub airtime: bool,
    /// Major units, as in [`Order`].
    pub amount: Option<Decimal>,
    /// Currency of the amount, where it is known.
    pub currency: Option<Currency>,
    /// The operator the row named.
    #[serde(borrow)]
    pub operator: Option<Words<'a>>,
    /// The operator that the number's prefix hints at.
    #[serde(borrow)]
    pub operator_hint: Option<Words<'a>>,
}

fn is_airtime<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Goods::deserialize(from).map(|goods| goods == Goods::Airtime)
}

impl<'a> OrderWords<'a> {
    fn of(order: &'a Order) -> Self {
        Self {
            provider: order.provider.as_str().into(),
            phone: order.phone.clone(),
            airtime: order.goods == Goods::Airtime,
            amount: order.amount,
            currency: order.currency,
            operator: order.operator.as_deref().map(Words::from),
            operator_hint: order.operator_hint.as_deref().map(Words::from),
        }
    }
}

/// What a results row says of where a top-up stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StateWords<'a> {
    /// Where it stands.
    pub phase: Phase,
    /// Our id of the current attempt.
    #[serde(borrow, default)]
    pub id: Option<Words<'a>>,
    /// Submits of this row.
    #[serde(default)]
    pub submits: u32,
    /// Why it stands here.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// One sentence for a person.
    #[serde(borrow, default)]
    pub message: Cow<'a, str>,
    /// The provider's last code.
    #[serde(borrow, default)]
    pub code: Option<Words<'a>>,
    /// The provider's id of the current attempt.
    #[serde(borrow, default)]
    pub provider_ref: Option<Words<'a>>,
    /// What the provider says it charged.
    #[serde(default)]
    pub cost: Option<Money>,
    /// What the last intent asked for.
    #[serde(default)]
    pub price: Option<Money>,
    /// Operator or gateway the last intent named.
    #[serde(borrow, default)]
    pub operator: Option<Words<'a>>,
    /// Evidence contradicts a final state.
    #[serde(default)]
    pub contradicted: bool,
    /// When the last submit was recorded.
    #[serde(default)]
    pub submitted_at: Option<WallTime>,
    /// When it became final.
    #[serde(default)]
    pub final_at: Option<WallTime>,
}

impl<'a> StateWords<'a> {
    fn of(state: &'a TopUp) -> Self {
        Self {
            phase: state.phase,
            id: state.id.as_ref().map(|id| id.as_str().into()),
            submits: state.submits,
            reason: state.reason,
            message: state.message.as_str().into(),
            code: state.code.as_deref().map(Words::from),
            provider_ref: state.provider_ref.as_ref().map(|id| id.as_str().into()),
            cost: state.cost,
            price: state.price,
            operator: state.operator.as_deref().map(Words::from),
            contradicted: state.contradicted,
            submitted_at: state.submitted_at,
            final_at: state.final_at,
        }
    }
}

/// What a results row says of a row, beside the cells of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowWords<'a> {
    /// Row of the file.
    pub row: RowNumber,
    /// The order; none for a row that could not be read as one.
    pub order: Option<OrderWords<'a>>,
    /// Repairs and warnings.
    pub notes: Cow<'a, [String]>,
    /// Where it stands.
    pub state: StateWords<'a>,
}

impl<'a> RowWords<'a> {
    /// Of a row that is held whole.
    pub fn of(row: &'a StoredRow) -> Self {
        Self {
            row: row.row,
            order: row.order.as_ref().map(OrderWords::of),
            notes: row.notes.as_slice().into(),
            state: StateWords::of(&row.state),
        }
    }

    /// As [`StoredRow::asked`].
    pub(in crate::report) fn asked(&self) -> Option<(Decimal, Option<Currency>)> {
        let order = self.order.as_ref()?;
        asked(order.airtime, order.amount, order.currency, self.state.price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attempt, Boot, Now, ProviderRef, Tick, TransactionId};
    use crate::lifecycle::{NotFoundSeries, PastAttempt};
    use crate::report::sample::{airtime_row, data_row};

    fn read_back(row: &StoredRow) {
        let order = row.order.as_ref().map(|order| serde_json::to_string(order).unwrap());
        let state = serde_json::to_string(&row.state).unwrap();
        let words = RowWords {
            row: row.row,
            order: order.as_deref().map(|order| serde_json::from_str(order).unwrap()),
            notes: row.notes.as_slice().into(),
            state: serde_json::from_str(&state).unwrap(),
        };
        assert_eq!(words, RowWords::of(row));
        assert_eq!(words.asked(), row.asked());
    }

    #[test]
    fn a_stored_row_says_what_the_row_itself_says() {
        let now = Now { tick: Tick(5), wall: WallTime(7), boot: Boot(9) };
        let id = TransactionId::parse("ABCDEFGHIJKLMNOPQRST").unwrap();
        let full = TopUp {
            phase: Phase::Succeeded,
            attempt: Attempt(2),
            id: Some(id.clone()),
            id_spent: true,
            submits: 3,
            reason: Some(Reason::Conflict),
            message: "said \"no\"\tthen \\ yes \u{1F600}".to_owned(),
            code: Some("-3".to_owned()),
            provider_ref: Some(ProviderRef::parse("a\"b\\9007199254740993").unwrap()),
            cost: Some(Money::parse("19400.50", "VND").unwrap()),
            price: Some(Money::parse("46.0000", "CNY").unwrap()),
            operator: Some("China \"Unicom\"".to_owned()),
            product_id: Some("23".to_owned()),
            quiet_since: Some(now),
            not_found: Some(NotFoundSeries { count: 2, last: now }),
            person_only: true,
            taken: true,
            failed_unless_found: true,
            contradicted: true,
            submitted_at: Some(WallTime(1_000_000)),
            final_at: Some(WallTime(2_500_000)),
            past: vec![PastAttempt { id, provider_ref: None }],
        };
        for mut row in [airtime_row(1), data_row(2)] {
            read_back(&row);
            row.state = full.clone();
            row.notes = vec!["a lost zero was put back".to_owned()];
            row.order.as_mut().unwrap().operator_hint = Some("V\\L".to_owned());
            read_back(&row);
            row.order.as_mut().unwrap().amount = None;
            read_back(&row);
            row.order = None;
            read_back(&row);
        }
        for phase in Phase::ALL {
            let mut row = airtime_row(3);
            row.state.phase = phase;
            read_back(&row);
        }
    }
}
