//! The end of a command that worked on a batch: the run's end on record, results written, summary told.

use std::path::{Path, PathBuf};

use super::context::{Context, quoted};
use super::exit::Exit;
use super::session::Session;
use super::stop::Stop;
use super::terminal::{Terminal, grouped};
use crate::domain::{Reason, Status};
use crate::ledger::{BatchEvent, BatchInfo, Ledger, write_results_file};
use crate::lifecycle::Phase;
use crate::report::{Counts, ProviderHalt, Summary, Totals};
use crate::run::crash_at;

/// What a batch looks like now.
#[derive(Debug)]
pub struct Standing {
    /// Rows per status.
    pub counts: Counts,
    /// Sums.
    pub totals: Vec<crate::report::Total>,
    /// Halts of the last run.
    pub halts: Vec<ProviderHalt>,
    /// Rows by status, reason and next step.
    pub reasons: std::collections::BTreeMap<(Status, Option<Reason>, crate::domain::Next), u64>,
    /// What the provider says it charged, by currency.
    pub charged: std::collections::BTreeMap<crate::domain::Currency, rust_decimal::Decimal>,
    /// Rows whose final state a later answer contradicts.
    pub conflicts: u64,
    /// Valid rows that were not sent and still could be.
    pub left: u64,
}

impl Standing {
    /// Reads every row of a batch once.
    ///
    /// # Errors
    /// [`Stop`] when the ledger fails.
    pub fn of(ledger: &Ledger, batch: &BatchInfo) -> Result<Self, Stop> {
        let view = ledger.run_view(batch.id)?;
        let mut standing = Self {
            counts: Counts::default(),
            totals: Vec::new(),
            halts: view.halts.clone(),
            reasons: std::collections::BTreeMap::new(),
            charged: std::collections::BTreeMap::new(),
            conflicts: 0,
            left: 0,
        };
        let mut totals = Totals::default();
        ledger.for_each_row::<Stop>(batch.id, |row| {
            let shown = crate::report::effective(&row, &view);
            let status = row.state.status();
            standing.counts.add(status, 1);
            *standing.reasons.entry((status, shown.reason, shown.next)).or_insert(0) += 1;
            standing.conflicts += u64::from(row.state.contradicted);
            standing.left += u64::from(row.state.phase == Phase::Ready && !view.cancelled);
            if let Some(cost) = row.state.cost.filter(|_| status == Status::Succeeded) {
                *standing.charged.entry(cost.currency).or_default() += cost.amount;
            }
            totals.add(&row).map_err(|e| Stop::internal(e.to_string()))
        })?;
        standing.totals = totals.finish();
        Ok(standing)
    }

    /// The exit code that the rows call for.
    pub fn exit(&self) -> Exit {
        let Counts { invalid, failed, pending, unknown, .. } = self.counts;
        let mut exit = Exit::Success;
        if failed + invalid > 0 {
            exit = exit.and(Exit::SomeFailed);
        }
        if pending + unknown > 0 {
            exit = exit.and(Exit::SomeOpen);
        }
        if self.left > 0 {
            exit = exit.and(Exit::SomeNotSent);
        }
        exit
    }
}

/// Where results of an input go when nobody says otherwise.
pub fn default_results_path(input: &Path, sandbox: bool) -> PathBuf {
    let stem = input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let middle = if sandbox { ".sandbox" } else { "" };
    input.with_file_name(format!("{stem}{middle}.results.csv"))
}

/// Ends a session's run: says so in the ledger, writes the results, tells the summary. `also` is what applies
/// beside the rows (interrupted, internal).
///
/// # Errors
/// [`Stop`] when ledger or results cannot be written.
pub async fn wrap_up(
    context: &Context,
    session: &Session,
    also: Exit,
    reason: Option<Reason>,
    results: &Path,
) -> Result<Exit, Stop> {
    let standing = Standing::of(&session.ledger, &session.batch)?;
    let exit = standing.exit().and(also);
    session.note(BatchEvent::RunEnded { reason, exit: exit.code() }).await?;
    crash_at("mid_results");
    write_results_file(&session.ledger, session.batch.id, results)?;
    session.note(BatchEvent::ResultsWritten { path: absolute(results) }).await?;
    // The reasons of rows that were not reached depend on the run's end.
    let standing = Standing::of(&session.ledger, &session.batch)?;
    tell(context, &session.batch, &standing, exit, Some(results));
    tell_unbound(context, session)?;
    Ok(exit)
}

/// Reports rows of accounts that no provider entry has any more: they are neither sent nor looked up.
fn tell_unbound(context: &Context, session: &Session) -> Result<(), Stop> {
    let settings = context.settings()?;
    let mut unbound = std::collections::BTreeMap::<String, u64>::new();
    session.ledger.for_each_row::<Stop>(session.batch.id, |row| {
        let waits = row.state.phase == Phase::Ready || row.state.phase.is_open();
        if let Some(order) = row.order.as_ref().filter(|_| waits) {
            let bound = settings.providers.iter().any(|entry| entry.account == order.account);
            if !bound {
                let key = format!("{} ({})", order.provider, order.account.kind);
                *unbound.entry(key).or_insert(0) += 1;
            }
        }
        Ok(())
    })?;
    for (provider, rows) in unbound {
        context.terminal.complain(&format!(
            "{rows} rows belong to another account of {provider} than the configured one: they were neither sent nor \
             looked up. Configure the account they were admitted under"
        ));
    }
    Ok(())
}

