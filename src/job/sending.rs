//! Sending: the look-ups before everything else where they are wanted, the canary, the rest. Nothing is asked of
//! a person here but what [`Front`] says.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use rust_decimal::Decimal;

use super::exit::Exit;
use super::guards::{Worth, check_batch_cap, check_day_cap};
use super::preflights::Preflights;
use super::row_set::RowSet;
use super::session::{Leg, Selection, Session, may_be_retried};
use super::stop::Stop;
use super::survey::Survey;
use super::workload::{Work, workload};
use crate::domain::{
    BatchName, Currency, Goods, Money, ProviderKind, Reason, RowNumber, Status, grouped, mask_digits,
};
use crate::engine::{Clearances, Engine, Mode};
use crate::ledger::BatchEvent;
use crate::lifecycle::{Phase, StoredRow};
use crate::run::{Ended, Observer};
use crate::settings::Settings;

/// What a front end shows of a batch that is worked on, and what it is asked.
pub trait Front: Observer {
    /// Work on the batch begins: what each provider has to do, in the order in which [`Observer::progress`] counts
    /// them.
    fn begin(&mut self, batch: &BatchName, mode: Mode, work: Vec<Work>);
    /// This work is over.
    fn end(&mut self);
    /// The first rows are final, or were waited for: so many of each status. Whether the `left` others are sent.
    fn goes_on(&mut self, first: &BTreeMap<Status, u64>, left: u64) -> bool;
}

/// What a person is asked to consent to, in major units.
#[derive(Clone, Debug)]
pub struct Amounts {
    /// Rows that will be sent.
    pub rows: u64,
    /// What they come to, as far as prices are known.
    pub sums: BTreeMap<Currency, Decimal>,
    /// What the whole file's valid rows come to, for [`Terms::expect_total`].
    pub whole: BTreeMap<Currency, Decimal>,
    /// Whether every valid row is in `whole`; prices of data named by size are told by a look-up only.
    pub valid_rows_priced: bool,
}

impl Amounts {
    /// What a file that is not in the ledger yet comes to.
    pub fn of(survey: &Survey) -> Self {
        let sums = survey.totals.by_currency();
        let priced = survey.totals.lines.iter().all(|line| line.unpriced == 0 && line.currency.is_some());
        Self { rows: survey.totals.ready, whole: sums.clone(), sums, valid_rows_priced: priced }
    }
}

/// On which terms a batch is sent.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What a person consented to.
    pub amounts: Amounts,
    /// Send nothing unless all valid rows of the file add up to these; empty: any total.
    pub expect_total: Vec<Money>,
    /// Send nothing if any row is invalid.
    pub all_or_nothing: bool,
    /// Send so many rows, wait until they are final, then ask [`Front::goes_on`].
    pub first: Option<NonZeroU64>,
    /// How long to follow after the last submit.
    pub settle_for: Duration,
    /// Rows of a retry; none: everything that is ready.
    pub retry: Option<RowSet>,
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// By itself.
    Over,
    /// The person, or the first rows, stopped it; why the rest is left.
    Stopped(Reason),
    /// A signal ended it.
    Signalled,
}

/// What applies beside the rows when sending ended so, and why rows were left: for [`Session::finish`].
pub fn ending(sent: &Result<Sent, Stop>) -> (Exit, Option<Reason>) {
    match sent {
        Ok(Sent::Over) => (Exit::Success, None),
        Ok(Sent::Stopped(reason)) => (Exit::Success, Some(*reason)),
        Ok(Sent::Signalled) => (Exit::Interrupted, Some(Reason::Interrupted)),
        Err(stop) => (stop.exit, Some(Reason::Interrupted)),
    }
}

/// Sends what a batch has to be sent, and follows it.
///
/// # Errors
/// [`Stop`]: refused by the terms (then nothing was sent), or ledger or program failed.
pub async fn send(
    session: &mut Session,
    settings: &Settings,
    preflights: &Preflights,
    terms: &Terms,
    front: &mut dyn Front,
) -> Result<Sent, Stop> {
    // What the first calls said holds for every leg; an engine only tells what it finds itself.
    for (provider, halt) in preflights.halts() {
        session.note(BatchEvent::Halted { provider, halt }).await?;
    }
    let retry = terms.retry.clone();
    Sending { session, settings, preflights, terms, retry, front }.legs().await
}

/// One leg under a front end's eyes.
///
/// # Errors
/// [`Stop`] when ledger or program fail; nothing was submitted after that.
pub async fn work(
    session: &mut Session,
    settings: &Settings,
    preflights: &Preflights,
    leg: Leg,
    front: &mut dyn Front,
) -> Result<(Engine, Ended), Stop> {
    front.begin(&session.batch.name, leg.mode, workload(session, settings, &leg)?);
    let done = session.run(settings, preflights, leg, front).await;
    front.end();
    done
}

