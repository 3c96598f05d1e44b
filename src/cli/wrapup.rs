//! The end of a command that worked on a batch: the run's end on record, results written, summary told.

use std::path::{Path, PathBuf};

use super::context::{Context, quoted};
use super::plan::{counted, hanging, wrapped};
use super::terminal::Terminal;
use crate::domain::grouped;
use crate::domain::{BatchName, Next, Reason, Status};
use crate::job::{Exit, Finished, Session, Standing, Stop, absolute};
use crate::ledger::{BatchEvent, BatchInfo, Ledger, results_fit, results_path_is_ours, write_results_file};
use crate::lifecycle::Phase;
use crate::report::{Counts, Summary};

/// Where results of an input go when nobody says otherwise.
pub fn default_results_path(input: &Path, sandbox: bool) -> PathBuf {
    let stem = input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let middle = if sandbox { ".sandbox" } else { "" };
    input.with_file_name(format!("{stem}{middle}.results.csv"))
}

/// Refuses a results path before anything is sent: it is the ledger's, what stands there is not this batch's, its
/// folder takes no new file, or a workbook cannot hold so many rows and columns of the input.
///
/// # Errors
/// [`Stop`] with exit 2.
pub fn results_can_be_written(
    ledger: &Ledger,
    path: &Path,
    batch: &BatchName,
    (rows, columns): (u64, usize),
) -> Result<(), Stop> {
    results_fit(path, rows, columns).map_err(|e| Stop::refused(format!("{e}. Nothing was sent")))?;
    results_path_is_ours(ledger.path(), path, batch).map_err(|e| Stop::refused(e.to_string()))?;
    // Results are written beside their path first, and through a link that stands there.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| absolute(path));
    let folder = target.parent().unwrap_or(Path::new("/"));
    let probe = tempfile::Builder::new().prefix(".results-").suffix(".tmp").tempfile_in(folder);
    probe.map(drop).map_err(|e| {
        Stop::refused(format!(
            "results cannot be written to {}: {e}; name another file with -o. Nothing was sent",
            path.display()
        ))
    })
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
    let Finished { standing, exit, trouble } = session.finish(also, reason, results).await?;
    if let Some(metrics) = &context.metrics {
        metrics.stands(&session.batch.name, &standing);
    }
    tell_log(&session.batch, &standing, exit, results);
    tell(context, &session.batch, &standing, exit, Some(results));
    let Counts { pending, unknown, .. } = standing.counts;
    if standing.left + pending + unknown > 0 {
        tell_unbound(context, session)?;
    }
    trouble.map_or(Ok(exit), Err)
}

