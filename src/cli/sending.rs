//! What `run` and `retry` share once a batch is in the ledger: the question, the look-ups before everything
//! else where they are wanted, the canary, the run, the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rust_decimal::Decimal;

use super::args::SendArgs;
use super::context::Context;
use super::exit::Exit;
use super::guards::{Worth, check_batch_cap, check_day_cap};
use super::plan::sums_line;
use super::progress::Progress;
use super::session::{Leg, Preflights, RowSet, Selection, Session};
use super::stop::Stop;
use super::wrapup::{Standing, wrap_up};
use crate::domain::{Currency, Goods, Reason, RowNumber, Status};
use crate::engine::{Clearances, Mode};
use crate::ledger::BatchEvent;
use crate::lifecycle::{Phase, StoredRow};
use crate::run::Ended;

/// What a person is asked to confirm.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// Rows that will be sent.
    pub rows: u64,
    /// What they come to, as far as prices are known.
    pub sums: BTreeMap<Currency, Decimal>,
    /// What the whole file's valid rows come to, for `--expect-total`.
    pub whole: BTreeMap<Currency, Decimal>,
    /// Whether every valid row is in `whole`.
    pub valid_rows_priced: bool,
}

impl Confirm {
    /// Asks, unless `--yes` answers. A total that is known already is held against `--expect-total`.
    ///
    /// # Errors
    /// [`Stop`] with exit 2: not confirmed, or another total.
    pub fn ask(&self, context: &Context, args: &SendArgs) -> Result<(), Stop> {
        if self.valid_rows_priced {
            check_total(&self.whole, args)?;
        }
        if args.yes || self.rows == 0 {
            return Ok(());
        }
        let terminal = &context.terminal;
        if !terminal.interactive {
            return Err(Stop::refused(
                "nobody is here to confirm (no terminal); give --yes, best with --expect-total CUR=AMOUNT. Nothing was sent",
            ));
        }
        terminal.complain(&format!("To be sent: {} rows, {}", self.rows, sums_line(&self.sums)));
        if !self.valid_rows_priced {
            terminal.complain(
                "Not in these totals: rows whose price is told only when their number is looked up. With \
                 --expect-total they are looked up before anything is sent.",
            );
        }
        if self.sums.is_empty() {
            let answer =
                terminal.ask(&format!("Type the number of rows ({}) to send, or Ctrl-C: ", self.rows));
            return typed(answer.as_deref(), Decimal::from(self.rows));
        }
        for (currency, sum) in &self.sums {
            let answer = terminal
                .ask(&format!("Type the {currency} total ({}) to send, or Ctrl-C: ", sum.normalize()));
            typed(answer.as_deref(), *sum)?;
        }
        Ok(())
    }
}

fn typed(answer: Option<&str>, wanted: Decimal) -> Result<(), Stop> {
    let plain: Option<String> = answer.map(|text| text.chars().filter(|c| *c != ',' && *c != ' ').collect());
    match plain.and_then(|text| text.parse::<Decimal>().ok()) {
        Some(total) if total == wanted => Ok(()),
        Some(_) | None => Err(Stop::refused("not confirmed: nothing was sent")),
    }
}

