//! Floor 1: what may happen to one top-up. One function decides every change of state, whether the program
//! runs live, recovers after a crash, verifies the ledger or writes a report.

mod entry;
mod event;
mod policy;
mod receipt;
mod state;
mod stored;
#[cfg(test)]
mod tests;
mod transition;

pub use entry::Entry;
pub use event::{Event, Intent, NotFoundRuling, ResolvedAs};
pub use policy::FollowPolicy;
pub(crate) use policy::scatter;
pub use receipt::Receipt;
pub use state::{NotFoundSeries, PastAttempt, Phase, TopUp};
pub use stored::{StoredRow, asked};
pub use transition::Illegal;
