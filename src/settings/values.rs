//! The small values of configuration and command line: durations, rates, caps, networks. One reader each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::domain::Currency;

/// Caps by currency, in major units.
pub type Caps = BTreeMap<Currency, Decimal>;

/// At most so many requests in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests, at least one.
    pub count: u32,
    /// Length of the window: a second or a minute.
    pub window: Duration,
}

/// Why a text is none of these values. Each says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a whole number with a unit.
    #[error("{0:?} is not a duration; write a whole number and a unit: 500ms, 30s, 10m, 48h, 3d")]
    Duration(String),
    /// Not `N/s` or `N/m`.
    #[error("{0:?} is not a rate; write 20/s for twenty a second or 300/m for three hundred a minute")]
    Rate(String),
    /// Not a positive plain decimal.
    #[error("{0:?} is not a cap; write a plain decimal above 0 in quotes, such as \"500000\"")]
    Cap(String),
    /// Neither an address nor a network.
    #[error("{0:?} is not a network; write 10.0.0.0/8, 2001:db8::/32 or a single address")]
    Network(String),
}

/// Longest duration that is read: far beyond any use, and safe to add to any clock.
const DAYS_MAX: u64 = 3650;

/// Reads `500ms`, `30s`, `10m`, `48h` or `3d`.
///
/// # Errors
/// [`ValueError::Duration`] for anything else, and above ten years.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let wrong = || ValueError::Duration(text.to_owned());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let total = number.checked_mul(millis).filter(|total| *total <= DAYS_MAX.saturating_mul(86_400_000));
    total.map(Duration::from_millis).ok_or_else(wrong)
}

/// Reads `20/s` or `300/m`.
///
/// # Errors
/// [`ValueError::Rate`] for anything else, zero included.
pub fn parse_rate(text: &str) -> Result<Rate, ValueError> {
    let wrong = || ValueError::Rate(text.to_owned());
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let plain = count.bytes().all(|byte| byte.is_ascii_digit());
    let count: u32 = count.parse().ok().filter(|count| plain && *count > 0).ok_or_else(wrong)?;
    let window = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        _ => return Err(wrong()),
    };
    Ok(Rate { count, window })
}

/// Reads a cap: a plain decimal above zero.
fn parse_cap(text: &str) -> Result<Decimal, ValueError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let cap = Decimal::from_str_exact(text).ok().filter(|cap| plain && *cap > Decimal::ZERO);
    cap.ok_or_else(|| ValueError::Cap(text.to_owned()))
}

/// Reads a network, or a single address as a network of one.
fn parse_network(text: &str) -> Result<IpNet, ValueError> {
    let single = || IpAddr::from_str(text).map(IpNet::from);
    IpNet::from_str(text).or_else(|_| single()).map_err(|_| ValueError::Network(text.to_owned()))
}

/// A duration as the configuration writes it.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(pub(super) Duration);

impl TryFrom<String> for Span {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        parse_duration(&text).map(Self)
    }
}

/// A rate as the configuration writes it.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(super) struct RateText(pub(super) Rate);

impl TryFrom<String> for RateText {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        parse_rate(&text).map(Self)
    }
}

/// A network as the configuration writes it.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Network(pub(super) IpNet);

impl TryFrom<String> for Network {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        parse_network(&text).map(Self)
    }
}

/// A cap as the configuration writes it: text or a whole number, never a float.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cap(pub(super) Decimal);

impl<'de> Deserialize<'de> for Cap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CapVisitor)
    }
}

struct CapVisitor;

impl Visitor<'_> for CapVisitor {
    type Value = Cap;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a plain decimal in quotes, such as \"500000\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cap, E> {
        parse_cap(text).map(Cap).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cap, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("48h", 172_800_000),
            ("3d", 259_200_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in
            ["", "s", "10", "1.5s", "-1s", " 1s", "1 s", "1S", "1w", "１s", "99999999999999999999d", "3651d"]
        {
            assert_eq!(parse_duration(wrong), Err(ValueError::Duration(wrong.to_owned())));
        }
    }

    #[test]
    fn rates_are_counts_in_a_second_or_a_minute() {
        assert_eq!(parse_rate("20/s"), Ok(Rate { count: 20, window: Duration::from_secs(1) }));
        assert_eq!(parse_rate("300/m"), Ok(Rate { count: 300, window: Duration::from_secs(60) }));
        for wrong in ["", "20", "0/s", "20/", "20/h", "+2/s", "2.5/s", "20 / s", "-1/s", "99999999999/s"] {
            assert_eq!(parse_rate(wrong), Err(ValueError::Rate(wrong.to_owned())));
        }
    }

    #[test]
    fn caps_are_exact_and_above_zero() {
        assert_eq!(parse_cap("500000.50").unwrap().to_string(), "500000.50");
        for wrong in ["", "0", "-1", "+1", "1e3", "1,000", "1_000", "."] {
            assert_eq!(parse_cap(wrong), Err(ValueError::Cap(wrong.to_owned())), "{wrong}");
        }
    }

    #[test]
    fn a_single_address_is_a_network_of_one() {
        assert_eq!(parse_network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(parse_network("::1").unwrap().to_string(), "::1/128");
        assert!(parse_network("10.0.0.0/33").is_err());
        assert!(parse_network("example.com").is_err());
    }
}