/// Holds a total against `--expect-total`. Every currency of the file has to be named.
fn check_total(whole: &BTreeMap<Currency, Decimal>, args: &SendArgs) -> Result<(), Stop> {
    if args.expect_total.is_empty() {
        return Ok(());
    }
    let mut expected: BTreeMap<Currency, Decimal> = BTreeMap::new();
    for money in &args.expect_total {
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

/// How a command sends.
#[derive(Debug)]
pub struct Sending<'a> {
    /// For the record.
    pub command: &'static str,
    /// Flags.
    pub args: &'a SendArgs,
    /// How long to follow.
    pub settle_for: Duration,
    /// Where results go.
    pub results: &'a Path,
    /// Rows of a retry; none: everything that is ready.
    pub retry: Option<RowSet>,
    /// What was (or, for a batch that goes on, is to be) confirmed.
    pub confirm: Confirm,
}

/// How the legs of a command ended.
enum Outcome {
    Over,
    Stopped(Reason),
    Signalled,
}

/// Sends what a batch has to be sent, follows it, writes results, tells the summary.
///
/// # Errors
/// [`Stop`]: refused, or the ledger failed.
pub async fn send(
    context: &Context,
    session: &mut Session,
    preflights: Preflights,
    sending: Sending<'_>,
) -> Result<Exit, Stop> {
    session.begin(context, sending.command).await?;
    // What the first calls said holds for every leg; an engine only tells what it finds itself.
    for (provider, halt) in preflights.halts() {
        session.note(BatchEvent::Halted { provider, halt }).await?;
    }
    let done = legs(context, session, &preflights, &sending).await;
    match done {
        Ok(Outcome::Over) => wrap_up(context, session, Exit::Success, None, sending.results).await,
        Ok(Outcome::Stopped(reason)) => {
            wrap_up(context, session, Exit::Success, Some(reason), sending.results).await
        }
        Ok(Outcome::Signalled) => {
            wrap_up(context, session, Exit::Interrupted, Some(Reason::Interrupted), sending.results).await
        }
        Err(stop) => {
            // Whatever is known goes into the results, also when the ledger takes no more.
            context.terminal.complain(&format!("bulk-topup: {}", stop.message));
            let also = stop.exit;
            wrap_up(context, session, also, Some(Reason::Interrupted), sending.results).await.map(|_| also)
        }
    }
}

async fn legs(
    context: &Context,
    session: &mut Session,
    preflights: &Preflights,
    sending: &Sending<'_>,
) -> Result<Outcome, Stop> {
    let mut clearances = Clearances::new();
    let args = sending.args;
    let limits = &context.settings()?.limits;
    let caps = [&limits.max_number, &limits.max_batch, &limits.max_day];
    // Prices that only a look-up tells count for every cap before the first of them is paid.
    let capped = !sending.confirm.valid_rows_priced && caps.iter().any(|cap| !cap.is_empty());
    let looks_first = args.all_or_nothing || !args.expect_total.is_empty() || capped;
    if looks_first {
        if needs_looks(context, session, sending)? {
            let leg = leg(sending, Mode::Look, None, clearances);
            let (engine, ended) = run_leg(context, session, preflights, leg, sending.confirm.rows).await?;
            if ended != Ended::Over {
                return Ok(Outcome::Signalled);
            }
            clearances = engine.into_clearances();
        }
        judge_looks(context, session, sending, &clearances, capped)?;
    }
    if let Some(first) = args.first {
        let Some((last, canaries)) = first_sendable(session, sending, first.get())? else {
            return last_leg(context, session, preflights, sending, clearances).await;
        };
        let canary = leg(sending, Mode::Send, Some(last), clearances.clone());
        let (_, ended) = run_leg(context, session, preflights, canary, first.get()).await?;
        if ended != Ended::Over {
            return Ok(Outcome::Signalled);
        }
        if !canary_goes_on(context, session, sending, &canaries)? {
            return Ok(Outcome::Stopped(Reason::Interrupted));
        }
    }
    last_leg(context, session, preflights, sending, clearances).await
}

async fn last_leg(
    context: &Context,
    session: &mut Session,
    preflights: &Preflights,
    sending: &Sending<'_>,
    clearances: Clearances,
) -> Result<Outcome, Stop> {
    let leg = leg(sending, Mode::Send, None, clearances);
    let (_, ended) = run_leg(context, session, preflights, leg, sending.confirm.rows).await?;
    Ok(match ended {
        Ended::Over => Outcome::Over,
        Ended::Drained | Ended::Left => Outcome::Signalled,
    })
}

fn leg(sending: &Sending<'_>, mode: Mode, up_to: Option<RowNumber>, clearances: Clearances) -> Leg {
    Leg {
        mode,
        settle_for: sending.settle_for,
        selection: Selection { up_to, retry: sending.retry.clone(), recheck: None },
        clearances,
    }
}

/// One engine run under a person's eyes.
///
/// # Errors
/// [`Stop`] when ledger or program fail.
pub async fn run_leg(
    context: &Context,
    session: &mut Session,
    preflights: &Preflights,
    leg: Leg,
    total: u64,
) -> Result<(crate::engine::Engine, Ended), Stop> {
    let settings = context.settings()?;
    let names = settings.providers.iter().map(|entry| entry.name.clone()).collect();
    let mut progress = Progress::new(context.terminal, session.batch.name.as_str(), names, total);
    let done = session.run(settings, preflights, leg, &mut progress).await;
    progress.finish();
    done
}

/// Whether any row to be sent is of a provider that is asked about each number.
fn needs_looks(context: &Context, session: &Session, sending: &Sending<'_>) -> Result<bool, Stop> {
    let settings = context.settings()?;
    let names = session.entries_to_send(settings, sending.retry.is_some())?;
    let asks = |name: &String| {
        settings
            .providers
            .iter()
            .any(|entry| entry.name == *name && entry.kind != crate::domain::ProviderKind::ConnectTopup)
    };
    Ok(names.iter().any(asks))
}

/// After the look-ups: `--all-or-nothing` and `--expect-total` are judged with what they told.
fn judge_looks(
    context: &Context,
    session: &Session,
    sending: &Sending<'_>,
    clearances: &Clearances,
    capped: bool,
) -> Result<(), Stop> {
    let max_number = &context.settings()?.limits.max_number;
    let (mut to_send, mut numbers) = (Worth::new(), BTreeMap::<(String, Currency), Decimal>::new());
    let (mut wrong, mut unanswered) = (0_u64, 0_u64);
    let mut whole: BTreeMap<Currency, Decimal> = BTreeMap::new();
    session.ledger.for_each_row::<Stop>(session.batch.id, |row| {
        wrong += u64::from(row.state.status() == Status::Invalid);
        if row.state.status() == Status::Invalid {
            return Ok(());
        }
        let retried = sending.retry.as_ref().is_some_and(|set| set.contains(row.row));
        match worth(&row, retried && super::session::may_be_retried(&row), clearances) {
            Some((amount, currency)) => {
                *whole.entry(currency).or_default() += amount;
                let sent_now = retried || sending.retry.is_none() && row.state.phase == Phase::Ready;
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
    if sending.args.all_or_nothing && wrong + unanswered > 0 {
        return Err(Stop::refused(format!(
            "{wrong} rows are invalid and {unanswered} could not be looked up, and --all-or-nothing was given: nothing was sent"
        )));
    }
    if !sending.args.expect_total.is_empty() && unanswered > 0 {
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
                context.terminal.phone(digits)
            )));
        }
        check_batch_cap(context, &whole)?;
        check_day_cap(context, &session.ledger, &to_send)?;
    }
    check_total(&whole, sending.args)
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
    let asked_about = order.account.kind != crate::domain::ProviderKind::ConnectTopup;
    let to_be_sent = retried || row.state.phase == Phase::Ready;
    if to_be_sent && asked_about || order.goods != Goods::Airtime {
        return None;
    }
    order.amount.zip(order.currency)
}

/// The first `n` rows that will be sent, and the last of them; none when there are no more than that.
fn first_sendable(
    session: &Session,
    sending: &Sending<'_>,
    n: u64,
) -> Result<Option<(RowNumber, RowSet)>, Stop> {
    const PAGE: u32 = 1024;
    let (mut found, mut after) = (RowSet::default(), None);
    let mut last = None;
    loop {
        let page = session.ledger.rows_page(session.batch.id, after, PAGE)?;
        let Some(end) = page.last().map(|row| row.row) else { return Ok(None) };
        for row in &page {
            let chosen = match &sending.retry {
                Some(set) => set.contains(row.row) && super::session::may_be_retried(row),
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

/// After the canary: with `--yes` only if every row of it succeeded, else as the person says.
fn canary_goes_on(
    context: &Context,
    session: &Session,
    sending: &Sending<'_>,
    canaries: &RowSet,
) -> Result<bool, Stop> {
    let mut counts: BTreeMap<Status, u64> = BTreeMap::new();
    session.ledger.for_each_row::<Stop>(session.batch.id, |row| {
        if canaries.contains(row.row) {
            *counts.entry(row.state.status()).or_insert(0) += 1;
        }
        Ok(())
    })?;
    let told: Vec<String> = counts.iter().map(|(status, rows)| format!("{rows} {status}")).collect();
    let all_good = counts.keys().all(|status| *status == Status::Succeeded);
    let standing = Standing::of(&session.ledger, &session.batch)?;
    context.terminal.complain(&format!("First rows: {}. {} rows are left.", told.join(", "), standing.left));
    if sending.args.yes || !context.terminal.interactive {
        if !all_good {
            context.terminal.complain("Not all of the first rows succeeded: the rest was not sent.");
        }
        return Ok(all_good);
    }
    let answer = context.terminal.ask("Send the rest? Type yes, or anything else to stop here: ");
    Ok(answer.is_some_and(|text| text.eq_ignore_ascii_case("yes")))
}
