//! What a person does about rows with a reason: one sentence for each word of the contract.

use crate::domain::{Next, Reason};

/// What to do about rows that stand with this reason and this next step.
pub fn advice(reason: Option<Reason>, next: Next) -> &'static str {
    match (reason, next) {
        (_, Next::None) => "Nothing to do.",
        (Some(Reason::Conflict), _) => {
            "Two answers contradict each other: ask the provider with the ids of the row."
        }
        (_, Next::Wait) => "Still open: settle asks the provider again. It is never sent twice.",
        (_, Next::Ask) => "Ask the provider with the ids of the row, then record its word with resolve.",
        (None, Next::Fix) => "Correct the row in the results file, then retry.",
        (None, Next::Retry) => "Not charged: retry sends it again.",
        (Some(reason), Next::Fix | Next::Retry) => of_reason(reason),
    }
}

/// What to do about rows that were not charged.
fn of_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::BadPhone => "Correct the number in the results file (column formatted as text), then retry.",
        Reason::BadAmount => "Correct the amount in the results file, then retry.",
        Reason::DuplicateRow => {
            "Meant once: nothing to do. Meant twice: give the rows different references, then retry."
        }
        Reason::RecentRepeat => {
            "Sent in another batch lately. If it is meant again: retry with --allow-repeats."
        }
        Reason::OverCap => "Over a cap of the configuration: correct the amount, or have the cap raised.",
        Reason::NoProvider => "No provider serves this country: check the number, or configure a provider.",
        Reason::UnsupportedAmount => "Choose an amount that the provider sells, then retry.",
        Reason::UnsupportedProduct => "Choose a product that the provider sells for this number, then retry.",
        Reason::UnsupportedOperator => "Name the right operator in the results file, then retry.",
        Reason::InsufficientBalance => "Top up our balance with the provider, then send the rest.",
        Reason::ProviderBalance => "The provider ran out of stock: ask it when to go on, then send the rest.",
        Reason::AccountLocked => "Our account is locked: have the provider open it, then send the rest.",
        Reason::NotActivated => "Have the provider activate the service for our account, then send the rest.",
        Reason::BadCredentials => "Correct the user name or key in the configuration, then send the rest.",
        Reason::IpNotAllowed => "Have the provider allow this machine's address, then send the rest.",
        Reason::PartnerRefused => "The provider refuses us as a partner: ask it, then send the rest.",
        Reason::ServicePaused => "The provider paused this service: send the rest when it is back.",
        Reason::LimitReached => {
            "A limit of our account is reached: wait or have it raised, then send the rest."
        }
        Reason::Currency => "The account's currency does not fit: ask the provider.",
        Reason::CallbackUrl => "Set the callback address in the provider's portal, then send the rest.",
        Reason::Throttled => "The provider asked to slow down: send the rest later, or lower submit_rate.",
        Reason::NumberBusy => "Another order for the number was open: send the rest later.",
        Reason::BadRow => "The line is broken: mend it in the results file, then retry.",
        Reason::ProviderFailed => "The provider says it failed and was not charged: retry sends it again.",
        Reason::NotReceived => "The provider never got it: retry sends it again.",
        Reason::NoAnswer | Reason::UnclearAnswers | Reason::Questionable => {
            "The provider gave no usable answers: ask it what is wrong, then send the rest."
        }
        Reason::Unreachable => "Nothing got through: check network and address, then send the rest.",
        Reason::Interrupted => "The run stopped before this row: the same command goes on.",
        Reason::Resolved => "A person found that it was not charged: retry sends it again.",
        Reason::Conflict => "Two answers contradict each other: ask the provider with the ids of the row.",
        Reason::Cancelled => "Nothing to do: the batch was cancelled.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_says_what_to_do() {
        for reason in Reason::ALL {
            for next in Next::ALL {
                let words = advice(Some(*reason), *next);
                assert!(words.ends_with('.') && words.len() > 10, "{reason} {next}: {words}");
                assert!(*next != Next::Ask || !words.contains("retry"), "{reason}: {words}");
                assert!(*next != Next::Wait || !words.contains("retry"), "{reason}: {words}");
            }
        }
    }
}