/// A path that still means the same file from another folder.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Tells what a batch came to: one JSON object, or a table with the next step.
pub fn tell(context: &Context, batch: &BatchInfo, standing: &Standing, exit: Exit, results: Option<&Path>) {
    let terminal = &context.terminal;
    let shown = results.map(|path| path.display().to_string());
    if terminal.json {
        let totals = standing.totals.clone();
        let summary =
            Summary::new(batch.name.as_str(), exit.code(), standing.counts, totals, &standing.halts, shown);
        match serde_json::to_string_pretty(&summary) {
            Ok(text) => terminal.data(&text),
            Err(error) => terminal.complain(&format!("the summary cannot be written as JSON: {error}")),
        }
        return;
    }
    if terminal.quiet {
        return;
    }
    terminal.data(&table(terminal, batch, standing, exit));
    if let Some(results) = results {
        terminal.data(&format!("\nResults  {}", results.display()));
    }
    for line in next_steps(context, batch, standing, results) {
        terminal.data(&line);
    }
}

fn table(terminal: &Terminal, batch: &BatchInfo, standing: &Standing, exit: Exit) -> String {
    let rows = standing.counts.rows();
    let mut text =
        format!("\nBatch {}  {} rows  exit {}\n", batch.name, grouped(&rows.to_string()), exit.code());
    let Counts { succeeded, failed, invalid, pending, unknown, not_sent } = standing.counts;
    let lines = [
        (Status::Succeeded, succeeded),
        (Status::Failed, failed),
        (Status::Invalid, invalid),
        (Status::Pending, pending),
        (Status::Unknown, unknown),
        (Status::NotSent, not_sent),
    ];
    for (status, count) in lines.iter().filter(|(status, count)| *count > 0 || *status == Status::Succeeded) {
        let why: Vec<String> = standing
            .reasons
            .iter()
            .filter(|((of, reason, _), _)| of == status && reason.is_some())
            .map(|((_, reason, next), rows)| {
                let reason = reason.map(|reason| reason.to_string()).unwrap_or_default();
                format!("{reason} {rows} ({next})")
            })
            .collect();
        let line = format!(
            "  {} {:>9}   {}",
            terminal.status(*status),
            grouped(&count.to_string()),
            why.join(" · ")
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&money(standing));
    for halt in &standing.halts {
        let operator = halt.halt.operator.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        text.push_str(&format!("  stopped    {}{operator}: {}\n", halt.provider, halt.halt.message));
    }
    if standing.conflicts > 0 {
        text.push_str(&format!(
            "  conflict   {} rows have a final state that a later answer contradicts: ask the provider\n",
            standing.conflicts
        ));
    }
    text.trim_end().to_owned()
}

fn money(standing: &Standing) -> String {
    let mut text = String::new();
    for total in &standing.totals {
        let currency = total.currency.map_or_else(|| "price unknown".to_owned(), |c| c.to_string());
        let parts = [
            ("asked", total.asked),
            ("succeeded", total.succeeded),
            ("failed", total.failed),
            ("open", total.open),
            ("not sent", total.not_sent),
        ];
        let shown: Vec<String> = parts
            .iter()
            .filter(|(name, amount)| *name == "asked" || !amount.is_zero())
            .map(|(name, amount)| format!("{name} {}", grouped(&amount.normalize().to_string())))
            .collect();
        text.push_str(&format!("  {:<10} {currency}: {}\n", total.provider, shown.join(" · ")));
    }
    for (currency, amount) in &standing.charged {
        let amount = grouped(&amount.normalize().to_string());
        text.push_str(&format!("  charged    {amount} {currency}, as told by the providers\n"));
    }
    text
}

/// What a person does next, as commands to type.
fn next_steps(
    context: &Context,
    batch: &BatchInfo,
    standing: &Standing,
    results: Option<&Path>,
) -> Vec<String> {
    let flags = context.repeat_flags();
    let name = quoted(batch.name.as_str());
    let rows_with = |next: crate::domain::Next, statuses: &[Status]| -> u64 {
        let rows = standing.reasons.iter();
        rows.filter(|((status, _, n), _)| *n == next && statuses.contains(status))
            .map(|(_, rows)| *rows)
            .sum()
    };
    let mut steps = Vec::new();
    let retry =
        results.map(|path| format!("bulk-topup retry {}{flags}", quoted(&path.display().to_string())));
    let wait = rows_with(crate::domain::Next::Wait, &[Status::Pending, Status::Unknown]);
    let ask = rows_with(crate::domain::Next::Ask, Status::ALL);
    if standing.left > 0 {
        let source = quoted(&batch.source.display().to_string());
        steps.push(format!(
            "{} not sent; when the cause is gone: bulk-topup run {source}{flags}",
            standing.left
        ));
    }
    if wait > 0 {
        steps.push(format!("{wait} still open: bulk-topup settle {name}{flags}"));
    }
    if ask > 0 {
        steps.push(format!(
            "{ask} for a person: ask the provider (topup_message says what), then: bulk-topup resolve {name} ROW \
             --as succeeded|failed --note TEXT{flags}"
        ));
    }
    let again = rows_with(crate::domain::Next::Retry, &[Status::Failed]);
    let fix = rows_with(crate::domain::Next::Fix, &[Status::Failed, Status::Invalid]);
    if let Some(retry) = retry.filter(|_| again + fix > 0) {
        let fixing =
            if fix > 0 { format!("{fix} to be corrected in the results file; ") } else { String::new() };
        steps.push(format!("{fixing}{again} failed and may be sent again: {retry}"));
    }
    steps
        .into_iter()
        .enumerate()
        .map(|(i, step)| format!("{}  {step}", if i == 0 { "Next   " } else { "       " }))
        .collect()
}

/// Tells why a command stopped.
pub fn complain(terminal: &Terminal, stop: &Stop) {
    terminal.complain(&format!("bulk-topup: {}", stop.message));
}
