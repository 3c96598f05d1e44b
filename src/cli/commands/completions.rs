//! `completions SHELL`: what a shell needs to complete our commands, to stdout.

use clap::CommandFactory;

use crate::cli::args::{Args, CompletionsArgs, GlobalArgs};
use crate::cli::exit::Exit;
use crate::cli::stop::Stop;
use crate::cli::terminal::Terminal;

/// `completions`.
///
/// # Errors
/// [`Stop`] with exit 2 for `--json`.
pub fn completions(global: &GlobalArgs, args: &CompletionsArgs) -> Result<Exit, Stop> {
    if global.json {
        return Err(Stop::refused("completions are a script of the shell, not JSON: leave out --json"));
    }
    let mut command = Args::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    Terminal::of(global).copy(&mut script.as_slice());
    Ok(Exit::Success)
}
