//! What a look-up before a submit tells about one row: which question is asked, and what the answer means for
//! the order. Pure, and the same for a run and for a check that sends nothing.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::types::Clearance;
use crate::domain::{AirtimeProduct, Currency, Halt, Money, Order, ProviderKind, Reason, Refusal, Told};
use crate::protocol::{Question, rules};

/// What an answer means for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It can be sent so.
    Cleared(Clearance),
    /// The row is wrong.
    Wrong(Refusal),
    /// An order of the number is under way: ask again later.
    Busy,
    /// The provider would refuse submits.
    Halted(Halt),
    /// No information: ask again later.
    Nothing,
}

/// The question that is asked about an order before its submit.
pub fn question_about(order: &Order) -> Question {
    match order.account.kind {
        ProviderKind::Tutom => Question::ProductsOf(order.phone.clone()),
        ProviderKind::Paynicorn => Question::OperatorOf(order.phone.clone()),
        ProviderKind::ConnectTopup => Question::Balance,
    }
}

/// Judges an order by the answer to [`question_about`] it, the airtime its provider sells, and the caps of a
/// row by currency.
pub fn judge_told(
    order: &Order,
    airtime: &[AirtimeProduct],
    told: Told,
    max_row: &BTreeMap<Currency, Decimal>,
) -> Heard {
    let judged = match told {
        Told::Catalogue(catalogue) => {
            let named = order.operator.as_deref();
            rules::choose_product(&catalogue.data, &order.goods, order.amount, named).map(|product| {
                Clearance {
                    operator: Some(product.operator),
                    product_id: Some(product.id),
                    price: Some(product.price),
                }
            })
        }
        Told::Operator { code, .. } => clear_airtime(order, airtime, code),
        Told::Refused(refusal) => Err(refusal),
        Told::Busy(_) => return Heard::Busy,
        Told::Halted(halt) => return Heard::Halted(halt),
        Told::Balance(_) | Told::Nothing(_) => return Heard::Nothing,
    };
    match judged.and_then(|clearance| within_cap(max_row, clearance)) {
        Ok(clearance) => Heard::Cleared(clearance),
        Err(refusal) => Heard::Wrong(refusal),
    }
}

/// Operator told by the provider, amount against its catalogue.
fn clear_airtime(order: &Order, products: &[AirtimeProduct], code: String) -> Result<Clearance, Refusal> {
    if let Some(named) = order.operator.as_deref().filter(|named| !named.eq_ignore_ascii_case(&code)) {
        return Err(Refusal {
            reason: Reason::UnsupportedOperator,
            message: format!(
                "the row names operator {named}, the provider says {code}; correct or empty the cell"
            ),
        });
    }
    let Some(amount) = order.amount else {
        return Err(Refusal { reason: Reason::BadAmount, message: "the amount is missing".to_owned() });
    };
    let currency = rules::judge_airtime(products, order.phone.country(), Some(&code), amount)?;
    match order.currency.filter(|asked| *asked != currency) {
        Some(asked) => Err(Refusal {
            reason: Reason::Currency,
            message: format!("the amount is meant in {asked}, the provider sells {code} in {currency}"),
        }),
        None => {
            Ok(Clearance { operator: Some(code), product_id: None, price: Some(Money { amount, currency }) })
        }
    }
}

fn within_cap(caps: &BTreeMap<Currency, Decimal>, clearance: Clearance) -> Result<Clearance, Refusal> {
    let over = clearance.price.and_then(|price| {
        caps.get(&price.currency).filter(|cap| price.amount > **cap).map(|cap| (price, *cap))
    });
    match over {
        Some((price, cap)) => Err(Refusal {
            reason: Reason::OverCap,
            message: format!("it costs {price}, limits.max_row is {cap} {}", price.currency),
        }),
        None => Ok(clearance),
    }
}
