//! Which orders a batch has already: 16 bytes of a hash and a row number each, not the orders themselves, and
//! those of a large file in files that the shell provides.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};

use super::spill::Spill;
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

/// Gives a new empty file that nobody else sees, for what outgrows memory.
pub type NewFile = fn() -> std::io::Result<std::fs::File>;

/// Orders that were kept, by what makes them the same.
pub(super) struct Seen {
    rows: HashMap<Key, First, BuildHasherDefault<FirstHalf>>,
    spill: Spill,
    new_file: Option<NewFile>,
    /// Keys held in memory before they are written out.
    held_max: usize,
}

impl Default for Seen {
    fn default() -> Self {
        // As many as a table of 17 MiB takes before it doubles, and so many that runs stay few.
        Self { rows: HashMap::default(), spill: Spill::default(), new_file: None, held_max: 450_000 }
    }
}

/// The row that an order first stood in, and whether that row had no reference: then no later one is told
/// apart from it. Else also a hash of the order with its reference, so that most rows need one entry only. Two
/// words: a key and this are 32 bytes.
#[derive(Clone, Copy)]
struct First(u64, u64);

impl First {
    fn new(row: RowNumber, tag: Option<u64>) -> Self {
        Self((row.0 << 1) | u64::from(tag.is_none()), tag.unwrap_or(0))
    }

    fn row(self) -> RowNumber {
        RowNumber(self.0 >> 1)
    }

    fn is_bare(self) -> bool {
        self.0 & 1 == 1
    }
}

/// An order that repeats none of those kept.
pub(super) struct Fresh {
    /// Where it is kept: under itself if it is the first of its kind, else under itself with its reference.
    key: Key,
    /// Hash of the order with its reference.
    tag: Option<u64>,
    row: RowNumber,
}

/// Why an order is not fresh.
#[derive(Debug)]
pub(super) enum Stale {
    /// It stands in this row already.
    Repeats(RowNumber),
    /// The file that holds earlier rows cannot be read.
    CannotTell(std::io::Error),
}

impl Seen {
    /// From now on what outgrows memory goes to files.
    pub(super) fn spill_to(&mut self, new_file: NewFile) {
        self.new_file = Some(new_file);
    }

    /// Looks for an order that was kept and is the same. Two equal rows are two orders only when both have a
    /// reference and the references differ.
    pub(super) fn look(&mut self, order: &Order) -> Result<Fresh, Stale> {
        let bare = bare_key(order);
        let reference = order.reference.as_deref();
        let tag = reference.map(|reference| bare.tag(reference));
        let Some(first) = self.get(bare)? else { return Ok(Fresh { key: bare, tag, row: order.row }) };
        let (Some(tag), false) = (tag, first.is_bare()) else { return Err(Stale::Repeats(first.row())) };
        if first.1 == tag {
            return Err(Stale::Repeats(first.row()));
        }
        let key = Key(bare.half(1, reference.unwrap_or_default()), tag);
        match self.get(key)? {
            Some(same) => Err(Stale::Repeats(same.row())),
            None => Ok(Fresh { key, tag: Some(tag), row: order.row }),
        }
    }

    fn get(&mut self, key: Key) -> Result<Option<First>, Stale> {
        if let Some(first) = self.rows.get(&key) {
            return Ok(Some(*first));
        }
        let found = self.spill.get((key.0, key.1)).map_err(Stale::CannotTell)?;
        Ok(found.map(|(row, tag)| First(row, tag)))
    }

    /// Keeps an order.
    pub(super) fn keep(&mut self, fresh: &Fresh) {
        self.rows.insert(fresh.key, First::new(fresh.row, fresh.tag));
        if self.rows.len() >= self.held_max {
            self.write_out();
        }
    }

    /// Moves what is held to a file. A disk that refuses is no reason to stop: then it stays in memory.
    fn write_out(&mut self) {
        let Some(new_file) = self.new_file else { return };
        let entries = self.rows.iter().map(|(key, first)| ((key.0, key.1), (first.0, first.1))).collect();
        match new_file().and_then(|file| self.spill.write(entries, file)) {
            Ok(()) => self.rows.clear(),
            Err(_) => self.new_file = None,
        }
    }
}

