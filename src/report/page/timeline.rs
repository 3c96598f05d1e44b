//! The course of a batch over the time in which somebody worked on it: how many rows stood where, and how many
//! submits left, in a bounded number of buckets. The gaps between two runs are left out.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chronicle::Stretch;
use crate::domain::{Status, WallTime};

/// Widths of a bucket, in microseconds; each below a second divides it, each above is a number of them.
const WIDTHS_US: [i64; 20] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    15_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
    14_400_000_000,
    86_400_000_000,
    864_000_000_000,
    8_640_000_000_000,
];

/// Buckets that all stretches may need together, beside one for each stretch.
const BUCKETS_MAX: i64 = 120;

/// Providers whose rate is drawn; the configuration names them one by one.
const PROVIDERS_MAX: usize = 12;

/// Where one stretch lies in the buckets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) stretch: Stretch,
    pub(super) first: usize,
    pub(super) buckets: usize,
}

/// The course in the making.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    width_us: i64,
    parts: Vec<Part>,
    /// Per bucket, what changed in it: succeeded, failed, open.
    changes: Vec<[i64; 3]>,
    /// Per provider and bucket, submits that left.
    sent: BTreeMap<String, Vec<u64>>,
}

/// What stands at the end of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) open: u64,
}

impl Level {
    pub(super) fn total(self) -> u64 {
        self.succeeded.saturating_add(self.failed).saturating_add(self.open)
    }
}

/// So many requests in every window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) count: u64,
    pub(super) window_us: i64,
}

impl Limit {
    /// Reads a rate as settings write it: `20/s`, `90/m`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let window_us = match unit.trim() {
            "s" => 1_000_000,
            "m" => 60_000_000,
            _ => return None,
        };
        Some(Self { count: count.trim().parse().ok()?, window_us })
    }
}

/// A provider's submits, in slots at least as long as the window of its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RateCourse {
    /// Length of a slot.
    pub(super) slot: Duration,
    /// Submits in each, with the first bucket and the number of buckets it covers.
    pub(super) slots: Vec<(usize, usize, u64)>,
    /// The most that the limit lets through in one.
    pub(super) allowed: Option<u64>,
}

impl Timeline {
    /// An axis over these stretches, which follow each other.
    pub(super) fn new(stretches: &[Stretch]) -> Self {
        let length = |s: &Stretch| s.end.0.saturating_sub(s.start.0).max(0);
        let total = stretches.iter().map(length).fold(0, i64::saturating_add);
        let fits = |width: &&i64| total / **width < BUCKETS_MAX;
        let width_us = WIDTHS_US.iter().find(fits).or(WIDTHS_US.last()).copied().unwrap_or(1);
        let (mut parts, mut first) = (Vec::with_capacity(stretches.len()), 0_usize);
        for stretch in stretches {
            let buckets = usize::try_from(length(stretch) / width_us + 1).unwrap_or(1).min(10_000);
            parts.push(Part { stretch: *stretch, first, buckets });
            first += buckets;
        }
        Self { width_us, parts, changes: vec![[0; 3]; first], sent: BTreeMap::new() }
    }

    /// The bucket of a time: one outside all stretches counts to the end of the one before it.
    fn place(&self, at: WallTime) -> Option<usize> {
        let after = self.parts.partition_point(|part| part.stretch.start <= at);
        let part = self.parts.get(after.saturating_sub(1))?;
        let within = at.0.saturating_sub(part.stretch.start.0).max(0) / self.width_us;
        let within = usize::try_from(within).unwrap_or(usize::MAX).min(part.buckets - 1);
        Some(part.first + within)
    }

    /// A row went from one status to another.
    pub(super) fn moved(&mut self, at: WallTime, from: Status, to: Status) {
        let Some(bucket) = self.place(at).and_then(|place| self.changes.get_mut(place)) else { return };
        for (status, change) in [(from, -1), (to, 1)] {
            let [succeeded, failed, open] = &mut *bucket;
            let slot = match status {
                Status::Succeeded => succeeded,
                Status::Failed => failed,
                Status::Pending | Status::Unknown => open,
                Status::Invalid | Status::NotSent => continue,
            };
            *slot += change;
        }
    }

    /// A submit left.
    pub(super) fn sent(&mut self, at: WallTime, provider: &str) {
        let (place, buckets) = (self.place(at), self.changes.len());
        let known = self.sent.contains_key(provider);
        if !known && self.sent.len() >= PROVIDERS_MAX {
            return;
        }
        let course = self.sent.entry(provider.to_owned()).or_insert_with(|| vec![0; buckets]);
        if let Some(slot) = place.and_then(|place| course.get_mut(place)) {
            *slot += 1;
        }
    }

