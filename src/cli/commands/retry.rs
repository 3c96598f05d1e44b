//! `retry RESULTS`: send again the rows of a results file that are proved unspent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rust_decimal::Decimal;

use crate::admission::Judge;
use crate::cli::args::{GlobalArgs, RetryArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::metrics::Metrics;
use crate::cli::plan::{counted, wrapped};
use crate::cli::reading::overrides;
use crate::cli::rebuild::rebuild;
use crate::cli::retrying::{Choice, Chooser, Layout};
use crate::cli::sending::{Sending, confirm, send};
use crate::cli::wrapup::results_can_be_written;
use crate::domain::{BatchName, Currency, RowNumber};
use crate::intake::{ResultsRow, ResultsSource, TopupColumn};
use crate::job::guards::{Worth, add_worth, check_batch_cap, check_day_cap, repeats_since};
use crate::job::{
    Amounts, Exit, Known, Preflights, Session, Standing, Stop, absolute, is_rebuilt, phone_plan, policy,
    sums_line,
};
use crate::ledger::{BatchEvent, BatchInfo, FoundBatch, Ledger, Record};
use crate::lifecycle::{Entry, Event, Phase, StoredRow};

/// `retry`.
///
/// # Errors
/// [`Stop`]: refused, locked, or the ledger failed.
pub async fn retry(global: &GlobalArgs, args: &RetryArgs, metrics: Option<Metrics>) -> Result<Exit, Stop> {
    let mut context = Context::of(global, Needs::Providers).await?;
    context.measure(metrics, args.finish.metrics_file.as_deref())?;
    context.keep_off([args.results_file.as_path()])?;
    let batch = batch_of(args)?;
    let (lock, mut ledger) = context.own_ledger()?;
    let work = Work { context: &context, args };
    let info = match ledger.find_batch(batch.as_str())? {
        FoundBatch::One(info) if info.name == batch => *info,
        FoundBatch::One(_) | FoundBatch::None | FoundBatch::Ambiguous(_) => {
            context.terminal.complain(&format!(
                "The ledger {} does not know batch {batch}: it is rebuilt from {}.",
                context.ledger_path.display(),
                args.results_file.display()
            ));
            rebuild(
                &context,
                &mut ledger,
                &args.results_file,
                &overrides(&args.intake)?,
                &batch,
                work.judge(true)?,
            )?;
            let FoundBatch::One(info) = ledger.find_batch(batch.as_str())? else {
                return Err(Stop::internal("the batch was rebuilt and is not in the ledger"));
            };
            *info
        }
    };
    context.check_sandbox(&info)?;
    if info.cancelled_at.is_some() {
        return Err(Stop::refused(format!(
            "batch {batch} was cancelled: nothing of it is sent any more. Open rows are followed by settle; rows to be \
             sent after all go into a new file"
        )));
    }
    let results = match &args.finish.results {
        Some(path) => absolute(path),
        None => next_results_path(&args.results_file),
    };
    if is_same_file(&results, &args.results_file) {
        return Err(Stop::refused("-o names the file that is retried; name another one"));
    }
    results_can_be_written(&ledger, &results, &info.name, (info.rows, info.header.len()))?;
    let mut preflights = Preflights::default();
    let choice = work.choose(&ledger, &info, &mut preflights).await?;
    let standing = Standing::of(&ledger, &info)?;
    work.tell(&info, &choice, &standing);
    let amounts = work.amounts(&ledger, &info, &choice, &standing)?;
    confirm(&amounts, &context, &args.send)?;
    let mut session = Session::new(lock, ledger, info, context.clock)?;
    record(&session, &context, &choice).await?;
    let sending = Sending {
        command: "retry",
        args: &args.send,
        settle_for: args.finish.settle_for,
        results: &results,
        retry: Some(choice.send),
        amounts,
    };
    send(&context, &mut session, preflights, sending).await
}

/// The batch that the file's first row names.
fn batch_of(args: &RetryArgs) -> Result<BatchName, Stop> {
    let mut source = ResultsSource::open(&args.results_file, &overrides(&args.intake)?)?;
    let mut row = ResultsRow::default();
    let shown = args.results_file.display();
    while source.next_row(&mut row)? {
        let name = row.topup(TopupColumn::Batch).trim();
        if !name.is_empty() {
            let wrong =
                |e| Stop::refused(format!("{shown}: line {}: topup_batch {name:?}: {e}", row.input.line));
            return BatchName::parse(name).map_err(wrong);
        }
    }
    Err(Stop::refused(format!("{shown}: no row names its batch: there is nothing to retry")))
}

/// Whether two paths lead to one file, by whatever links.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| absolute(path));
    real(one) == real(other)
}

