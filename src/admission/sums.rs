//! What each number of a batch gets, for the cap of a number: a table in memory, and of a large file sorted runs in
//! files that the shell provides. Memory is 6 bits a number and a few MiB.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Error, Read, Write};
use std::os::unix::fs::FileExt;

use rust_decimal::Decimal;

use super::seen::NewFile;
use crate::domain::{Currency, Order};

/// Bytes of an entry: key and sum.
const ENTRY_BYTES: usize = 24;

/// Entries read at once: 3 KiB, within a page of disk.
const BLOCK_ENTRIES: usize = 128;

/// Bits a key gets in the filter of its run: some false alarms in a hundred, each of which is one read.
const FILTER_BITS: usize = 6;

/// Currencies of one batch; a provider sells in one, so there are three or four.
const CURRENCIES_MAX: usize = 256;

/// Sums by number and currency.
pub(super) struct Sums {
    held: HashMap<u64, Decimal>,
    /// Oldest first, each less than half as long as the one before. The sum of the youngest run that has a key
    /// counts.
    runs: Vec<Run>,
    currencies: Vec<Currency>,
    new_file: Option<NewFile>,
    /// Keys held in memory before they are written out.
    held_max: usize,
    /// A sum could not be read or kept: from then on none is told, because it may be too small.
    broken: Option<String>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            held: HashMap::new(),
            runs: Vec::new(),
            currencies: Vec::new(),
            new_file: None,
            // As many as a table of 1.5 MiB takes before it doubles.
            held_max: 57_000,
            broken: None,
        }
    }
}

impl Sums {
    /// From now on what outgrows memory goes to files.
    pub(super) fn spill_to(&mut self, new_file: NewFile) {
        self.new_file = Some(new_file);
    }

    /// What the order's number got so far.
    ///
    /// # Errors
    /// From the first sum on that could not be read or kept.
    pub(super) fn get(&mut self, order: &Order, currency: Currency) -> Result<Decimal, Error> {
        self.sound()?;
        let sum = self.key(order, currency).and_then(|key| self.find(key));
        sum.map_err(|error| self.fail(error))
    }

    fn sound(&self) -> Result<(), Error> {
        self.broken.as_ref().map_or(Ok(()), |why| Err(Error::other(why.clone())))
    }

    fn fail(&mut self, error: Error) -> Error {
        self.broken = Some(error.to_string());
        error
    }

    fn find(&self, key: u64) -> Result<Decimal, Error> {
        if let Some(sum) = self.held.get(&key) {
            return Ok(*sum);
        }
        for run in self.runs.iter().rev() {
            if let Some(sum) = run.get(key)? {
                return Ok(sum);
            }
        }
        Ok(Decimal::ZERO)
    }

    /// Puts down what the order's number has got now.
    pub(super) fn set(&mut self, order: &Order, currency: Currency, sum: Decimal) -> Result<(), Error> {
        self.sound()?;
        let key = self.key(order, currency).map_err(|error| self.fail(error))?;
        self.held.insert(key, sum);
        if self.held.len() >= self.held_max
            && let Some(new_file) = self.new_file
        {
            self.write_out(new_file);
        }
        Ok(())
    }

    /// A number's at most 15 digits and its currency, as one value.
    fn key(&mut self, order: &Order, currency: Currency) -> Result<u64, Error> {
        let number: u64 = order.phone.digits().parse().map_err(Error::other)?;
        let known = self.currencies.iter().position(|known| *known == currency);
        let index = known.unwrap_or(self.currencies.len());
        if known.is_none() {
            self.currencies.push(currency);
        }
        let index = u64::try_from(index).ok().filter(|_| index < CURRENCIES_MAX);
        index.map(|index| (number << 8) | index).ok_or_else(|| Error::other("too many currencies"))
    }

