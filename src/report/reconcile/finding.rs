//! What the comparison of one order came to.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, RowNumber, Status};
use crate::lifecycle::ResolvedAs;

/// How ledger and statement stand to each other about one order. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Failed or not sent here, charged there: the money is gone, and a retry would pay again.
    ChargedThere,
    /// Charged more than once there.
    DoubleThere,
    /// Succeeded here, failed or given back there: a late reversal.
    ReversedThere,
    /// Another amount there.
    DifferentAmount,
    /// Another number there.
    DifferentPhone,
    /// Only there.
    ExtraThere,
    /// Succeeded, pending or unknown here, and not listed there.
    MissingThere,
    /// Open here, final there.
    SettledThere,
    /// Under way there, and not so here.
    OpenThere,
    /// A status, amount or number that cannot be read for sure.
    Unclear,
    /// A line that names no order.
    Unreadable,
    /// Both say the same.
    Matched,
    /// Failed or not sent here, and not listed there.
    NotCharged,
    /// An order of another batch in the same ledger.
    OtherBatch,
}

impl Class {
    /// Every class, the worst first.
    pub const ALL: [Self; 14] = [
        Self::ChargedThere,
        Self::DoubleThere,
        Self::ReversedThere,
        Self::DifferentAmount,
        Self::DifferentPhone,
        Self::ExtraThere,
        Self::MissingThere,
        Self::SettledThere,
        Self::OpenThere,
        Self::Unclear,
        Self::Unreadable,
        Self::Matched,
        Self::NotCharged,
        Self::OtherBatch,
    ];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChargedThere => "charged_there",
            Self::DoubleThere => "double_there",
            Self::ReversedThere => "reversed_there",
            Self::DifferentAmount => "different_amount",
            Self::DifferentPhone => "different_phone",
            Self::ExtraThere => "extra_there",
            Self::MissingThere => "missing_there",
            Self::SettledThere => "settled_there",
            Self::OpenThere => "open_there",
            Self::Unclear => "unclear",
            Self::Unreadable => "unreadable",
            Self::Matched => "matched",
            Self::NotCharged => "not_charged",
            Self::OtherBatch => "other_batch",
        }
    }

    /// What it means, for a table.
    pub fn title(self) -> &'static str {
        match self {
            Self::ChargedThere => "CHARGED there, not so here",
            Self::DoubleThere => "charged twice there",
            Self::ReversedThere => "succeeded here, reversed there",
            Self::DifferentAmount => "different amount",
            Self::DifferentPhone => "different number",
            Self::ExtraThere => "only there",
            Self::MissingThere => "only here",
            Self::SettledThere => "open here, final there",
            Self::OpenThere => "under way there",
            Self::Unclear => "unclear",
            Self::Unreadable => "names no order",
            Self::Matched => "matched",
            Self::NotCharged => "not charged, on neither side",
            Self::OtherBatch => "of other batches",
        }
    }

    /// Whether ledger and statement disagree, or may do.
    pub fn is_difference(self) -> bool {
        match self {
            Self::ChargedThere
            | Self::DoubleThere
            | Self::ReversedThere
            | Self::DifferentAmount
            | Self::DifferentPhone
            | Self::ExtraThere
            | Self::MissingThere
            | Self::SettledThere
            | Self::OpenThere
            | Self::Unclear
            | Self::Unreadable => true,
            Self::Matched | Self::NotCharged | Self::OtherBatch => false,
        }
    }
}

/// One order, or one line that names none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How the two sides stand.
    pub class: Class,
    /// Row of the batch.
    pub row: Option<RowNumber>,
    /// How many lines of the statement are about it.
    pub lines: u64,
    /// The first of them.
    pub first_lines: Vec<u64>,
    /// The number: ours in its canonical form, else the statement's cell.
    pub phone: String,
    /// The statement's cell, where it is another number.
    pub phone_there: String,
    /// Our id.
    pub transaction_id: String,
    /// The provider's id.
    pub provider_ref: String,
    /// Where the row stands.
    pub here: Option<Status>,
    /// The statement's words for it, each once.
    pub there: String,
    /// What the row asked for.
    pub amount_here: Option<Decimal>,
    /// What the statement says, of its first line.
    pub amount_there: Option<Decimal>,
    /// Currency of the sums.
    pub currency: Option<Currency>,
    /// What it comes to here: the amount of a row that succeeded.
    pub sum_here: Decimal,
    /// What it comes to there: charges less what was given back.
    pub sum_there: Decimal,
    /// What is found, in a sentence without numbers of people.
    pub what: String,
    /// What to do.
    pub next: String,
    /// The statement proves this of an unknown row: what a person may `resolve` it as.
    pub proves: Option<ResolvedAs>,
}
