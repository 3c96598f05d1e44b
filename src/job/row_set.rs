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

    /// Takes a row out; true if it was in it.
    pub fn remove(&mut self, row: RowNumber) -> bool {
        let (word, bit) = Self::place(row);
        let Some(slot) = self.words.get_mut(word).filter(|slot| **slot & bit != 0) else { return false };
        *slot &= !bit;
        self.len -= 1;
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_is_not_in_it_and_not_counted() {
        let mut set = RowSet::default();
        for row in [1, 64, 65, 200, 200] {
            set.insert(RowNumber(row));
        }
        assert_eq!((set.len(), set.last()), (4, Some(RowNumber(200))));
        assert!(set.remove(RowNumber(200)) && !set.remove(RowNumber(200)));
        assert!(!set.remove(RowNumber(2)) && !set.remove(RowNumber(9_999)));
        assert_eq!((set.len(), set.last()), (3, Some(RowNumber(65))));
        let kept: Vec<u64> = (0..300).filter(|row| set.contains(RowNumber(*row))).collect();
        assert_eq!(kept, [1, 64, 65]);
    }
}
