//! The three providers on one local port, written from their documents alone: strict about what they
//! are asked, faulty on demand, and with a charge log that says what was really charged. It imports
//! nothing of this crate, so that a misreading of a document in one place shows against the other.
//!
//! # Calls
//!
//! `/gateway/flowapi/{List,ListByPhone,OrderCreate,OrderQuery}` (Tutom, GET or POST form),
//! `/apipayment/{topup,recheck,userbalance}.jsp` (CONNECT TOPUP, GET), and
//! `/trade/topup/api/{topup,query,queryOperatorCode,queryGoods}` (Paynicorn, POST JSON: plain as in the
//! document's samples, or in a signed envelope, and answered in the same form). All else is HTTP 404.
//! [`demo_accounts`] has the credentials. A request that breaks its document (method, unknown, missing,
//! repeated or too long field, signature, shape of a value) gets the document's code for it and a
//! `malformed` line in the charge log.
//!
//! # Scenario numbers
//!
//! The last four digits of a number decide how its order goes, before any fault of the profile:
//!
//! | digits | Tutom | CONNECT TOPUP | Paynicorn |
//! |---|---|---|---|
//! | `0001` | state -1 or 2, then 10 after `settle` | `0;id`, then `1;id` | statusCode 0, then 1 |
//! | `0002` | state -1 or 2, then 6 | `0;id`, then `61;id` | statusCode 0, then 2 |
//! | `0003` | state 6 at once | `61` | statusCode 2 at once |
//! | `0004` | OrderCreate 21104 | `6` | 4030 (the operator look-up finds it) |
//! | `0005` | first ListByPhone 21103 | `0;id`, then `1;id` after `settle` | 4014 on the first try of an id |
//! | `0006` | 21107, charged, OrderQuery says 10 | `-99;id`, charged, recheck says `1;id` | 4026, charged, query says 1 |
//! | `0007` | charged, the connection breaks without an answer | the same | the same |
//! | `0008` | 21107, not charged, OrderQuery 21106 | `0;id`, not charged, recheck `61;id` | 4029, not charged, query 4007 |
//! | `0009` | answered after 3 s | the same | the same |
//!
//! Every other order is charged and completed at once, unless [`Faults::parse`] says otherwise.
//!
//! # Charge log
//!
//! One JSON line for each event, written before it is answered. `request`: a submit arrived on the
//! wire (with `nth` of its id, `in_flight`, the `fault` it meets, `over_rate`). `charge`: money was
//! taken, exactly once for each charged order; `complete` or `fail` (which gives it back) follows when
//! it settles. `fail` without `charge`: taken and failed, nothing charged. `refuse`: not taken.
//! `malformed`: breaks the document. A start on an existing log takes its orders up again.

mod accounts;
mod book;
mod callback;
mod clock;
mod connect_topup;
mod dice;
mod envelope;
mod faults;
mod goods;
mod inquiry;
mod json;
mod log;
mod money;
mod numbers;
mod paynicorn;
mod reply_body;
mod server;
#[cfg(test)]
mod tests;
mod tutom;
mod world;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use accounts::{DemoAccounts, demo_accounts};
pub use faults::Faults;

use inquiry::Provider;
use server::Shared;

/// How to start a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// The charge log, taken up if it exists. Without one, nothing outlives the process.
    pub log: Option<PathBuf>,
    /// The seed of all chance.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
}

/// Where a charged order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeState {
    /// Charged, not settled.
    Open,
    /// Delivered.
    Completed,
    /// Failed, and given back.
    Refunded,
}

/// An order that was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// `tutom`, `connect-topup` or `paynicorn`.
    pub provider: &'static str,
    /// The client's transaction id.
    pub id: String,
    /// The provider's reference.
    pub reference: String,
    /// The number as the client sent it.
    pub phone: String,
    /// Major units of `currency`, with all its places.
    pub amount: String,
    /// ISO 4217.
    pub currency: &'static str,
    /// Tutom's product id, or Paynicorn's business type.
    pub product: String,
    /// Operator, gateway or operator code.
    pub operator: String,
    /// How it ended, if it has.
    pub state: ChargeState,
}

/// A running sandbox. Dropping it ends it as [`Sandbox::stop`] does, without waiting.
pub struct Sandbox {
    addr: SocketAddr,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        form.debug_struct("Sandbox").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// Starts a sandbox on the current runtime.
///
/// # Errors
/// The address cannot be listened on, or the charge log cannot be read or written.
pub async fn start(options: Options) -> io::Result<Sandbox> {
    let world = world::World::open(options.log.as_deref(), options.seed, options.faults)?;
    let listener = TcpListener::bind(options.addr).await?;
    let addr = listener.local_addr()?;
    let shared = Shared::new(world);
    let server = tokio::spawn(server::run(listener, Arc::clone(&shared)));
    Ok(Sandbox { addr, shared, server: Some(server) })
}

impl Sandbox {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends it as a kill would: connections break, requests under way are not acted on any more.
    pub async fn stop(mut self) {
        self.shared.stop();
        if let Some(server) = self.server.take() {
            // It has ended in any case.
            drop(server.await);
        }
    }

    /// Every charged order, in the order of their charges, those of earlier runs on the log included.
    pub fn charges(&self) -> Vec<Charge> {
        let world = self.shared.world();
        let charges = world.book.charged().map(|order| {
            let (currency, scale) = order.wanted.provider.currency();
            Charge {
                provider: order.wanted.provider.name(),
                id: order.wanted.id.clone(),
                reference: order.wanted.reference.clone(),
                phone: order.wanted.phone.clone(),
                amount: money::shown(order.wanted.amount, scale),
                currency,
                product: order.wanted.product.clone(),
                operator: order.wanted.operator.clone(),
                state: match order.state {
                    book::State::Open => ChargeState::Open,
                    book::State::Completed => ChargeState::Completed,
                    book::State::Failed => ChargeState::Refunded,
                },
            }
        });
        charges.collect()
    }

    /// What was wrong with the malformed requests of this run, one sentence each (the first 10,000).
    pub fn malformed(&self) -> Vec<String> {
        self.shared.world().malformed.clone()
    }

    /// The most submits to a provider (`tutom`, `connect-topup`, `paynicorn`) that were under way at once.
    pub fn in_flight_most(&self, provider: &str) -> u64 {
        Provider::named(provider).map_or(0, |provider| self.shared.world().in_flight_most(provider))
    }

    /// What the account at a provider holds, in major units; empty for an unknown name.
    pub fn balance(&self, provider: &str) -> String {
        let Some(provider) = Provider::named(provider) else { return String::new() };
        money::shown(self.shared.world().book.balance(provider), provider.currency().1)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
