//! Points at which a test can have the program killed. Compiled to nothing without debug assertions.

/// Kills the process with SIGKILL at a named point, if the variable `BULK_TOPUP_CRASH` names it as
/// `point:n`, at its `n`th passing.
#[cfg(debug_assertions)]
pub fn crash_at(point: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    static WANTED: OnceLock<Option<(String, AtomicI64)>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("BULK_TOPUP_CRASH").ok()?;
        let (name, count) = text.split_once(':')?;
        Some((name.to_owned(), AtomicI64::new(count.parse().ok()?)))
    });
    let Some((name, left)) = wanted else { return };
    if name == point && left.fetch_sub(1, Ordering::Relaxed) == 1 {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
pub fn crash_at(_point: &str) {}
