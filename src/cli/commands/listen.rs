//! `listen`: receive the providers' callbacks, until a signal comes. It takes no lock: it only leaves hints in
//! the ledger, beside whoever submits.

use crate::cli::args::GlobalArgs;
use crate::cli::context::{Context, Needs};
use crate::cli::listening::Listening;
use crate::job::{Exit, Stop};
use crate::run::Signals;

/// `listen`.
///
/// # Errors
/// [`Stop`] with exit 2 when it is not configured, 1 when the ledger or the program fails.
pub async fn listen(global: &GlobalArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Providers).await?;
    let mut signals = Signals::new().map_err(|e| Stop::internal(format!("signals: {e}")))?;
    let mut listening = Listening::start(&context, None, global.verbose > 0)?;
    context.terminal.data(&format!("listening {}", listening.address()));
    tokio::select! {
        _ = signals.next() => Ok(Exit::Success),
        () = listening.ended() => Err(Stop::internal("the listener stopped: a fault of the program")),
    }
}
