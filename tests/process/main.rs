//! The built program from outside: it is run, faulted, killed, stopped and interrupted against the sandbox, and
//! judged by its files, its exit code and the sandbox's charge log alone.
//!
//! Longer campaigns: `KILLS=2000 SEED=7 cargo test --test process killed_at_random -- --nocapture`, and
//! `FAULT_SEEDS=200 SEED=7 cargo test --test process faults -- --nocapture`.
#![expect(clippy::unwrap_used, reason = "what breaks here is a failed test")]
#![expect(clippy::indexing_slicing, reason = "what breaks here is a failed test")]
#![expect(clippy::as_conversions, reason = "counts of a test fit everywhere")]
#![expect(clippy::disallowed_methods, reason = "a test of processes waits by the real clock")]
#![expect(clippy::print_stderr, reason = "seeds and figures of a campaign are for whoever runs it")]

mod between;
mod books;
mod caps;
mod checker;
mod checks;
mod disks;
mod doctored;
mod evidence;
mod exits;
mod faults;
mod halts;
mod kills;
mod locks;
mod logs;
mod lost;
mod people;
mod privacy;
mod program;
mod proofs;
mod rates;
mod rechecks;
mod report;
mod retry;
mod rows;
mod screens;
mod setup;
mod signals;
mod sound;
mod workbooks;
mod world;
