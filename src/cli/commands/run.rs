//! `run FILE`: judge, plan, confirm, admit, submit, follow, write results; on an unfinished batch: go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;

use crate::cli::approval::{Approval, Flags, Plan};
use crate::cli::args::{GlobalArgs, RunArgs, SendArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::listening::Listening;
use crate::cli::metrics::Metrics;
use crate::cli::plan::{self, counted, wrapped};
use crate::cli::reading::overrides;
use crate::cli::sending::{Sending, confirm, send};
use crate::cli::spool::{Spool, spool_if_asked};
use crate::cli::wrapup::{default_results_path, results_can_be_written};
use crate::domain::{Currency, Goods, Refusal, RowNumber};
use crate::intake::Source;
use crate::job::guards::{self, Worth, add_worth};
use crate::job::{
    Admission, Amounts, Exit, InputFile, JudgeOptions, Judging, Preflights, Session, Standing, Stop, Survey,
    absolute, sums_line,
};
use crate::ledger::{BatchInfo, FoundBatch, Ledger, results_path_is_ours};
use crate::lifecycle::{Phase, StoredRow};

/// `run`.
///
/// # Errors
/// [`Stop`]: refused, locked, or the ledger failed.
pub async fn run(global: &GlobalArgs, args: &RunArgs, metrics: Option<Metrics>) -> Result<Exit, Stop> {
    let mut context = Context::of(global, Needs::NewBatch).await?;
    context.measure(metrics, args.finish.metrics_file.as_deref())?;
    context.keep_off([args.file.as_path()])?;
    let approval = args.plan.as_deref().map(Approval::read).transpose()?;
    let mut with_plan = args.clone();
    if let Some(approval) = &approval {
        approval.expect(&mut with_plan.send)?;
    }
    let args = &with_plan;
    let spool = spool_if_asked(&args.file)?;
    let input = open_input(&context, args, spool.as_ref().map(Spool::path))?;
    let (lock, mut ledger) = context.own_ledger()?;
    let _listening = Listening::beside(&context, args.listen, global.verbose > 0)?;
    let results = results_path(args, &input, context.sandbox);
    let found = ledger.find_batch(input.batch.as_str())?;
    let mut preflights = Preflights::default();
    let (info, amounts, repeats) = match found {
        FoundBatch::One(info) if info.name == input.batch => {
            context.check_sandbox(&info)?;
            if let Some(approval) = &approval {
                approval.hold_resumed(context.settings()?, context.sandbox, flags(args), &input.sha256)?;
            }
            let (amounts, repeats) =
                resume(&context, &ledger, &info, &args.send, approval.as_ref(), &mut preflights).await?;
            (*info, amounts, repeats)
        }
        FoundBatch::One(_) | FoundBatch::None | FoundBatch::Ambiguous(_) => {
            refuse_strays(&context, &ledger, &input, &results)?;
            let fresh = Fresh {
                context: &context,
                args,
                input: &input,
                results: &results,
                approval: approval.as_ref(),
            };
            let (info, amounts) = fresh.admit(&mut ledger, &mut preflights).await?;
            (info, amounts, BTreeMap::new())
        }
    };
    let results = args.finish.results.clone().unwrap_or_else(|| match context.sandbox {
        true => results,
        false => info.results_path.clone(),
    });
    results_can_be_written(&ledger, &results, &info.name, (info.rows, info.header.len()))?;
    let mut session = Session::new(lock, ledger, info, context.clock)?;
    guards::refuse_repeats(&session, repeats).await?;
    let sending = Sending {
        command: "run",
        args: &args.send,
        settle_for: args.finish.settle_for,
        results: &results,
        retry: None,
        amounts,
    };
    send(&context, &mut session, preflights, sending).await
}

/// Flags that change what is judged.
fn flags(args: &RunArgs) -> Flags {
    Flags::of(&args.intake, args.send.allow_duplicates, args.send.allow_repeats)
}

/// Names the batch of a file.
fn open_input(context: &Context, args: &RunArgs, spooled: Option<&Path>) -> Result<InputFile, Stop> {
    let own = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let named = match (&args.batch, spooled) {
        (Some(name), _) => name.clone(),
        (None, Some(_)) => "stdin".to_owned(),
        (None, None) => own(),
    };
    // An empty name stays one: it is refused.
    let stem = if context.sandbox && !named.is_empty() { format!("sandbox-{named}") } else { named };
    let shown = spooled.map_or_else(|| args.file.display().to_string(), |_| "standard input".to_owned());
    let path = spooled.unwrap_or(&args.file).to_owned();
    InputFile::open(path, shown, stem, overrides(&args.intake)?)
}

fn results_path(args: &RunArgs, input: &InputFile, sandbox: bool) -> PathBuf {
    let source = if input.shown == "standard input" { Path::new("stdin") } else { args.file.as_path() };
    absolute(&args.finish.results.clone().unwrap_or_else(|| default_results_path(source, sandbox)))
}

/// What stands in the way of a batch the ledger does not know: another version of it with rows to be sent, or
/// its own results from another ledger.
fn refuse_strays(context: &Context, ledger: &Ledger, input: &InputFile, results: &Path) -> Result<(), Stop> {
    let beside = results_beside(input, results);
    let own =
        |path: &&PathBuf| path.exists() && results_path_is_ours(ledger.path(), path, &input.batch).is_ok();
    if let Some(results) = beside.iter().find(own).filter(|_| !context.sandbox) {
        return Err(Stop::refused(format!(
            "{} holds results of this very file, but the ledger {} does not know the batch {}. It was sent from \
             another ledger: name that one with --ledger, or go on from the results: bulk-topup retry {}",
            results.display(),
            context.ledger_path.display(),
            input.batch,
            results.display()
        )));
    }
    if let Some((other, rows)) = ledger.unfinished_batches_of_stem(&input.stem)?.into_iter().next() {
        let changed = changed_rows(ledger, &other, input)?;
        return Err(Stop::refused(format!(
            "batch {} came from an earlier version of this file and still has {rows} rows to be sent. {changed} \
             Restore the file and run it; or retry its results ({}); or cancel it: bulk-topup cancel {} --note TEXT",
            other.name,
            other.results_path.display(),
            other.name
        )));
    }
    Ok(())
}

/// Where results of this file may stand: where they are to go now, and the default names beside the input,
/// those of retries included.
fn results_beside(input: &InputFile, results: &Path) -> Vec<PathBuf> {
    let mut paths = vec![results.to_owned()];
    let source = Path::new(if input.shown == "standard input" { "stdin" } else { &input.shown });
    let stem = source.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = absolute(source).parent().map(Path::to_owned).unwrap_or_default();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    paths.extend(entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rest = name.strip_prefix(&stem).and_then(|rest| rest.strip_prefix(".results"));
        rest.is_some_and(|rest| rest.ends_with(".csv") || rest.ends_with(".xlsx"))
    }));
    paths
}