impl Key {
    /// The same order under a reference, as one number.
    fn tag(self, reference: &str) -> u64 {
        self.half(2, reference)
    }

    /// One of several hashes of the same order under a reference.
    fn half(self, start: u8, reference: &str) -> u64 {
        let mut hash = DefaultHasher::new();
        hash.write_u8(start);
        hash.write_u64(self.0);
        hash.write_u64(self.1);
        part(&mut hash, reference.as_bytes());
        hash.finish()
    }
}

fn bare_key(order: &Order) -> Key {
    // The parts are put together once and hashed twice.
    let mut parts = Parts::default();
    parts.add(order.provider.as_bytes());
    parts.add(order.phone.digits().as_bytes());
    match &order.goods {
        Goods::Airtime => parts.add(&[]),
        Goods::DataProduct(id) => {
            parts.add(&[1]);
            parts.add(id.as_bytes());
        }
        Goods::DataSize { megabytes } => {
            parts.add(&[2, 2]);
            parts.add(&megabytes.to_le_bytes());
        }
    }
    let amount = order.amount.map(|amount| amount.normalize().serialize());
    parts.add(amount.as_ref().map_or(&[], |bytes| bytes.as_slice()));
    let half = |start: u8| {
        let mut hash = DefaultHasher::new();
        hash.write_u8(start);
        hash.write(parts.bytes());
        hash.finish()
    };
    Key(half(1), half(2))
}

/// Bytes with their length in front, so that ("ab","c") and ("a","bc") differ.
fn part(hash: &mut DefaultHasher, bytes: &[u8]) {
    hash.write_u64(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    hash.write(bytes);
}

/// Several parts in a row, each with its length in front.
struct Parts(Vec<u8>);

impl Default for Parts {
    fn default() -> Self {
        Self(Vec::with_capacity(128))
    }
}

impl Parts {
    fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Country, Currency, PhoneNumber, ProviderKind};

    fn order(row: u64, number: u64, reference: Option<&str>) -> Order {
        Order {
            row: RowNumber(row),
            provider: "vietnam".to_owned(),
            account: AccountId::new(ProviderKind::ConnectTopup, "demo"),
            phone: PhoneNumber::new(Country::VN, "84", &(900_000_000 + number).to_string()).unwrap(),
            goods: Goods::Airtime,
            amount: Some(20_000.into()),
            currency: Some(Currency::VND),
            operator: None,
            operator_hint: None,
            reference: reference.map(str::to_owned),
        }
    }

    fn rows_that_repeat(seen: &mut Seen) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        for row in 1..=2000u64 {
            let reference = ["A", "B", ""].get(usize::try_from(row % 3).unwrap()).copied();
            let order = order(row, row * 7 % 700, reference.filter(|text| !text.is_empty()));
            match seen.look(&order) {
                Ok(fresh) => seen.keep(&fresh),
                Err(Stale::Repeats(first)) => found.push((row, first.0)),
                Err(Stale::CannotTell(error)) => panic!("{error}"),
            }
        }
        found
    }

    #[test]
    fn a_set_on_disk_finds_the_same_repeats_as_one_in_memory() {
        let in_memory = rows_that_repeat(&mut Seen::default());
        let mut on_disk = Seen { held_max: 50, ..Seen::default() };
        on_disk.spill_to(tempfile::tempfile);
        assert_eq!(rows_that_repeat(&mut on_disk), in_memory);
        assert!(on_disk.rows.len() < 50 && in_memory.len() > 1000, "{}", in_memory.len());
    }

    #[test]
    fn a_disk_that_refuses_costs_memory_but_no_repeat() {
        let mut seen = Seen { held_max: 50, ..Seen::default() };
        seen.spill_to(|| Err(std::io::Error::other("full")));
        assert_eq!(rows_that_repeat(&mut seen), rows_that_repeat(&mut Seen::default()));
    }
}
