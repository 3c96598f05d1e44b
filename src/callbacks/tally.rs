//! What came in, in numbers: the only thing the listener tells of what it receives.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::CallbackRefused;

/// Why something that came in is not listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// From a network that is not allowed.
    Network,
    /// To a path that leads nowhere, or by another method than GET or POST.
    Path,
    /// A body beyond the limit.
    Oversized,
    /// Not whole in time.
    Slow,
    /// Pushed out by later connections.
    Crowded,
    /// Not what the provider's document describes.
    Unreadable,
    /// Not signed, or wrongly.
    Forged,
    /// The ledger could not keep the hint.
    Ledger,
}

impl Refused {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::Network,
        Self::Path,
        Self::Oversized,
        Self::Slow,
        Self::Crowded,
        Self::Unreadable,
        Self::Forged,
        Self::Ledger,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Path => "path",
            Self::Oversized => "oversized",
            Self::Slow => "slow",
            Self::Crowded => "crowded",
            Self::Unreadable => "unreadable",
            Self::Forged => "forged",
            Self::Ledger => "ledger",
        }
    }
}

impl From<CallbackRefused> for Refused {
    fn from(why: CallbackRefused) -> Self {
        match why {
            CallbackRefused::BadSignature | CallbackRefused::Unsigned => Self::Forged,
            CallbackRefused::Unreadable
            | CallbackRefused::Missing(_)
            | CallbackRefused::Ambiguous(_)
            | CallbackRefused::NotOurs => Self::Unreadable,
        }
    }
}

/// How many of what came in since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests to the path of a provider entry.
    pub received: u64,
    /// Hints that are in the ledger.
    pub stored: u64,
    /// Good ones that repeat a hint of the last seconds.
    pub repeated: u64,
    /// Good ones about an order that is not in the ledger.
    pub unknown: u64,
    /// By [`Refused::ALL`].
    refused: [u64; Refused::ALL.len()],
}

impl Tally {
    /// How many were refused for this reason.
    pub fn refused(&self, why: Refused) -> u64 {
        Refused::ALL.iter().zip(self.refused).filter(|(each, _)| **each == why).map(|(_, count)| count).sum()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { received, stored, repeated, unknown, refused } = self;
        let all: u64 = refused.iter().sum();
        write!(
            f,
            "received {received}, stored {stored}, repeated {repeated}, unknown {unknown}, refused {all}"
        )?;
        let causes = Refused::ALL.iter().zip(refused).filter(|(_, count)| **count > 0);
        let causes: Vec<String> = causes.map(|(why, count)| format!("{} {count}", why.word())).collect();
        if causes.is_empty() { Ok(()) } else { write!(f, " ({})", causes.join(", ")) }
    }
}

/// The counters, shared by everything that counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub received: AtomicU64,
    pub stored: AtomicU64,
    pub repeated: AtomicU64,
    pub unknown: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Counters {
    pub fn refuse(&self, why: Refused) {
        for (each, counter) in Refused::ALL.iter().zip(&self.refused) {
            if *each == why {
                count(counter);
            }
        }
    }

    pub fn read(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            received: read(&self.received),
            stored: read(&self.stored),
            repeated: read(&self.repeated),
            unknown: read(&self.unknown),
            refused: self.refused.each_ref().map(read),
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_names_every_cause_that_happened_and_no_other() {
        let counters = Counters::default();
        count(&counters.received);
        for why in [Refused::Forged, Refused::Path, Refused::Path] {
            counters.refuse(why);
        }
        let tally = counters.read();
        assert_eq!((tally.refused(Refused::Path), tally.refused(Refused::Slow)), (2, 0));
        assert_eq!(
            tally.to_string(),
            "received 1, stored 0, repeated 0, unknown 0, refused 3 (path 2, forged 1)"
        );
    }
}
