//! `resolve BATCH ROW`: a person's decision on an `unknown` row.

use crate::cli::args::{Decision, GlobalArgs, ResolveArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::wrapup::write_again_and_tell;
use crate::domain::{RowNumber, Status};
use crate::job::{Exit, Session, Stop, user_name};
use crate::ledger::Record;
use crate::lifecycle::{Entry, Event, Phase, ResolvedAs};

/// `resolve`. The decision is kept with note, user and time; a later answer of the provider that contradicts
/// it is reported and changes nothing.
///
/// # Errors
/// [`Stop`]: no such row, a row that is not `unknown`, locked, or the ledger failed.
pub async fn resolve(global: &GlobalArgs, args: &ResolveArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Ledger).await?;
    let (lock, ledger) = context.own_ledger()?;
    let batch = context.find_batch(&ledger, &args.batch)?;
    let row = RowNumber(args.row.get());
    let Some(stored) = ledger.row(batch.id, row)? else {
        return Err(Stop::refused(format!(
            "batch {} has rows 1 to {}, no row {row}",
            batch.name, batch.rows
        )));
    };
    let status = stored.state.status();
    if status != Status::Unknown {
        return Err(Stop::refused(format!(
            "row {row} of batch {} is {status}: only unknown rows are decided by a person. Nothing was changed",
            batch.name
        )));
    }
    let session = Session::new(lock, ledger, batch, context.clock)?;
    let now = context.clock.now();
    let stored_phase = stored.state.phase;
    let (mut state, mut entries) = (stored.state, Vec::new());
    let mut add = |event: Event| -> Result<(), Stop> {
        state.apply(&event, now.wall).map_err(|illegal| Stop::internal(illegal.to_string()))?;
        entries.push(Entry { row, event, at: now.wall, state: state.clone() });
        Ok(())
    };
    // Its process ended while the submit was under way: nobody else is submitting now, the lock says.
    if stored_phase == Phase::Sending {
        add(Event::Interrupted { at: now, can_ask: false })?;
    }
    let decision = match args.decision {
        Decision::Succeeded => ResolvedAs::Succeeded,
        Decision::Failed => ResolvedAs::Failed,
    };
    add(Event::Resolved { decision, note: args.note.clone(), user: user_name() })?;
    session.writer.append(Record { batch: session.batch.id, batch_events: Vec::new(), entries }).await?;
    write_again_and_tell(&context, &session, "The decision is recorded").await?;
    Ok(Exit::Success)
}
