//! A list that keeps its first entries and counts the others.

/// The first entries, and how many there were.
#[derive(Clone, Debug)]
pub(super) struct Capped<T> {
    items: Vec<T>,
    total: u64,
    most: usize,
}

impl<T> Capped<T> {
    /// An empty list that keeps so many.
    pub(super) fn new(most: usize) -> Self {
        Self { items: Vec::new(), total: 0, most }
    }

    /// Counts one more; it is made only if it is kept.
    pub(super) fn add(&mut self, make: impl FnOnce() -> T) {
        self.total = self.total.saturating_add(1);
        if self.items.len() < self.most {
            self.items.push(make());
        }
    }

    /// What was kept.
    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    /// How many there were.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many were counted alone.
    pub(super) fn more(&self) -> u64 {
        self.total.saturating_sub(u64::try_from(self.items.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_and_more_are_all() {
        let mut list = Capped::new(3);
        for n in 0..10 {
            list.add(|| n);
        }
        assert_eq!((list.items(), list.total(), list.more()), ([0, 1, 2].as_slice(), 10, 7));
    }
}
