//! Bulk mobile top-ups from a file.

pub mod admission;
pub mod domain;
pub mod intake;
pub mod numbering;
pub mod protocol;
