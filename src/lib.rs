//! Bulk mobile top-ups from a file.

pub mod domain;
pub mod engine;
pub mod ledger;
pub mod lifecycle;
pub mod protocol;
