//! Promises of file intake, numbering and the offline judge, kept against tables and files.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on must fail")]

mod cases;
mod cells;
mod files;
mod judge;
mod properties;
mod workbooks;
