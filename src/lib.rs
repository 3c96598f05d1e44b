//! Bulk mobile top-ups from a file.

pub mod cli;
pub mod domain;
pub mod engine;
pub mod lifecycle;
pub mod net;
pub mod protocol;
pub mod report;
pub mod sandbox;
