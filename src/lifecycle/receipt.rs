//! Proof that an intent stands in the ledger: without one no submit can be built.

use crate::domain::{RowNumber, TransactionId};

/// The committed intent of one submit. Only a ledger makes one, after its commit; it is used up by the one
/// submit it allows (it cannot be cloned).
#[derive(Debug, PartialEq, Eq)]
pub struct Receipt {
    row: RowNumber,
    id: TransactionId,
}

impl Receipt {
    /// For ledgers alone, after the commit of an [`super::Event::Intent`] of this row and id (the lint
    /// settings forbid the call anywhere else).
    pub(crate) fn committed(row: RowNumber, id: TransactionId) -> Self {
        Self { row, id }
    }

    /// Row whose intent was committed.
    pub fn row(&self) -> RowNumber {
        self.row
    }

    /// The id that may now be sent, once.
    pub fn into_id(self) -> TransactionId {
        self.id
    }
}
