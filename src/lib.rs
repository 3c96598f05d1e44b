//! Bulk mobile top-ups from a file.

pub mod domain;
pub mod protocol;
pub mod sandbox;
