//! One line of the ledger: an event of a row, and the state it leads to.

use super::{Event, TopUp};
use crate::domain::{RowNumber, WallTime};

/// An event with the state after it. Whoever records it has applied it with [`TopUp::apply`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Row of the batch.
    pub row: RowNumber,
    /// What happened.
    pub event: Event,
    /// When.
    pub at: WallTime,
    /// Where the row stands after it.
    pub state: TopUp,
}