/// The next free `<stem>.results-N.csv` beside the file.
fn next_results_path(file: &Path) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = [".csv", ".xlsx"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    let stem = match stem.rsplit_once(".results") {
        Some((stem, "")) => stem,
        Some((stem, number)) if number.strip_prefix('-').is_some_and(|n| n.parse::<u32>().is_ok()) => stem,
        Some(_) | None => stem,
    };
    let free =
        (2_u32..).map(|n| file.with_file_name(format!("{stem}.results-{n}.csv"))).find(|path| !path.exists());
    absolute(&free.unwrap_or_else(|| file.with_file_name(format!("{stem}.results-2.csv"))))
}

struct Work<'a> {
    context: &'a Context,
    args: &'a RetryArgs,
}

impl Work<'_> {
    /// A judge under the flags and the configuration of now. `alone`: each row by itself.
    fn judge(&self, alone: bool) -> Result<Judge, Stop> {
        let settings = self.context.settings()?;
        let allow = alone || self.args.send.allow_duplicates;
        let mut policy = policy(settings, self.args.intake.thousands, allow);
        if alone {
            policy.caps = crate::admission::Caps::default();
        }
        Ok(Judge::with_plan(policy, phone_plan(settings)?))
    }

    async fn choose(
        &self,
        ledger: &Ledger,
        info: &BatchInfo,
        preflights: &mut Preflights,
    ) -> Result<Choice, Stop> {
        let settings = self.context.settings()?;
        let mut judge = self.judge(false)?;
        let mut used: Vec<String> = Vec::new();
        ledger.for_each_row::<Stop>(info.id, |row| {
            if let Some(order) = row.order.as_ref().filter(|_| !is_judged_anew(&row)) {
                judge.remember(order);
                let entry = settings.providers.iter().find(|entry| entry.account == order.account);
                if let Some(entry) = entry.filter(|entry| !used.contains(&entry.name)) {
                    used.push(entry.name.clone());
                }
            }
            Ok(())
        })?;
        preflights.ask(settings, &used, &self.context.clock).await?;
        let since = repeats_since(settings, self.context.clock.now().wall);
        let mut known = Known {
            repeats: since.filter(|_| !self.args.send.allow_repeats).map(|since| (ledger, since)),
            except: Some(info.id),
            ..Known::default()
        };
        for name in &used {
            if let Some(catalogue) = preflights.catalogue(name) {
                known.catalogues.insert(name.clone(), catalogue.clone());
            }
        }
        let overrides = overrides(&self.args.intake)?;
        let mut source = ResultsSource::open(&self.args.results_file, &overrides)?;
        let layout = Layout::new(source.columns(), source.header(), info, &overrides.map)?;
        let trusts = self.args.trust_results;
        let mut chooser = Chooser::new(info, &layout, judge, self.judge(true)?, &known, trusts);
        let mut line = ResultsRow::default();
        while source.next_row(&mut line)? {
            chooser.take(
                &line,
                |row| Ok(ledger.row(info.id, row)?),
                |row| Ok(is_rebuilt(ledger, info.id, row)?),
            )?;
        }
        source.finish()?;
        Ok(chooser.choice)
    }

    fn tell(&self, info: &BatchInfo, choice: &Choice, standing: &Standing) {
        let terminal = &self.context.terminal;
        for remark in &choice.remarks {
            terminal.say(&format!("  {remark}"));
        }
        if choice.more > 0 {
            terminal.say(&format!("  and {} more remarks", choice.more));
        }
        if choice.untrusted > 0 {
            terminal.complain(&format!(
                "  {} CONNECT TOPUP rows were submitted before and only the file says that they failed; they are sent \
                 again only with --trust-results",
                choice.untrusted
            ));
        }
        let (lacking, shown) = lacking_rows(choice, info.rows);
        if lacking > 0 {
            terminal.say(&format!(
                "  {lacking} rows of batch {} are not in the file and stay as they are: {shown}",
                info.name
            ));
        }
        let open = standing.counts.pending + standing.counts.unknown;
        let words = format!(
            "Retrying batch {}: {} to be sent, {} open to be followed",
            info.name,
            counted(choice.send.len()),
            counted(open)
        );
        terminal.say(wrapped(0, &words).trim_end());
    }

    fn amounts(
        &self,
        ledger: &Ledger,
        info: &BatchInfo,
        choice: &Choice,
        standing: &Standing,
    ) -> Result<Amounts, Stop> {
        let open = standing.counts.pending + standing.counts.unknown;
        let still_wrong = choice.rejudged.iter().any(|one| matches!(one.event, Event::Rejudged { .. }));
        if self.args.send.all_or_nothing && still_wrong {
            return Err(Stop::refused(
                "some rows are still invalid and --all-or-nothing was given: nothing was sent",
            ));
        }
        if choice.send.is_empty() && open == 0 {
            return Err(Stop::refused("there is nothing to send and nothing to follow: nothing was sent"));
        }
        let (mut sums, mut whole) = (BTreeMap::new(), BTreeMap::new());
        let add =
            |to: &mut BTreeMap<Currency, Decimal>, amount: Option<Decimal>, currency: Option<Currency>| {
                match amount.zip(currency) {
                    Some((amount, currency)) => {
                        *to.entry(currency).or_default() += amount;
                        true
                    }
                    None => false,
                }
            };
        let (mut priced, mut day) = (true, Worth::new());
        ledger.for_each_row::<Stop>(info.id, |row| {
            if is_judged_anew(&row) && choice.send.contains(row.row) {
                return Ok(());
            }
            if row.state.phase == Phase::Invalid {
                return Ok(());
            }
            let asked = row.asked();
            let (amount, currency) = (asked.map(|a| a.0), asked.and_then(|a| a.1));
            priced &= add(&mut whole, amount, currency);
            if choice.send.contains(row.row) {
                add(&mut sums, amount, currency);
                add_worth(&mut day, &row);
            }
            Ok(())
        })?;
        for one in &choice.rejudged {
            if let Event::Readmitted { order } = &one.event {
                priced &= add(&mut whole, order.amount, order.currency);
                add(&mut sums, order.amount, order.currency);
                if let Some((amount, currency)) = order.amount.zip(order.currency) {
                    *day.entry((order.account.clone(), currency)).or_default() += amount;
                }
            }
        }
        if !choice.send.is_empty() {
            let settings = self.context.settings()?;
            check_batch_cap(settings, &whole)?;
            check_day_cap(settings, ledger, &day, self.context.clock.now().wall)?;
        }
        self.context.terminal.say(&format!("  worth {}", sums_line(&sums)));
        Ok(Amounts { rows: choice.send.len(), sums, whole, valid_rows_priced: priced })
    }
}