    fn write_out(&mut self, new_file: NewFile) {
        let mut entries: Vec<(u64, Decimal)> = self.held.iter().map(|(key, sum)| (*key, *sum)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let room = entries.len();
        let written = new_file().and_then(|file| Run::write(entries.into_iter().map(Ok), room, file));
        match written {
            Ok(run) => {
                self.held.clear();
                self.runs.push(run);
                // A disk that has no room for fewer runs leaves them as they are: slower, and as right.
                while self.merge_two(new_file).unwrap_or(false) {}
            }
            // It costs memory, and no sum.
            Err(_) => self.new_file = None,
        }
    }

    /// Makes one run of the two youngest, unless the older one is far longer.
    fn merge_two(&mut self, new_file: NewFile) -> Result<bool, Error> {
        let [.., older, younger] = self.runs.as_mut_slice() else { return Ok(false) };
        if older.entries > younger.entries.saturating_mul(2) {
            return Ok(false);
        }
        // Nothing is looked up meanwhile: memory holds the filters of the old runs or that of the new one.
        (older.filter, younger.filter) = (None, None);
        match Run::merge(older, younger, new_file) {
            Ok(merged) => {
                self.runs.truncate(self.runs.len().saturating_sub(2));
                self.runs.push(merged);
                Ok(true)
            }
            Err(error) => {
                older.sharpen();
                younger.sharpen();
                Err(error)
            }
        }
    }
}

/// One sorted file; a key stands in it once.
struct Run {
    file: File,
    entries: usize,
    /// First key of each block.
    fences: Vec<u64>,
    /// None: any key may be in the file.
    filter: Option<Filter>,
}

impl Run {
    fn write(
        entries: impl Iterator<Item = Result<(u64, Decimal), Error>>,
        room: usize,
        file: File,
    ) -> Result<Self, Error> {
        let mut out = BufWriter::with_capacity(64 << 10, file);
        let (mut count, mut filter) = (0usize, Filter::new(room));
        let mut fences = Vec::with_capacity(room / BLOCK_ENTRIES + 1);
        for entry in entries {
            let (key, sum) = entry?;
            if count.is_multiple_of(BLOCK_ENTRIES) {
                fences.push(key);
            }
            filter.add(key);
            out.write_all(&key.to_le_bytes())?;
            out.write_all(&sum.serialize())?;
            count += 1;
        }
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(Self { file, entries: count, fences, filter: Some(filter) })
    }

    fn merge(older: &Self, younger: &Self, new_file: NewFile) -> Result<Self, Error> {
        let room = older.entries.saturating_add(younger.entries);
        Self::write(Merge::new(older.read()?, younger.read()?)?, room, new_file()?)
    }

    /// Gives the run its filter back. Without one it is as right, and slower.
    fn sharpen(&mut self) {
        let mut filter = Filter::new(self.entries);
        let added = self.read().and_then(|mut entries| {
            entries.try_for_each(|entry| {
                filter.add(entry?.0);
                Ok(())
            })
        });
        self.filter = added.is_ok().then_some(filter);
    }

    fn get(&self, key: u64) -> Result<Option<Decimal>, Error> {
        if self.filter.as_ref().is_some_and(|filter| !filter.may_hold(key)) {
            return Ok(None);
        }
        let Some(block) = self.fences.partition_point(|first| *first <= key).checked_sub(1) else {
            return Ok(None);
        };
        let before = block * BLOCK_ENTRIES;
        let count = self.entries.saturating_sub(before).min(BLOCK_ENTRIES);
        let mut whole = [0_u8; BLOCK_ENTRIES * ENTRY_BYTES];
        let bytes = whole.get_mut(..count * ENTRY_BYTES).unwrap_or_default();
        self.file.read_exact_at(bytes, u64::try_from(before * ENTRY_BYTES).map_err(Error::other)?)?;
        Ok(bytes.chunks_exact(ENTRY_BYTES).map(entry_of).find(|(found, _)| *found == key).map(|(_, sum)| sum))
    }

    /// All entries, from the first.
    fn read(&self) -> Result<impl Iterator<Item = Result<(u64, Decimal), Error>> + use<>, Error> {
        use std::io::Seek;
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        let (mut input, mut left) = (BufReader::with_capacity(64 << 10, file), self.entries);
        Ok(std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let mut bytes = [0_u8; ENTRY_BYTES];
            Some(input.read_exact(&mut bytes).map(|()| entry_of(&bytes)))
        }))
    }
}

