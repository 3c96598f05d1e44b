//! From arguments to an exit code: one file per command.

mod balance;
mod cancel;
mod check;
mod listen;
mod products;
mod reconcile;
mod resolve;
mod retry;
mod run;
mod sandbox;
mod settle;
mod status;

use clap::Parser;

use super::args::{Args, Command};
use super::exit::Exit;
use super::stop::Stop;
use super::terminal::Terminal;
use super::wrapup::complain;

/// Parses the command line, runs the command, and gives the exit code.
pub fn main() -> std::process::ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version go to stdout, errors to stderr; a closed pipe is no error of ours.
            let _ = error.print();
            return std::process::ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let terminal = Terminal::of(&args.global);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(&args)),
        Err(error) => Err(Stop::internal(format!("the program cannot start: {error}"))),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(stop) => {
            complain(&terminal, &stop);
            stop.exit.into()
        }
    }
}

async fn dispatch(args: &Args) -> Result<Exit, Stop> {
    let global = &args.global;
    match &args.command {
        Command::Run(command) => run::run(global, command).await,
        Command::Check(command) => check::check(global, command).await,
        Command::Settle(command) => settle::settle(global, command).await,
        Command::Status(command) => status::status(global, command).await,
        Command::Cancel(command) => cancel::cancel(global, command).await,
        Command::Balance(command) => balance::balance(global, command).await,
        Command::Products(command) => products::products(global, command).await,
        Command::Sandbox(command) => sandbox::sandbox(global, command).await,
        Command::Retry(command) => retry::retry(global, command).await,
        Command::Resolve(command) => resolve::resolve(global, command).await,
        Command::Reconcile(command) => reconcile::reconcile(global, command).await,
        Command::Listen(_) => listen::listen(global).await,
    }
}
