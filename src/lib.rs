//! Bulk mobile top-ups from a file.

pub mod domain;
pub mod lifecycle;
pub mod protocol;
pub mod report;
