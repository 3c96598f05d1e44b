//! `sandbox`: serve the three provider APIs locally, until a signal comes.

use crate::cli::args::{GlobalArgs, SandboxArgs};
use crate::cli::terminal::Terminal;
use crate::job::{Exit, Stop};
use crate::run::Signals;
use crate::sandbox::{Faults, Options, start};

/// `sandbox`.
///
/// # Errors
/// [`Stop`] with exit 2 for wrong faults, 1 when it cannot listen.
pub async fn sandbox(global: &GlobalArgs, args: &SandboxArgs) -> Result<Exit, Stop> {
    let faults = Faults::parse(args.faults.as_deref().unwrap_or_default())
        .map_err(|why| Stop::refused(format!("--faults: {why}")))?;
    let options = Options { addr: args.addr, log: args.log.clone(), seed: args.seed, faults };
    let mut signals = Signals::new().map_err(|e| Stop::internal(format!("signals: {e}")))?;
    let server = start(options)
        .await
        .map_err(|e| Stop::internal(format!("the sandbox cannot listen on {}: {e}", args.addr)))?;
    Terminal::of(global).data(&format!("listening {}", server.addr()));
    signals.next().await;
    server.stop().await;
    Ok(Exit::Success)
}
