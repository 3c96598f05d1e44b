//! Sets of keys that outgrow memory: sorted runs in files that the shell provides, behind a filter that
//! answers "never seen" without touching them. Memory is 12 to 24 bits a key.

use std::fs::File;
use std::io::{BufWriter, Error, Write};
use std::os::unix::fs::FileExt;

/// 128 bits: of a hash, or of what is kept under it.
pub(super) type Halves = (u64, u64);

/// Bytes of an entry: two halves of the key and two of its value.
const ENTRY_BYTES: usize = 32;

/// Entries read at once: 4 KiB, a page of disk.
const BLOCK_ENTRIES: usize = 128;

/// Bits a key gets in the filter: less than one false alarm in a hundred.
const FILTER_BITS: usize = 12;

/// Keys with values that were written out. A key is in at most one run.
#[derive(Default)]
pub(super) struct Spill {
    filters: Vec<Filter>,
    runs: Vec<Run>,
}

impl Spill {
    /// Writes a run out. The filter learns it only after it stands in the file.
    pub(super) fn write(&mut self, mut entries: Vec<(Halves, Halves)>, file: File) -> Result<(), Error> {
        entries.sort_unstable();
        let mut out = BufWriter::with_capacity(64 << 10, file);
        for (key, value) in &entries {
            for word in [key.0, key.1, value.0, value.1] {
                out.write_all(&word.to_le_bytes())?;
            }
        }
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let firsts = entries.chunks(BLOCK_ENTRIES).filter_map(|block| block.first().map(|(key, _)| *key));
        self.runs.push(Run { fences: firsts.collect(), entries: entries.len(), file });
        entries.iter().for_each(|(key, _)| self.learn(*key));
        Ok(())
    }

    /// The value of a key.
    pub(super) fn get(&mut self, key: Halves) -> Result<Option<Halves>, Error> {
        if !self.filters.iter().any(|filter| filter.may_hold(key)) {
            return Ok(None);
        }
        for run in &self.runs {
            if let Some(value) = run.get(key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn learn(&mut self, key: Halves) {
        if self.filters.last().is_none_or(Filter::is_full) {
            // Each filter is twice the one before, so there are few to ask however large the file is.
            let keys = self.filters.last().map_or(1 << 20, |filter| filter.room.saturating_mul(2));
            self.filters.push(Filter::new(keys));
        }
        if let Some(filter) = self.filters.last_mut() {
            filter.add(key);
        }
    }
}

/// One sorted file.
struct Run {
    file: File,
    entries: usize,
    /// First key of each block.
    fences: Vec<Halves>,
}

impl Run {
    fn get(&self, key: Halves) -> Result<Option<Halves>, Error> {
        let Some(block) = self.fences.partition_point(|first| *first <= key).checked_sub(1) else {
            return Ok(None);
        };
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
        let entry =
            bytes.chunks_exact(ENTRY_BYTES).find(|entry| word(entry, 0) == key.0 && word(entry, 1) == key.1);
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

    fn is_full(&self) -> bool {
        self.held >= self.room
    }

    fn block(&self, key: Halves) -> usize {
        let blocks = u64::try_from(self.blocks.len()).unwrap_or(1);
        usize::try_from(key.0 % blocks).unwrap_or(0)
    }

    /// Six places of a block: which word, and its bit.
    fn places(key: Halves) -> impl Iterator<Item = (usize, u64)> {
        (0..6).map(move |probe| {
            let nine = (key.1 >> (probe * 9)) & 511;
            (usize::try_from(nine >> 6).unwrap_or(0), 1 << (nine & 63))
        })
    }

    fn add(&mut self, key: Halves) {
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

    fn may_hold(&self, key: Halves) -> bool {
        let Some(block) = self.blocks.get(self.block(key)) else { return true };
        Self::places(key).all(|(word, bit)| block.get(word).is_none_or(|word| word & bit != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that look like hashes.
    fn key(number: u64) -> Halves {
        let mix = |n: u64| {
            let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            n ^ (n >> 31)
        };
        (mix(number), mix(number ^ 0x9E37_79B9_7F4A_7C15))
    }

    #[test]
    fn what_was_written_out_is_found_and_nothing_else() {
        let mut spill = Spill::default();
        for run in 0..5u64 {
            let entries = (run * 3000..(run + 1) * 3000).map(|n| (key(n), (n, !n))).collect();
            spill.write(entries, tempfile::tempfile().unwrap()).unwrap();
        }
        for number in 0..15_000 {
            assert_eq!(spill.get(key(number)).unwrap(), Some((number, !number)));
        }
        for number in 15_000..30_000 {
            assert_eq!(spill.get(key(number)).unwrap(), None);
        }
    }

    #[test]
    fn the_filter_seldom_raises_a_false_alarm() {
        let mut filter = Filter::new(10_000);
        (0..10_000).for_each(|number| filter.add(key(number)));
        let alarms = (10_000..110_000).filter(|number| filter.may_hold(key(*number))).count();
        assert!(alarms < 1_000, "{alarms}");
        assert!((0..10_000).all(|number| filter.may_hold(key(number))));
    }
}
