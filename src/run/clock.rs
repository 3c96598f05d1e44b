//! The one clock of the program: readings for the engine, and waiting.

use std::time::Duration;

use crate::domain::{Boot, Now, Tick, WallTime};

/// Reads the machine's clocks. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot: Boot,
}

impl Clock {
    /// The machine's clock.
    pub fn new() -> Self {
        Self { boot: boot_id() }
    }

    /// Both clocks now. Ticks count the time a machine sleeps, so that a laptop that was closed over night
    /// does not believe a request is fresh.
    pub fn now(&self) -> Now {
        Now { tick: ticks(), wall: wall(), boot: self.boot }
    }

    /// Waits until a tick; not at all if it has passed.
    pub async fn wait_until(&self, tick: Tick) {
        let wait = tick.since(self.now().tick);
        if !wait.is_zero() {
            self.wait(wait).await;
        }
    }

    /// Waits so long.
    #[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
    pub async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
fn wall() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(target_os = "linux")]
fn ticks() -> Tick {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
    let micros = u64::try_from(at.tv_nsec).unwrap_or(0) / 1000;
    Tick(seconds.saturating_mul(1_000_000).saturating_add(micros))
}

/// Elsewhere ticks count from the start of the process, and [`boot_id`] differs for every process: what an
/// earlier process measured counts for nothing, which is slower and safe.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "this is the shell's clock")]
fn ticks() -> Tick {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    Tick(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// A number for this start of the machine (not of the process, where the system tells).
fn boot_id() -> Boot {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    match u64::from_str_radix(&hex, 16) {
        Ok(id) => Boot(id),
        Err(_) => Boot(u64::from(std::process::id()) ^ u64::try_from(wall().0).unwrap_or(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_never_go_back() {
        let clock = Clock::new();
        let mut last = clock.now();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(now.tick >= last.tick);
            assert_eq!(now.boot, last.boot);
            last = now;
        }
    }
}
