//! What a row asks for and what a provider charged, in the same terms.

use rust_decimal::Decimal;

use crate::evidence::{Line, Table, decimal};

/// What a row of the input asks for, in the provider's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: &'static str,
    /// The number without country code and without a leading 0.
    pub(super) number: String,
    pub(super) code: &'static str,
    pub(super) amount: Option<Decimal>,
    pub(super) products: Vec<String>,
}

/// One charge of the log, with its end.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) provider: String,
    pub(super) id: String,
    pub(super) number: String,
    pub(super) amount: Option<Decimal>,
    pub(super) product: String,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not settled; whether it will be completed.
    Open(bool),
    Completed,
    Refunded,
}

impl Charge {
    pub(super) fn spent(&self) -> bool {
        matches!(self.state, State::Completed | State::Open(true))
    }
}

/// The charges of a log, each with its end.
pub(super) fn charges(log: &[Line]) -> Vec<Charge> {
    let mut charges: Vec<(String, Charge)> = Vec::new();
    for line in log {
        let known = charges.iter().position(|(reference, charge)| {
            *reference == line.reference && charge.provider == line.provider && !reference.is_empty()
        });
        match (line.event.as_str(), known) {
            ("charge", _) => {
                let charge = Charge {
                    provider: line.provider.clone(),
                    id: line.id.clone(),
                    number: bare_number(&line.provider, &line.phone),
                    amount: decimal(&line.amount),
                    product: if line.provider == "tutom" { line.product.clone() } else { String::new() },
                    state: State::Open(line.settles_as.as_deref() == Some("complete")),
                };
                charges.push((line.reference.clone(), charge));
            }
            ("complete", Some(place)) => charges[place].1.state = State::Completed,
            ("fail", Some(place)) => charges[place].1.state = State::Refunded,
            _ => {}
        }
    }
    charges.into_iter().map(|(_, charge)| charge).collect()
}

/// Provider entries of the tests, by their names.
pub fn kind_of(provider: &str) -> &'static str {
    match provider {
        "vietnam" => "connect-topup",
        "nigeria" => "paynicorn",
        "china" => "tutom",
        _ => "",
    }
}

fn bare_number(kind: &str, phone: &str) -> String {
    if kind == "tutom" { phone.to_owned() } else { phone.strip_prefix('0').unwrap_or(phone).to_owned() }
}

/// Reads a row of the input; none where it names no number that could be sold to.
pub(super) fn wanted(input: &Table, row: usize) -> Option<Wanted> {
    let digits: String = input.cell(row, "phone").chars().filter(char::is_ascii_digit).collect();
    let country = input.cell(row, "country");
    let (kind, code, length) = match country {
        "CN" => ("tutom", "86", 11),
        "NG" => ("paynicorn", "234", 10),
        _ => ("connect-topup", "84", 9),
    };
    let international = digits.len() == code.len() + length && digits.starts_with(code);
    let national = if international { &digits[code.len()..] } else { digits.as_str() };
    let number = bare_number(kind, national);
    let products: &[&str] = match input.cell(row, "product") {
        "6GB" => &["23"],
        "11GB" => &["24"],
        "1GB" => &["11", "32", "41"],
        named => &[named],
    };
    let products = products.iter().map(|product| (*product).to_owned()).collect();
    let amount = decimal(input.cell(row, "amount"));
    (number.len() == length).then_some(Wanted { kind, number, code, amount, products })
}