/// How many rows up to the last one the file lacks, and which, as numbers and ranges.
fn lacking_rows(choice: &Choice, rows: u64) -> (u64, String) {
    const RANGES_MAX: usize = 20;
    let last = choice.named.last().map_or(rows, |row| rows.max(row.0));
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    let (mut lacking, mut more) = (0, false);
    for row in (1..=last).filter(|row| !choice.named.contains(RowNumber(*row))) {
        lacking += 1;
        let room = ranges.len() < RANGES_MAX;
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == row => *end = row,
            Some(_) | None if room => ranges.push((row, row)),
            Some(_) | None => more = true,
        }
    }
    let words = ranges.iter().map(|(first, end)| match first == end {
        true => first.to_string(),
        false => format!("{first}-{end}"),
    });
    let shown = words.collect::<Vec<_>>().join(", ");
    (lacking, if more { format!("{shown}, ...") } else { shown })
}

/// Whether a row is judged again from the file's cells, so that its old order counts for nothing.
fn is_judged_anew(row: &StoredRow) -> bool {
    matches!(row.state.phase, Phase::Invalid | Phase::Refused) && !row.state.contradicted
}

/// Puts down what was judged anew: the corrected cells, and what became of the row.
async fn record(session: &Session, context: &Context, choice: &Choice) -> Result<(), Stop> {
    const AT_ONCE: usize = 1000;
    let at = context.clock.now().wall;
    for chunk in choice.rejudged.chunks(AT_ONCE) {
        let (mut batch_events, mut entries) = (Vec::new(), Vec::new());
        for one in chunk {
            let row = one.stored.row;
            let mut state = one.stored.state.clone();
            state.apply(&one.event, at).map_err(|illegal| Stop::internal(format!("row {row}: {illegal}")))?;
            batch_events.push((at, BatchEvent::Corrected { row, cells: one.cells.clone() }));
            entries.push(Entry { row, event: one.event.clone(), at, state });
        }
        session.writer.append(Record { batch: session.batch.id, batch_events, entries }).await?;
    }
    Ok(())
}
