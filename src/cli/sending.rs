//! What `run` and `retry` share once a batch is in the ledger: the question, the run under a person's eyes, the
//! end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rust_decimal::Decimal;

use super::args::SendArgs;
use super::context::Context;
use super::plan::{counted, wrapped};
use super::progress::Progress;
use super::watching::{RunLog, Watching};
use super::wrapup::wrap_up;
use crate::domain::{BatchName, Now, Status};
use crate::engine::{CallEnd, LaneStats, Mode, Notice};
use crate::job::{
    self, Amounts, Exit, Front, Preflights, RowSet, Session, Stop, Terms, Work, check_total, ending,
    sums_line,
};
use crate::lifecycle::Entry;
use crate::run::Observer;

/// Asks a person to confirm what will be sent, unless `--yes` answers. A total that is known already is held
/// against `--expect-total`.
///
/// # Errors
/// [`Stop`] with exit 2: not confirmed, or another total.
pub fn confirm(amounts: &Amounts, context: &Context, args: &SendArgs) -> Result<(), Stop> {
    if amounts.valid_rows_priced {
        check_total(&amounts.whole, &args.expect_total)?;
    }
    if args.yes || amounts.rows == 0 {
        return Ok(());
    }
    let terminal = &context.terminal;
    if !terminal.interactive {
        return Err(Stop::refused(
            "nobody is here to confirm (no terminal); give --yes, best with --expect-total CUR=AMOUNT. Nothing was sent",
        ));
    }
    terminal.complain(&format!("To be sent: {}, {}", counted(amounts.rows), sums_line(&amounts.sums)));
    if !amounts.valid_rows_priced {
        let words = "Not in these totals: rows whose price is told only when their number is looked up. With \
             --expect-total they are looked up before anything is sent.";
        terminal.complain(wrapped(0, words).trim_end());
    }
    if amounts.sums.is_empty() {
        let answer =
            terminal.ask(&format!("Type the number of rows ({}) to send, or Ctrl-C: ", amounts.rows));
        return typed(answer.as_deref(), Decimal::from(amounts.rows));
    }
    for (currency, sum) in &amounts.sums {
        let answer =
            terminal.ask(&format!("Type the {currency} total ({}) to send, or Ctrl-C: ", sum.normalize()));
        typed(answer.as_deref(), *sum)?;
    }
    Ok(())
}

fn typed(answer: Option<&str>, wanted: Decimal) -> Result<(), Stop> {
    let plain: Option<String> = answer.map(|text| text.chars().filter(|c| *c != ',' && *c != ' ').collect());
    match plain.and_then(|text| text.parse::<Decimal>().ok()) {
        Some(total) if total == wanted => Ok(()),
        Some(_) | None => Err(Stop::refused("not confirmed: nothing was sent")),
    }
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
    /// What was confirmed.
    pub amounts: Amounts,
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
    let settings = context.settings()?;
    let batch = session.batch.name.as_str();
    let (rows, sums) = (sending.amounts.rows, sums_line(&sending.amounts.sums));
    tracing::info!(batch, command = sending.command, rows, sums, "plan");
    for (provider, halt) in preflights.halts() {
        let (reason, code) = (halt.reason.as_str(), halt.code.as_str());
        tracing::warn!(batch, provider, reason, code, "halted by the first question");
        if let Some(metrics) = &context.metrics {
            metrics.halted(&provider, reason);
        }
    }
    for note in session.begin(settings, sending.command).await? {
        context.terminal.complain(&note);
    }
    let terms = Terms {
        amounts: sending.amounts,
        expect_total: sending.args.expect_total.clone(),
        all_or_nothing: sending.args.all_or_nothing,
        first: sending.args.first,
        settle_for: sending.settle_for,
        retry: sending.retry,
    };
    let mut screen = Screen { context, yes: sending.args.yes, watching: None };
    let sent = job::send(session, settings, &preflights, &terms, &mut screen).await;
    let (also, reason) = ending(&sent);
    if let Err(stop) = &sent {
        context.terminal.complain(&format!("bulk-topup: {}", stop.message));
    }
    // Whatever is known goes into the results, also when the ledger takes no more.
    let done = wrap_up(context, session, also, reason, sending.results).await;
    if sent.is_err() { done.map(|_| also) } else { done }
}

/// A person's screen while a batch is worked on.
pub struct Screen<'a> {
    context: &'a Context,
    /// Whether `--yes` was given.
    yes: bool,
    watching: Option<Watching>,
}

impl<'a> Screen<'a> {
    /// A screen where nothing will be asked.
    pub fn watching(context: &'a Context) -> Self {
        Self { context, yes: false, watching: None }
    }
}

impl Observer for Screen<'_> {
    fn notice(&mut self, notice: &Notice, now: Now) {
        if let Some(watching) = &mut self.watching {
            watching.notice(notice, now);
        }
    }

    fn progress(&mut self, lanes: &[LaneStats], now: Now) {
        if let Some(watching) = &mut self.watching {
            watching.progress(lanes, now);
        }
    }

    fn recorded(&mut self, entries: &[Entry], now: Now) {
        if let Some(watching) = &mut self.watching {
            watching.recorded(entries, now);
        }
    }

    fn called(&mut self, end: &CallEnd, took: Duration, now: Now) {
        if let Some(watching) = &mut self.watching {
            watching.called(end, took, now);
        }
    }

    fn stopping(&mut self, signals: u32, under_way: usize) {
        if let Some(watching) = &mut self.watching {
            watching.stopping(signals, under_way);
        }
    }
}

impl Front for Screen<'_> {
    fn begin(&mut self, batch: &BatchName, mode: Mode, work: Vec<Work>) {
        let (terminal, batch) = (self.context.terminal, batch.as_str());
        let names = work.iter().map(|work| work.name.clone()).collect();
        self.watching = Some(Watching {
            progress: Progress::new(terminal, batch, mode, work),
            log: RunLog::new(batch, names, terminal.show_phones),
            metrics: self.context.metrics.clone(),
        });
    }

    fn end(&mut self) {
        self.watching = None;
    }

    /// With `--yes` only if every one of the first rows succeeded, else as the person says.
    fn goes_on(&mut self, first: &BTreeMap<Status, u64>, left: u64) -> bool {
        let terminal = &self.context.terminal;
        let told: Vec<String> = first.iter().map(|(status, rows)| format!("{rows} {status}")).collect();
        let all_good = first.keys().all(|status| *status == Status::Succeeded);
        terminal.complain(&format!("First rows: {}. {left} rows are left.", told.join(", ")));
        if self.yes || !terminal.interactive {
            if !all_good {
                terminal.complain("Not all of the first rows succeeded: the rest was not sent.");
            }
            return all_good;
        }
        let answer = terminal.ask("Send the rest? Type yes, or anything else to stop here: ");
        answer.is_some_and(|text| text.eq_ignore_ascii_case("yes"))
    }
}
