//! Floor 1: the three providers' languages. Pure: values become requests, reply bytes become meanings. One
//! folder per provider; its `codes.rs` is the table from answer to meaning, exhaustive, with everything
//! unlisted falling to "unclear".

mod answer;
mod callback;
pub mod connect_topup;
mod json;
pub mod paynicorn;
mod request;
pub mod rules;
pub mod tutom;

pub use callback::{CallbackClaim, CallbackHint, CallbackRefused, callback_fields};

use rust_decimal::Decimal;

use crate::domain::{
    AccountId, Country, HttpRequest, LookupVerdict, Order, PhoneNumber, ProviderKind, ProviderRef, Refusal,
    Reply, SubmitVerdict, Told, TransactionId,
};

/// Everything a submit says: the order with what the look-ups before it resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Our id of this attempt.
    pub id: TransactionId,
    /// Who gets it.
    pub phone: PhoneNumber,
    /// Airtime: face value in major units.
    pub amount: Option<Decimal>,
    /// Data: the provider's productid.
    pub product_id: Option<String>,
    /// Operator or gateway to name, as the provider spells it.
    pub operator: Option<String>,
}

/// What a look-up asks for: one earlier submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Our id.
    pub id: TransactionId,
    /// The provider's id, where it gave one.
    pub provider_ref: Option<ProviderRef>,
    /// Whom it was for; an answer that names another number is a conflict.
    pub phone: PhoneNumber,
    /// What it was worth; an answer that names another amount is a conflict.
    pub amount: Option<Decimal>,
}

/// A read-only question that spends nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Balance of our account (CONNECT TOPUP userbalance.jsp).
    Balance,
    /// Everything the provider sells (Tutom List; Paynicorn queryGoods, of one country if named).
    Catalogue(Option<Country>),
    /// What can be bought for a number (Tutom ListByPhone).
    ProductsOf(PhoneNumber),
    /// The operator of a number (Paynicorn queryOperatorCode).
    OperatorOf(PhoneNumber),
}

/// One provider account's language: address, keys, and the settings that change what is said.
#[derive(Clone, Debug)]
pub enum Codec {
    /// Unimobile/Tutom.
    Tutom(tutom::Tutom),
    /// CONNECT TOPUP.
    ConnectTopup(connect_topup::ConnectTopup),
    /// Paynicorn.
    Paynicorn(paynicorn::Paynicorn),
}

impl Codec {
    /// Which protocol it speaks.
    pub fn kind(&self) -> ProviderKind {
        match self {
            Self::Tutom(_) => ProviderKind::Tutom,
            Self::ConnectTopup(_) => ProviderKind::ConnectTopup,
            Self::Paynicorn(_) => ProviderKind::Paynicorn,
        }
    }

    /// The account that rows are bound to: protocol and `username` or `app_key`.
    pub fn account(&self) -> AccountId {
        match self {
            Self::Tutom(tutom) => AccountId::new(self.kind(), tutom.app_key.expose()),
            Self::ConnectTopup(connect) => AccountId::new(self.kind(), &connect.username),
            Self::Paynicorn(paynicorn) => AccountId::new(self.kind(), paynicorn.app_key.expose()),
        }
    }

    /// The request that submits an order and may spend money.
    ///
    /// # Errors
    /// [`Refusal`] when a part is missing or cannot be right; then nothing must be sent.
    pub fn encode_submit(&self, submit: &Submit) -> Result<HttpRequest, Refusal> {
        match self {
            Self::Tutom(tutom) => tutom.encode_submit(submit),
            Self::ConnectTopup(connect) => connect.encode_submit(submit),
            Self::Paynicorn(paynicorn) => paynicorn.encode_submit(submit),
        }
    }

    /// What a reply to a submit means (`providers.md` C0 to C3). Total: whatever no table lists is unclear, and
    /// a reply that is not intact proves success at most.
    pub fn decode_submit(&self, submit: &Submit, reply: &Reply) -> SubmitVerdict {
        match self {
            Self::Tutom(tutom) => tutom.decode_submit(submit, reply),
            Self::ConnectTopup(connect) => connect.decode_submit(submit, reply),
            Self::Paynicorn(paynicorn) => paynicorn.decode_submit(submit, reply),
        }
    }

    /// The request that looks an order up. `None`: there is nothing to ask with (CONNECT TOPUP without an
    /// idtransaction, unless it is asked by our own id too).
    pub fn encode_lookup(&self, lookup: &Lookup) -> Option<HttpRequest> {
        match self {
            Self::Tutom(tutom) => Some(tutom.encode_lookup(lookup)),
            Self::ConnectTopup(connect) => connect.encode_lookup(lookup),
            Self::Paynicorn(paynicorn) => Some(paynicorn.encode_lookup(lookup)),
        }
    }

    /// What a reply to a look-up means. Total: whatever no table lists leaves the order unchanged.
    pub fn decode_lookup(&self, lookup: &Lookup, reply: &Reply) -> LookupVerdict {
        match self {
            Self::Tutom(tutom) => tutom.decode_lookup(lookup, reply),
            Self::ConnectTopup(connect) => connect.decode_lookup(lookup, reply),
            Self::Paynicorn(paynicorn) => paynicorn.decode_lookup(lookup, reply),
        }
    }

    /// The request that asks a question and spends nothing. `None`: the provider has no such call.
    pub fn encode_question(&self, question: &Question) -> Option<HttpRequest> {
        match self {
            Self::Tutom(tutom) => tutom.encode_question(question),
            Self::ConnectTopup(connect) => connect.encode_question(question),
            Self::Paynicorn(paynicorn) => paynicorn.encode_question(question),
        }
    }

    /// What a reply to a question told. Total: whatever no table lists told nothing.
    pub fn decode_question(&self, question: &Question, reply: &Reply) -> Told {
        match self {
            Self::Tutom(tutom) => tutom.decode_question(question, reply),
            Self::ConnectTopup(connect) => connect.decode_question(question, reply),
            Self::Paynicorn(paynicorn) => paynicorn.decode_question(question, reply),
        }
    }

    /// The read-only call that must answer before the first submit of a run (`contract.md` 7).
    pub fn preflight(&self, country: Option<Country>) -> Question {
        match self {
            Self::ConnectTopup(_) => Question::Balance,
            Self::Tutom(_) | Self::Paynicorn(_) => Question::Catalogue(country),
        }
    }

    /// The operator or gateway that a submit of this order names if no look-up says otherwise.
    pub fn submit_operator(&self, order: &Order) -> Option<String> {
        match self {
            Self::Tutom(_) => None,
            Self::ConnectTopup(connect) => connect.gateway(order),
            Self::Paynicorn(_) => order.operator.clone(),
        }
    }
}
