//! What the limits of a run have to know of earlier submits. The wall clock alone never decides that something is long
//! ago: it may have jumped since.

use std::time::Duration;

use crate::domain::{AccountId, Now, WallTime};
use crate::engine::PastSubmit;
use crate::ledger::{Ledger, LedgerError};
use crate::settings::{ProviderSettings, Rate};

/// A submit leaves at most this long after its intent was recorded.
const INTENT_AGE_MAX: Duration = Duration::from_secs(5);

/// How far the wall clock may go either way unnoticed by [`Now::elapsed_since`], and a little more.
const DRIFT_MAX: Duration = Duration::from_secs(11);

/// For the limiter: the submits that may have left in the last window of the rate.
///
/// # Errors
/// [`LedgerError`].
pub(super) fn recent_submits(
    ledger: &Ledger,
    account: &AccountId,
    rate: Rate,
    now: Now,
) -> Result<Vec<PastSubmit>, LedgerError> {
    let span = rate.window.saturating_add(INTENT_AGE_MAX).saturating_add(DRIFT_MAX);
    let since = WallTime(now.wall.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    // Those recorded as later than now, while the clock was ahead, come beside those of the span.
    let windows = span.saturating_add(DRIFT_MAX).as_micros() / rate.window.as_micros().max(1) + 2;
    let most = rate.count.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX));
    let found = ledger.recent_submits(account, since, (rate.count, most))?;
    // After a jump of the clock or a restart of the machine nobody can say how long ago it was: as if it were now. No
    // more than the rate's count left in any window, so the last of them are enough.
    let mut unknown = 0;
    let mut past = Vec::with_capacity(found.len());
    for submit in found.into_iter().rev() {
        let intended = now.elapsed_since(submit.intended);
        unknown += u32::from(intended.is_none());
        if intended.is_some() || unknown <= rate.count {
            let over = submit.over.and_then(|at| now.elapsed_since(at));
            past.push(PastSubmit { intended: intended.unwrap_or_default(), over });
        }
    }
    Ok(past)
}

