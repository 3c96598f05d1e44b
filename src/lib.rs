//! Bulk mobile top-ups from a file.

pub mod admission;
pub mod callbacks;
pub mod cli;
pub mod domain;
pub mod engine;
pub mod intake;
pub mod ledger;
pub mod lifecycle;
pub mod net;
pub mod numbering;
pub mod protocol;
pub mod report;
pub mod run;
pub mod sandbox;