fn entry_of(bytes: &[u8]) -> (u64, Decimal) {
    let key = bytes.get(..8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes);
    let sum = bytes.get(8..24).and_then(|part| part.try_into().ok()).map(Decimal::deserialize);
    (key, sum.unwrap_or_default())
}

/// Two sorted runs as one; of a key that both have, the younger one's sum.
struct Merge<O: Iterator, Y: Iterator> {
    older: std::iter::Peekable<O>,
    younger: std::iter::Peekable<Y>,
}

impl<O, Y> Merge<O, Y>
where
    O: Iterator<Item = Result<(u64, Decimal), Error>>,
    Y: Iterator<Item = Result<(u64, Decimal), Error>>,
{
    fn new(older: O, younger: Y) -> Result<Self, Error> {
        Ok(Self { older: older.peekable(), younger: younger.peekable() })
    }
}

impl<O, Y> Iterator for Merge<O, Y>
where
    O: Iterator<Item = Result<(u64, Decimal), Error>>,
    Y: Iterator<Item = Result<(u64, Decimal), Error>>,
{
    type Item = Result<(u64, Decimal), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.older.peek(), self.younger.peek()) {
            (Some(Ok((older, _))), Some(Ok((younger, _)))) if older < younger => self.older.next(),
            (Some(Ok((older, _))), Some(Ok((younger, _)))) => {
                if older == younger {
                    self.older.next();
                }
                self.younger.next()
            }
            (Some(_), None) | (Some(Err(_)), _) => self.older.next(),
            (None | Some(Ok(_)), _) => self.younger.next(),
        }
    }
}

/// Blocks of a filter held in one piece of memory, 64 KiB. Filters of all sizes come and go: of equal pieces, what
/// the old ones left fits the new one.
const PIECE_BLOCKS: usize = 1 << 10;

/// A Bloom filter of 512-bit blocks: a key costs one cache line.
struct Filter {
    pieces: Vec<Vec<[u64; 8]>>,
}

impl Filter {
    fn new(keys: usize) -> Self {
        let blocks = keys.saturating_mul(FILTER_BITS) / 512 + 1;
        Self { pieces: (0..blocks.div_ceil(PIECE_BLOCKS)).map(|_| vec![[0; 8]; PIECE_BLOCKS]).collect() }
    }

    /// Which block, and four places in it: a word and its bit.
    fn places(&self, key: u64) -> ((usize, usize), [(usize, u64); 4]) {
        let hash = mixed(key);
        let blocks = self.pieces.len().saturating_mul(PIECE_BLOCKS);
        let place = |probe: u64| {
            let nine = (hash >> (probe * 9)) & 511;
            (usize::try_from(nine >> 6).unwrap_or(0), 1 << (nine & 63))
        };
        let block = mixed(hash) % u64::try_from(blocks).unwrap_or(1).max(1);
        let block = usize::try_from(block).unwrap_or(0);
        ((block / PIECE_BLOCKS, block % PIECE_BLOCKS), [0, 1, 2, 3].map(place))
    }

