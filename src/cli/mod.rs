//! Floor 6: the command line. Arguments (syntax) become settings (resolved), settings become a run.

mod approval;
pub mod args;
mod asking;
mod commands;
mod context;
mod listening;
mod logging;
mod metrics;
mod plan;
mod problems;
mod progress;
mod reading;
mod rebuild;
mod retrying;
mod sandbox_mode;
mod scraping;
mod screen;
mod sending;
mod spool;
mod terminal;
mod watching;
mod wrapup;

pub use commands::main;
