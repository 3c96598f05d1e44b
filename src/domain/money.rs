//! Exact money: a decimal and its currency. Never a float.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};

use super::text::from_text;

/// Why a text is no currency or no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("{0:?} is not an ISO 4217 currency code")]
    Currency(String),
    /// Not a plain decimal number.
    #[error("{0:?} is not a plain decimal number")]
    Amount(String),
}

/// An ISO 4217 currency, by its three letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Vietnamese dong: no minor unit in use.
    pub const VND: Self = Self(*b"VND");
    /// Nigerian naira.
    pub const NGN: Self = Self(*b"NGN");

    /// Reads a code such as `VND`; case does not matter.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] when ISO 4217 knows no such code.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        // As our own records write the common ones.
        if let "VND" | "NGN" | "CNY" | "USD" = text
            && let Ok(code) = text.as_bytes().try_into()
        {
            return Ok(Self(code));
        }
        let upper = text.trim().to_ascii_uppercase();
        let known = iso_currency::Currency::from_code(&upper);
        match (known, <[u8; 3]>::try_from(upper.as_bytes())) {
            (Some(_), Ok(code)) => Ok(Self(code)),
            _ => Err(MoneyError::Currency(text.to_owned())),
        }
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Decimal places of the minor unit: 0 for VND, 2 for NGN.
    pub fn places(self) -> u32 {
        iso_currency::Currency::from_code(self.code()).and_then(|c| c.exponent()).map_or(2, u32::from)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from_text(from, Self::parse)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.code())
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// An exact amount in major units of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Major units.
    pub amount: Decimal,
    /// Its currency.
    pub currency: Currency,
}

impl Money {
    /// Reads a plain decimal (`46.0000`) with a currency code, as providers write prices.
    ///
    /// # Errors
    /// [`MoneyError`] naming the text that is wrong. Exponents, separators and signs are refused.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, MoneyError> {
        Ok(Self { amount: parse_decimal(amount)?, currency: Currency::parse(currency)? })
    }
}

/// Reads unsigned plain digits with at most one dot.
fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let digits = text.bytes().any(|b| b.is_ascii_digit());
    let wrong = || MoneyError::Amount(text.to_owned());
    if !plain || !digits || text.len() > 28 {
        return Err(wrong());
    }
    Decimal::from_str(text).map_err(|_| wrong())
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.amount.normalize(), self.currency)
    }
}

/// Digits in groups of three: `1234567.5` is `1,234,567.5`.
pub fn grouped(plain: &str) -> String {
    let (whole, rest) = plain.split_once('.').map_or((plain, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(rest) = rest {
        text.push('.');
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_know_their_places() {
        assert_eq!(Currency::parse("vnd").unwrap().places(), 0);
        assert_eq!(Currency::parse("NGN").unwrap().places(), 2);
        assert!(Currency::parse("ZZZ").is_err());
    }

    #[test]
    fn money_is_exact_and_refuses_exponents() {
        assert_eq!(Money::parse("46.0000", "USD").unwrap().to_string(), "46 USD");
        for wrong in ["1e3", "-1", "", ".", "1,000", "0x10"] {
            assert!(Money::parse(wrong, "USD").is_err(), "{wrong}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        for (plain, shown) in
            [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.50", "-1,234,567.50")]
        {
            assert_eq!(grouped(plain), shown);
        }
    }
}