/// Names the first rows that differ between a batch and a file.
fn changed_rows(ledger: &Ledger, other: &BatchInfo, input: &InputFile) -> Result<String, Stop> {
    const NAMED: usize = 10;
    let mut source = Source::open(&input.path, &input.overrides)?;
    let mut row = crate::intake::RawRow::default();
    let (mut changed, mut more) = (Vec::new(), 0_u64);
    let mut note = |number: crate::domain::RowNumber, what: &str| {
        if changed.len() < NAMED { changed.push(format!("{number} ({what})")) } else { more += 1 }
    };
    ledger.for_each_row::<Stop>(other.id, |stored| {
        if !source.next_row(&mut row)? {
            note(stored.row, "missing now");
        } else if !row.cells.iter().eq(stored.cells.iter().map(String::as_str)) {
            note(stored.row, "changed");
        }
        Ok(())
    })?;
    while source.next_row(&mut row)? {
        note(row.row, "new");
    }
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    Ok(if changed.is_empty() {
        "The rows are the same, only the bytes differ.".to_owned()
    } else {
        format!("Rows that differ: {}{rest}.", changed.join(", "))
    })
}

/// What is left of a batch that the ledger knows.
async fn resume(
    context: &Context,
    ledger: &Ledger,
    info: &BatchInfo,
    args: &SendArgs,
    approval: Option<&Approval>,
    preflights: &mut Preflights,
) -> Result<(Amounts, BTreeMap<RowNumber, Refusal>), Stop> {
    let (ready, open) = (ledger.ready_rows(info.id)?, ledger.open_rows(info.id)?);
    // The rows are read only where they are told about: a large batch goes on as soon as a small one.
    let nothing_left = info.cancelled_at.is_some() || (ready == 0 && open == 0);
    let standing = if nothing_left { Some(Standing::of(ledger, info)?) } else { None };
    if let Some(standing) = standing.filter(|s| info.cancelled_at.is_some() || s.counts.all_finished()) {
        let again = standing
            .reasons
            .iter()
            .filter(|((status, _, next), _)| {
                *next == crate::domain::Next::Retry && *status == crate::domain::Status::Failed
            })
            .map(|(_, rows)| *rows)
            .sum::<u64>();
        let why = if info.cancelled_at.is_some() { "was cancelled" } else { "is finished" };
        let flags = context.repeat_flags();
        let missing = if info.results_path.exists() {
            String::new()
        } else {
            format!(" Its results file is missing: bulk-topup settle {}{flags} writes it again.", info.name)
        };
        return Err(Stop::refused(format!(
            "batch {} {why}: nothing was sent.{missing} {again} rows could be sent again: bulk-topup retry {}{flags}",
            info.name,
            info.results_path.display(),
        )));
    }
    let settings = context.settings()?;
    let mut names = Vec::new();
    for entry in &settings.providers {
        if !ledger.ready_page(info.id, &entry.account, None, 1)?.is_empty() {
            names.push(entry.name.clone());
        }
    }
    preflights.ask(settings, &names, &context.clock).await?;
    let now = context.clock.now().wall;
    let repeats = match args.allow_repeats {
        true => BTreeMap::new(),
        false => guards::repeats_of_unsent(settings, ledger, info, now)?,
    };
    let (mut rows, mut left, mut whole, mut priced) = (0, Worth::new(), Worth::new(), true);
    let mut add = |row: StoredRow| {
        let unsent = row.state.phase == Phase::Ready;
        if row.state.phase == Phase::Invalid || repeats.contains_key(&row.row) {
            return Ok(());
        }
        // Data that was not looked up yet has a highest price only.
        let data = row.order.as_ref().is_some_and(|order| order.goods != Goods::Airtime);
        let known = row.asked().is_some_and(|(_, currency)| currency.is_some());
        priced &= known && !(data && row.state.price.is_none());
        add_worth(&mut whole, &row);
        if unsent {
            rows += 1;
            add_worth(&mut left, &row);
        }
        Ok(())
    };
    // What the whole batch is worth counts only where the user named it, or where more of it is sent under caps or
    // a plan: else the rows still to be sent tell what is asked for, and a large batch goes on as soon as a small one.
    let limits = &settings.limits;
    let capped = [&limits.max_number, &limits.max_batch, &limits.max_day].iter().any(|cap| !cap.is_empty());
    if !args.expect_total.is_empty() || (ready > 0 && (capped || approval.is_some())) {
        ledger.for_each_row::<Stop>(info.id, &mut add)?;
    } else if ready > 0 {
        ledger.for_each_ready_row::<Stop>(info.id, &mut add)?;
    }
    let (sums, whole) = (by_currency(&left), by_currency(&whole));
    let words = format!(
        "Going on with batch {}: {} to be sent ({}), {} open to be followed",
        info.name,
        counted(rows),
        sums_line(&sums),
        counted(open)
    );
    context.terminal.say(wrapped(0, &words).trim_end());
    if !repeats.is_empty() {
        context.terminal.complain(&format!(
            "  {} rows stand in another batch meanwhile and are not sent; --allow-repeats sends them all the same",
            repeats.len()
        ));
    }
    if rows > 0 {
        guards::check_batch_cap(settings, &whole)?;
        guards::check_day_cap(settings, ledger, &left, now)?;
    }
    let amounts = Amounts { rows, sums, whole, valid_rows_priced: priced };
    if let Some(approval) = approval {
        approval.hold_amounts(&amounts)?;
    }
    confirm(&amounts, context, args)?;
    Ok((amounts, repeats))
}

