//! The rate limit of one kind of call at one provider: a governor quota shaped so that *no* window of the
//! stated length ever sees more than the stated number, under the engine's own clock.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::types::Rate;
use crate::domain::Tick;

/// One send costs so many of governor's cells. governor counts in whole cells; a fine grain lets the quota
/// allow a small lateness (of timers) without allowing a second send.
const CELLS_PER_SEND: u32 = 100;

/// A timer that wakes up late by at most this much loses nothing.
const LATENESS_MAX: Duration = Duration::from_millis(5);

/// Distance kept from the limit for small counts, where one request too many in the provider's own window
/// would already be more than 2 %: requests can bunch together by this much on the way.
const BUNCHING: Duration = Duration::from_millis(20);

/// Likewise for counts of 50 and more, where 2 % is a whole request or more.
const BUNCHING_LARGE: Duration = Duration::from_millis(2);

/// The engine's clock, as governor wants it: set by hand before every question.
#[derive(Clone, Debug, Default)]
struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

/// Says whether a request may leave now, or when.
#[derive(Debug)]
pub(super) struct Limiter {
    clock: HandClock,
    governor: RateLimiter<NotKeyed, InMemoryState, HandClock, NoOpMiddleware<Nanos>>,
    cost: NonZeroU32,
    /// Least distance of two sends, for arming ahead.
    spacing: Duration,
    /// Added to every tick: governor's clock must not start at zero with a full history behind it.
    offset_ns: u64,
    /// When the first request may leave.
    first_free: Tick,
}

/// Least distance between two sends and the lateness allowed, such that `count + 1` sends always span more
/// than the window.
///
/// With a distance `t` and an allowed lateness `l`, `count + 1` sends span at least `count * t - l`.
fn shape(rate: Rate) -> (Duration, Duration) {
    let count = rate.count.max(1);
    let bunching = if count >= 50 { BUNCHING_LARGE } else { BUNCHING };
    let lateness = LATENESS_MAX.min(rate.window / 100);
    let span = rate.window + bunching.min(rate.window / 50) + lateness;
    // One nanosecond more than the division says, so that rounding never opens the window.
    (span / count + Duration::from_nanos(1), lateness)
}

impl Limiter {
    /// A limiter that nothing was sent through yet, but for requests that left so long ago (any order).
    pub(super) fn new(rate: Rate, now: Tick, recent: &[Duration]) -> Self {
        let (spacing, lateness) = shape(rate);
        let cell = (spacing / CELLS_PER_SEND + Duration::from_nanos(1)).max(Duration::from_nanos(1));
        let spare = u32::try_from(lateness.as_nanos() / cell.as_nanos().max(1)).unwrap_or(0);
        let burst = CELLS_PER_SEND.saturating_add(spare);
        let cost = NonZeroU32::new(CELLS_PER_SEND).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(cell)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        let clock = HandClock::default();
        let offset_ns = u64::try_from(rate.window.as_nanos()).unwrap_or(u64::MAX / 4).saturating_mul(2);
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        let mut this = Self { clock, governor: limiter, cost, spacing, offset_ns, first_free: now };
        let mut ages: Vec<Duration> = recent.iter().copied().filter(|age| *age <= rate.window).collect();
        ages.sort_unstable();
        let mut at = now.before(rate.window);
        for age in ages.into_iter().rev() {
            at = at.max(now.before(age));
            // Every one of them did leave: what the quota would not have let through yet is booked for as
            // soon as it would.
            if let Err(later) = this.take(at) {
                at = later;
                let _ = this.take(at);
            }
            this.first_free = now.max(at.after(spacing));
        }
        this
    }

    /// A limiter for requests that others made until now, nobody knows when, under the same limit: as if the last of
    /// them left just now, as late as the limit allows.
    pub(super) fn after_others(rate: Rate, now: Tick) -> Self {
        let this = Self::new(rate, now, &[]);
        let (spacing, lateness) = shape(rate);
        let last = now.after(lateness);
        let _ = this.take(last);
        Self { first_free: last.after(spacing), ..this }
    }

