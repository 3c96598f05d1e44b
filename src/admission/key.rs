//! What makes two orders the same, as 128 bits. The common order (airtime for an amount) is packed and mixed
//! reversibly, so two different ones never have the same key; the others are hashed.

use std::hash::{DefaultHasher, Hasher};

use crate::domain::{Goods, Order};

/// An order without its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Key(pub(super) u64, pub(super) u64);

/// Provider entries that fit into a packed key.
const PLACES: u64 = 1 << 10;

impl Key {
    /// The key of an order; `place` is that of its provider's entry in the configuration, if it has one.
    pub(super) fn of(order: &Order, place: Option<usize>) -> Self {
        packed(order, place).unwrap_or_else(|| hashed(order))
    }

    /// The same order under a reference, as one number.
    pub(super) fn tag(self, reference: &str) -> u64 {
        self.half(2, reference)
    }

    /// The same order under a reference that has this tag.
    pub(super) fn with_reference(self, reference: &str, tag: u64) -> Self {
        Self(self.half(1, reference), tag)
    }

    /// One of several hashes of the same order under a reference.
    fn half(self, start: u8, reference: &str) -> u64 {
        let mut hash = DefaultHasher::new();
        hash.write_u64(self.0);
        hash.write_u64(self.1 ^ u64::from(start));
        hash.write(reference.as_bytes());
        hash.finish()
    }
}

/// Provider, number, how many digits it has, and amount side by side: nothing is lost, so nothing collides.
fn packed(order: &Order, place: Option<usize>) -> Option<Key> {
    let (Goods::Airtime, Some(amount)) = (&order.goods, order.amount) else { return None };
    let place = u64::try_from(place?).ok().filter(|place| *place < PLACES)?;
    let digits = order.phone.digits();
    // At most 15 digits: below 2^50, and their count below 2^4.
    let number: u64 = digits.parse().ok()?;
    let count = u64::try_from(digits.len()).ok().filter(|count| *count < 16)?;
    let amount = amount.normalize();
    // A scale is at most 28.
    let units = u64::try_from(amount.mantissa()).ok().filter(|units| *units < 1 << 59)?;
    Some(stirred(place << 54 | count << 50 | number, u64::from(amount.scale()) << 59 | units))
}

/// Spreads two words over all bits of both; every step can be taken back.
fn stirred(first: u64, second: u64) -> Key {
    let second = second ^ mixed(first);
    let first = first ^ mixed(second);
    Key(mixed(first), mixed(second))
}

/// MurmurHash3's last step, a bijection of 64 bits.
fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let word = (word ^ (word >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    word ^ (word >> 33)
}

/// 128 bits of hash: no two different orders that anyone will ever write have the same.
fn hashed(order: &Order) -> Key {
    // The parts are put together once and hashed twice.
    let mut parts = Vec::with_capacity(128);
    part(&mut parts, order.provider.as_bytes());
    part(&mut parts, order.phone.digits().as_bytes());
    match &order.goods {
        Goods::Airtime => part(&mut parts, &[]),
        Goods::DataProduct(id) => {
            part(&mut parts, &[1]);
            part(&mut parts, id.as_bytes());
        }
        Goods::DataSize { megabytes } => {
            part(&mut parts, &[2, 2]);
            part(&mut parts, &megabytes.to_le_bytes());
        }
    }
    let amount = order.amount.map(|amount| amount.normalize().serialize());
    part(&mut parts, amount.as_ref().map_or(&[], |bytes| bytes.as_slice()));
    let half = |start: u8| {
        let mut hash = DefaultHasher::new();
        hash.write_u8(start);
        hash.write(&parts);
        hash.finish()
    };
    Key(half(1), half(2))
}

/// Adds bytes with their length in front, so that ("ab","c") and ("a","bc") differ.
fn part(parts: &mut Vec<u8>, bytes: &[u8]) {
    parts.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    parts.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::{AccountId, Country, PhoneNumber, ProviderKind, RowNumber};

    fn order(provider: &str, national: &str, goods: Goods, amount: Option<&str>) -> Order {
        Order {
            row: RowNumber(1),
            provider: provider.to_owned(),
            account: AccountId::new(ProviderKind::Paynicorn, "demo"),
            phone: PhoneNumber::new(Country::VN, "84", national).unwrap(),
            goods,
            amount: amount.map(|text| text.parse::<Decimal>().unwrap()),
            currency: None,
            operator: None,
            operator_hint: None,
            reference: None,
        }
    }

    #[test]
    fn orders_that_differ_in_anything_have_different_keys() {
        let mut keys = BTreeSet::new();
        let mut count = 0;
        for (place, provider) in [(Some(0), "a"), (Some(1), "b"), (Some(1024), "c"), (None, "d")] {
            for national in ["912345678", "912345679", "9123456780", "9999999999999"] {
                for amount in ["20000", "20000.5", "2000.05", "0.00000001", "999999999999999.12345678"] {
                    keys.insert(Key::of(&order(provider, national, Goods::Airtime, Some(amount)), place));
                    count += 1;
                }
                for goods in [
                    Goods::Airtime,
                    Goods::DataProduct("6".to_owned()),
                    Goods::DataProduct("61".to_owned()),
                    Goods::DataSize { megabytes: 6 },
                ] {
                    keys.insert(Key::of(&order(provider, national, goods, None), place));
                    count += 1;
                }
            }
        }
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn an_amount_has_one_key_however_it_is_written() {
        let key = |amount| Key::of(&order("a", "912345678", Goods::Airtime, Some(amount)), Some(0));
        assert_eq!(key("20000"), key("20000.00"));
        assert_ne!(key("20000"), key("2000.0"));
    }

    #[test]
    fn the_packed_words_can_be_taken_back() {
        let back = |word: u64| {
            // The inverses of the two factors modulo 2^64.
            let word = (word ^ (word >> 33)).wrapping_mul(0x9CB4_B2F8_1293_37DB);
            let word = (word ^ (word >> 33)).wrapping_mul(0x4F74_430C_22A5_4005);
            word ^ (word >> 33)
        };
        for (first, second) in [(0, 0), (1, 2), (u64::MAX, 3), (84_912_345_678, 20_000)] {
            let Key(one, two) = stirred(first, second);
            let (one, two) = (back(one), back(two));
            let found_first = one ^ mixed(two);
            assert_eq!((found_first, two ^ mixed(found_first)), (first, second));
        }
    }
}