fn tell_log(batch: &BatchInfo, standing: &Standing, exit: Exit, results: &Path) {
    let Counts { succeeded, failed, invalid, pending, unknown, not_sent } = standing.counts;
    let (batch, code, results) = (batch.name.as_str(), exit.code(), results.display());
    tracing::info!(
        batch, succeeded, failed, invalid, pending, unknown, not_sent, code, %results, "results written"
    );
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

/// After a person's word about a batch: its results are written again where they were, and it is told how the
/// batch stands. `done` says what holds even if they cannot be written.
///
/// # Errors
/// [`Stop`] when the ledger fails.
pub async fn write_again_and_tell(context: &Context, session: &Session, done: &str) -> Result<(), Stop> {
    let results = session.batch.results_path.clone();
    let written = match results_path_is_ours(session.ledger.path(), &results, &session.batch.name) {
        Ok(()) => {
            write_results_file(&session.ledger, session.batch.id, &results)?;
            session.note(BatchEvent::ResultsWritten { path: absolute(&results) }).await?;
            Some(results)
        }
        Err(error) => {
            context.terminal.complain(&format!("{done}; the results were not written: {error}"));
            None
        }
    };
    let batch = session.ledger.batch(session.batch.id)?;
    let standing = Standing::of(&session.ledger, &batch)?;
    tell(context, &batch, &standing, standing.exit(), written.as_deref());
    Ok(())
}

/// One JSON object on stdout.
pub fn tell_json(terminal: &Terminal, object: &impl serde::Serialize) {
    match serde_json::to_string_pretty(object) {
        Ok(text) => terminal.data(&text),
        Err(error) => terminal.complain(&format!("the summary cannot be written as JSON: {error}")),
    }
}

/// Tells what a batch came to: one JSON object, or a table with the next step.
pub fn tell(context: &Context, batch: &BatchInfo, standing: &Standing, exit: Exit, results: Option<&Path>) {
    let terminal = &context.terminal;
    let shown = results.map(|path| path.display().to_string());
    if terminal.json {
        let totals = standing.totals.clone();
        let summary =
            Summary::new(batch.name.as_str(), exit.code(), standing.counts, totals, &standing.halts, shown);
        match &context.summaries {
            Some(summaries) => summaries.borrow_mut().push(summary),
            None => tell_json(terminal, &summary),
        }
        return;
    }
    if !terminal.quiet {
        terminal.data(&format!("\n{}", told(context, batch, standing, exit, results, "", false)));
    }
}

/// What a person does about a batch that a process works on.
pub fn watch_step(context: &Context, batch: &BatchInfo) -> Step {
    let name = quoted(batch.name.as_str());
    Step {
        words: "a process works on it; to see how it goes on:".to_owned(),
        command: format!("bulk-topup status {name} --watch{}", context.repeat_flags()),
    }
}

/// The same as text; `more` stands between the table and the files. While a process is `at_work` there is nothing
/// else to do.
pub fn told(
    context: &Context,
    batch: &BatchInfo,
    standing: &Standing,
    exit: Exit,
    results: Option<&Path>,
    more: &str,
    at_work: bool,
) -> String {
    let mut text = table(&context.terminal, batch, standing, exit);
    text.push_str(more);
    text.push('\n');
    if let Some(results) = results {
        text.push_str(&format!("\nResults  {}", near(results)));
    }
    let steps = match at_work {
        true => vec![watch_step(context, batch)],
        false => {
            let mut steps = next_steps(context, batch, standing, results);
            steps.extend(report_step(context, batch, standing));
            steps
        }
    };
    for (i, step) in steps.iter().enumerate() {
        let head = if i == 0 { "Next   " } else { "       " };
        text.push_str(&format!("\n{head}  {}", step.told()));
    }
    text.trim_end().to_owned()
}

fn table(terminal: &Terminal, batch: &BatchInfo, standing: &Standing, exit: Exit) -> String {
    let rows = counted(standing.counts.rows());
    let none_failed = standing.counts.failed + standing.counts.invalid == 0;
    let contradicted = exit == Exit::SomeFailed && none_failed;
    let meaning = if contradicted { "a later answer contradicts a final state" } else { meaning(exit) };
    let mut text = wrapped(0, &format!("Batch {}  {rows}  exit {}: {meaning}", batch.name, exit.code()));
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
                format!("{reason} {} ({next})", grouped(&rows.to_string()))
            })
            .collect();
        let head = format!("  {} {:>9}   ", terminal.status(*status), grouped(&count.to_string()));
        text.push_str(&hanging(&head, 25, &why));
    }
    text.push_str(&money(standing));
    for halt in &standing.halts {
        let operator = halt.halt.operator.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        let said = terminal.text(&halt.halt.message);
        let words = format!("stopped    {}{operator}: {said}", halt.provider);
        text.push_str(&wrapped(2, &words));
    }
    if standing.conflicts > 0 {
        text.push_str(&format!(
            "  conflict   {} with a final state that a later answer contradicts: ask the provider\n",
            counted(standing.conflicts)
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
        let head = format!("  {:<10} {currency}: ", total.provider);
        text.push_str(&hanging(&head, head.chars().count(), &shown));
    }
    for (currency, amount) in &standing.charged {
        let amount = grouped(&amount.normalize().to_string());
        text.push_str(&format!("  charged    {amount} {currency}, as told by the providers\n"));
    }
    text
}

/// The exit code in words (`contract.md` 2).
fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Success => "done",
        Exit::Internal => "internal error",
        Exit::Refused => "refused, nothing was sent",
        Exit::SomeFailed => "finished, some rows failed or invalid",
        Exit::SomeOpen => "some rows still open",
        Exit::SomeNotSent => "some rows not sent",
        Exit::Locked => "another process is sending",
        Exit::Interrupted => "interrupted",
    }
}

/// What a person does next, and the command to type for it.
pub struct Step {
    /// In words.
    pub words: String,
    /// To type.
    pub command: String,
}

impl Step {
    /// The words, and below them the command on a line of its own.
    pub fn told(&self) -> String {
        format!("{}\n           {}", wrapped(9, &self.words).trim(), self.command)
    }
}

/// The last step of a finished batch: its page.
fn report_step(context: &Context, batch: &BatchInfo, standing: &Standing) -> Option<Step> {
    let open = standing.counts.pending + standing.counts.unknown;
    let finished = standing.counts.all_finished() || batch.cancelled_at.is_some() && open == 0;
    finished.then(|| Step {
        words: "the page to check, print and sign:".to_owned(),
        command: format!("bulk-topup report {}{}", quoted(batch.name.as_str()), context.repeat_flags()),
    })
}

