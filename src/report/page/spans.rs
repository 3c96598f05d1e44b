//! How long rows took from their last submit to their final state: a count for each class that the page draws,
//! the exact mean, and percentiles from logarithmic buckets.

use std::collections::BTreeMap;
use std::time::Duration;

/// The classes that the page draws, by their upper ends; the last one has none.
pub(super) const CLASSES: [(&str, u64); 7] = [
    ("under 1 s", 1_000),
    ("1 to 5 s", 5_000),
    ("5 to 30 s", 30_000),
    ("30 s to 2 m", 120_000),
    ("2 to 10 m", 600_000),
    ("10 m to 1 h", 3_600_000),
    ("over 1 h", u64::MAX),
];

/// Buckets of one octave: a percentile is at most a thirty-second too high.
const STEPS: u64 = 32;

/// Times in the making. Grows with the logarithm of the longest time, not with rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    rows: u64,
    sum_ms: u128,
    classes: [u64; 7],
    buckets: BTreeMap<u64, u64>,
}

impl Spans {
    /// Adds one time.
    pub(super) fn add(&mut self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.rows = self.rows.saturating_add(1);
        self.sum_ms = self.sum_ms.saturating_add(u128::from(ms));
        if let Some(class) =
            CLASSES.iter().zip(&mut self.classes).find(|((_, end), _)| ms < *end || *end == u64::MAX)
        {
            *class.1 = class.1.saturating_add(1);
        }
        let bucket = self.buckets.entry(bucket_end(ms)).or_default();
        *bucket = bucket.saturating_add(1);
    }

    /// How many times.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many in each of [`CLASSES`].
    pub(super) fn classes(&self) -> &[u64; 7] {
        &self.classes
    }

    /// The exact mean, in whole milliseconds.
    pub(super) fn mean(&self) -> Option<Duration> {
        let mean = self.sum_ms.checked_div(u128::from(self.rows))?;
        Some(Duration::from_millis(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// A time that so many percent of the rows did not exceed.
    pub(super) fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = u128::from(self.rows) * u128::from(percent);
        let rank = rank.div_ceil(100).max(1);
        let mut seen = 0_u128;
        for (end, rows) in &self.buckets {
            seen += u128::from(*rows);
            if seen >= rank {
                return Some(Duration::from_millis(*end));
            }
        }
        None
    }
}

/// The longest time of the bucket that a time falls into.
fn bucket_end(ms: u64) -> u64 {
    let width = 1_u64 << u64::from(ms.max(1).ilog2()).saturating_sub(u64::from(STEPS.ilog2()));
    (ms | (width - 1)).max(ms)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_classes_are_those_of_the_page() {
        let mut spans = Spans::default();
        for ms in [0, 999, 1_000, 5_000, 29_999, 30_000, 120_000, 600_000, 3_599_999, 3_600_000, 90_000_000] {
            spans.add(Duration::from_millis(ms));
        }
        assert_eq!(spans.classes(), &[2, 1, 2, 1, 1, 2, 2]);
        assert_eq!(spans.classes().iter().sum::<u64>(), spans.rows());
        assert_eq!(Spans::default().mean(), None);
        assert_eq!(Spans::default().percentile(95), None);
    }

    proptest! {
        #[test]
        fn a_percentile_is_never_too_low_and_at_most_a_thirty_second_too_high(
            mut times in prop::collection::vec(0_u64..10_000_000, 1..200), percent in 1_u64..=100,
        ) {
            let mut spans = Spans::default();
            times.iter().for_each(|ms| spans.add(Duration::from_millis(*ms)));
            times.sort_unstable();
            let rank = (times.len() * usize::try_from(percent).unwrap()).div_ceil(100).max(1);
            let exact = times[rank - 1];
            let told = u64::try_from(spans.percentile(percent).unwrap().as_millis()).unwrap();
            prop_assert!(told >= exact && told - exact <= exact / STEPS, "{told} for {exact}");
            let mean = times.iter().sum::<u64>() / u64::try_from(times.len()).unwrap();
            prop_assert_eq!(spans.mean(), Some(Duration::from_millis(mean)));
        }
    }
}
