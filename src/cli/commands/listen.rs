//! `listen`: receive the providers' callbacks, until a signal comes. It takes no lock: it only leaves hints in
//! the ledger, beside whoever submits.

use crate::cli::args::{GlobalArgs, ListenArgs};
use crate::cli::context::{Context, Needs};
use crate::cli::listening::Listening;
use crate::cli::scraping::Scraping;
use crate::job::{Exit, Stop};
use crate::run::Signals;

/// `listen`.
///
/// # Errors
/// [`Stop`] with exit 2 when it is not configured or an address cannot be had, 1 when the ledger or the program
/// fails.
pub async fn listen(global: &GlobalArgs, args: &ListenArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Providers).await?;
    let mut signals = Signals::new().map_err(|e| Stop::internal(format!("signals: {e}")))?;
    let mut listening = Listening::start(&context, None, global.verbose > 0)?;
    let figures = match args.metrics {
        Some(address) => Some(Scraping::at(address, &context, listening.watch()).await?),
        None => None,
    };
    context.terminal.data(&format!("listening {}", listening.address()));
    if let Some(figures) = &figures {
        context.terminal.data(&format!("metrics http://{}/metrics", figures.address()?));
    }
    let serving = async {
        match &figures {
            Some(figures) => figures.serve().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signals.next() => Ok(Exit::Success),
        () = listening.ended() => Err(Stop::internal("the listener stopped: a fault of the program")),
        () = serving => Err(Stop::internal("the figures are not served any more: a fault of the program")),
    }
}
