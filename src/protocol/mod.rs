//! Floor 1: the three providers' languages. Pure: values become requests, reply bytes become meanings. One
//! folder per provider; its `codes.rs` is the table from answer to meaning, exhaustive, with everything
//! unlisted falling to "unclear".

pub mod connect_topup;
pub mod paynicorn;
pub mod tutom;

use rust_decimal::Decimal;

use crate::domain::{Country, PhoneNumber, ProviderRef, TransactionId};

/// Everything a submit says: the order with what the look-ups before it resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Our id of this attempt.
    pub id: TransactionId,
    /// Who gets it.
    pub phone: PhoneNumber,
    /// Airtime: face value in major units.
    pub amount: Option<Decimal>,
    /// Data: the provider's productid.
    pub product_id: Option<String>,
    /// Operator or gateway to name, as the provider spells it.
    pub operator: Option<String>,
}

/// What a look-up asks for: one earlier submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Our id.
    pub id: TransactionId,
    /// The provider's id, where it gave one.
    pub provider_ref: Option<ProviderRef>,
    /// Whom it was for; an answer that names another number is a conflict.
    pub phone: PhoneNumber,
    /// What it was worth; an answer that names another amount is a conflict.
    pub amount: Option<Decimal>,
}

/// A read-only question that spends nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Balance of our account (CONNECT TOPUP userbalance.jsp).
    Balance,
    /// Everything the provider sells (Tutom List; Paynicorn queryGoods, of one country if named).
    Catalogue(Option<Country>),
    /// What can be bought for a number (Tutom ListByPhone).
    ProductsOf(PhoneNumber),
    /// The operator of a number (Paynicorn queryOperatorCode).
    OperatorOf(PhoneNumber),
}

/// One provider account's language: address, keys, and the settings that change what is said.
#[derive(Clone, Debug)]
pub enum Codec {
    /// Unimobile/Tutom.
    Tutom(tutom::Tutom),
    /// CONNECT TOPUP.
    ConnectTopup(connect_topup::ConnectTopup),
    /// Paynicorn.
    Paynicorn(paynicorn::Paynicorn),
}
