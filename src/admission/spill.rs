//! Sets of keys that outgrow memory: sorted runs in files that the shell provides, behind filters that answer
//! "never seen" without touching them. Memory is 17 to 26 bits a key.

use std::fs::File;
use std::io::{BufWriter, Error, Write};
use std::os::unix::fs::FileExt;

use super::key::Key;

/// Words of an entry: two of the key and two of what is kept under it.
pub(super) const ENTRY_WORDS: usize = 4;

/// Bytes of an entry.
const ENTRY_BYTES: usize = ENTRY_WORDS * 8;

/// Entries read at once: 2 KiB.
const BLOCK_ENTRIES: usize = 64;

/// Bits a key gets in the filter: about one false alarm in a thousand.
const FILTER_BITS: usize = 16;

/// Keys that a filter has room for at least. Each has room for half of what is kept already, so there are few to
/// ask however large the file is, and little room is left over.
const ROOM_MIN: usize = 1 << 20;

/// Keys with values that were written out. A key is in at most one run.
#[derive(Default)]
pub(super) struct Spill {
    levels: Vec<Level>,
}

/// Runs behind one filter.
struct Level {
    filter: Filter,
    runs: Vec<Run>,
}

impl Spill {
    /// Writes a run out: `count` entries in the order of their keys. Nothing is in it if that fails.
    pub(super) fn write<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e [u64; ENTRY_WORDS]> + Clone,
        count: usize,
        file: File,
    ) -> Result<(), Error> {
        let mut out = BufWriter::with_capacity(64 << 10, file);
        let mut fences = Vec::with_capacity(count / BLOCK_ENTRIES + 1);
        for (at, entry) in entries.clone().enumerate() {
            if at % BLOCK_ENTRIES == 0 {
                fences.push(entry[0]);
            }
            let mut bytes = [0; ENTRY_BYTES];
            for (word, place) in entry.iter().zip(bytes.chunks_exact_mut(8)) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            out.write_all(&bytes)?;
        }
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        if self.levels.last().is_none_or(|level| !level.filter.has_room(count)) {
            let kept: usize = self.levels.iter().map(|level| level.filter.held).sum();
            // Whole runs go into it.
            let room = ROOM_MIN.max(kept / 2).div_ceil(count.max(1)) * count.max(1);
            self.levels.push(Level { filter: Filter::new(room), runs: Vec::new() });
        }
        if let Some(level) = self.levels.last_mut() {
            entries.for_each(|entry| level.filter.add(Key(entry[0], entry[1])));
            level.runs.push(Run { file, entries: count, fences });
        }
        Ok(())
    }

    /// One word of each place that [`Spill::get`] looks at first. The places of several keys are fetched from
    /// memory side by side, those of one look-up after the other are waited for.
    pub(super) fn touch(&self, key: Key) -> u64 {
        let words = self.levels.iter().filter_map(|level| level.filter.blocks.get(level.filter.block(key)));
        words.fold(0, |sum, block| sum ^ block[0])
    }

    /// What is kept under a key.
    pub(super) fn get(&self, key: Key) -> Result<Option<(u64, u64)>, Error> {
        for level in self.levels.iter().filter(|level| level.filter.may_hold(key)) {
            for run in &level.runs {
                if let Some(value) = run.get(key)? {
                    return Ok(Some(value));
                }
            }
        }
        Ok(None)
    }
}

/// One sorted file.
struct Run {
    file: File,
    entries: usize,
    /// First half of each block's first key.
    fences: Vec<u64>,
}

