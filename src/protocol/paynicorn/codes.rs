//! Paynicorn's answers and what each means (`paynicorn-airtime.txt`; gateway codes of its signature page;
//! `providers.md` C3). A code that is not listed here is unclear.

use crate::domain::{Halt, LookupMeaning, Reason, SubmitMeaning, ThrottleScope, Unclear};
use crate::protocol::answer::{unchanged, unclear};

/// `code` of an answer that holds a result.
pub(super) const DONE: i64 = 1200;
/// `responseCode` of an envelope that holds an answer.
pub(super) const ENVELOPE_DONE: &str = "000000";

/// `statusCode` of an order, and `status` of a callback. (The provider's payment API counts otherwise.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Processing,
    Succeeded,
    Failed,
}

impl Status {
    /// Reads the status as written; `None` for every other.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "0" => Some(Self::Processing),
            "1" => Some(Self::Succeeded),
            "2" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// topup: what a status means.
pub(super) fn submit_status(status: Option<Status>) -> SubmitMeaning {
    match status {
        Some(Status::Succeeded) => SubmitMeaning::Succeeded,
        Some(Status::Processing) => SubmitMeaning::Pending,
        Some(Status::Failed) => SubmitMeaning::Failed,
        None => unclear(Reason::NoAnswer),
    }
}

/// topup: what a code other than 1200 means; `operator` is the one the submit named.
pub(super) fn submit(code: i64, msg: &str, operator: Option<&str>) -> SubmitMeaning {
    if let Some(halt) = halt(code, msg).or_else(|| channel_halt(code, operator)) {
        return SubmitMeaning::Halted(halt);
    }
    match code {
        4004 => SubmitMeaning::Refused(Reason::UnsupportedAmount),
        4005 | 4019 | 4027 => SubmitMeaning::Refused(Reason::UnsupportedProduct),
        4006 | 4010 | 4030 | 4031 => SubmitMeaning::Refused(Reason::BadPhone),
        4011 | 4032 => SubmitMeaning::Refused(Reason::UnsupportedOperator),
        4007 | 4008 => SubmitMeaning::Refused(Reason::ProviderFailed),
        // After a re-send "already exist" says that the first one arrived.
        4009 => unclear(Reason::Conflict),
        4014 => SubmitMeaning::Throttled(ThrottleScope::Provider),
        4015 => SubmitMeaning::Throttled(ThrottleScope::NumberToday),
        4033 => SubmitMeaning::Throttled(match operator {
            Some(operator) => ThrottleScope::Operator(operator.to_owned()),
            None => ThrottleScope::Provider,
        }),
        // 4026 is the one code the document excludes from closing; 4025 is about an order that may exist.
        4025 | 4026 => unclear(Reason::Questionable),
        _ => unclear(Reason::NoAnswer),
    }
}

/// topup: what an envelope's code other than 000000 means.
pub(super) fn submit_envelope(code: &str) -> SubmitMeaning {
    match (envelope_halt(code), code) {
        (Some(halt), _) => SubmitMeaning::Halted(halt),
        (None, "205999") => SubmitMeaning::Unclear(Unclear {
            reason: Reason::Questionable,
            halt: None,
            person_only: false,
            slow_down: false,
        }),
        (None, _) => unclear(Reason::NoAnswer),
    }
}

/// query: what a status means.
pub(super) fn lookup_status(status: Option<Status>) -> LookupMeaning {
    match status {
        Some(Status::Succeeded) => LookupMeaning::Succeeded,
        Some(Status::Processing) => LookupMeaning::Pending,
        Some(Status::Failed) => LookupMeaning::Failed,
        None => unchanged(),
    }
}

/// query: what a code other than 1200 means. A channel's halt needs an operator, which a look-up does not name.
pub(super) fn lookup(code: i64, msg: &str) -> LookupMeaning {
    match code {
        4007 => LookupMeaning::NotFound,
        _ => LookupMeaning::Unchanged { intact: true, halt: halt(code, msg) },
    }
}

/// Codes that stop submits to the provider.
pub(super) fn halt(code: i64, msg: &str) -> Option<Halt> {
    let (reason, message) = match code {
        4001 => (
            Reason::BadCredentials,
            "Paynicorn says the signature is invalid: check `merchant_secret` (without it nothing is signed).",
        ),
        4002 => (Reason::BadCredentials, "Paynicorn says the app id is invalid: check `app_key`."),
        4003 => (
            Reason::NotActivated,
            "Paynicorn says this business is not supported for the app: ask it to open airtime top-up.",
        ),
        4020 => (Reason::BadCredentials, "Paynicorn says the appKey is missing: check `app_key`."),
        4023 => (
            Reason::BadCredentials,
            "Paynicorn says the app has no secret key: create one in its portal and set `merchant_secret`.",
        ),
        4024 => (Reason::BadCredentials, "Paynicorn does not know the appKey: check `app_key`."),
        4021 => (
            Reason::CallbackUrl,
            "Paynicorn says the app has no callback URL: set one in its portal, even if you only look orders up.",
        ),
        4022 => (
            Reason::CallbackUrl,
            "Paynicorn says the app's callback URL is wrong: correct it in its portal (public, no parameters).",
        ),
        4012 => (
            Reason::InsufficientBalance,
            "Paynicorn says the account has no active wallet of this currency: open or activate one in its portal.",
        ),
        4013 => (
            Reason::InsufficientBalance,
            "Paynicorn says the account's balance is insufficient: add funds, then run again.",
        ),
        4028 => (
            Reason::ProviderBalance,
            "Paynicorn's own balance with its supplier is too low, not yours: run again later, or ask Paynicorn.",
        ),
        4027 => return product_halt(msg),
        _ => return None,
    };
    Some(Halt { operator: None, reason, code: code.to_string(), message: message.to_owned() })
}

/// 4027 stands for two things, told apart by the message alone; an unknown message halts.
fn product_halt(msg: &str) -> Option<Halt> {
    let msg = msg.to_ascii_lowercase();
    let (activate, product) = (msg.contains("activate"), msg.contains("product information"));
    if product && !activate {
        return None;
    }
    let message = if activate {
        "Paynicorn says the product function is not activated: activate it in its portal or ask Paynicorn."
    } else {
        "Paynicorn answers 4027 in words its document does not have, which stands for wrong product information \
         or a function that is not activated: ask Paynicorn."
    };
    let reason = Reason::NotActivated;
    Some(Halt { operator: None, reason, code: "4027".to_owned(), message: message.to_owned() })
}

/// Codes that stop submits to one operator.
fn channel_halt(code: i64, operator: Option<&str>) -> Option<Halt> {
    let message = match code {
        4016 => "Paynicorn says the operator's channel is disabled: run again later, or ask Paynicorn.",
        4017 => "Paynicorn says no channel is set up for the operator: ask Paynicorn to set one up.",
        4018 => "Paynicorn says the operator's channel is wrong: ask Paynicorn to correct it.",
        _ => return None,
    };
    Some(Halt {
        operator: operator.map(str::to_owned),
        reason: Reason::ServicePaused,
        code: code.to_string(),
        message: message.to_owned(),
    })
}

/// Envelope codes that stop submits: the gateway turned the request away before any business saw it.
pub(super) fn envelope_halt(code: &str) -> Option<Halt> {
    let (reason, message) = match code {
        "204000" => (
            Reason::PartnerRefused,
            "Paynicorn's gateway says the request is empty: check `base_url` and any proxy between.",
        ),
        "204002" => {
            (Reason::BadCredentials, "Paynicorn's gateway says the app key is empty: check `app_key`.")
        }
        "204003" => (
            Reason::PartnerRefused,
            "Paynicorn's gateway says the content is invalid: ask Paynicorn whether it expects the signed \
             envelope (`merchant_secret`).",
        ),
        "204004" => (
            Reason::BadCredentials,
            "Paynicorn's gateway says the signature is invalid: check `merchant_secret`.",
        ),
        "204005" => (
            Reason::BadCredentials,
            "Paynicorn's gateway says the authentication failed: check `app_key` and `merchant_secret`.",
        ),
        "204006" => (
            Reason::LimitReached,
            "Paynicorn's gateway says the test mode's request limit is reached: reset it in its portal.",
        ),
        "204404" => {
            (Reason::Unreachable, "Paynicorn's gateway does not know this address: check `base_url`.")
        }
        _ => return None,
    };
    Some(Halt { operator: None, reason, code: code.to_owned(), message: message.to_owned() })
}
