//! Which orders a batch has already: 16 bytes of a hash and a row number each, not the orders themselves.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

use crate::domain::{Goods, Order, RowNumber};

/// 128 bits of hash: no two different orders that anyone will ever write have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key(u64, u64);

/// Keys are hashes already; hashing them again would buy nothing.
#[derive(Default)]
struct FirstHalf(u64);

impl Hasher for FirstHalf {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = self.0.rotate_left(32) ^ half;
    }
}

/// Orders that were kept, by what makes them the same.
#[derive(Default)]
pub(super) struct Seen {
    rows: HashMap<Key, First, BuildHasherDefault<FirstHalf>>,
}

#[derive(Clone, Copy)]
struct First {
    row: RowNumber,
    /// The row had no reference, so no later one is told apart from it.
    bare: bool,
}

/// An order that repeats none of those kept.
pub(super) struct Fresh {
    bare: Key,
    referenced: Option<Key>,
    row: RowNumber,
}

impl Seen {
    /// Looks for an order that was kept and is the same: then its row. Two equal rows are two orders only
    /// when both have a reference and the references differ.
    pub(super) fn look(&self, order: &Order) -> Result<Fresh, RowNumber> {
        let bare = bare_key(order);
        let referenced = order.reference.as_deref().map(|reference| bare.with(reference));
        let fresh = Fresh { bare, referenced, row: order.row };
        let Some(first) = self.rows.get(&bare) else { return Ok(fresh) };
        match referenced {
            Some(key) if !first.bare => self.rows.get(&key).map_or(Ok(fresh), |same| Err(same.row)),
            Some(_) | None => Err(first.row),
        }
    }

    /// Keeps an order.
    pub(super) fn keep(&mut self, fresh: &Fresh) {
        let first = First { row: fresh.row, bare: fresh.referenced.is_none() };
        self.rows.entry(fresh.bare).or_insert(first);
        if let Some(key) = fresh.referenced {
            self.rows.insert(key, first);
        }
    }
}

impl Key {
    /// The same order under a reference.
    fn with(self, reference: &str) -> Self {
        hashed(|hash| {
            hash.write_u64(self.0);
            hash.write_u64(self.1);
            part(hash, reference.as_bytes());
        })
    }
}

fn bare_key(order: &Order) -> Key {
    hashed(|hash| {
        part(hash, order.provider.as_bytes());
        part(hash, order.phone.digits().as_bytes());
        match &order.goods {
            Goods::Airtime => hash.write_u8(0),
            Goods::DataProduct(id) => {
                hash.write_u8(1);
                part(hash, id.as_bytes());
            }
            Goods::DataSize { megabytes } => {
                hash.write_u8(2);
                hash.write_u64(*megabytes);
            }
        }
        let amount = order.amount.map(|amount| amount.normalize());
        part(hash, &amount.map(|amount| amount.serialize()).unwrap_or_default());
    })
}

/// Bytes with their length in front, so that ("ab","c") and ("a","bc") differ.
fn part(hash: &mut DefaultHasher, bytes: &[u8]) {
    hash.write_u64(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    hash.write(bytes);
}

/// Two hashes of the same parts that start differently.
fn hashed(parts: impl Fn(&mut DefaultHasher)) -> Key {
    let half = |start: u8| {
        let mut hash = DefaultHasher::new();
        hash.write_u8(start);
        parts(&mut hash);
        hash.finish()
    };
    Key(half(1), half(2))
}
