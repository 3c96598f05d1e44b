//! What a provider's answer means (`providers.md` C), as values that the lifecycle acts on and the ledger keeps.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Country, Currency, Money, ProviderRef, Reason};

/// What an answer said, beside its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The provider's code, as written by it (`-3`, `21103`, `4013`, envelope `204005`). None: no code came
    /// (`HTTP 502` and the like stand in `words`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's own words, or a short description of what came instead; one line, at most 200
    /// characters, no control characters, no secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// The provider's id of the order, when it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<ProviderRef>,
    /// What it says it charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Something odd a person should know (a success without an id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// New submits stop: for the whole provider, or for one operator or gateway of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// None: the provider. Some: only submits that name this operator (gateway).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Why, in the words of the contract.
    pub reason: Reason,
    /// The provider's code (`HTTP 403` when there was none).
    pub code: String,
    /// One sentence for a person: every cause the document lists, and what to do.
    pub message: String,
}

/// How far a throttle reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleScope {
    /// Every submit to the provider (4014).
    Provider,
    /// Submits that name this operator (4033).
    Operator(String),
    /// This number, for today (4015); three numbers in succession halt the provider.
    NumberToday,
}

/// A submit whose fate the answer does not tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unclear {
    /// `no_answer`, `questionable` or `conflict` (the provider says our id is used already).
    pub reason: Reason,
    /// The answer also stops new submits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// Only a final state or a person closes it, "no such order" does not (Tutom 21108).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub person_only: bool,
    /// The provider asked for slower requests outside its document (HTTP 429): pause as for a throttle.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub slow_down: bool,
}

/// What an answer to a submit means. Variants say what is known about money, not what the code was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitMeaning {
    /// SUCCESS: done, charged.
    Succeeded,
    /// PENDING: taken; follow it.
    Pending,
    /// FAILED-R: the provider reports this id failed.
    Failed,
    /// Failed, if one look-up does not show the order alive (Tutom 21140).
    FailedUnlessFound,
    /// FAILED-X: refused because of the row; fix the row first.
    Refused(Reason),
    /// THROTTLED: refused before acceptance; the same id goes again later.
    Throttled(ThrottleScope),
    /// HALT: refused because of the account or service; this row was not taken.
    Halted(Halt),
    /// UNKNOWN: money may have moved.
    Unclear(Unclear),
}

/// Meaning and wording of an answer to a submit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitVerdict {
    /// What it means.
    pub meaning: SubmitMeaning,
    /// What it said.
    #[serde(default)]
    pub answer: Answer,
}

/// What an answer to a look-up of an order means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupMeaning {
    /// Completed.
    Succeeded,
    /// The provider reports it failed.
    Failed,
    /// Under way.
    Pending,
    /// "No such order" (21106, 4007): counts only after the grace and several times.
    NotFound,
    /// The order is there with another number or amount than ours.
    Conflict(String),
    /// No information: the state stays as it is.
    Unchanged {
        /// An intact answer of the provider, only without information. It ends a series of "not found".
        intact: bool,
        /// A HALT-type code of a provider whose look-ups may halt (Tutom, Paynicorn).
        halt: Option<Halt>,
    },
}

/// Meaning and wording of an answer to a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupVerdict {
    /// What it means.
    pub meaning: LookupMeaning,
    /// What it said.
    #[serde(default)]
    pub answer: Answer,
}

/// A data product of a catalogue (Tutom List, ListByPhone).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataProduct {
    /// productid.
    pub id: String,
    /// Operator as the provider writes it (`China Unicom`).
    pub operator: String,
    /// Size as written (`6GB`).
    pub label: String,
    /// `data_value`: megabytes, 1024 a GB.
    pub megabytes: u64,
    /// Price now.
    pub price: Money,
}

/// Amounts an airtime product can be bought in (Paynicorn queryGoods).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denomination {
    /// Exactly this amount.
    Fixed(Decimal),
    /// Any amount from `min` to `max`, both included.
    Range {
        /// Smallest amount.
        min: Decimal,
        /// Largest amount.
        max: Decimal,
    },
}

/// An airtime product of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AirtimeProduct {
    /// Country it is sold for.
    pub country: Country,
    /// Operator code (`NG_MTN`).
    pub operator: String,
    /// Currency of the amounts.
    pub currency: Currency,
    /// What can be bought.
    pub denomination: Denomination,
}

/// What a provider sells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// Data products.
    pub data: Vec<DataProduct>,
    /// Airtime products.
    pub airtime: Vec<AirtimeProduct>,
}

/// What a read-only call before a submit (or of a command) told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Balance in major units of the provider's currency.
    Balance(Decimal),
    /// Products: of the provider, or of one number.
    Catalogue(Catalogue),
    /// The number's operator, as the provider spells it, and the currency it is sold in.
    Operator {
        /// Operator code.
        code: String,
        /// Currency, where told.
        currency: Option<Currency>,
    },
    /// An order of the number is under way at the provider (Tutom 21103): ask again later.
    Busy(Answer),
    /// The row is wrong.
    Refused(Refusal),
    /// The provider would refuse submits too.
    Halted(Halt),
    /// No information; ask again later.
    Nothing(Answer),
}

/// Why a row is refused before anything was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable word.
    pub reason: Reason,
    /// One sentence: what is wrong and what would be right.
    pub message: String,
}

impl SubmitMeaning {
    /// One stable word for it, for logs and figures.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::FailedUnlessFound => "failed_unless_found",
            Self::Refused(_) => "refused",
            Self::Throttled(_) => "throttled",
            Self::Halted(_) => "halted",
            Self::Unclear(_) => "unclear",
        }
    }
}

impl LookupMeaning {
    /// One stable word for it, for logs and figures.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::NotFound => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Unchanged { .. } => "unclear",
        }
    }
}

impl Told {
    /// One stable word for it, for logs and figures.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Balance(_) | Self::Catalogue(_) | Self::Operator { .. } => "told",
            Self::Busy(_) => "busy",
            Self::Refused(_) => "refused",
            Self::Halted(_) => "halted",
            Self::Nothing(_) => "unclear",
        }
    }

    /// The provider's code, where one came with it.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Busy(answer) | Self::Nothing(answer) => answer.code.as_deref(),
            Self::Halted(halt) => Some(&halt.code),
            Self::Balance(_) | Self::Catalogue(_) | Self::Operator { .. } | Self::Refused(_) => None,
        }
    }
}