fn by_currency(worth: &Worth) -> BTreeMap<Currency, Decimal> {
    let mut sums = BTreeMap::new();
    for ((_, currency), sum) in worth {
        *sums.entry(*currency).or_default() += *sum;
    }
    sums
}

/// A batch that is not in the ledger yet.
struct Fresh<'a> {
    context: &'a Context,
    args: &'a RunArgs,
    input: &'a InputFile,
    results: &'a Path,
    approval: Option<&'a Approval>,
}

impl Fresh<'_> {
    /// Judges the file, shows the plan, asks, and admits the file in one transaction.
    async fn admit(
        &self,
        ledger: &mut Ledger,
        preflights: &mut Preflights,
    ) -> Result<(BatchInfo, Amounts), Stop> {
        let settings = self.context.settings()?;
        let SendArgs { allow_duplicates, allow_repeats, all_or_nothing, .. } = self.args.send;
        let options = JudgeOptions { thousands: self.args.intake.thousands, allow_duplicates, allow_repeats };
        let mut judging = Judging::new(settings, ledger, self.context.clock, self.input, options)?;
        let survey = judging.survey()?;
        if let Some(approval) = self.approval {
            let plan = Plan::of(settings, self.context.sandbox, flags(self.args), &survey, None);
            approval.hold(&plan)?;
        }
        let survey = judging.ask(survey, preflights).await?;
        self.show(&survey, preflights)?;
        judging.hold(&survey)?;
        if all_or_nothing && survey.totals.invalid_rows() > 0 {
            return Err(Stop::refused(format!(
                "{} rows are invalid and --all-or-nothing was given: nothing was sent",
                survey.totals.invalid_rows()
            )));
        }
        let shape = (survey.totals.rows, survey.header.len());
        results_can_be_written(ledger, self.results, &self.input.batch, shape)?;
        let amounts = Amounts::of(&survey);
        confirm(&amounts, self.context, &self.args.send)?;
        let source =
            if self.input.shown == "standard input" { PathBuf::from("-") } else { absolute(&self.args.file) };
        let admission = Admission { source, results: self.results.to_owned(), sandbox: self.context.sandbox };
        Ok((judging.admit(ledger, &survey, admission)?, amounts))
    }

    fn show(&self, survey: &Survey, preflights: &Preflights) -> Result<(), Stop> {
        let terminal = &self.context.terminal;
        let settings = self.context.settings()?;
        terminal.say(&plan::head(&self.input.shown, &survey.dialect, survey.totals.rows));
        terminal.say(plan::table(survey, terminal).trim_end());
        for line in plan::balances(preflights, &survey.totals) {
            terminal.say(&line);
        }
        for (name, asked) in &preflights.asked {
            let trouble = asked.trouble();
            if !trouble.is_empty() {
                terminal.complain(&format!("  {name:<12} {trouble}"));
            }
        }
        if survey.totals.ready > 0 {
            let time = plan::estimate(settings, &survey.totals);
            terminal.say(&format!("  sending takes about {}", plan::duration(time)));
        }
        Ok(())
    }
}
