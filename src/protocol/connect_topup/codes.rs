//! CONNECT TOPUP's answers and what each means (`connect-topup.txt` VI; `providers.md` C2). The sign of a code
//! matters (`5` is no `-5`), and the document's "usually" is no proof: a code that is not listed here is unclear.

use crate::domain::{Halt, LookupMeaning, Reason, SubmitMeaning, Unclear};
use crate::protocol::answer::{unchanged, unclear};

/// What followed the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// No semicolon.
    Bare,
    /// A semicolon and nothing after it.
    Empty,
    /// An idtransaction.
    Id,
}

/// topup.jsp: what a code means; `gateway` is the one the submit named.
pub(super) fn submit(code: i64, tail: Tail, gateway: Option<&str>) -> SubmitMeaning {
    let halt = halt(code, tail, gateway);
    let taken = tail == Tail::Id;
    match code {
        1 => SubmitMeaning::Succeeded,
        61 => SubmitMeaning::Failed,
        0 | -1 | -5 | -99 => questionable(halt),
        -308 => unclear(Reason::Conflict),
        5 if !taken => SubmitMeaning::Refused(Reason::UnsupportedAmount),
        6 if !taken => SubmitMeaning::Refused(Reason::BadPhone),
        5 | 6 => questionable(None),
        _ => match halt {
            // An order that got an id was taken, whatever the code says.
            Some(halt) if taken => questionable(Some(halt)),
            Some(halt) => SubmitMeaning::Halted(halt),
            None => unclear(Reason::NoAnswer),
        },
    }
}

fn questionable(halt: Option<Halt>) -> SubmitMeaning {
    SubmitMeaning::Unclear(Unclear {
        reason: Reason::Questionable,
        halt,
        person_only: false,
        slow_down: false,
    })
}

/// The document's wording of a topup.jsp code, which comes without any.
pub(super) fn wording(code: i64, tail: Tail) -> &'static str {
    match code {
        1 => "Transaction successful",
        0 => "Unspecified transaction, Questionable transaction, no refund",
        -1 if tail == Tail::Bare => "Over allowed amount for day",
        -1 => "Error System, Questionable transaction, no refund",
        -2 => "The number of transactions is over limit",
        -3 => "The amount is no longer sufficient in the account",
        -4 => "User lock",
        -5 => "Error of unknown refund",
        5 => "Amount not allowed",
        6 => "Phone invalid",
        -6 => "Error check sum",
        61 => "Transaction failed",
        -99 => "Unknow error, Questionable transaction, no refund",
        -302 => "Partner does not exist or is temporarily suspended Allow refund,Ip not allowed.",
        -304 => "This service does not exist or is pausing Allow refund",
        -308 => "Duplicate client ID",
        _ => "",
    }
}

/// recheck.jsp, whose answers the document leaves open: only `1`, and `61` for a call by idtransaction, count.
pub(super) fn recheck(code: i64, by_idtransaction: bool) -> LookupMeaning {
    match code {
        1 => LookupMeaning::Succeeded,
        61 if by_idtransaction => LookupMeaning::Failed,
        _ => unchanged(),
    }
}

/// What a person should know of a recheck whose code is about the call and not about the order.
pub(super) fn recheck_trouble(code: i64) -> Option<&'static str> {
    match code {
        -302 => Some("recheck.jsp refuses the partner, the user or this IP address, or does not know the id"),
        -304 => Some("recheck.jsp says the service does not exist or is pausing"),
        -4 => Some("recheck.jsp says the user is locked"),
        -6 => Some("recheck.jsp says the checksum is wrong"),
        _ => None,
    }
}

/// userbalance.jsp: the documented errors.
pub(super) fn balance(code: i64) -> Option<Halt> {
    match code {
        -6 | -302 => halt(code, Tail::Bare, None),
        _ => None,
    }
}

/// Codes that stop submits.
fn halt(code: i64, tail: Tail, gateway: Option<&str>) -> Option<Halt> {
    let (reason, message) = match code {
        -1 if tail == Tail::Bare => (
            Reason::LimitReached,
            "CONNECT TOPUP answers a bare -1, \"over allowed amount for day\" (or a system error): this order is \
             looked up, and new ones wait until the provider has confirmed the daily limit.",
        ),
        -2 => (
            Reason::LimitReached,
            "CONNECT TOPUP says the number of transactions is over its limit (for which time is not stated, \
             likely a day): run again later or ask for a higher limit.",
        ),
        -3 => (
            Reason::InsufficientBalance,
            "CONNECT TOPUP says the money in the account is no longer sufficient: add funds, then run again.",
        ),
        -4 => {
            (Reason::AccountLocked, "CONNECT TOPUP says the user is locked: ask the provider to unlock it.")
        }
        -6 => (
            Reason::BadCredentials,
            "CONNECT TOPUP says the checksum is wrong: check `username` and `private_key`, and try the other \
             `checksum` setting with `balance`, which spends nothing.",
        ),
        -302 => (
            Reason::PartnerRefused,
            "CONNECT TOPUP answers -302, which stands for four causes: the partner does not exist, it is \
             temporarily suspended, this IP address is not allowed, or the user does not exist; check `username` \
             and ask the provider about the account and this machine's address.",
        ),
        -304 => (
            Reason::ServicePaused,
            "CONNECT TOPUP says this service does not exist or is pausing: run again later, or ask the provider \
             when it is back.",
        ),
        _ => return None,
    };
    let operator = if code == -304 { gateway.map(str::to_owned) } else { None };
    Some(Halt { operator, reason, code: code.to_string(), message: message.to_owned() })
}
