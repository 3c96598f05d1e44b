//! Floor 4: receives the providers' callbacks. A callback is a reason to look an order up, never a verdict: all
//! it can do is leave a hint in the ledger, whatever it says and whoever sent it.
//!
//! The listener works on threads of its own, so that no flood of callbacks slows a submitting run in the same
//! process, and holds no lock: in another process it only appends hints beside the one that submits.

mod gate;
mod keeper;
mod listener;
mod server;
mod tally;

pub use gate::{Entry, SecretUnfit};
pub use listener::{Listener, Options, StartError, Watch};
pub use tally::{Refused, Tally};
