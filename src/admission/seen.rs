//! Which orders a batch has already: 16 bytes of a hash and a row number each, not the orders themselves.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use sha2::{Digest, Sha256};

use crate::domain::{Order, RowNumber};

/// A hash that collides for no two orders that anyone will ever write.
type Key = u128;

/// Keys are hashes already; hashing them again would buy nothing.
#[derive(Default)]
pub(super) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        let [a, b, c, d, e, f, g, h, ..] = key.to_le_bytes();
        self.0 = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    }
}

/// Orders that were kept, by what makes them the same.
#[derive(Default)]
pub(super) struct Seen {
    rows: HashMap<Key, First, BuildHasherDefault<Taken>>,
}

#[derive(Clone, Copy)]
struct First {
    row: RowNumber,
    /// The row had no reference, so no later one is told apart from it.
    bare: bool,
}

impl Seen {
    /// The row that an order repeats. Two equal rows are two orders only when both have a reference and the
    /// references differ.
    pub(super) fn repeats(&self, order: &Order) -> Option<RowNumber> {
        let first = self.rows.get(&key(order, None))?;
        match order.reference.as_deref() {
            Some(reference) if !first.bare => self.rows.get(&key(order, Some(reference))).map(|f| f.row),
            Some(_) | None => Some(first.row),
        }
    }

    /// Keeps an order that repeats none.
    pub(super) fn keep(&mut self, order: &Order) {
        let reference = order.reference.as_deref();
        let first = First { row: order.row, bare: reference.is_none() };
        self.rows.entry(key(order, None)).or_insert(first);
        if reference.is_some() {
            self.rows.insert(key(order, reference), first);
        }
    }
}

fn key(order: &Order, reference: Option<&str>) -> Key {
    let goods = order.goods.canonical();
    let amount = order.amount.map(|amount| amount.normalize());
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        // The length in front keeps ("ab","c") and ("a","bc") apart.
        hash.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        hash.update(bytes);
    };
    part(order.provider.as_bytes());
    part(order.phone.digits().as_bytes());
    part(goods.as_bytes());
    part(&amount.map(|a| a.serialize()).unwrap_or_default());
    if let Some(reference) = reference {
        part(reference.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes))
}
