//! The durable facts of one top-up, in the words the ledger keeps.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Attempt, LookupVerdict, Money, NetFault, Now, Order, Reason, SubmitVerdict, TransactionId, WallTime,
};

/// "About to send": recorded and committed before the first byte of a submit leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Attempt the id belongs to.
    pub attempt: Attempt,
    /// The id that will be sent.
    pub id: TransactionId,
    /// When it was decided.
    pub at: Now,
    /// Operator or gateway that will be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Data: productid that will be bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// What it will cost at most, in the currency asked in: price of the product, or face value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
}

/// What a counted "no such order" leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotFoundRuling {
    /// One more of the series.
    Counted,
    /// The series is complete and this provider's word proves that the order does not exist.
    Proved,
    /// The series is complete, but this provider's word is not trusted for it: a person has to ask.
    Untrusted,
}

/// A person's decision on an `unknown` row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedAs {
    /// The provider told the person that it was delivered.
    Succeeded,
    /// The provider told the person that it was not.
    Failed,
}

/// One fact about one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A submit is about to leave.
    Intent(Intent),
    /// Proved: no byte of it left.
    NotSent {
        /// Why.
        fault: NetFault,
    },
    /// The provider answered the submit.
    Answered {
        /// What it means and said.
        verdict: SubmitVerdict,
        /// When the request was handed to the network.
        sent_at: WallTime,
        /// Whether a look-up can still tell what became of it.
        can_ask: bool,
    },
    /// The request may have arrived; no usable answer came.
    NoAnswer {
        /// Why.
        fault: NetFault,
        /// When the request was handed to the network.
        sent_at: WallTime,
        /// When that was known: nothing of the request can leave after it.
        at: Now,
        /// Whether a look-up can still tell what became of it.
        can_ask: bool,
    },
    /// The process ended between an intent and its outcome; found at the next start.
    Interrupted {
        /// When it was found: nothing of the request can leave after it.
        at: Now,
        /// Whether a look-up can still tell what became of it.
        can_ask: bool,
    },
    /// A look-up told something new about the current id. Never "not found": that is [`Event::NotFound`].
    LookedUp {
        /// What it means and said.
        verdict: LookupVerdict,
    },
    /// The provider said "no such order", at a time when that counts.
    NotFound {
        /// When.
        at: Now,
        /// What follows.
        ruling: NotFoundRuling,
    },
    /// "No such order" came too early to count, but the machine was restarted or its clock jumped since the
    /// last submit: the grace begins anew here.
    GraceRestarted {
        /// When.
        at: Now,
    },
    /// Another intact answer ended a series of "no such order".
    SeriesEnded,
    /// The give-up time passed without a final answer.
    GaveUp,
    /// A look-up before the submit told that the row is wrong.
    Judged {
        /// Stable word.
        reason: Reason,
        /// One sentence for a person.
        message: String,
    },
    /// The run ended before the row could be sent.
    Held {
        /// Stable word.
        reason: Reason,
        /// One sentence for a person.
        message: String,
    },
    /// `cancel`: never to be sent.
    Cancelled {
        /// The person's note.
        note: String,
        /// Who.
        user: String,
    },
    /// `resolve`: a person's decision.
    Resolved {
        /// The decision.
        decision: ResolvedAs,
        /// The person's note.
        note: String,
        /// Who.
        user: String,
    },
    /// `retry`: may be sent again, as recorded.
    Released,
    /// `retry`: judged anew from the corrected file; the order is now this one.
    Readmitted {
        /// The new order.
        order: Box<Order>,
    },
    /// `retry`: judged anew, still wrong.
    Rejudged {
        /// Stable word.
        reason: Reason,
        /// One sentence for a person.
        message: String,
    },
    /// Evidence that contradicts a final state: kept and reported, changes no verdict.
    Contradicted {
        /// One sentence for a person.
        message: String,
    },
}

impl Event {
    /// The event's name, as `status --row` shows it and as tests list it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Intent(_) => "intent",
            Self::NotSent { .. } => "not_sent",
            Self::Answered { .. } => "answered",
            Self::NoAnswer { .. } => "no_answer",
            Self::Interrupted { .. } => "interrupted",
            Self::LookedUp { .. } => "looked_up",
            Self::NotFound { .. } => "not_found",
            Self::GraceRestarted { .. } => "grace_restarted",
            Self::SeriesEnded => "series_ended",
            Self::GaveUp => "gave_up",
            Self::Judged { .. } => "judged",
            Self::Held { .. } => "held",
            Self::Cancelled { .. } => "cancelled",
            Self::Resolved { .. } => "resolved",
            Self::Released => "released",
            Self::Readmitted { .. } => "readmitted",
            Self::Rejudged { .. } => "rejudged",
            Self::Contradicted { .. } => "contradicted",
        }
    }
}
