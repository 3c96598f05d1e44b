//! Tutom's answers and what each means (`tutom-data-refill.txt`, "Message"; `providers.md` C1). A code that is
//! not listed here is unclear.

use crate::domain::{Halt, LookupMeaning, Reason, SubmitMeaning, Unclear};
use crate::protocol::answer::{unchanged, unclear};

/// What a `state` of an order says ("-1 = New; 2 = Processing; 6 = Failed; 10 = Complete").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Processing,
    Failed,
    Complete,
}

impl State {
    /// Reads the state as written; `None` for every other.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "-1" => Some(Self::New),
            "2" => Some(Self::Processing),
            "6" => Some(Self::Failed),
            "10" => Some(Self::Complete),
            _ => None,
        }
    }
}

/// OrderCreate: what `response_code` and `state` mean.
pub(super) fn submit(code: i64, state: Option<State>) -> SubmitMeaning {
    if let Some(halt) = halt(code) {
        return SubmitMeaning::Halted(halt);
    }
    if let Some(reason) = refusal(code) {
        return SubmitMeaning::Refused(reason);
    }
    match code {
        0 => match state {
            Some(State::Complete) => SubmitMeaning::Succeeded,
            Some(State::New | State::Processing) => SubmitMeaning::Pending,
            Some(State::Failed) => SubmitMeaning::Failed,
            None => unclear(Reason::NoAnswer),
        },
        // "your order is pending process": perhaps another order of the number, so ours may not exist.
        21_103 | 21_106 | 21_107 => unclear(Reason::Questionable),
        // "DO NOT treat order as failure until you contact system support!"
        21_108 => SubmitMeaning::Unclear(Unclear {
            reason: Reason::Questionable,
            halt: None,
            person_only: true,
            slow_down: false,
        }),
        21_140 => SubmitMeaning::FailedUnlessFound,
        _ => unclear(Reason::NoAnswer),
    }
}

/// OrderQuery: what `response_code` and `state` mean.
pub(super) fn lookup(code: i64, state: Option<State>) -> LookupMeaning {
    if let Some(halt) = halt(code) {
        return LookupMeaning::Unchanged { intact: true, halt: Some(halt) };
    }
    match code {
        0 => match state {
            Some(State::Complete) => LookupMeaning::Succeeded,
            Some(State::New | State::Processing) => LookupMeaning::Pending,
            Some(State::Failed) => LookupMeaning::Failed,
            None => unchanged(),
        },
        21_106 => LookupMeaning::NotFound,
        _ => unchanged(),
    }
}

/// Codes that are the row's fault, with the reason.
pub(super) fn refusal(code: i64) -> Option<Reason> {
    match code {
        21_104 | 21_120 | 21_121 => Some(Reason::UnsupportedProduct),
        _ => None,
    }
}

/// Codes that stop submits to the provider.
pub(super) fn halt(code: i64) -> Option<Halt> {
    let (reason, message) = match code {
        21_102 | 11_008 | 11_010 => (
            Reason::InsufficientBalance,
            "Tutom says the account balance is too low to refill: add funds in its web portal, then run again.",
        ),
        21_105 => (
            Reason::BadCredentials,
            "Tutom says the signature is wrong: check `open_id` and `app_key` against the keys Unimobile gave you.",
        ),
        11_001 => (
            Reason::BadCredentials,
            "Tutom says the appkey is not valid: check `app_key` against the keys Unimobile gave you.",
        ),
        11_002 => (
            Reason::NotActivated,
            "Tutom says the service is not activated: ask its system administrator to activate it.",
        ),
        11_003 => (
            Reason::AccountLocked,
            "Tutom says the account is locked: ask its system administrator to reactivate it.",
        ),
        11_004 => (
            Reason::NotActivated,
            "Tutom says the service must be applied for: ask its system administrator for it.",
        ),
        11_005 => (
            Reason::IpNotAllowed,
            "Tutom serves white-listed IP addresses only: add this machine's address in its web portal.",
        ),
        11_007 | 11_011 => (
            Reason::Currency,
            "Tutom does not offer the account this currency: ask its system administrator for more currency options.",
        ),
        _ => return None,
    };
    Some(Halt { operator: None, reason, code: code.to_string(), message: message.to_owned() })
}
