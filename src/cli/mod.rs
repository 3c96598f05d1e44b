//! Floor 5: the command line. Arguments (syntax) become settings (resolved), settings become a run.

pub mod args;
pub mod exit;
pub mod settings;
