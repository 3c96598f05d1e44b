//! Which orders a batch has already: a key and a row number each, not the orders themselves, and those of a
//! large file in files that the shell provides.

use super::key::Key;
use super::spill::{ENTRY_WORDS, Spill};
use crate::domain::RowNumber;

/// Gives a new empty file that nobody else sees, for what outgrows memory.
pub type NewFile = fn() -> std::io::Result<std::fs::File>;

/// A slot of the table: a key, and what is kept under it. All zero: nobody's.
pub(super) type Slot = [u64; ENTRY_WORDS];

const EMPTY: Slot = [0; ENTRY_WORDS];

/// Orders that were kept, by what makes them the same.
pub(super) struct Seen {
    table: Table,
    spill: Spill,
    new_file: Option<NewFile>,
    /// Slots of the table beyond which it is written out, if there is where to.
    slots_max: usize,
}

impl Default for Seen {
    fn default() -> Self {
        // 8 MiB: small beside what the program may take, and large enough that runs stay few.
        Self { table: Table::new(1 << 10), spill: Spill::default(), new_file: None, slots_max: 1 << 18 }
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

/// What is looked for: an order, its reference, and the row it stands in.
#[derive(Clone, Copy)]
pub(super) struct Sought<'o> {
    pub(super) bare: Key,
    /// The reference, and the key's [`Key::tag`] of it.
    pub(super) reference: Option<(&'o str, u64)>,
    pub(super) row: RowNumber,
}

impl Seen {
    /// From now on what outgrows memory goes to files.
    pub(super) fn spill_to(&mut self, new_file: NewFile) {
        self.new_file = Some(new_file);
    }

    /// Fetches what looking for this key will touch; see [`Spill::touch`].
    pub(super) fn touch(&self, key: Key) -> u64 {
        let slot = self.table.entries.get(self.table.home(key.0)).map_or(0, |slot| slot[0]);
        slot ^ self.spill.touch(key)
    }

    /// Looks for an order that was kept and is the same. Two equal rows are two orders only when both have a
    /// reference and the references differ.
    pub(super) fn look(&mut self, sought: &Sought<'_>) -> Result<Fresh, Stale> {
        let Sought { bare, reference, row } = *sought;
        let tag = reference.map(|(_, tag)| tag);
        let Some(first) = self.get(bare)? else { return Ok(Fresh { key: bare, tag, row }) };
        let (Some((reference, tag)), false) = (reference, first.is_bare()) else {
            return Err(Stale::Repeats(first.row()));
        };
        if first.1 == tag {
            return Err(Stale::Repeats(first.row()));
        }
        let key = bare.with_reference(reference, tag);
        match self.get(key)? {
            Some(same) => Err(Stale::Repeats(same.row())),
            None => Ok(Fresh { key, tag: Some(tag), row }),
        }
    }

    fn get(&mut self, key: Key) -> Result<Option<First>, Stale> {
        if let Some([_, _, row, tag]) = self.table.get(key) {
            return Ok(Some(First(*row, *tag)));
        }
        let found = self.spill.get(key).map_err(Stale::CannotTell)?;
        Ok(found.map(|(row, tag)| First(row, tag)))
    }

    /// Keeps an order.
    pub(super) fn keep(&mut self, fresh: &Fresh) {
        let First(row, tag) = First::new(fresh.row, fresh.tag);
        let slot = [fresh.key.0, fresh.key.1, row, tag];
        while !self.table.insert(slot) {
            if self.table.slots < self.slots_max || !self.write_out() {
                self.table.grow();
            }
        }
    }

    /// Moves what is held to a file. A disk that refuses is no reason to stop: then it stays in memory.
    fn write_out(&mut self) -> bool {
        let Some(new_file) = self.new_file else { return false };
        self.table.sort();
        match new_file().and_then(|file| self.spill.write(self.table.iter(), self.table.held, file)) {
            Ok(()) => {
                self.table.clear();
                true
            }
            Err(_) => {
                self.new_file = None;
                false
            }
        }
    }
}

/// Slots in the order of their keys, as near as room allows: a key stands in the slot that its size points to,
/// or in the next free one behind it. Keys are spread evenly, so most lookups touch one line of memory, and a
/// table is sorted by sorting its short stretches without a gap.
struct Table {
    /// Slots that keys point to, then a few for those pushed over the end.
    entries: Vec<Slot>,
    slots: usize,
    held: usize,
}

impl Table {
    /// Behind the last slot that keys point to there is room for those pushed on: a share of the whole, so that
    /// a larger table has more of it.
    fn new(slots: usize) -> Self {
        Self { entries: vec![EMPTY; slots + slots / 64 + 64], slots, held: 0 }
    }

    /// The stretch of slots from the one that a key points to.
    fn home(&self, key: u64) -> usize {
        let slots = u128::try_from(self.slots).unwrap_or(1);
        usize::try_from((u128::from(key) * slots) >> 64).unwrap_or(0)
    }

    fn get(&self, key: Key) -> Option<&Slot> {
        let stretch = self.entries.get(self.home(key.0)..).unwrap_or_default();
        stretch
            .iter()
            .take_while(|slot| is_taken(slot))
            .find(|[first, second, ..]| Key(*first, *second) == key)
    }

    /// False: it is too full.
    fn insert(&mut self, slot: Slot) -> bool {
        // Beyond four fifths stretches grow long.
        if self.held >= self.slots / 5 * 4 {
            return false;
        }
        let home = self.home(slot[0]);
        let stretch = self.entries.get_mut(home..).unwrap_or_default();
        let Some(free) = stretch.iter_mut().find(|slot| !is_taken(slot)) else { return false };
        *free = slot;
        self.held += 1;
        true
    }

    fn grow(&mut self) {
        let mut slots = self.slots;
        loop {
            slots = slots.saturating_mul(2);
            let mut larger = Self::new(slots);
            if self.iter().all(|slot| larger.insert(*slot)) {
                *self = larger;
                return;
            }
        }
    }

    /// Every key of a stretch is smaller than those of the next one: each points to a slot of its own stretch.
    fn sort(&mut self) {
        self.entries.split_mut(|slot| !is_taken(slot)).for_each(<[Slot]>::sort_unstable);
    }

    fn iter(&self) -> impl Iterator<Item = &Slot> + Clone {
        self.entries.iter().filter(|slot| is_taken(slot))
    }

    fn clear(&mut self) {
        self.entries.fill(EMPTY);
        self.held = 0;
    }
}

/// Rows count from 1, so what is kept under a key is never zero.
fn is_taken(slot: &Slot) -> bool {
    slot[2] != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that look like hashes.
    fn key(number: u64) -> Key {
        let mix = |n: u64| {
            let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            n ^ (n >> 31)
        };
        Key(mix(number), mix(number ^ 0x9E37_79B9_7F4A_7C15))
    }

    fn rows_that_repeat(seen: &mut Seen, rows: u64, keys: u64) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        for row in 1..=rows {
            let bare = key(row * 7 % keys);
            let text = ["A", "B", ""].get(usize::try_from(row % 3).unwrap()).copied();
            let reference = text.filter(|text| !text.is_empty()).map(|text| (text, bare.tag(text)));
            match seen.look(&Sought { bare, reference, row: RowNumber(row) }) {
                Ok(fresh) => seen.keep(&fresh),
                Err(Stale::Repeats(first)) => found.push((row, first.0)),
                Err(Stale::CannotTell(error)) => panic!("{error}"),
            }
        }
        found
    }

    #[test]
    fn a_set_on_disk_finds_the_same_repeats_as_one_in_memory() {
        for (rows, keys) in [(2_000, 700), (20_000, 15_000), (5_000, 5_000)] {
            let mut in_memory = Seen::default();
            let expected = rows_that_repeat(&mut in_memory, rows, keys);
            let mut on_disk = Seen { slots_max: 1 << 10, ..Seen::default() };
            on_disk.spill_to(tempfile::tempfile);
            assert_eq!(rows_that_repeat(&mut on_disk, rows, keys), expected);
            assert_eq!(on_disk.table.slots, 1 << 10);
            let held = in_memory.table.held;
            assert!(on_disk.table.held < held || held < 820, "{held}");
        }
    }

    #[test]
    fn a_disk_that_refuses_costs_memory_but_no_repeat() {
        let mut seen = Seen { slots_max: 1 << 10, ..Seen::default() };
        seen.spill_to(|| Err(std::io::Error::other("full")));
        let expected = rows_that_repeat(&mut Seen::default(), 20_000, 15_000);
        assert_eq!(rows_that_repeat(&mut seen, 20_000, 15_000), expected);
    }

    #[test]
    fn keys_that_crowd_one_place_are_all_found() {
        let mut seen = Seen { slots_max: 1 << 10, ..Seen::default() };
        seen.spill_to(tempfile::tempfile);
        let crowd = |number: u64| Key(u64::MAX - number % 3, number);
        for number in 1..=3_000 {
            let sought = Sought { bare: crowd(number), reference: None, row: RowNumber(number) };
            let fresh = seen.look(&sought).unwrap();
            seen.keep(&fresh);
        }
        for number in 1..=3_000 {
            let sought = Sought { bare: crowd(number), reference: None, row: RowNumber(9_999) };
            assert!(matches!(seen.look(&sought), Err(Stale::Repeats(RowNumber(row))) if row == number));
        }
    }

    #[test]
    fn a_sorted_table_is_in_the_order_of_its_keys() {
        let mut table = Table::new(1 << 10);
        let mut number = 0;
        while table.insert([key(number).0, key(number).1, 1, 0]) {
            number += 1;
        }
        table.sort();
        assert!(table.iter().is_sorted() && table.iter().count() > 800);
    }
}
