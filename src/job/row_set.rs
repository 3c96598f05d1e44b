//! A set of rows of one batch.

use crate::domain::RowNumber;

/// A set of row numbers, one bit each.
#[derive(Clone, Debug, Default)]
pub struct RowSet {
    words: Vec<u64>,
    len: u64,
}

impl RowSet {
    /// The last row number that is taken for one: a set of that many is 128 MB, no file is as long, and a
    /// mistyped cell must not ask for more.
    pub const LAST: RowNumber = RowNumber(1_000_000_000);

    /// Adds a row; true if it was not in it.
    pub fn insert(&mut self, row: RowNumber) -> bool {
        let (word, bit) = Self::place(row);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(slot) = self.words.get_mut(word) else { return false };
        let new = *slot & bit == 0;
        *slot |= bit;
        self.len += u64::from(new);
        new
    }

    /// Whether a row is in it.
    pub fn contains(&self, row: RowNumber) -> bool {
        let (word, bit) = Self::place(row);
        self.words.get(word).is_some_and(|slot| slot & bit != 0)
    }

    /// The highest row in it.
    pub fn last(&self) -> Option<RowNumber> {
        let (word, bits) = self.words.iter().enumerate().rev().find(|(_, bits)| **bits != 0)?;
        let word = u64::try_from(word).ok()?;
        Some(RowNumber(word * 64 + u64::from(bits.ilog2())))
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn place(row: RowNumber) -> (usize, u64) {
        (usize::try_from(row.0 / 64).unwrap_or(usize::MAX), 1 << (row.0 % 64))
    }
}
