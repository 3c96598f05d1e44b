//! Where one top-up stands, and how that reads in the words of the contract.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Attempt, Money, Next, Now, ProviderRef, Reason, Refusal, Status, TransactionId, WallTime,
};

/// The phases of a top-up. The names say whether money may have moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Never submitted, or every submit proved not taken: may be sent.
    Ready,
    /// An intent is recorded, its outcome is not: money may move at this moment.
    Sending,
    /// The provider took the order and works on it.
    Pending,
    /// Money may have moved; a look-up can still settle it.
    Unknown,
    /// Money may have moved, and a person has to ask the provider; a late final answer still lands.
    Asking,
    /// Done and charged.
    Succeeded,
    /// Submitted, and proved not charged; safe to send again as it stands.
    Failed,
    /// Submitted, and refused because of the row: the row has to be corrected first.
    Refused,
    /// Never submitted: the row is wrong.
    Invalid,
    /// Cancelled by a person before it was ever taken.
    Cancelled,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 10] = [
        Self::Ready,
        Self::Sending,
        Self::Pending,
        Self::Unknown,
        Self::Asking,
        Self::Succeeded,
        Self::Failed,
        Self::Refused,
        Self::Invalid,
        Self::Cancelled,
    ];

    /// The status a user sees.
    pub fn status(self) -> Status {
        match self {
            Self::Ready | Self::Cancelled => Status::NotSent,
            Self::Sending | Self::Unknown | Self::Asking => Status::Unknown,
            Self::Pending => Status::Pending,
            Self::Succeeded => Status::Succeeded,
            Self::Failed | Self::Refused => Status::Failed,
            Self::Invalid => Status::Invalid,
        }
    }

    /// `topup_next`, for a row whose final state is, or is not, contradicted by evidence.
    pub fn next(self, contradicted: bool) -> Next {
        match self {
            Self::Succeeded if contradicted => Next::Ask,
            Self::Succeeded | Self::Cancelled => Next::None,
            Self::Failed | Self::Refused if contradicted => Next::Ask,
            Self::Ready | Self::Failed => Next::Retry,
            Self::Refused | Self::Invalid => Next::Fix,
            Self::Pending | Self::Unknown | Self::Sending => Next::Wait,
            Self::Asking => Next::Ask,
        }
    }

    /// Whether money may be under way.
    pub fn is_open(self) -> bool {
        self.status().is_open()
    }
}

/// A series of "no such order" answers that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotFoundSeries {
    /// How many counted.
    pub count: u32,
    /// The last one that counted.
    pub last: Now,
}

/// An earlier attempt of the row, whose id the provider or a person said failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttempt {
    /// Its id.
    pub id: TransactionId,
    /// The provider's id, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,
}

/// Durable state of one valid or invalid row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUp {
    /// Where it stands.
    pub phase: Phase,
    /// Current attempt; 0 until the first intent.
    #[serde(default)]
    pub attempt: Attempt,
    /// Our id of the current attempt; none until the first intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TransactionId>,
    /// The current id was said to have failed: the next intent takes a new one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub id_spent: bool,
    /// Submits of this row, under any id, that may have reached the provider.
    #[serde(default)]
    pub submits: u32,
    /// Stable word for why it stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// One sentence for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The provider's last code, as written by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's id of the current attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,
    /// What the provider says it charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// What the last intent asked for: price of the product, or face value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Operator or gateway the last intent named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Productid the last intent named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<String>,
    /// From when the not-found grace of the current id counts: nothing of its last submit leaves later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_since: Option<Now>,
    /// The series of "no such order", while one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_found: Option<NotFoundSeries>,
    /// Only a final state or a person closes it; "no such order" does not (Tutom 21108).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub person_only: bool,
    /// The provider said that it took the order under this id: "no such order" proves nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken: bool,
    /// Reported failed; failed for good if the next intact look-up does not show it alive (Tutom 21140).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed_unless_found: bool,
    /// Evidence contradicts a final state.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicted: bool,
    /// When the last submit was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<WallTime>,
    /// When it became final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_at: Option<WallTime>,
    /// Earlier attempts, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<PastAttempt>,
}

impl TopUp {
    /// A row judged good, not yet sent.
    pub fn ready() -> Self {
        Self {
            phase: Phase::Ready,
            attempt: Attempt::default(),
            id: None,
            id_spent: false,
            submits: 0,
            reason: None,
            message: String::new(),
            code: None,
            provider_ref: None,
            cost: None,
            price: None,
            operator: None,
            product_id: None,
            quiet_since: None,
            not_found: None,
            person_only: false,
            taken: false,
            failed_unless_found: false,
            contradicted: false,
            submitted_at: None,
            final_at: None,
            past: Vec::new(),
        }
    }

    /// A row judged wrong.
    pub fn invalid(refusal: Refusal, at: WallTime) -> Self {
        Self {
            phase: Phase::Invalid,
            reason: Some(refusal.reason),
            message: refusal.message,
            final_at: Some(at),
            ..Self::ready()
        }
    }

    /// `topup_status`.
    pub fn status(&self) -> Status {
        self.phase.status()
    }

    /// `topup_next`.
    pub fn next(&self) -> Next {
        self.phase.next(self.contradicted)
    }

    /// The attempt the next intent belongs to: the current one, or a new one after its id was said to have
    /// failed.
    pub fn next_attempt(&self) -> Attempt {
        if self.id_spent || self.id.is_none() { self.attempt.next() } else { self.attempt }
    }

    /// Whether `not_received` is what it failed with: the one verdict that gives way.
    pub fn is_not_received(&self) -> bool {
        self.phase == Phase::Failed && self.reason == Some(Reason::NotReceived)
    }

    /// Every id the row was ever submitted under, oldest first, with the provider's own ids.
    pub fn submitted_ids(&self) -> Vec<PastAttempt> {
        let mut ids = self.past.clone();
        if let Some(id) = &self.id {
            ids.push(PastAttempt { id: id.clone(), provider_ref: self.provider_ref.clone() });
        }
        ids
    }
}
