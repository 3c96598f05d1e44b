//! `settle [BATCH]`: follow what is open, write results again; never submits.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::args::{GlobalArgs, SettleArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::metrics::Metrics;
use crate::cli::plan::counted;
use crate::cli::sending::Screen;
use crate::cli::wrapup::{tell_json, wrap_up};
use crate::domain::{Reason, WallTime};
use crate::engine::{Clearances, Mode, Rechecks};
use crate::job::{Exit, Leg, Preflights, Selection, Session, Stop, work};
use crate::ledger::{BatchInfo, Ledger, LedgerLock, results_fit, results_path_is_ours};
use crate::run::Ended;

/// `settle`.
///
/// # Errors
/// [`Stop`]: refused, locked, or the ledger failed.
pub async fn settle(global: &GlobalArgs, args: &SettleArgs, metrics: Option<Metrics>) -> Result<Exit, Stop> {
    let mut context = Context::of(global, Needs::Providers).await?;
    context.measure(metrics, args.finish.metrics_file.as_deref())?;
    let Some(reader) = context.read_ledger()? else {
        let path = context.ledger_path.display();
        return Err(Stop::refused(format!("there is no ledger {path}: nothing was ever sent from it")));
    };
    let since = args.recheck.map(|span| {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        WallTime(context.clock.now().wall.0.saturating_sub(micros))
    });
    let named = args.batch.as_deref().map(|name| context.find_batch(&reader, name)).transpose()?;
    let batches = match named {
        Some(batch) => vec![batch],
        None => {
            let mut open = Vec::new();
            for batch in reader.batches()?.into_iter().filter(|batch| batch.sandbox == context.sandbox) {
                let again = since.map_or(Ok(false), |since| reader.succeeded_since(batch.id, since))?;
                if again || reader.open_rows(batch.id)? > 0 {
                    open.push(batch);
                }
            }
            open
        }
    };
    drop(reader);
    if batches.len() > 1 && args.finish.results.is_some() {
        return Err(Stop::refused(
            "-o names one file, and there are several batches to look after; name the batch",
        ));
    }
    if batches.is_empty() {
        context.terminal.say(match since {
            None => "No batch has open rows: nothing to settle.",
            Some(_) => "No batch has open rows or rows that succeeded in that time: nothing to ask.",
        });
        return Ok(Exit::Success);
    }
    if batches.len() > 1 {
        context.summaries = Some(RefCell::default());
    }
    // One lock for all of them: nobody submits between two batches.
    let (lock, _) = context.own_ledger()?;
    let lock = Arc::new(lock);
    let mut exit = Exit::Success;
    for batch in batches {
        let one = settle_one(&context, args, batch, since, Arc::clone(&lock)).await?;
        exit = exit.and(one);
        if one == Exit::Interrupted {
            break;
        }
    }
    if let Some(summaries) = context.summaries.as_ref().filter(|_| context.terminal.json) {
        let object = json!({ "schema": 1, "exit": exit.code(), "batches": *summaries.borrow() });
        tell_json(&context.terminal, &object);
    }
    Ok(exit)
}

async fn settle_one(
    context: &Context,
    args: &SettleArgs,
    batch: BatchInfo,
    since: Option<WallTime>,
    lock: Arc<LedgerLock>,
) -> Result<Exit, Stop> {
    let results: PathBuf = args.finish.results.clone().unwrap_or_else(|| batch.results_path.clone());
    results_path_is_ours(lock.ledger(), &results, &batch.name)
        .and_then(|()| results_fit(&results, batch.rows, batch.header.len()))
        .map_err(|e| Stop::refused(e.to_string()))?;
    let ledger = Ledger::open(lock.ledger())?;
    let open = ledger.open_rows(batch.id)?;
    context.terminal.say(&format!("Settling batch {}: {open} open rows", batch.name));
    let mut session = Session::new(lock, ledger, batch, context.clock)?;
    let leg = Leg {
        mode: Mode::Follow,
        settle_for: args.finish.settle_for,
        selection: Selection::default(),
        clearances: Clearances::new(),
    };
    let settings = context.settings()?;
    let mut screen = Screen::watching(context);
    let mut done = work(&mut session, settings, &Preflights::default(), leg, &mut screen).await;
    let mut found = Exit::Success;
    if let (Some(since), Ok((_, Ended::Over))) = (since, &done) {
        let leg = Leg {
            mode: Mode::Recheck,
            settle_for: args.finish.settle_for,
            selection: Selection { recheck: Some(since), ..Selection::default() },
            clearances: Clearances::new(),
        };
        done = work(&mut session, settings, &Preflights::default(), leg, &mut screen).await;
        if let Ok((engine, _)) = &done {
            found = tell_rechecks(context, engine.rechecks());
        }
    }
    let (also, reason) = match &done {
        Ok((_, Ended::Over)) => (found, None),
        Ok((_, Ended::Drained | Ended::Left)) => (Exit::Interrupted, Some(Reason::Interrupted)),
        Err(stop) => {
            context.terminal.complain(&format!("bulk-topup: {}", stop.message));
            (stop.exit, Some(Reason::Interrupted))
        }
    };
    wrap_up(context, &session, also, reason, &results).await
}

/// Tells what asking again came to. A reversal ends with 3, as a difference of `reconcile` does: the provider says
/// that an order failed, whatever the row's own word stays.
fn tell_rechecks(context: &Context, found: Rechecks) -> Exit {
    let Rechecks { confirmed, contradicted, not_known, unanswered, not_askable } = found;
    let parts = [
        (confirmed, "confirmed"),
        (contradicted, "CONTRADICTED"),
        (not_known, "not known to the provider any more, which proves nothing"),
        (unanswered, "without an answer"),
        (not_askable, "cannot be asked about"),
    ];
    let told: Vec<String> =
        parts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, words)| format!("{rows} {words}")).collect();
    let text = format!("Asked again about {}: {}", counted(found.rows()), told.join(", "));
    if contradicted > 0 {
        context.terminal.complain(&text);
        return Exit::SomeFailed;
    }
    context.terminal.say(text.trim_end_matches(": "));
    Exit::Success
}