/// The last submits of numbers that may still have to be kept apart.
///
/// # Errors
/// [`LedgerError`].
pub(super) fn spaced_numbers(
    ledger: &Ledger,
    entry: &ProviderSettings,
    now: Now,
) -> Result<Vec<(String, Now)>, LedgerError> {
    if entry.phone_spacing.is_zero() {
        return Ok(Vec::new());
    }
    ledger.last_submits_of_numbers(&entry.account, now, entry.phone_spacing.saturating_add(INTENT_AGE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Attempt, BatchName, Boot, Country, Currency, Goods, Order, PhoneNumber, ProviderKind, RowNumber,
        Tick, TransactionId,
    };
    use crate::ledger::{AdmittedRow, NewBatch, Record, Writer};
    use crate::lifecycle::{Entry, Event, Intent, TopUp};
    use crate::report::OutputDialect;

    const SECOND_US: u64 = 1_000_000;
    const RATE: Rate = Rate { count: 5, window: Duration::from_secs(1) };

    fn account() -> AccountId {
        AccountId::new(ProviderKind::ConnectTopup, "demo")
    }

    /// So many seconds of the machine's clock, while the wall clock is ahead of it by so many.
    fn now(seconds: u64, ahead: u64) -> Now {
        let wall = WallTime(i64::try_from((1_000_000 + seconds + ahead) * SECOND_US).unwrap());
        Now { tick: Tick(seconds * SECOND_US), wall, boot: Boot(1) }
    }

    /// A ledger with a submit at each of these times.
    fn submitted(path: &std::path::Path, times: &[Now]) -> Ledger {
        let name = BatchName::parse("pay-0a1b2c3d").unwrap();
        let row = |number: u64| {
            let order = Order {
                row: RowNumber(number),
                provider: "vietnam".to_owned(),
                account: account(),
                phone: PhoneNumber::new(Country::VN, "84", &(912_345_600 + number).to_string()).unwrap(),
                goods: Goods::Airtime,
                amount: Some(20_000.into()),
                currency: Some(Currency::VND),
                operator: None,
                operator_hint: None,
                reference: None,
            };
            let (row, line, state) = (RowNumber(number), number + 1, TopUp::ready());
            AdmittedRow { row, line, cells: Vec::new(), order: Some(order), state, notes: Vec::new() }
        };
        let batch = NewBatch {
            name: name.clone(),
            file_sha256: [0; 32],
            source: "pay.csv".into(),
            header: Vec::new(),
            dialect: OutputDialect { delimiter: b',', crlf: false, bom: false },
            results_path: "pay.results.csv".into(),
            sandbox: false,
            at: WallTime(0),
        };
        let mut ledger = Ledger::open(path).unwrap();
        let numbers = 1..=u64::try_from(times.len()).unwrap();
        let batch = ledger.admit(&batch, numbers.clone().map(|number| Ok::<_, ()>(row(number)))).unwrap();
        let writer = Writer::start(path).unwrap();
        for (number, at) in numbers.zip(times) {
            let (row, attempt) = (RowNumber(number), Attempt(1));
            let id = TransactionId::derive(&account(), &name, row, attempt);
            let intent = Intent { attempt, id, at: *at, operator: None, product_id: None, price: None };
            let (event, mut state) = (Event::Intent(intent), TopUp::ready());
            state.apply(&event, at.wall).unwrap();
            let entries = vec![Entry { row, event, at: at.wall, state }];
            writer.append(Record { batch, batch_events: Vec::new(), entries }).wait().unwrap();
        }
        writer.close().unwrap();
        ledger
    }

    /// How long ago the submits that the limiter hears of were intended, in seconds.
    fn ages(ledger: &Ledger, rate: Rate, now: Now) -> Vec<u64> {
        let past = recent_submits(ledger, &account(), rate, now).unwrap();
        past.iter().map(|submit| submit.intended.as_secs()).collect()
    }

    #[test]
    fn a_clock_that_jumped_forward_forgets_no_submit() {
        let folder = tempfile::tempdir().unwrap();
        let times = [20, 48, 48, 49, 49, 50].map(|seconds| now(seconds, 0));
        let ledger = submitted(&folder.path().join("ledger.db"), &times);
        assert_eq!(ages(&ledger, RATE, now(51, 0)), [1, 2, 2, 3, 3]);
        // Ten minutes: as if the last of them had left just now, as many as the limit let through.
        assert_eq!(ages(&ledger, RATE, now(51, 600)), [0; 5]);
        // A jump that nobody notices.
        assert_eq!(ages(&ledger, RATE, now(51, 9)), [1, 2, 2, 3, 3]);
        let restarted = Now { boot: Boot(2), ..now(51, 600) };
        assert_eq!(ages(&ledger, RATE, restarted), [0; 5]);
        let spaced = |now, within| {
            let within = Duration::from_secs(within);
            ledger.last_submits_of_numbers(&account(), now, within).unwrap().len()
        };
        assert_eq!([spaced(now(51, 0), 10), spaced(now(51, 600), 10), spaced(now(51, 600), 40)], [5, 5, 6]);
        assert_eq!(spaced(restarted, 10), 0, "only the wall clock tells of what was before");
    }

    #[test]
    fn a_clock_that_went_back_holds_up_for_no_longer_than_a_window() {
        let folder = tempfile::tempdir().unwrap();
        // A day ahead, and back since; two submits after that.
        let ahead = (0..90).map(|second| now(second, 86_400));
        let times: Vec<Now> = ahead.chain([now(100, 0), now(101, 0)]).collect();
        let ledger = submitted(&folder.path().join("ledger.db"), &times);
        assert_eq!(ages(&ledger, RATE, now(102, 0)), [0, 0, 0, 0, 0, 1, 2]);
        // Not all of that day are read for it.
        assert_eq!(ages(&ledger, Rate { count: 1, ..RATE }, now(102, 0)), [0]);
    }
}
