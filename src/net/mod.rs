//! Floor 3: the wire. A request value goes out once and a reply value comes back, or the proof that nothing
//! left, or neither. It follows no redirect, repeats nothing, and knows no provider.

mod client;
mod direct;
mod fault;
mod proxied;
mod reply;

pub use client::{Client, NetError, NetOptions};
