//! From arguments to an exit code: one file per command.

mod balance;
mod cancel;
mod check;
mod completions;
mod init;
mod listen;
mod man;
mod measured;
mod products;
mod report;
mod resolve;
mod retry;
mod run;
mod sandbox;
mod settle;
mod status;

use clap::Parser;

use super::args::{Args, Command};
use super::logging;
use super::terminal::Terminal;
use super::wrapup::complain;
use crate::job::{Exit, Stop};
use measured::measured;

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
    if let Err(stop) = logging::start(&args.global, terminal) {
        complain(&terminal, &stop);
        return stop.exit.into();
    }
    let command = args.command.name();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), command, sandbox = args.global.sandbox, "start");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(&args)),
        Err(error) => Err(Stop::internal(format!("the program cannot start: {error}"))),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(stop) => {
            let why = logging::masked(&stop.message, terminal.show_phones);
            tracing::error!(command, why, "stopped");
            complain(&terminal, &stop);
            stop.exit
        }
    };
    tracing::info!(command, exit = exit.code(), "end");
    exit.into()
}

async fn dispatch(args: &Args) -> Result<Exit, Stop> {
    let global = &args.global;
    match &args.command {
        Command::Run(command) => {
            let work = async |metrics| run::run(global, command, metrics).await;
            measured("run", &command.finish, Terminal::of(global), work).await
        }
        Command::Retry(command) => {
            let work = async |metrics| retry::retry(global, command, metrics).await;
            measured("retry", &command.finish, Terminal::of(global), work).await
        }
        Command::Settle(command) => {
            let work = async |metrics| settle::settle(global, command, metrics).await;
            measured("settle", &command.finish, Terminal::of(global), work).await
        }
        Command::Check(command) => check::check(global, command).await,
        Command::Status(command) => status::status(global, command).await,
        Command::Report(command) => report::report(global, command).await,
        Command::Cancel(command) => cancel::cancel(global, command).await,
        Command::Balance(command) => balance::balance(global, command).await,
        Command::Products(command) => products::products(global, command).await,
        Command::Sandbox(command) => sandbox::sandbox(global, command).await,
        Command::Resolve(command) => resolve::resolve(global, command).await,
        Command::Listen(command) => listen::listen(global, command).await,
        Command::Init(_) => init::init(global),
        Command::Completions(command) => completions::completions(global, command),
        Command::Man(command) => man::man(global, command),
    }
}
