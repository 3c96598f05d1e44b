//! Floor 2: from a row of cells to an order or a named problem. Joins intake and numbering with the rules of
//! the providers, which come in as functions. Pure: nothing is asked, nothing is sent, nothing is rounded.

pub mod amount;
mod goods;
mod judge;
mod policy;
mod problem;
mod seen;
mod spill;
mod sums;
mod totals;

pub use goods::read_goods;
pub use judge::{Judge, problem_of};
pub use policy::{Caps, Policy, ProviderRule};
pub use problem::{Judged, Problem, Warning};
pub use seen::NewFile;
pub use totals::{OverBatch, TotalLine, Totals};
