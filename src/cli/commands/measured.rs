//! A command that keeps figures, where `--metrics-file` names a file: the place is looked at before anything is
//! done, and the figures are written however the command ends.

use crate::cli::args::FinishArgs;
use crate::cli::metrics::{Metrics, MetricsFile};
use crate::cli::terminal::Terminal;
use crate::job::Exit;
use crate::job::Stop;
use crate::run::Clock;

/// Runs a command with its figures.
///
/// # Errors
/// [`Stop`] with exit 2 when no file can be written there; else what the command says.
pub async fn measured(
    command: &str,
    finish: &FinishArgs,
    terminal: Terminal,
    work: impl AsyncFnOnce(Option<Metrics>) -> Result<Exit, Stop>,
) -> Result<Exit, Stop> {
    let Some(path) = &finish.metrics_file else { return work(None).await };
    let (file, metrics) = (MetricsFile::at(path)?, Metrics::new()?);
    let done = work(Some(metrics.clone())).await;
    let exit = match &done {
        Ok(exit) => *exit,
        Err(stop) => stop.exit,
    };
    let ended = metrics.ended(command, exit, Clock::new().now().wall);
    let written = ended.and_then(|()| {
        file.write(&metrics).map_err(|e| Stop::internal(format!("{} cannot be written: {e}", path.display())))
    });
    // The figures are not the ledger: what was done is done, and the exit code is about that.
    if let Err(stop) = written {
        tracing::error!(why = stop.message, "figures are lost");
        terminal.complain(&format!("bulk-topup: the figures are lost: {}", stop.message));
    }
    done
}