/// Holds a total against the expected one. Every currency of the file has to be named.
///
/// # Errors
/// [`Stop`] with exit 2: another total.
pub fn check_total(whole: &BTreeMap<Currency, Decimal>, expect_total: &[Money]) -> Result<(), Stop> {
    if expect_total.is_empty() {
        return Ok(());
    }
    let mut expected: BTreeMap<Currency, Decimal> = BTreeMap::new();
    for money in expect_total {
        *expected.entry(money.currency).or_default() += money.amount;
    }
    let mut found = whole.clone();
    found.retain(|_, sum| !sum.is_zero());
    expected.retain(|_, sum| !sum.is_zero());
    if found == expected {
        return Ok(());
    }
    Err(Stop::refused(format!(
        "the valid rows come to {}, --expect-total says {}: nothing was sent",
        sums_line(&found),
        sums_line(&expected)
    )))
}

/// The total of each currency, for the question and for `--expect-total`.
pub fn sums_line(sums: &BTreeMap<Currency, Decimal>) -> String {
    let parts: Vec<String> = sums
        .iter()
        .map(|(currency, sum)| format!("{} {currency}", grouped(&sum.normalize().to_string())))
        .collect();
    if parts.is_empty() { "nothing that has a price yet".to_owned() } else { parts.join(" + ") }
}

struct Sending<'a> {
    session: &'a mut Session,
    settings: &'a Settings,
    preflights: &'a Preflights,
    terms: &'a Terms,
    /// Rows of a retry that are still to be sent by it.
    retry: Option<RowSet>,
    front: &'a mut dyn Front,
}