/// What a person does next.
pub fn next_steps(
    context: &Context,
    batch: &BatchInfo,
    standing: &Standing,
    results: Option<&Path>,
) -> Vec<Step> {
    let flags = context.repeat_flags();
    let name = quoted(batch.name.as_str());
    let rows_with = |next: Next, statuses: &[Status]| -> u64 {
        let rows = standing.reasons.iter();
        rows.filter(|((status, _, n), _)| *n == next && statuses.contains(status))
            .map(|(_, rows)| *rows)
            .sum()
    };
    let mut steps = Vec::new();
    let mut step = |words: String, command: String| steps.push(Step { words, command });
    // Standard input is gone, and a sandbox run without a named ledger begins anew: there `retry` goes on.
    let goes_on = batch.source != Path::new("-") && (!context.sandbox || flags.contains(" --ledger "));
    if standing.left > 0 && goes_on {
        let why = standing.reasons.keys().filter(|(status, _, _)| *status == Status::NotSent);
        let stopped_here = why.clone().all(|(_, reason, _)| *reason == Some(Reason::Interrupted));
        let when = if stopped_here { "" } else { "when the cause is gone, " };
        let words = format!("{} not sent; {when}go on with:", counted(standing.left));
        step(words, format!("bulk-topup run {}{flags}", quoted(&near(&batch.source))));
    }
    let wait = rows_with(Next::Wait, &[Status::Pending, Status::Unknown]);
    if wait > 0 {
        let words = format!("{} still open; look at the provider again with:", counted(wait));
        step(words, format!("bulk-topup settle {name}{flags}"));
    }
    let contradicted = rows_with(Next::Ask, &[Status::Succeeded, Status::Failed]);
    if contradicted > 0 {
        let words = format!(
            "{} to ask the provider about: a later answer contradicts a final state, which stays. All that happened to one:",
            counted(contradicted)
        );
        step(words, format!("bulk-topup status {name} --row ROW{flags}"));
    }
    let ask = rows_with(Next::Ask, &[Status::Pending, Status::Unknown]);
    if ask > 0 {
        let words = format!("{} to ask the provider about; which, and with what ids:", counted(ask));
        step(words, format!("bulk-topup status {name} --next ask{flags}"));
        let words = "when it has answered, for each of them (--as succeeded, or --as failed):".to_owned();
        step(words, format!("bulk-topup resolve {name} ROW --as succeeded --note TEXT{flags}"));
    }
    let left = if goes_on { 0 } else { standing.left };
    let again = rows_with(Next::Retry, &[Status::Failed]) + left;
    let fix = rows_with(Next::Fix, &[Status::Failed, Status::Invalid]);
    let sentence = match (again, fix) {
        (0, 0) => None,
        (1, 0) => Some("1 row not charged; to send it again:".to_owned()),
        (_, 0) => Some(format!("{} not charged; to send them again:", counted(again))),
        (0, _) => Some(format!("{} to be corrected in the results file, then:", counted(fix))),
        _ => Some(format!(
            "{} not charged; {} to be corrected in the results file. To send both again:",
            counted(again),
            counted(fix)
        )),
    };
    if let Some((words, path)) = sentence.zip(results) {
        step(words, format!("bulk-topup retry {}{flags}", quoted(&near(path))));
    }
    steps
}

/// A path as a person would type it here: short where it lies below the working folder.
pub fn near(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).map(Path::to_owned).ok());
    let shown = below.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| path.to_owned());
    let shown = shown.display().to_string();
    // A name that begins with a dash would be read as a flag.
    if shown.starts_with('-') && shown != "-" { format!("./{shown}") } else { shown }
}

/// Tells why a command stopped.
pub fn complain(terminal: &Terminal, stop: &Stop) {
    terminal.complain(&format!("bulk-topup: {}", stop.message));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_short_below_the_working_folder_and_never_a_flag() {
        let here = std::env::current_dir().unwrap();
        for (path, shown) in [
            (here.join("a/pay.results.csv"), "a/pay.results.csv"),
            (here.join("-pay.results.csv"), "./-pay.results.csv"),
            (PathBuf::from("/elsewhere/pay.csv"), "/elsewhere/pay.csv"),
            (here.clone(), &*here.display().to_string()),
        ] {
            assert_eq!(near(&path), shown);
        }
    }

    #[test]
    fn a_step_is_words_and_below_them_a_command_to_copy() {
        let step = Step { words: "2 rows still open:".to_owned(), command: "bulk-topup settle".to_owned() };
        assert_eq!(step.told(), "2 rows still open:\n           bulk-topup settle");
    }
}
