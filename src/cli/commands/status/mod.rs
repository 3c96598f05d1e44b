//! `status`: what the ledger knows. It only reads, beside whoever submits.

mod history;
mod list;
mod one;
mod rows;
mod words;

use std::io::IsTerminal;
use std::time::Duration;

use crate::cli::args::{GlobalArgs, StatusArgs};
use crate::cli::context::{Context, Needs};
use crate::domain::RowNumber;
use crate::job::Exit;
use crate::job::Stop;
use crate::ledger::{BatchInfo, Ledger, VerifyReport, results_fit, results_path_is_ours, write_results_file};

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// `status`.
///
/// # Errors
/// [`Stop`] with exit 2 for an unknown batch or row, 1 for a damaged ledger.
pub async fn status(global: &GlobalArgs, args: &StatusArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Ledger).await?;
    let Some(ledger) = context.read_ledger()? else {
        context.terminal.say(&format!(
            "There is no ledger {} yet. {}",
            context.ledger_path.display(),
            list::to_begin(&context)
        ));
        if context.terminal.json {
            context.terminal.data(&format!("{:#}", serde_json::json!({ "schema": 1, "batches": [] })));
        }
        return Ok(Exit::Success);
    };
    let batch = args.batch.as_deref().map(|name| context.find_batch(&ledger, name)).transpose()?;
    if args.verify {
        return verify(&context, &ledger, batch.as_ref());
    }
    if args.filter.is_set() {
        return rows::rows(&context, &ledger, batch.as_ref(), &args.filter);
    }
    if args.watch {
        return watch(&context, &ledger, batch).await;
    }
    match (batch, args.row, &args.results) {
        (None, _, _) => {
            context.terminal.data(&list::list(&context, &ledger)?.0);
            Ok(Exit::Success)
        }
        (Some(batch), Some(row), _) => history::history(&context, &ledger, &batch, RowNumber(row.get())),
        (Some(batch), None, Some(path)) => {
            results_path_is_ours(ledger.path(), path, &batch.name)
                .and_then(|()| results_fit(path, batch.rows, batch.header.len()))
                .map_err(|e| Stop::refused(e.to_string()))?;
            write_results_file(&ledger, batch.id, path)?;
            context.terminal.say(&format!("Results  {}", path.display()));
            Ok(Exit::Success)
        }
        (Some(batch), None, None) => {
            context.terminal.data(&one::one(&context, &ledger, &batch)?.0);
            Ok(Exit::Success)
        }
    }
}

/// Shows how it stands, again and again, until nothing is left that could change: on a terminal in place, else
/// whenever it is different.
async fn watch(context: &Context, ledger: &Ledger, batch: Option<BatchInfo>) -> Result<Exit, Stop> {
    let in_place = std::io::stdout().is_terminal() && !context.terminal.json;
    let mut shown = String::new();
    loop {
        let (text, goes_on) = match &batch {
            Some(batch) => one::one(context, ledger, &ledger.batch(batch.id)?)?,
            None => list::list(context, ledger)?,
        };
        if text != shown {
            let clear = if in_place { "\u{1b}[H\u{1b}[2J" } else { "" };
            context.terminal.data(&format!("{clear}{text}"));
            shown = text;
        }
        if !goes_on {
            return Ok(Exit::Success);
        }
        context.clock.wait(WATCH_EVERY).await;
    }
}

fn verify(context: &Context, ledger: &Ledger, batch: Option<&BatchInfo>) -> Result<Exit, Stop> {
    let batches = match batch {
        Some(batch) => vec![batch.clone()],
        None => ledger.batches()?,
    };
    let mut sound = true;
    if batches.is_empty() {
        // A ledger whose batches were taken out of it still has their events.
        sound = tell_verified(context, "no batch", &ledger.verify_whole()?);
    }
    for batch in batches {
        sound &= tell_verified(context, batch.name.as_str(), &ledger.verify(batch.id)?);
    }
    Ok(if sound { Exit::Success } else { Exit::Internal })
}

/// Tells what was found; gives whether it is sound.
fn tell_verified(context: &Context, name: &str, report: &VerifyReport) -> bool {
    let found = if report.is_clean() { "sound" } else { "DAMAGED" };
    context.terminal.data(&format!(
        "{name}  {found}: {} rows rebuilt, {} events in the chain",
        report.rows, report.events
    ));
    for difference in &report.differences {
        context.terminal.data(&format!("  {difference}"));
    }
    report.is_clean()
}
