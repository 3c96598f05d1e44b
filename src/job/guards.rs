//! What is held against the past and against the caps before rows are sent: repeats of other batches, the worth
//! of a batch, and what a provider gets in a day (`contract.md` 7).

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::session::Session;
use super::stop::Stop;
use super::survey::Known;
use crate::admission::Totals;
use crate::domain::{AccountId, Currency, Reason, Refusal, RowNumber, WallTime};
use crate::ledger::{BatchInfo, Ledger, Record};
use crate::lifecycle::{Entry, Event, Phase, StoredRow};
use crate::settings::Settings;

/// Sums by account and currency: the entry of an account may be called otherwise tomorrow.
pub type Worth = BTreeMap<(AccountId, Currency), Decimal>;

/// Adds a row's worth, if it is known.
pub fn add_worth(to: &mut Worth, row: &StoredRow) {
    let asked = row.asked().and_then(|(amount, currency)| Some((amount, currency?)));
    if let Some(((amount, currency), order)) = asked.zip(row.order.as_ref()) {
        *to.entry((order.account.clone(), currency)).or_default() += amount;
    }
}

/// Since when an equal row of another batch counts as a repeat; none: repeats are not looked for.
pub fn repeats_since(settings: &Settings, now: WallTime) -> Option<WallTime> {
    let window = settings.limits.repeat_window;
    let micros = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    (!window.is_zero()).then(|| WallTime(now.0.saturating_sub(micros)))
}

/// Rows of a batch that goes on which meanwhile stand in another batch too.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub fn repeats_of_unsent(
    settings: &Settings,
    ledger: &Ledger,
    info: &BatchInfo,
    now: WallTime,
) -> Result<BTreeMap<RowNumber, Refusal>, Stop> {
    let mut found = BTreeMap::new();
    let Some(since) = repeats_since(settings, now) else { return Ok(found) };
    let reader = Ledger::open_read(ledger.path())?;
    let known = Known { repeats: Some((&reader, since)), except: Some(info.id), ..Known::default() };
    ledger.for_each_row::<Stop>(info.id, |row| {
        if let Some(order) = row.order.as_ref().filter(|_| row.state.phase == Phase::Ready)
            && let Some(refusal) = known.repeat_of(order)?
        {
            found.insert(row.row, refusal);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Puts down that these rows are not sent, being repeats.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub async fn refuse_repeats(session: &Session, repeats: BTreeMap<RowNumber, Refusal>) -> Result<(), Stop> {
    const AT_ONCE: usize = 1000;
    let at = session.clock.now().wall;
    let mut entries = Vec::new();
    let mut left = repeats.len();
    for (row, Refusal { message, .. }) in repeats {
        left -= 1;
        if let Some(stored) = session.ledger.row(session.batch.id, row)? {
            let event = Event::Judged { reason: Reason::RecentRepeat, message };
            let mut state = stored.state;
            state.apply(&event, at).map_err(|illegal| Stop::internal(format!("row {row}: {illegal}")))?;
            entries.push(Entry { row, event, at, state });
        }
        if entries.len() >= AT_ONCE || left == 0 {
            let entries = std::mem::take(&mut entries);
            session
                .writer
                .append(Record { batch: session.batch.id, batch_events: Vec::new(), entries })
                .await?;
        }
    }
    Ok(())
}

/// `max_batch`: what all valid rows of a batch are worth.
///
/// # Errors
/// [`Stop`] with exit 2: over the cap.
pub fn check_batch_cap(settings: &Settings, whole: &BTreeMap<Currency, Decimal>) -> Result<(), Stop> {
    for (currency, sum) in whole {
        let cap = settings.limits.max_batch.get(currency);
        if let Some(cap) = cap.filter(|cap| sum > *cap) {
            return Err(Stop::refused(format!(
                "the batch is worth {sum} {currency}, limits.max_batch is {cap}: nothing was sent"
            )));
        }
    }
    Ok(())
}

/// `max_day`: what a provider was or may have been charged since midnight UTC, with what is to be sent.
///
/// # Errors
/// [`Stop`] with exit 2: over the cap; or the ledger failed.
pub fn check_day_cap(
    settings: &Settings,
    ledger: &Ledger,
    to_send: &Worth,
    now: WallTime,
) -> Result<(), Stop> {
    let over = over_day(settings, ledger, to_send, now)?;
    if over.is_empty() {
        Ok(())
    } else {
        Err(Stop::refused(format!("{}: nothing was sent", over.join("; "))))
    }
}

/// What of `max_day` would be exceeded, in words.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub fn over_day(
    settings: &Settings,
    ledger: &Ledger,
    to_send: &Worth,
    now: WallTime,
) -> Result<Vec<String>, Stop> {
    const DAY_US: i64 = 86_400_000_000;
    let midnight = WallTime(now.0 - now.0.rem_euclid(DAY_US));
    let mut over = Vec::new();
    for entry in &settings.providers {
        let mut day: BTreeMap<Currency, Decimal> = BTreeMap::new();
        for ((_, currency), sum) in to_send.iter().filter(|((account, _), _)| *account == entry.account) {
            *day.entry(*currency).or_default() += *sum;
        }
        if day.is_empty() {
            continue;
        }
        for spent in ledger.spent_since(&entry.account, midnight)? {
            if let Some(sum) = day.get_mut(&spent.currency) {
                *sum += spent.amount;
            }
        }
        let capped = day.into_iter().filter_map(|(currency, sum)| {
            let cap = settings.limits.max_day.get(&currency).filter(|cap| sum > **cap)?;
            Some(format!(
                "with this batch {} would get {sum} {currency} today, limits.max_day is {cap}",
                entry.name
            ))
        });
        over.extend(capped);
    }
    Ok(over)
}

/// What a survey's ready rows come to.
pub fn worth_of(settings: &Settings, totals: &Totals) -> Worth {
    let account =
        |name: &str| settings.providers.iter().find(|entry| entry.name == name).map(|e| e.account.clone());
    let lines = totals.lines.iter();
    let known = lines.filter_map(|line| Some(((account(&line.provider)?, line.currency?), line.sum)));
    known.fold(Worth::new(), |mut worth, (key, sum)| {
        *worth.entry(key).or_default() += sum;
        worth
    })
}
