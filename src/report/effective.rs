//! What a row shows as next step, reason and message: its own, or, for a row that was never reached, those of
//! the run that did not reach it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::words::{RowWords, Words};
use crate::domain::{Halt, Next, Reason};
use crate::lifecycle::{Phase, StoredRow};

/// The note of a row that is known from a results file alone.
pub const REBUILT_NOTE: &str = "rebuilt from a results file";

/// A halt of one provider entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderHalt {
    /// Name of the provider entry.
    pub provider: String,
    /// What stopped.
    pub halt: Halt,
}

/// What the last run of a batch says about rows it did not reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunView {
    /// Its halts, in the order they came.
    pub halts: Vec<ProviderHalt>,
    /// Why it ended; none when it went through to its end, or was killed.
    pub end_reason: Option<Reason>,
    /// The batch was cancelled.
    pub cancelled: bool,
}

/// `topup_next`, `topup_reason` and `topup_message` of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// What to do with it.
    pub next: Next,
    /// Why it stands where it stands.
    pub reason: Option<Reason>,
    /// One sentence for a person, with the row's repairs and warnings.
    pub message: String,
}

/// What a row shows, in words that are borrowed where they can be.
pub(in crate::report) struct Shown<'a> {
    pub(in crate::report) next: Next,
    pub(in crate::report) reason: Option<Reason>,
    pub(in crate::report) message: Cow<'a, str>,
}

/// The row's own words; a row that is still to be sent and has none takes those of the first halt that covers
/// it, else of the run's end, else `interrupted`.
pub fn effective(row: &StoredRow, run: &RunView) -> Effective {
    let words = RowWords::of(row);
    let Shown { next, reason, message } = shown(&words, run);
    Effective { next, reason, message: message.into_owned() }
}

/// As [`effective`].
pub(in crate::report) fn shown<'a>(row: &'a RowWords<'_>, run: &'a RunView) -> Shown<'a> {
    let state = &row.state;
    let (next, reason, message) = match state.phase {
        Phase::Ready if run.cancelled => {
            (Next::None, Some(Reason::Cancelled), "the batch was cancelled".into())
        }
        Phase::Ready if state.reason.is_none() => {
            let (reason, message) = unreached(row, run);
            (Next::Retry, Some(reason), message)
        }
        Phase::Ready
        | Phase::Sending
        | Phase::Pending
        | Phase::Unknown
        | Phase::Asking
        | Phase::Succeeded
        | Phase::Failed
        | Phase::Refused
        | Phase::Invalid
        | Phase::Cancelled => {
            (state.phase.next(state.contradicted), state.reason, Cow::Borrowed(state.message.as_ref()))
        }
    };
    // Nothing of a cancelled batch is sent any more, `retry` refuses it.
    let next = match next {
        Next::Retry | Next::Fix if run.cancelled => Next::None,
        Next::None | Next::Retry | Next::Fix | Next::Wait | Next::Ask => next,
    };
    Shown { next, reason, message: with_notes(message, &row.notes) }
}

/// Why the last run never reached a row that was good to go.
fn unreached<'a>(row: &RowWords<'_>, run: &'a RunView) -> (Reason, Cow<'a, str>) {
    const STOPPED: &str = "the run stopped before this row was sent";
    let Some(order) = &row.order else { return (Reason::Interrupted, STOPPED.into()) };
    let of_provider = || run.halts.iter().filter(|h| h.provider == order.provider.as_str()).map(|h| &h.halt);
    let named = row.state.operator.as_ref().or(order.operator.as_ref()).map(Words::as_str);
    let covering = of_provider().find(|halt| halt.operator.is_none() || halt.operator.as_deref() == named);
    if let Some(halt) = covering {
        return (halt.reason, halt.message.as_str().into());
    }
    match run.end_reason {
        Some(Reason::Interrupted) => (Reason::Interrupted, STOPPED.into()),
        Some(reason) => (reason, format!("the run ended before this row was sent: {reason}").into()),
        // A row that names no operator may still be sent under the one its prefix hints at.
        None => {
            let hinted = order.operator_hint.as_ref().map(Words::as_str);
            of_provider()
                .find(|halt| named.is_none() && halt.operator.as_deref() == hinted)
                .map_or((Reason::Interrupted, STOPPED.into()), |h| (h.reason, h.message.as_str().into()))
        }
    }
}

