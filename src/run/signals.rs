//! SIGINT, SIGTERM and SIGHUP as one stream: the first asks to stop in order, the second to leave at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask the program to stop.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    seen: u32,
}

impl Signals {
    /// Takes over the three signals.
    ///
    /// # Errors
    /// What the system says when it does not allow that.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            seen: 0,
        })
    }

    /// Waits for the next one; says how many there were.
    pub async fn next(&mut self) -> u32 {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
        self.seen = self.seen.saturating_add(1);
        self.seen
    }

    /// How many there were.
    pub fn seen(&self) -> u32 {
        self.seen
    }
}
