//! What rows are judged by: the configuration as values, and the providers' rules as functions.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::domain::{AccountId, Country, Currency, Order, ProviderKind, Refusal};

/// One provider entry of the configuration.
#[derive(Clone, Debug)]
pub struct ProviderRule {
    /// Its name.
    pub name: String,
    /// The account rows are bound to.
    pub account: AccountId,
    /// Countries it serves.
    pub countries: Vec<Country>,
    /// Currency it sells in, where that is known beyond what its kind tells.
    pub sells: Option<Currency>,
}

impl ProviderRule {
    /// Currency of an amount for a number of this country; `None` until the catalogue tells.
    pub(super) fn currency(&self, country: Country) -> Option<Currency> {
        let by_kind = match self.account.kind {
            ProviderKind::ConnectTopup => Some(Currency::VND),
            ProviderKind::Paynicorn if country == Country::NG => Some(Currency::NGN),
            ProviderKind::Paynicorn | ProviderKind::Tutom => None,
        };
        self.sells.or(by_kind)
    }
}

/// Caps of the configuration, in major units by currency.
#[derive(Clone, Debug, Default)]
pub struct Caps {
    /// Most a row may be worth.
    pub max_row: HashMap<Currency, Decimal>,
    /// Most one number may get in a batch.
    pub max_number: HashMap<Currency, Decimal>,
    /// Most a batch may be worth; over it the whole batch is refused.
    pub max_batch: HashMap<Currency, Decimal>,
}

/// What rows are judged by.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Provider entries, in the order of the configuration.
    pub providers: Vec<ProviderRule>,
    /// Country of numbers that name none.
    pub default_country: Option<Country>,
    /// The sign that marks thousands in amounts, if the user says there is one.
    pub thousands: Option<char>,
    /// Caps.
    pub caps: Caps,
    /// Equal rows are different orders.
    pub allow_duplicates: bool,
    /// An operator's name as a provider of this kind spells it, for a number of this country; `None`: it
    /// does not know that operator.
    pub operator_code: fn(ProviderKind, Country, &str) -> Option<String>,
    /// What the provider's document forbids, as far as it can be told without asking.
    pub judge_offline: fn(&Order) -> Result<(), Refusal>,
}