    /// When the first request may leave, to a few milliseconds.
    pub(super) fn first_free(&self) -> Tick {
        self.first_free
    }

    /// Least distance of two sends in the long run.
    pub(super) fn spacing(&self) -> Duration {
        self.spacing
    }

    /// Takes a slot if one is free now; else tells when to ask again.
    pub(super) fn take(&self, now: Tick) -> Result<(), Tick> {
        self.set(now);
        match self.governor.check_n(self.cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(self.clock.now());
                // Ticks are whole microseconds: the next one, so that asking then succeeds.
                Err(now.after(wait + Duration::from_micros(1)))
            }
            // The burst is never smaller than one send.
            Err(_) => Err(now.after(self.spacing)),
        }
    }

    fn set(&self, now: Tick) {
        let ns = now.0.saturating_mul(1000).saturating_add(self.offset_ns);
        self.clock.0.store(ns, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sends as often as the limiter allows for `total`, waking up late by what `lateness_us` says.
    fn drive(rate: Rate, recent: &[Duration], total: Duration, lateness_us: &[u64]) -> Vec<Tick> {
        let start = Tick(0).after(rate.window * 3);
        let limiter = Limiter::new(rate, start, recent);
        let (mut now, mut sent) = (start, Vec::new());
        for turn in 0.. {
            match limiter.take(now) {
                Ok(()) => sent.push(now),
                Err(later) => {
                    let late = lateness_us.get(turn % lateness_us.len().max(1)).copied().unwrap_or(0);
                    now = Tick(later.0 + late);
                }
            }
            if now.since(start) >= total {
                break;
            }
        }
        sent
    }

    fn most_in_a_window(sent: &[Tick], window: Duration) -> usize {
        let mut from = 0;
        let mut most = 0;
        for (i, at) in sent.iter().enumerate() {
            while at.since(sent[from]) >= window {
                from += 1;
            }
            most = most.max(i - from + 1);
        }
        most
    }

    proptest! {
        #[test]
        fn no_window_ever_sees_more_than_the_stated_number(
            count in 1_u32..2000,
            window_ms in prop::sample::select(vec![100_u64, 1000, 60_000]),
            lateness in prop::collection::vec(0_u64..30_000, 1..20),
            recent in prop::collection::vec(0_u64..1_000_000, 0..50),
        ) {
            let window = Duration::from_millis(window_ms);
            let rate = Rate { count, window };
            let recent: Vec<Duration> = recent.into_iter().map(Duration::from_micros)
                .filter(|age| *age < window).take(usize::try_from(count).unwrap()).collect();
            let sent = drive(rate, &recent, window * 3, &lateness);
            prop_assert!(most_in_a_window(&sent, window) <= usize::try_from(count).unwrap());
        }
    }

    /// What happens between two askings: the wish to send at once, late by so much, or nothing for a while (an
    /// idle minute, a pause the provider asked for), or a new process after so long, which knows of every send only
    /// that it was so much earlier than it may have been.
    #[derive(Clone, Debug)]
    enum Turn {
        Late(u64),
        Idle(u64),
        Restart(u64, u64),
    }

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        let turn = prop_oneof![
            20 => (0_u64..8_000).prop_map(Turn::Late),
            1 => (0_u64..2_000_000).prop_map(Turn::Idle),
            1 => Just(Turn::Idle(61_000_000)),
            1 => (0_u64..300_000, 0_u64..50_000).prop_map(|(down, blur)| Turn::Restart(down, blur)),
            1 => (0_u64..300_000).prop_map(|down| Turn::Restart(down, 0)),
        ];
        prop::collection::vec(turn, 1..60)
    }

    proptest! {
        #[test]
        fn neither_idling_nor_pausing_nor_starting_anew_saves_up_sends(
            count in 1_u32..400,
            window_ms in prop::sample::select(vec![1000_u64, 60_000]),
            turns in turns(),
        ) {
            let rate = Rate { count, window: Duration::from_millis(window_ms) };
            let start = Tick(0).after(rate.window * 3);
            let (mut limiter, mut now) = (Limiter::new(rate, start, &[]), start);
            let mut sent: Vec<Tick> = Vec::new();
            for turn in turns.iter().cycle().take(2_000) {
                match limiter.take(now) {
                    Ok(()) => sent.push(now),
                    Err(later) => now = later,
                }
                match turn {
                    Turn::Late(late) => now = Tick(now.0 + late),
                    Turn::Idle(idle) => now = Tick(now.0 + idle),
                    Turn::Restart(down, blur) => {
                        now = Tick(now.0 + down);
                        let blur = Duration::from_micros(*blur);
                        let recent: Vec<Duration> = sent
                            .iter()
                            .map(|at| now.since(*at).saturating_sub(blur))
                            .filter(|age| *age <= rate.window)
                            .collect();
                        limiter = Limiter::new(rate, now, &recent);
                    }
                }
            }
            let most = most_in_a_window(&sent, rate.window);
            prop_assert!(most <= usize::try_from(count).unwrap(), "{most} sent in a window of {count}");
        }
    }

    proptest! {
        #[test]
        fn processes_that_know_nothing_of_each_other_share_a_limit_when_each_starts_behind_the_last(
            count in 1_u32..400,
            window_ms in prop::sample::select(vec![1000_u64, 60_000]),
            turns in turns(),
        ) {
            let rate = Rate { count, window: Duration::from_millis(window_ms) };
            let start = Tick(0).after(rate.window * 3);
            let (mut limiter, mut now) = (Limiter::after_others(rate, start), start);
            let mut sent: Vec<Tick> = Vec::new();
            for turn in turns.iter().cycle().take(2_000) {
                match limiter.take(now) {
                    Ok(()) => sent.push(now),
                    Err(later) => now = later,
                }
                match turn {
                    Turn::Late(late) => now = Tick(now.0 + late),
                    Turn::Idle(idle) => now = Tick(now.0 + idle),
                    Turn::Restart(down, _) => {
                        now = Tick(now.0 + down);
                        limiter = Limiter::after_others(rate, now);
                    }
                }
            }
            let most = most_in_a_window(&sent, rate.window);
            prop_assert!(most <= usize::try_from(count).unwrap(), "{most} sent in a window of {count}");
        }
    }

    #[test]
    fn most_of_the_limit_is_used_with_timers_late_by_a_millisecond() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let cases = [
            (10, second, 95),
            (40, second, 95),
            (100, second, 98),
            (300, second, 98),
            (10_000, second, 98),
            (60, minute, 98),
            (300, minute, 98),
            (6_000, minute, 98),
        ];
        for (count, window, least) in cases {
            let rate = Rate { count, window };
            let sent = drive(rate, &[], window * 30, &[200, 1000, 0, 600]);
            let allowed = usize::try_from(count).unwrap() * 30;
            println!("{count} per {window:?}: {} of {allowed}", sent.len());
            assert!(sent.len() * 100 >= allowed * least, "{count} per {window:?}: {} sent", sent.len());
            assert!(most_in_a_window(&sent, rate.window) <= usize::try_from(count).unwrap());
        }
    }

    #[test]
    fn after_a_restart_the_last_window_counts() {
        let rate = Rate { count: 10, window: Duration::from_secs(1) };
        let recent: Vec<Duration> = (0..10).map(|i| Duration::from_millis(i * 2)).collect();
        let now = Tick(50_000_000);
        let limiter = Limiter::new(rate, now, &recent);
        let until = limiter.take(now).unwrap_err();
        assert!(until.since(now) >= Duration::from_millis(880), "{:?}", until.since(now));
    }
}
