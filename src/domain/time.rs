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

/// Writes times as [`WallTime::rfc3339`] does, quicker where the next one is of the same day as the last.
#[derive(Clone, Debug, Default)]
pub struct Rfc3339 {
    /// Days since 1970-01-01.
    day: i64,
    /// `2026-11-22T` of that day; empty: of none yet.
    date: String,
}

impl Rfc3339 {
    /// Appends a time; nothing when it is outside the calendar.
    pub fn write(&mut self, at: WallTime, text: &mut String) {
        const DAY_US: i64 = 86_400_000_000;
        let (day, of_day) = (at.0.div_euclid(DAY_US), at.0.rem_euclid(DAY_US));
        if self.date.is_empty() || day != self.day {
            let midnight = day.checked_mul(DAY_US).map(|start| WallTime(start).rfc3339()).unwrap_or_default();
            midnight.split_inclusive('T').next().unwrap_or_default().clone_into(&mut self.date);
            self.day = day;
        }
        // The first and the last day of the calendar are not whole.
        if self.date.is_empty() || jiff::Timestamp::from_microsecond(at.0).is_err() {
            text.push_str(&at.rfc3339());
            return;
        }
        let ms = of_day / 1000;
        let digits = [
            (0, ms / 36_000_000),
            (1, ms / 3_600_000 % 10),
            (3, ms / 600_000 % 6),
            (4, ms / 60_000 % 10),
            (6, ms / 10_000 % 6),
            (7, ms / 1000 % 10),
            (9, ms / 100 % 10),
            (10, ms / 10 % 10),
            (11, ms % 10),
        ];
        let mut clock = *b"00:00:00.000Z";
        for (place, digit) in digits {
            if let (Some(place), Ok(digit)) = (clock.get_mut(place), u8::try_from(digit)) {
                *place += digit;
            }
        }
        text.push_str(&self.date);
        text.push_str(std::str::from_utf8(&clock).unwrap_or_default());
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

    #[test]
    fn times_written_one_after_the_other_are_those_of_the_calendar() {
        let mut times = Rfc3339::default();
        let mut same = |at: i64| {
            let mut text = "at ".to_owned();
            times.write(WallTime(at), &mut text);
            assert_eq!(text, format!("at {}", WallTime(at).rfc3339()), "{at}");
        };
        const DAY_US: i64 = 86_400_000_000;
        let ends = [jiff::Timestamp::MIN.as_microsecond(), jiff::Timestamp::MAX.as_microsecond()];
        for edge in [0, DAY_US, -DAY_US, 1_780_000_000_000_000, i64::MIN, i64::MAX, ends[0], ends[1]] {
            for near in [-DAY_US, -1_000_000, -1000, -999, -1, 0, 1, 999, 1000, 59_999_999, DAY_US] {
                same(edge.saturating_add(near));
            }
        }
        // Leaps over days, months and leap years, and steps within a day.
        for step in 0..40_000_i64 {
            same(step * 77_777_777_777_777 - 900_000_000_000_000_000);
            same(1_780_000_000_000_000 + step * 2_345_678);
        }
    }
}
