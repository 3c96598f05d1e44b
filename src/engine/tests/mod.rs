//! The engine's promises, one test each.

mod bench;
mod ends;
mod rows;
mod submits;