impl Sending<'_> {
    async fn legs(mut self) -> Result<Sent, Stop> {
        let terms = self.terms;
        let mut clearances = Clearances::new();
        let limits = &self.settings.limits;
        let caps = [&limits.max_number, &limits.max_batch, &limits.max_day];
        // Prices that only a look-up tells count for every cap before the first of them is paid.
        let capped = !terms.amounts.valid_rows_priced && caps.iter().any(|cap| !cap.is_empty());
        if terms.all_or_nothing || !terms.expect_total.is_empty() || capped {
            if self.needs_looks()? {
                let (engine, ended) = self.leg(Mode::Look, None, clearances).await?;
                if ended != Ended::Over {
                    return Ok(Sent::Signalled);
                }
                clearances = engine.into_clearances();
            }
            self.judge_looks(&clearances, capped)?;
        }
        if let Some(first) = terms.first
            && let Some((last, canaries)) = self.first_sendable(first.get())?
        {
            let (_, ended) = self.leg(Mode::Send, Some(last), clearances.clone()).await?;
            if ended != Ended::Over {
                return Ok(Sent::Signalled);
            }
            if !self.canary_goes_on(&canaries)? {
                return Ok(Sent::Stopped(Reason::Interrupted));
            }
        }
        let (_, ended) = self.leg(Mode::Send, None, clearances).await?;
        Ok(match ended {
            Ended::Over => Sent::Over,
            Ended::Drained | Ended::Left => Sent::Signalled,
        })
    }

    async fn leg(
        &mut self,
        mode: Mode,
        up_to: Option<RowNumber>,
        clearances: Clearances,
    ) -> Result<(Engine, Ended), Stop> {
        let selection = Selection { up_to, retry: self.retry.clone(), recheck: None };
        let leg = Leg { mode, settle_for: self.terms.settle_for, selection, clearances };
        work(self.session, self.settings, self.preflights, leg, self.front).await
    }

    /// Whether any row to be sent is of a provider that is asked about each number.
    fn needs_looks(&self) -> Result<bool, Stop> {
        let names = self.session.entries_to_send(self.settings, self.retry.is_some())?;
        let asks = |name: &String| {
            self.settings
                .providers
                .iter()
                .any(|entry| entry.name == *name && entry.kind != ProviderKind::ConnectTopup)
        };
        Ok(names.iter().any(asks))
    }

    /// After the look-ups: `--all-or-nothing` and `--expect-total` are judged with what they told.
    fn judge_looks(&self, clearances: &Clearances, capped: bool) -> Result<(), Stop> {
        let max_number = &self.settings.limits.max_number;
        let (mut to_send, mut numbers) = (Worth::new(), BTreeMap::<(String, Currency), Decimal>::new());
        let (mut wrong, mut unanswered) = (0_u64, 0_u64);
        let mut whole: BTreeMap<Currency, Decimal> = BTreeMap::new();
        self.session.ledger.for_each_row::<Stop>(self.session.batch.id, |row| {
            wrong += u64::from(row.state.status() == Status::Invalid);
            if row.state.status() == Status::Invalid {
                return Ok(());
            }
            let retried = self.retry.as_ref().is_some_and(|set| set.contains(row.row));
            match worth(&row, retried && may_be_retried(&row), clearances) {
                Some((amount, currency)) => {
                    *whole.entry(currency).or_default() += amount;
                    let sent_now = retried || self.retry.is_none() && row.state.phase == Phase::Ready;
                    if let Some(order) = row.order.as_ref().filter(|_| capped && sent_now) {
                        *to_send.entry((order.account.clone(), currency)).or_default() += amount;
                    }
                    if let Some(order) = row.order.as_ref().filter(|_| max_number.contains_key(&currency)) {
                        *numbers.entry((order.phone.digits().to_owned(), currency)).or_default() += amount;
                    }
                }
                None => unanswered += 1,
            }
            Ok(())
        })?;
        if self.terms.all_or_nothing && wrong + unanswered > 0 {
            return Err(Stop::refused(format!(
                "{wrong} rows are invalid and {unanswered} could not be looked up, and --all-or-nothing was given: nothing was sent"
            )));
        }
        if !self.terms.expect_total.is_empty() && unanswered > 0 {
            return Err(Stop::refused(format!(
                "the prices of {unanswered} rows are not known, so the total cannot be checked: nothing was sent"
            )));
        }
        if capped {
            if unanswered > 0 {
                return Err(Stop::refused(format!(
                    "the prices of {unanswered} rows are not known, so the caps cannot be checked: nothing was sent"
                )));
            }
            let over = numbers
                .iter()
                .find(|((_, currency), sum)| max_number.get(currency).is_some_and(|cap| *sum > cap));
            if let Some(((digits, currency), sum)) = over {
                return Err(Stop::refused(format!(
                    "{} would get {sum} {currency} in this batch, over limits.max_number: nothing was sent",
                    mask_digits(digits)
                )));
            }
            check_batch_cap(self.settings, &whole)?;
            check_day_cap(self.settings, &self.session.ledger, &to_send, self.session.clock.now().wall)?;
        }
        check_total(&whole, &self.terms.expect_total)
    }

    /// The first `n` rows that will be sent, and the last of them; none when there are no more than that.
    fn first_sendable(&self, n: u64) -> Result<Option<(RowNumber, RowSet)>, Stop> {
        const PAGE: u32 = 1024;
        let (mut found, mut after) = (RowSet::default(), None);
        let mut last = None;
        loop {
            let page = self.session.ledger.rows_page(self.session.batch.id, after, PAGE)?;
            let Some(end) = page.last().map(|row| row.row) else { return Ok(None) };
            for row in &page {
                let chosen = match &self.retry {
                    Some(set) => set.contains(row.row) && may_be_retried(row),
                    None => row.state.phase == Phase::Ready,
                };
                if !chosen {
                    continue;
                }
                if found.len() == n {
                    return Ok(last.map(|last| (last, found)));
                }
                found.insert(row.row);
                last = Some(row.row);
            }
            after = Some(end);
        }
    }

    /// After the canary: whether the rest is sent. What came of a canary is not sent again on the same word, not even
    /// where it failed: it leaves the rows of a retry unless it stands ready. (One that had failed before and did not
    /// get to be sent leaves them too; the next retry has it.)
    fn canary_goes_on(&mut self, canaries: &RowSet) -> Result<bool, Stop> {
        let Self { session, retry, front, .. } = self;
        let mut counts: BTreeMap<Status, u64> = BTreeMap::new();
        let mut left: u64 = 0;
        session.ledger.for_each_row::<Stop>(session.batch.id, |row| {
            let ready = row.state.phase == Phase::Ready;
            if canaries.contains(row.row) {
                *counts.entry(row.state.status()).or_insert(0) += 1;
                if let Some(set) = retry.as_mut().filter(|_| !ready) {
                    set.remove(row.row);
                }
            }
            left += u64::from(match retry.as_ref() {
                Some(set) => set.contains(row.row) && may_be_retried(&row),
                None => ready,
            });
            Ok(())
        })?;
        Ok(front.goes_on(&counts, left))
    }
}

/// What a valid row costs: as looked up, as submitted, or its face value.
fn worth(row: &StoredRow, retried: bool, clearances: &Clearances) -> Option<(Decimal, Currency)> {
    let looked_up = clearances.get(&row.row).and_then(|clearance| clearance.price);
    // A price of an earlier submit says nothing of the next one.
    if let Some(price) = looked_up.or(row.state.price.filter(|_| !retried)) {
        return Some((price.amount, price.currency));
    }
    let order = row.order.as_ref()?;
    // Rows that still have to be looked up count as unanswered, others at their face value.
    let asked_about = order.account.kind != ProviderKind::ConnectTopup;
    let to_be_sent = retried || row.state.phase == Phase::Ready;
    if to_be_sent && asked_about || order.goods != Goods::Airtime {
        return None;
    }
    order.amount.zip(order.currency)
}
