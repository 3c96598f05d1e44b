//! Floor 2: the whole batch as one pure machine: lanes per provider with queue, limits, halts and pauses;
//! look-ups before a submit; submits; look-ups after it; the end of a run.

mod check;
mod clear;
mod finish;
mod follow;
mod halt;
mod lane;
mod limiter;
mod machine;
mod numbers;
mod recheck;
mod slot;
mod submit;
#[cfg(test)]
mod tests;
mod types;

pub use clear::{Heard, judge_told, question_about};
pub use machine::Engine;
pub use recheck::Rechecks;
pub use types::{
    CallEnd, CallId, CallKind, Clearance, Clearances, Command, Input, LaneConfig, LaneId, LaneStart,
    LaneStats, Loaded, Mode, Notice, PastSubmit, Rate, RecordId, Rules, RunConfig,
};