    /// The stretches on the axis.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Length of a bucket.
    pub(super) fn width(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.width_us).unwrap_or(0))
    }

    /// What stood at the end of each bucket, if it stands like this at the end of the last one. What was there
    /// before the first event (a batch taken over from a results file) is there from the start.
    pub(super) fn levels(&self, at_end: Level) -> Vec<Level> {
        let totals = self.changes.iter().fold([0_i64; 3], |sum, change| add(sum, *change));
        let end =
            [at_end.succeeded, at_end.failed, at_end.open].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let mut level = [0_i64; 3];
        for ((slot, end), total) in level.iter_mut().zip(end).zip(totals) {
            *slot = end.saturating_sub(total);
        }
        let told = |level: [i64; 3]| {
            let [succeeded, failed, open] = level.map(|n| u64::try_from(n).unwrap_or(0));
            Level { succeeded, failed, open }
        };
        let course = self.changes.iter().map(|change| {
            level = add(level, *change);
            told(level)
        });
        course.collect()
    }

    /// Providers that submits left to.
    pub(super) fn providers(&self) -> impl Iterator<Item = &str> {
        self.sent.keys().map(String::as_str)
    }

    /// A provider's submits against its limit.
    pub(super) fn rate(&self, provider: &str, limit: Option<Limit>) -> RateCourse {
        let least = limit.map_or(1_000_000, |limit| limit.window_us).max(self.width_us);
        let group = usize::try_from(least / self.width_us).unwrap_or(1).max(1);
        let sent = self.sent.get(provider).map(Vec::as_slice).unwrap_or_default();
        let mut slots = Vec::new();
        for part in &self.parts {
            let buckets = sent.get(part.first..part.first + part.buckets).unwrap_or_default();
            for (i, chunk) in buckets.chunks(group).enumerate() {
                slots.push((part.first + i * group, chunk.len(), chunk.iter().sum()));
            }
        }
        let slot_us = self.width_us.saturating_mul(i64::try_from(group).unwrap_or(1));
        let allowed = limit.map(|limit| {
            let windows = u64::try_from(slot_us / limit.window_us.max(1)).unwrap_or(1).max(1);
            limit.count.saturating_mul(windows)
        });
        RateCourse { slot: Duration::from_micros(u64::try_from(slot_us).unwrap_or(0)), slots, allowed }
    }
}

fn add(left: [i64; 3], right: [i64; 3]) -> [i64; 3] {
    let ([a, b, c], [x, y, z]) = (left, right);
    [a + x, b + y, c + z]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stretch(start: i64, end: i64) -> Stretch {
        Stretch { start: WallTime(start * 1_000_000), end: WallTime(end * 1_000_000) }
    }

    #[test]
    fn the_gap_between_two_runs_takes_no_room() {
        let timeline = Timeline::new(&[stretch(0, 60), stretch(86_400, 86_460)]);
        assert_eq!(timeline.width(), Duration::from_secs(2));
        assert_eq!(timeline.changes.len(), 31 + 31);
        assert_eq!(timeline.place(WallTime(-5)), Some(0));
        assert_eq!(timeline.place(WallTime(3_000_000_000)), Some(30), "between two runs: end of the first");
        assert_eq!(timeline.place(WallTime(86_402_000_000)), Some(32));
        assert_eq!(timeline.place(WallTime(i64::MAX)), Some(61));
        assert_eq!(Timeline::new(&[]).place(WallTime(5)), None);
    }

    #[test]
    fn a_rate_is_told_in_slots_as_long_as_the_limits_window() {
        let mut timeline = Timeline::new(&[stretch(0, 3), stretch(100, 103)]);
        assert_eq!(timeline.width(), Duration::from_millis(100));
        for at in [0, 100, 900_000, 1_000_000, 101_500_000] {
            timeline.sent(WallTime(at), "vietnam");
        }
        let limit = Limit::parse("20/s");
        let course = timeline.rate("vietnam", limit);
        assert_eq!((course.slot, course.allowed), (Duration::from_secs(1), Some(20)));
        assert_eq!(course.slots.iter().map(|(_, _, n)| *n).collect::<Vec<_>>(), [3, 1, 0, 0, 0, 1, 0, 0]);
        let minute = timeline.rate("vietnam", Limit::parse("90/m"));
        assert_eq!((minute.slot, minute.allowed, minute.slots.len()), (Duration::from_secs(60), Some(90), 2));
        assert_eq!(Limit::parse("5 in 3s"), None);
    }

    proptest! {
        #[test]
        fn the_course_ends_where_the_batch_stands(
            ends in prop::collection::vec((0_i64..5_000, 0_i64..5_000), 1..30),
            moves in prop::collection::vec((-10_i64..10_000, 0_usize..6, 0_usize..6), 0..50),
            (succeeded, failed, open) in (0_u64..1_000, 0_u64..1_000, 0_u64..1_000),
        ) {
            let mut at = 0;
            let stretches: Vec<Stretch> = ends.iter().map(|(gap, length)| {
                let start = at + gap;
                at = start + length;
                stretch(start, at)
            }).collect();
            let mut timeline = Timeline::new(&stretches);
            prop_assert!(timeline.changes.len() <= 120 + 30);
            for (at, from, to) in moves {
                timeline.moved(WallTime(at * 1_000_000), Status::ALL[from], Status::ALL[to]);
            }
            let end = Level { succeeded: succeeded + 100, failed: failed + 100, open: open + 100 };
            let levels = timeline.levels(end);
            prop_assert_eq!(levels.last().copied(), Some(end));
        }
    }
}
