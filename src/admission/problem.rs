//! What the judge says of one row.

use crate::domain::{Money, Order, Reason};
use crate::numbering::{PhoneWarning, Repairs};

/// What is wrong with a row. The message never repeats the cell, which stands apart, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Title of the column, as the file writes it; empty when the whole row is wrong.
    pub column: String,
    /// The cell.
    pub value: String,
    /// Stable word.
    pub reason: Reason,
    /// One sentence: what is wrong and what to do.
    pub message: String,
}

/// Something a person should know about a row that is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// About the number.
    #[error(transparent)]
    Phone(#[from] PhoneWarning),
    /// The row names another operator than the prefix; numbers move, so the row wins.
    #[error("the row says {named}, the prefix belongs to {hint}; {named} is used")]
    OperatorDiffers {
        /// Operator the row names.
        named: String,
        /// Operator of the prefix.
        hint: String,
    },
}

/// The judge's word on one row.
#[derive(Clone, Debug)]
pub struct Judged {
    /// An order, or what is wrong.
    pub verdict: Result<Order, Problem>,
    /// Price of data, where the catalogue told it.
    pub price: Option<Money>,
    /// What was put right in its phone cell.
    pub repairs: Repairs,
    /// What a person should know.
    pub warnings: Vec<Warning>,
}
