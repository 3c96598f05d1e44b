//! The callback listener's promises: whatever comes in, it leaves at most a hint (`reliability.md`, invariant
//! 17), answers as the documents say, and stays within its bounds.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

#[path = "callbacks/abuse.rs"]
mod abuse;
#[path = "callbacks/fixture.rs"]
mod fixture;
#[path = "callbacks/noise.rs"]
mod noise;
#[path = "callbacks/processes.rs"]
mod processes;
#[path = "callbacks/program.rs"]
mod program;
#[path = "callbacks/receiving.rs"]
mod receiving;
