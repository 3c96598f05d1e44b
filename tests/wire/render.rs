//! Requests and meanings as stable text.

use bulk_topup::domain::{
    Answer, Denomination, Halt, HttpRequest, LookupMeaning, LookupVerdict, Method, SubmitMeaning,
    SubmitVerdict, ThrottleScope, Told,
};
use bulk_topup::protocol::{CallbackClaim, CallbackHint, CallbackRefused};

/// Method, whole URL, headers and body.
pub fn request(request: &HttpRequest) -> String {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let mut text = format!("{method} {}\n", request.url.expose());
    if let Some((content_type, body)) = &request.body {
        text.push_str(&format!("content-type: {content_type}\n\n{}", body.expose()));
    }
    text
}

/// A meaning of a submit.
pub fn submit(verdict: &SubmitVerdict) -> String {
    let mut lines = Vec::new();
    let (meaning, halt) = match &verdict.meaning {
        SubmitMeaning::Succeeded => ("succeeded".to_owned(), None),
        SubmitMeaning::Pending => ("pending".to_owned(), None),
        SubmitMeaning::Failed => ("failed".to_owned(), None),
        SubmitMeaning::FailedUnlessFound => ("failed_unless_found".to_owned(), None),
        SubmitMeaning::Refused(reason) => (format!("refused {reason}"), None),
        SubmitMeaning::Throttled(ThrottleScope::Provider) => ("throttled provider".to_owned(), None),
        SubmitMeaning::Throttled(ThrottleScope::Operator(named)) => {
            (format!("throttled operator {named}"), None)
        }
        SubmitMeaning::Throttled(ThrottleScope::NumberToday) => ("throttled number_today".to_owned(), None),
        SubmitMeaning::Halted(halt) => ("halted".to_owned(), Some(halt)),
        SubmitMeaning::Unclear(unclear) => {
            let person_only = if unclear.person_only { " person_only" } else { "" };
            let slow_down = if unclear.slow_down { " slow_down" } else { "" };
            (format!("unclear {}{person_only}{slow_down}", unclear.reason), unclear.halt.as_ref())
        }
    };
    lines.push(format!("submit: {meaning}"));
    push_halt(&mut lines, halt);
    push_answer(&mut lines, &verdict.answer);
    lines.join("\n")
}

/// A meaning of a look-up.
pub fn lookup(verdict: &LookupVerdict) -> String {
    let mut lines = Vec::new();
    let (meaning, halt) = match &verdict.meaning {
        LookupMeaning::Succeeded => ("succeeded".to_owned(), None),
        LookupMeaning::Failed => ("failed".to_owned(), None),
        LookupMeaning::Pending => ("pending".to_owned(), None),
        LookupMeaning::NotFound => ("not_found".to_owned(), None),
        LookupMeaning::Conflict(what) => (format!("conflict: {what}"), None),
        LookupMeaning::Unchanged { intact, halt } => {
            (if *intact { "unchanged intact" } else { "unchanged" }.to_owned(), halt.as_ref())
        }
    };
    lines.push(format!("lookup: {meaning}"));
    push_halt(&mut lines, halt);
    push_answer(&mut lines, &verdict.answer);
    lines.join("\n")
}

/// What a question told.
pub fn told(told: &Told) -> String {
    let mut lines = Vec::new();
    match told {
        Told::Balance(balance) => lines.push(format!("told: balance {balance}")),
        Told::Catalogue(catalogue) => {
            lines.push("told: catalogue".to_owned());
            lines.extend(catalogue.data.iter().map(|product| {
                let price = format!("{} {}", product.price.amount, product.price.currency);
                format!(
                    "data: {} | {} | {} | {}M | {price}",
                    product.id, product.operator, product.label, product.megabytes
                )
            }));
            lines.extend(catalogue.airtime.iter().map(|product| {
                let amounts = match product.denomination {
                    Denomination::Fixed(amount) => format!("fixed {amount}"),
                    Denomination::Range { min, max } => format!("range {min} to {max}"),
                };
                format!(
                    "airtime: {} | {} | {amounts} {}",
                    product.country, product.operator, product.currency
                )
            }));
        }
        Told::Operator { code, currency } => {
            let currency = currency.map(|currency| format!(" {currency}")).unwrap_or_default();
            lines.push(format!("told: operator {code}{currency}"));
        }
        Told::Busy(answer) => {
            lines.push("told: busy".to_owned());
            push_answer(&mut lines, answer);
        }
        Told::Refused(refusal) => {
            lines.push(format!("told: refused {}: {}", refusal.reason, refusal.message))
        }
        Told::Halted(halt) => {
            lines.push("told: halted".to_owned());
            push_halt(&mut lines, Some(halt));
        }
        Told::Nothing(answer) => {
            lines.push("told: nothing".to_owned());
            push_answer(&mut lines, answer);
        }
    }
    lines.join("\n")
}

/// What a callback hints at.
pub fn callback(heard: &Result<CallbackHint, CallbackRefused>) -> String {
    match heard {
        Err(refused) => format!("callback: refused: {refused}"),
        Ok(hint) => {
            let claims = match hint.claims {
                CallbackClaim::Succeeded => "succeeded",
                CallbackClaim::Failed => "failed",
                CallbackClaim::Pending => "pending",
                CallbackClaim::Other => "other",
            };
            let reference = hint.provider_ref.as_ref().map_or("none", |reference| reference.as_str());
            let verified = if hint.verified { "verified" } else { "not verified" };
            format!("callback: {claims}, {verified}\nid: {}\nref: {reference}", hint.id)
        }
    }
}

fn push_halt(lines: &mut Vec<String>, halt: Option<&Halt>) {
    if let Some(halt) = halt {
        let scope =
            halt.operator.as_ref().map_or_else(|| "provider".to_owned(), |named| format!("operator {named}"));
        lines.push(format!("halt: {} of {scope} by {}", halt.reason, halt.code));
        lines.push(format!("message: {}", halt.message));
    }
}

fn push_answer(lines: &mut Vec<String>, answer: &Answer) {
    lines.extend(answer.code.as_ref().map(|code| format!("code: {code}")));
    if !answer.words.is_empty() {
        lines.push(format!("words: {}", answer.words));
    }
    lines.extend(answer.provider_ref.as_ref().map(|reference| format!("ref: {}", reference.as_str())));
    lines.extend(answer.cost.map(|cost| format!("cost: {} {}", cost.amount, cost.currency)));
    lines.extend(answer.warning.as_ref().map(|warning| format!("warning: {warning}")));
}
