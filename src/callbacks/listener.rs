//! A running listener: its two threads, from start to end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot};

use super::gate::{Entry, Gate, SecretUnfit};
use super::keeper::{WAITING_MAX, keep};
use super::server::{Shared, serve};
use super::tally::Tally;
use crate::domain::{Now, Secret};
use crate::ledger::{Ledger, LedgerError};

/// How long the end waits for hints that are being put down. What is not there by then is looked up by the
/// schedule, as if its callback had been lost.
const LAST_HINTS: Duration = Duration::from_secs(1);

/// How to listen.
pub struct Options {
    /// Where; port 0 takes a free one.
    pub address: SocketAddr,
    /// First part of the path.
    pub path_secret: Secret,
    /// Networks that may connect; empty: any.
    pub allow: Vec<IpNet>,
    /// Who has callbacks.
    pub entries: Vec<Entry>,
    /// The ledger's file; it is made if there is none.
    pub ledger: PathBuf,
    /// Longest time of a connection, from its start to its answer.
    pub request_time_max: Duration,
    /// The clock.
    pub now: Box<dyn Fn() -> Now + Send>,
}

impl Options {
    /// The usual longest time of a connection: a callback is one small request, and its answer waits at most
    /// half of this for the ledger.
    pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
}

/// Why it cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The secret.
    #[error(transparent)]
    Secret(#[from] SecretUnfit),
    /// The address.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No thread, or no event queue.
    #[error("the listener cannot start: {0}")]
    System(io::Error),
}

/// What a running listener tells.
#[derive(Clone)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// What came in so far.
    pub fn tally(&self) -> Tally {
        self.0.counters.read()
    }

    /// The latest failure of the ledger since this was last asked.
    pub fn take_trouble(&self) -> Option<LedgerError> {
        self.0.take_trouble()
    }
}

/// A running listener. Dropping it ends it as [`Listener::stop`] does.
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
    server_ended: oneshot::Receiver<()>,
    keeper_ended: Receiver<()>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listener {
    /// Starts to listen. Once this returns, callbacks are received.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(options: Options) -> Result<Self, StartError> {
        let Options { address, path_secret, allow, entries, ledger, request_time_max, now } = options;
        let shared = Arc::new(Shared::new(Gate::new(&path_secret, allow, entries)?, request_time_max));
        let at = |source| StartError::Address { address, source };
        let socket = TcpListener::bind(address).map_err(at)?;
        socket.set_nonblocking(true).map_err(at)?;
        let address = socket.local_addr().map_err(at)?;
        let ledger = Ledger::open(&ledger)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(StartError::System)?;
        let socket = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(socket).map_err(StartError::System)?
        };
        let (notes, queue) = mpsc::channel(WAITING_MAX);
        let (keeper_end, keeper_ended) = channel();
        let known = Arc::clone(&shared);
        thread("hints", keeper_end, move || keep(&ledger, &*now, queue, &known))?;
        let (stop, stopped) = oneshot::channel();
        let (server_end, server_ended) = oneshot::channel();
        let known = Arc::clone(&shared);
        let serving = move || runtime.block_on(serve(socket, known, notes, stopped));
        let server = thread("callbacks", server_end, serving)?;
        Ok(Self { address, shared, stop: Some(stop), server: Some(server), server_ended, keeper_ended })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it tells, also after its end.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Waits until it has ended, which it does not by itself unless something is badly wrong.
    pub async fn ended(&mut self) {
        // Only the end of the thread drops the other side.
        let _ = (&mut self.server_ended).await;
    }

    /// Takes nothing more, answers what is being asked, and ends, within about two seconds.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            // A panic in it was told when it happened.
            let _ = server.join();
            let _ = self.keeper_ended.recv_timeout(LAST_HINTS);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a thread that drops `end` when it is over, also by a panic.
fn thread<E: Send + 'static>(
    name: &str,
    end: E,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    let work = move || {
        let _end = end;
        work();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(StartError::System)
}
