//! `completions SHELL`: what a shell needs to complete our commands, to stdout.

use clap::CommandFactory;

use crate::cli::args::{Args, CompletionsArgs, GlobalArgs};
use crate::cli::terminal::Terminal;
use crate::job::Exit;
use crate::job::Stop;

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
    if args.shell == clap_complete::Shell::Bash {
        script = repaired(&script);
    }
    Terminal::of(global).copy(&mut script.as_slice());
    Ok(Exit::Success)
}

/// clap_complete 4.6 spells a dash in the program's name differently where it names a command and where it
/// completes it, so that no flag of a command was ever offered.
fn repaired(script: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(script);
    text.replace("bulk__subcmd__topup", "bulk__topup").into_bytes()
}
