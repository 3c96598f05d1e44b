//! The ledger's promises, kept on real files.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod appending;
mod files;
mod finding;
mod fixture;
mod reading;
mod results;
mod strangers;
mod verifying;