impl Run {
    fn get(&self, key: Key) -> Result<Option<(u64, u64)>, Error> {
        // Keys with an equal first half may begin in the block before the first fence that equals it.
        let first = self.fences.partition_point(|fence| *fence < key.0).saturating_sub(1);
        let end = self.fences.partition_point(|fence| *fence <= key.0);
        for block in first..end {
            if let Some(value) = self.get_in(block, key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn get_in(&self, block: usize, key: Key) -> Result<Option<(u64, u64)>, Error> {
        let before = block.saturating_mul(BLOCK_ENTRIES);
        let count = self.entries.saturating_sub(before).min(BLOCK_ENTRIES);
        let mut whole = [0_u8; BLOCK_ENTRIES * ENTRY_BYTES];
        let bytes = whole.get_mut(..count * ENTRY_BYTES).unwrap_or_default();
        let start = u64::try_from(before.saturating_mul(ENTRY_BYTES)).map_err(Error::other)?;
        self.file.read_exact_at(bytes, start)?;
        let word = |entry: &[u8], at: usize| {
            let bytes = entry.get(at * 8..at * 8 + 8).and_then(|part| part.try_into().ok());
            bytes.map_or(0, u64::from_le_bytes)
        };
        let mut entries = bytes.chunks_exact(ENTRY_BYTES);
        let entry = entries.find(|entry| word(entry, 0) == key.0 && word(entry, 1) == key.1);
        Ok(entry.map(|entry| (word(entry, 2), word(entry, 3))))
    }
}

/// A Bloom filter of 512-bit blocks: a key costs one cache line.
struct Filter {
    blocks: Vec<[u64; 8]>,
    room: usize,
    held: usize,
}

impl Filter {
    fn new(keys: usize) -> Self {
        Self { blocks: vec![[0; 8]; keys.saturating_mul(FILTER_BITS) / 512 + 1], room: keys, held: 0 }
    }

    /// Whether so many more keys leave it sharp.
    fn has_room(&self, keys: usize) -> bool {
        self.held.saturating_add(keys) <= self.room
    }

    fn block(&self, key: Key) -> usize {
        let blocks = u128::try_from(self.blocks.len()).unwrap_or(1);
        usize::try_from((u128::from(key.0) * blocks) >> 64).unwrap_or(0)
    }

    /// Seven places of a block: which word, and its bit.
    fn places(key: Key) -> impl Iterator<Item = (usize, u64)> {
        (0..7).map(move |probe| {
            let nine = (key.1 >> (probe * 9)) & 511;
            (usize::try_from(nine >> 6).unwrap_or(0), 1 << (nine & 63))
        })
    }

    fn add(&mut self, key: Key) {
        self.held += 1;
        let at = self.block(key);
        if let Some(block) = self.blocks.get_mut(at) {
            for (word, bit) in Self::places(key) {
                if let Some(word) = block.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    fn may_hold(&self, key: Key) -> bool {
        let Some(block) = self.blocks.get(self.block(key)) else { return true };
        Self::places(key).all(|(word, bit)| block.get(word).is_none_or(|word| word & bit != 0))
    }
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

    fn write(spill: &mut Spill, keys: impl Iterator<Item = (Key, u64)>) {
        let mut entries: Vec<_> = keys.map(|(key, n)| [key.0, key.1, n, !n]).collect();
        entries.sort_unstable();
        spill.write(entries.iter(), entries.len(), tempfile::tempfile().unwrap()).unwrap();
    }

    #[test]
    fn what_was_written_out_is_found_and_nothing_else() {
        let mut spill = Spill::default();
        for run in 0..5u64 {
            write(&mut spill, (run * 3000..(run + 1) * 3000).map(|n| (key(n), n)));
        }
        for number in 0..15_000 {
            assert_eq!(spill.get(key(number)).unwrap(), Some((number, !number)));
        }
        for number in 15_000..30_000 {
            assert_eq!(spill.get(key(number)).unwrap(), None);
        }
    }

    #[test]
    fn keys_with_an_equal_half_are_found_in_whichever_block_they_stand() {
        let mut spill = Spill::default();
        let half = |n: u64| Key(n / 300, n * 3);
        write(&mut spill, (0..3_000).map(|n| (half(n), n)));
        for number in 0..3_000 {
            assert_eq!(spill.get(half(number)).unwrap(), Some((number, !number)));
            assert_eq!(spill.get(Key(number / 300, number * 3 + 1)).unwrap(), None);
        }
        assert_eq!(spill.get(Key(u64::MAX, 0)).unwrap(), None);
    }

    #[test]
    fn a_filter_that_is_full_is_followed_by_a_larger_one() {
        let mut spill = Spill::default();
        spill.levels.push(Level { filter: Filter::new(5_000), runs: Vec::new() });
        for run in 0..7u64 {
            write(&mut spill, (run * 3000..(run + 1) * 3000).map(|n| (key(n), n)));
        }
        let runs: Vec<_> = spill.levels.iter().map(|level| level.runs.len()).collect();
        assert_eq!(runs, [1, 6]);
        assert_eq!(spill.levels[1].filter.room, ROOM_MIN.div_ceil(3_000) * 3_000);
        assert!((0..21_000).all(|n| spill.get(key(n)).unwrap() == Some((n, !n))));
    }

    #[test]
    fn the_filter_seldom_raises_a_false_alarm() {
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|number| filter.add(key(number)));
        let alarms = (10_000..110_000).filter(|number| filter.may_hold(key(*number))).count();
        assert!(alarms < 400, "{alarms}");
        assert!((0..10_000).all(|number| filter.may_hold(key(number))));
    }
}
