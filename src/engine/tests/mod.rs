//! The engine's promises, one test each.
#![expect(clippy::as_conversions, reason = "small numbers of a test")]

mod bench;
mod ends;
mod playing;
mod rates;
mod rows;
mod submits;
mod watched;
