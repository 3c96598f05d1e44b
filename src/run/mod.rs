//! Floor 4: the shell that joins engine, ledger, net and signals. The only clock is here.

mod calls;
mod clock;
mod crash;
mod drive;
mod preflight;
mod signals;

pub use clock::Clock;
pub use crash::crash_at;
pub use drive::{Drive, Ended, Hinted, LaneClients, Observer, Rows, RunError};
pub use preflight::{Asked, ask, ask_once};
pub use signals::Signals;
