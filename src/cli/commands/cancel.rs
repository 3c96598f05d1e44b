//! `cancel BATCH --note TEXT`: nothing of a batch is sent any more.

use crate::cli::args::{CancelArgs, GlobalArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::wrapup::write_again_and_tell;
use crate::job::{Exit, Session, Stop, user_name};
use crate::ledger::BatchEvent;

/// `cancel`. Rows never submitted are `not_sent`/`none` from now on; open ones are still followed by `settle`.
///
/// # Errors
/// [`Stop`]: no such batch, cancelled already, locked, or the ledger failed.
pub async fn cancel(global: &GlobalArgs, args: &CancelArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Ledger).await?;
    let (lock, ledger) = context.own_ledger()?;
    let batch = context.find_batch(&ledger, &args.batch)?;
    if batch.cancelled_at.is_some() {
        return Err(Stop::refused(format!("batch {} was cancelled before", batch.name)));
    }
    let counts = ledger.counts(batch.id)?;
    if counts.not_sent == 0 {
        return Err(Stop::refused(format!(
            "batch {} has no row that is still to be sent: there is nothing to cancel",
            batch.name
        )));
    }
    let session = Session::new(lock, ledger, batch, context.clock)?;
    session.note(BatchEvent::Cancelled { note: args.note.clone(), user: user_name() }).await?;
    write_again_and_tell(&context, &session, "The batch is cancelled").await?;
    Ok(Exit::Success)
}
