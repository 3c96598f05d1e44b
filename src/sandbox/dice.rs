//! Chance that depends on the seed, the call, the transaction id and how often it was asked, and on
//! nothing else: the same request meets the same fate in whatever order requests arrive.

use sha2::{Digest, Sha256};

use super::faults::Rate;

/// The dice of one request.
#[derive(Debug, Clone)]
pub struct Dice {
    ground: String,
}

impl Dice {
    /// The dice of the `nth` request (from 1) of this call with this id.
    pub fn new(seed: u64, call: &str, id: &str, nth: u64) -> Dice {
        Dice { ground: format!("{seed}\n{call}\n{nth}\n{id}\n") }
    }

    /// A number that is always the same for the same request and purpose.
    pub fn roll(&self, purpose: &str) -> u64 {
        let digest = Sha256::digest(format!("{}{purpose}", self.ground));
        digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }

    /// A number below `sides` (zero if there are none).
    pub fn below(&self, purpose: &str, sides: u64) -> u64 {
        self.roll(purpose).checked_rem(sides).unwrap_or(0)
    }

    /// One of several.
    pub fn one_of<T: Copy>(&self, purpose: &str, of: &[T]) -> Option<T> {
        let place = self.below(purpose, u64::try_from(of.len()).ok()?);
        of.get(usize::try_from(place).ok()?).copied()
    }

    /// Whether a thing that happens at this rate happens here.
    pub fn hit(&self, purpose: &str, rate: Rate) -> bool {
        rate.per_million() > 0 && self.below(purpose, 1_000_000) < u64::from(rate.per_million())
    }
}
