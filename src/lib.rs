//! Bulk mobile top-ups from a file.

pub mod cli;
pub mod domain;
pub mod net;
pub mod protocol;
