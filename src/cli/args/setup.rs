//! Arguments of the commands that set the program up: `init`, `completions`, `man`.

use std::path::PathBuf;

use clap::Args as ArgGroup;

/// Arguments of `init`.
#[derive(Clone, Copy, Debug, ArgGroup)]
#[command(before_help = "Example:
  bulk-topup init        bulk-topup.toml and sample.csv, in this folder; nothing is written over")]
pub struct InitArgs {}

/// Arguments of `completions`.
#[derive(Clone, Copy, Debug, ArgGroup)]
#[command(before_help = "Examples:
  source <(bulk-topup completions bash)            in this shell; for good, where your shell looks:
  bulk-topup completions bash > ~/.local/share/bash-completion/completions/bulk-topup
  bulk-topup completions zsh > ~/.zfunc/_bulk-topup
  bulk-topup completions fish > ~/.config/fish/completions/bulk-topup.fish
A folder that is not there has to be made first (mkdir -p).")]
pub struct CompletionsArgs {
    /// Whose completions
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Clone, Debug, ArgGroup)]
#[command(before_help = "Examples:
  bulk-topup man | man -l -                        read it
  bulk-topup man --dir ~/.local/share/man/man1     then: man bulk-topup, man bulk-topup-run")]
pub struct ManArgs {
    /// Write the page of the program and one for each command into this folder, instead of the first to stdout
    #[arg(long, value_name = "PATH")]
    pub dir: Option<PathBuf>,
}
