//! Floor 5: the command line. Arguments (syntax) become settings (resolved), settings become a run.

mod approval;
pub mod args;
mod asking;
mod books;
mod commands;
mod context;
pub mod exit;
mod guards;
mod listening;
mod plan;
mod problems;
mod progress;
mod rebuild;
mod retrying;
mod sandbox_mode;
mod sending;
mod session;
pub mod settings;
mod spool;
mod stop;
mod survey;
mod terminal;
mod twins;
mod wrapup;

pub use commands::main;
