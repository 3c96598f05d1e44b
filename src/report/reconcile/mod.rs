//! A provider's statement held against the ledger: pure. Lines come in by the order they belong to, one finding
//! goes out for each order; nothing is ever called final on the strength of a statement.

mod finding;
mod group;
mod tally;
#[cfg(test)]
mod tests;
mod words;

pub use finding::{Class, Finding};
pub use group::Group;
pub use tally::{ClassLine, CurrencyLine, Tally};
pub use words::{Stand, StatusWords};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount as a statement's cell gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Exactly this, in major units.
    Exact(Decimal),
    /// Why it is no amount: never guessed.
    Unclear(String),
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// Line of the file, from 1.
    pub line: u64,
    /// Our id, as the statement writes it.
    pub transaction_id: String,
    /// The provider's id.
    pub provider_ref: String,
    /// The number's cell; empty where there is none.
    pub phone: String,
    /// What was charged.
    pub amount: Said,
    /// The status' cell.
    pub word: String,
    /// What that means.
    pub stand: Stand,
}
