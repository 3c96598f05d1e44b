//! Floor 3: the ledger, a SQLite file (WAL, synchronous=FULL) that outlives every process. It records and
//! reads; what a record means is decided on the floors below.
//!
//! One process at a time submits from a ledger ([`LedgerLock`]); readers and `listen` work beside it. Events
//! are append-only under a hash chain, and each says where its row stands after it; a narrow table leads from a row to
//! its last event. [`Ledger::verify`] rebuilds all of that and compares.

mod admit;
mod append;
mod chain;
mod error;
mod find;
mod histories;
mod ids;
mod limits;
mod linked;
mod lock;
#[doc(hidden)]
pub mod memory;
mod open;
mod pages;
mod read;
mod record;
mod report_file;
mod results_book;
mod results_file;
mod runs;
mod schema;
mod standing;
mod statement;
mod states;
mod streaming;
mod verify;
mod writer;

pub use admit::{AdmitError, AdmittedRow, NewBatch};
pub use error::{LedgerError, LockError};
pub use find::RowFilter;
pub use limits::{Hint, RecentSubmit, Repeat};
pub use lock::LedgerLock;
pub use open::{Ledger, is_ledger_file};
pub use read::{BatchInfo, FoundBatch};
pub use record::{BatchEvent, BatchId, Record};
pub use report_file::{ReportFileError, report_path_is_ours, write_report_file};
pub use results_file::{ResultsFileError, results_fit, results_path_is_ours, write_results_file};
pub use runs::{Run, RunEnd};
pub use statement::{BatchProvider, Owner, Scratch, Several};
pub use verify::{Difference, VerifyReport};
pub use writer::{Commit, Writer};
