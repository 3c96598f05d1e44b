//! `settle [BATCH]`: follow what is open, write results again; never submits.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::args::{GlobalArgs, SettleArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::metrics::Metrics;
use crate::cli::sending::Screen;
use crate::cli::wrapup::{tell_json, wrap_up};
use crate::domain::Reason;
use crate::engine::{Clearances, Mode};
use crate::job::{Exit, Leg, Preflights, Selection, Session, Stop, work};
use crate::ledger::{BatchInfo, Ledger, LedgerLock, results_path_is_ours};
use crate::run::Ended;

/// `settle`.
///
/// # Errors
/// [`Stop`]: refused, locked, or the ledger failed.
pub async fn settle(global: &GlobalArgs, args: &SettleArgs, metrics: Option<Metrics>) -> Result<Exit, Stop> {
    let mut context = Context::of(global, Needs::Providers).await?;
    context.metrics = metrics;
    let Some(reader) = context.read_ledger()? else {
        let path = context.ledger_path.display();
        return Err(Stop::refused(format!("there is no ledger {path}: nothing was ever sent from it")));
    };
    let named = args.batch.as_deref().map(|name| context.find_batch(&reader, name)).transpose()?;
    let batches = match named {
        Some(batch) => vec![batch],
        None => {
            let mut open = Vec::new();
            for batch in reader.batches()?.into_iter().filter(|batch| batch.sandbox == context.sandbox) {
                let counts = reader.counts(batch.id)?;
                if counts.pending + counts.unknown > 0 {
                    open.push(batch);
                }
            }
            open
        }
    };
    drop(reader);
    if batches.len() > 1 && args.finish.results.is_some() {
        return Err(Stop::refused(
            "-o names one file, and there are several batches with open rows; name the batch",
        ));
    }
    if batches.is_empty() {
        context.terminal.say("No batch has open rows: nothing to settle.");
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
        let one = settle_one(&context, args, batch, Arc::clone(&lock)).await?;
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
    lock: Arc<LedgerLock>,
) -> Result<Exit, Stop> {
    let results: PathBuf = args.finish.results.clone().unwrap_or_else(|| batch.results_path.clone());
    results_path_is_ours(&results, &batch.name).map_err(|e| Stop::refused(e.to_string()))?;
    let ledger = Ledger::open(lock.ledger())?;
    let counts = ledger.counts(batch.id)?;
    let open = counts.pending + counts.unknown;
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
    let done = work(&mut session, settings, &Preflights::default(), leg, &mut screen).await;
    let (also, reason) = match &done {
        Ok((_, Ended::Over)) => (Exit::Success, None),
        Ok((_, Ended::Drained | Ended::Left)) => (Exit::Interrupted, Some(Reason::Interrupted)),
        Err(stop) => {
            context.terminal.complain(&format!("bulk-topup: {}", stop.message));
            (stop.exit, Some(Reason::Interrupted))
        }
    };
    wrap_up(context, &session, also, reason, &results).await
}
