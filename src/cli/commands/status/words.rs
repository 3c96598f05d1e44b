//! One event of a row's history in a sentence; `--json` has all of it.

use crate::domain::{Answer, LookupMeaning, SubmitMeaning};
use crate::lifecycle::{Event, NotFoundRuling, ResolvedAs};

/// The sentence.
pub fn words_of(event: &Event) -> String {
    match event {
        Event::Intent(intent) => {
            let price = intent.price.map(|price| format!(", {price}")).unwrap_or_default();
            let operator = intent.operator.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            format!("about to be sent as {} (attempt {}{operator}{price})", intent.id, intent.attempt.0)
        }
        Event::NotSent { fault } => format!("not sent: {}", fault.words()),
        Event::Answered { verdict, .. } => {
            format!("answered: {}{}", submit_words(&verdict.meaning), said(&verdict.answer))
        }
        Event::NoAnswer { fault, .. } => format!("no answer: {}; money may have moved", fault.words()),
        Event::Interrupted { .. } => "found open: the program had ended before an answer came".to_owned(),
        Event::LookedUp { verdict } => {
            format!("looked up: {}{}", lookup_words(&verdict.meaning), said(&verdict.answer))
        }
        Event::NotFound { ruling, .. } => match ruling {
            NotFoundRuling::Counted => "looked up: no such order, counted".to_owned(),
            NotFoundRuling::Proved => "looked up: no such order, counted out: never received".to_owned(),
            NotFoundRuling::Untrusted => {
                "looked up: no such order, counted out, which is no proof here".to_owned()
            }
        },
        Event::GraceRestarted { .. } => {
            "machine restarted or clock jumped: the grace begins again".to_owned()
        }
        Event::SeriesEnded => "looked up: another answer ended the series of no such order".to_owned(),
        Event::GaveUp => "the give-up time passed without a final answer".to_owned(),
        Event::Judged { reason, message } => format!("judged before the submit: {reason}, {message}"),
        Event::Held { reason, message } => format!("held back when the run ended: {reason}, {message}"),
        Event::Cancelled { note, user } => format!("cancelled by {user}: {note}"),
        Event::Resolved { decision, note, user } => {
            let decision = match decision {
                ResolvedAs::Succeeded => "succeeded",
                ResolvedAs::Failed => "failed",
            };
            format!("resolved by {user} as {decision}: {note}")
        }
        Event::Released => "retry: may be sent again".to_owned(),
        Event::Readmitted { .. } => "retry: judged anew from the corrected file, good".to_owned(),
        Event::Rejudged { reason, message } => {
            format!("retry: judged anew, still wrong: {reason}, {message}")
        }
        Event::Contradicted { message } => format!("contradiction: {message}"),
    }
}

fn submit_words(meaning: &SubmitMeaning) -> String {
    match meaning {
        SubmitMeaning::Succeeded => "succeeded".to_owned(),
        SubmitMeaning::Pending => "taken, under way".to_owned(),
        SubmitMeaning::Failed => "failed".to_owned(),
        SubmitMeaning::FailedUnlessFound => "failed, to be confirmed by a look-up".to_owned(),
        SubmitMeaning::Refused(reason) => format!("refused because of the row, {reason}"),
        SubmitMeaning::Throttled(_) => "not taken, too fast".to_owned(),
        SubmitMeaning::Halted(halt) => format!("not taken, {}", halt.reason),
        SubmitMeaning::Unclear(unclear) => format!("unclear, {}; money may have moved", unclear.reason),
    }
}

fn lookup_words(meaning: &LookupMeaning) -> String {
    match meaning {
        LookupMeaning::Succeeded => "succeeded".to_owned(),
        LookupMeaning::Failed => "failed".to_owned(),
        LookupMeaning::Pending => "under way".to_owned(),
        LookupMeaning::NotFound => "no such order".to_owned(),
        LookupMeaning::Conflict(what) => format!("another order under our id, {what}"),
        LookupMeaning::Unchanged { .. } => "no information".to_owned(),
    }
}

/// The provider's code, words and id.
fn said(answer: &Answer) -> String {
    let code = answer.code.as_ref().map(|code| format!("code {code}"));
    let words = Some(answer.words.clone()).filter(|words| !words.is_empty());
    let id = answer.provider_ref.as_ref().map(|id| format!("its id {}", id.as_str()));
    let cost = answer.cost.map(|cost| format!("charged {cost}"));
    let parts: Vec<String> = [code, words, id, cost].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}
