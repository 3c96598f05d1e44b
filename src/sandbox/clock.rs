//! The sandbox's own clock: a provider keeps its own time. The only place here that reads or waits.

use std::time::Duration;

use jiff::Timestamp;

/// Microseconds since the Unix epoch.
pub type Micros = i64;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox plays a foreign server, which has a clock of its own"
)]
pub fn now() -> Micros {
    Timestamp::now().as_microsecond()
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox plays a foreign server, which has a clock of its own"
)]
pub async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A moment some time later; a wait beyond the calendar ends at its last moment.
pub fn later(at: Micros, by: Duration) -> Micros {
    at.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}

/// The time from one moment to another, zero if that has passed.
pub fn until(now: Micros, then: Micros) -> Duration {
    Duration::from_micros(u64::try_from(then.saturating_sub(now)).unwrap_or(0))
}

/// RFC 3339 in UTC with microseconds.
pub fn written(at: Micros) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
}

/// Reads what [`written`] wrote.
pub fn read(text: &str) -> Option<Micros> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// `2017-08-06 15:19:34`, as Tutom writes an expiration date.
pub fn plain_date(at: Micros) -> String {
    let text = written(at);
    text.split('.').next().unwrap_or_default().replace('T', " ")
}
