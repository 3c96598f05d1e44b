//! Time as values: the wall clock for people and records, ticks for waiting. Nothing here reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall-clock time: microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

impl WallTime {
    /// RFC 3339 in UTC with milliseconds: `2026-11-22T09:02:11.000Z`. Times outside the calendar are empty.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map(|t| format!("{t:.3}")).unwrap_or_default()
    }

    /// Reads what [`WallTime::rfc3339`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_microsecond()))
    }

    /// How long after `earlier`; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A reading of a clock that never goes back and counts sleep: microseconds since the machine started.
/// Comparable only within one [`Boot`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(pub u64);

impl Tick {
    /// This much later.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }

    /// This much earlier; not before the start.
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier`; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Which start of the machine a [`Tick`] belongs to: a number that differs after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Boot(pub u64);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Now {
    /// For waiting.
    pub tick: Tick,
    /// For records.
    pub wall: WallTime,
    /// Which start of the machine.
    pub boot: Boot,
}

impl Now {
    /// How long ago an earlier reading was by the tick clock. `None` when the machine was restarted in
    /// between, or when the wall clock jumped by over ten seconds against the tick clock: then nothing can
    /// be said.
    pub fn elapsed_since(self, earlier: Self) -> Option<Duration> {
        const JUMP_US: i64 = 10_000_000;
        if self.boot != earlier.boot || self.tick < earlier.tick {
            return None;
        }
        let ticks = i64::try_from(self.tick.0.saturating_sub(earlier.tick.0)).ok()?;
        let walls = self.wall.0.saturating_sub(earlier.wall.0);
        (ticks.saturating_sub(walls).saturating_abs() <= JUMP_US).then(|| self.tick.since(earlier.tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jumped_clock_or_a_restart_says_nothing() {
        let at = |tick, wall, boot| Now { tick: Tick(tick), wall: WallTime(wall), boot: Boot(boot) };
        let earlier = at(1_000_000, 5_000_000, 1);
        assert_eq!(at(61_000_000, 65_000_000, 1).elapsed_since(earlier), Some(Duration::from_secs(60)));
        assert_eq!(at(61_000_000, 165_000_000, 1).elapsed_since(earlier), None);
        assert_eq!(at(61_000_000, 65_000_000, 2).elapsed_since(earlier), None);
    }

    #[test]
    fn wall_time_is_written_in_utc() {
        assert_eq!(WallTime(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(WallTime::parse("1970-01-01T00:00:01.500Z"), Some(WallTime(1_500_000)));
    }
}