fn with_notes<'a>(message: Cow<'a, str>, notes: &[String]) -> Cow<'a, str> {
    if notes.is_empty() {
        message
    } else if message.is_empty() {
        notes.join("; ").into()
    } else {
        format!("{message} ({})", notes.join("; ")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::{airtime_row, halt};

    fn run(halts: Vec<ProviderHalt>, end_reason: Option<Reason>) -> RunView {
        RunView { halts, end_reason, cancelled: false }
    }

    #[test]
    fn an_unreached_row_takes_the_reason_of_the_halt_that_covers_it() {
        let row = airtime_row(1);
        let balance = halt("vietnam", None, Reason::InsufficientBalance);
        let other = halt("nigeria", None, Reason::AccountLocked);
        let shown = effective(&row, &run(vec![other.clone(), balance], Some(Reason::Interrupted)));
        assert_eq!(shown.next, Next::Retry);
        assert_eq!(shown.reason, Some(Reason::InsufficientBalance));
        assert!(shown.message.contains("insufficient_balance"));
        let shown = effective(&row, &run(vec![other], Some(Reason::Throttled)));
        assert_eq!(shown.reason, Some(Reason::Throttled));
        assert_eq!(effective(&row, &run(vec![], None)).reason, Some(Reason::Interrupted));
    }

    #[test]
    fn a_halt_of_an_operator_covers_only_rows_that_name_it() {
        let viettel = halt("vietnam", Some("VTL"), Reason::ServicePaused);
        let mut row = airtime_row(1);
        row.order.as_mut().unwrap().operator = Some("VMS".to_owned());
        row.order.as_mut().unwrap().operator_hint = Some("VTL".to_owned());
        let shown = effective(&row, &run(vec![viettel.clone()], None));
        assert_eq!(shown.reason, Some(Reason::Interrupted));
        row.order.as_mut().unwrap().operator = Some("VTL".to_owned());
        assert_eq!(effective(&row, &run(vec![viettel.clone()], None)).reason, Some(Reason::ServicePaused));
        row.order.as_mut().unwrap().operator = None;
        assert_eq!(effective(&row, &run(vec![viettel], None)).reason, Some(Reason::ServicePaused));
    }

    #[test]
    fn a_row_with_a_reason_of_its_own_keeps_it() {
        let mut row = airtime_row(1);
        row.state.reason = Some(Reason::Throttled);
        row.state.message = "slow down".to_owned();
        row.notes = vec!["a lost zero was put back".to_owned()];
        let shown =
            effective(&row, &run(vec![halt("vietnam", None, Reason::AccountLocked)], Some(Reason::Currency)));
        assert_eq!(shown.reason, Some(Reason::Throttled));
        assert_eq!(shown.message, "slow down (a lost zero was put back)");
    }

    #[test]
    fn a_row_left_in_a_cancelled_batch_has_no_next_step() {
        let cancelled = RunView { cancelled: true, ..RunView::default() };
        let shown = effective(&airtime_row(1), &cancelled);
        assert_eq!((shown.next, shown.reason), (Next::None, Some(Reason::Cancelled)));
        let mut failed = airtime_row(2);
        failed.state.phase = Phase::Failed;
        failed.state.reason = Some(Reason::ProviderFailed);
        assert_eq!(effective(&failed, &RunView::default()).next, Next::Retry);
        let shown = effective(&failed, &cancelled);
        assert_eq!((shown.next, shown.reason), (Next::None, Some(Reason::ProviderFailed)));
    }
}
