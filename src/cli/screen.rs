//! The one screen that bars, talk, data and log lines share: whoever writes to it takes the bars off first.

use std::sync::{Mutex, PoisonError};

use indicatif::MultiProgress;

/// The bars on the screen, if any are drawn. A process has one screen.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Bars are drawn from now on.
pub fn draw(bars: &MultiProgress) {
    *BARS.lock().unwrap_or_else(PoisonError::into_inner) = Some(bars.clone());
}

/// Takes the bars off the screen for good.
pub fn wipe() {
    let bars = BARS.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bars) = bars {
        let _ = bars.clear();
    }
}

/// Does something that writes to the terminal, with the bars out of its way.
pub fn beside_bars<T>(write: impl FnOnce() -> T) -> T {
    let bars = BARS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match bars {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Columns of the terminal at stderr; none when it is no terminal.
pub fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