    fn add(&mut self, key: u64) {
        let ((piece, block), places) = self.places(key);
        let Some(block) = self.pieces.get_mut(piece).and_then(|piece| piece.get_mut(block)) else { return };
        for (word, bit) in places {
            if let Some(word) = block.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_hold(&self, key: u64) -> bool {
        let ((piece, block), places) = self.places(key);
        let Some(block) = self.pieces.get(piece).and_then(|piece| piece.get(block)) else { return true };
        places.iter().all(|(word, bit)| block.get(*word).is_none_or(|word| word & bit != 0))
    }
}

/// Spreads neighbouring numbers over all bits.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Country, Goods, PhoneNumber, ProviderKind, RowNumber};

    fn order(number: u64) -> Order {
        Order {
            row: RowNumber(1),
            provider: "vietnam".to_owned(),
            account: AccountId::new(ProviderKind::ConnectTopup, "demo"),
            phone: PhoneNumber::new(Country::VN, "84", &(900_000_000 + number).to_string()).unwrap(),
            goods: Goods::Airtime,
            amount: None,
            currency: None,
            operator: None,
            operator_hint: None,
            reference: None,
        }
    }

    /// Adds to numbers over and over, in two currencies, and tells what each add came to.
    fn added(sums: &mut Sums) -> Vec<Decimal> {
        let mut all = Vec::new();
        for turn in 0..6000_u64 {
            let order = order(turn * 7919 % 1500);
            let currency = if turn.is_multiple_of(5) { Currency::NGN } else { Currency::VND };
            let sum = sums.get(&order, currency).unwrap() + Decimal::new(i64::try_from(turn).unwrap(), 2);
            sums.set(&order, currency, sum).unwrap();
            all.push(sum);
        }
        all
    }

    #[test]
    fn sums_on_disk_are_those_in_memory_to_the_last_place() {
        let in_memory = added(&mut Sums::default());
        let mut on_disk = Sums { held_max: 100, ..Sums::default() };
        on_disk.spill_to(tempfile::tempfile);
        assert_eq!(added(&mut on_disk), in_memory);
        let sizes: Vec<usize> = on_disk.runs.iter().map(|run| run.entries).collect();
        assert!(on_disk.held.len() < 100 && sizes.len() < 12, "{sizes:?}");
        assert!(sizes.windows(2).all(|pair| pair[0] > 2 * pair[1]), "runs stay few: {sizes:?}");
    }

    #[test]
    fn a_disk_that_refuses_costs_memory_but_no_sum() {
        let mut sums = Sums { held_max: 100, ..Sums::default() };
        sums.spill_to(|| Err(Error::other("full")));
        assert_eq!(added(&mut sums), added(&mut Sums::default()));
    }

    #[test]
    fn a_disk_without_room_to_merge_leaves_the_runs_as_they_were() {
        thread_local!(static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
        let mut sums = Sums { held_max: 100, ..Sums::default() };
        sums.spill_to(|| {
            CALLS.set(CALLS.get() + 1);
            // The first run has none to be merged with.
            let merges = CALLS.get() > 2 && !CALLS.get().is_multiple_of(2);
            if merges { Err(Error::other("full")) } else { tempfile::tempfile() }
        });
        assert_eq!(added(&mut sums), added(&mut Sums::default()));
        assert!(sums.runs.len() > 10, "{}", sums.runs.len());
        for run in &sums.runs {
            let filter = run.filter.as_ref().unwrap();
            assert!(run.read().unwrap().all(|entry| filter.may_hold(entry.unwrap().0)));
        }
    }

    #[test]
    fn after_a_sum_that_cannot_be_read_none_is_told() {
        let mut sums = Sums { held_max: 100, ..Sums::default() };
        sums.spill_to(tempfile::tempfile);
        added(&mut sums);
        let cut = &sums.runs[0].file;
        cut.set_len(0).unwrap();
        let failed = (0..1500).find(|number| sums.get(&order(*number), Currency::VND).is_err());
        assert!(failed.is_some());
        assert!(sums.set(&order(1), Currency::VND, Decimal::ONE).is_err());
        assert!((0..1500).all(|number| sums.get(&order(number), Currency::VND).is_err()));
    }

    #[test]
    fn the_filter_seldom_raises_a_false_alarm() {
        const KEYS: u64 = 300_000;
        let mut filter = Filter::new(usize::try_from(KEYS).unwrap());
        assert_eq!(filter.pieces.len(), 4);
        (0..KEYS).for_each(|key| filter.add(key << 8));
        assert!((0..KEYS).all(|key| filter.may_hold(key << 8)));
        let alarms = (KEYS..KEYS + 100_000).filter(|key| filter.may_hold(key << 8)).count();
        assert!(alarms < 6_000, "{alarms}");
    }
}
