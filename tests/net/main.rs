//! What the network shell promises, against a raw server that closes, lies and lingers at every moment: one
//! request on the wire for each send, and "not sent" only when the server saw nothing of it.
#![expect(clippy::unwrap_used, reason = "a broken server of a test is a failed test")]

mod once;
mod proofs;
mod replies;
mod server;
