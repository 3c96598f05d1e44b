//! The HTTP side: bounded connections, one request each, every part of it bounded in size and time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::gate::{Entry, Gate};
use super::keeper::{Kept, Note};
use super::tally::{Counters, Refused, count};
use crate::ledger::LedgerError;
use crate::protocol::{CallbackHint, CallbackRefused};

/// No document has a callback that comes near this.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Request line and headers together.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Connections at once: with head and body at their limits they take 32 MiB. One more pushes out the oldest, so
/// that those who dawdle never keep out those who speak.
const CONNECTIONS_MAX: usize = 256;

/// How long the ledger may take; another process keeps it longer only while it takes in a large file.
const LEDGER_TIME_MAX: Duration = Duration::from_secs(5);

/// What is being answered when the listener ends may take so long.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// After a connection that could not be accepted (out of file descriptors) others are tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
pub(super) struct Shared {
    pub gate: Gate,
    pub counters: Counters,
    /// Longest time of a connection, from its start to its answer.
    pub request_time_max: Duration,
    trouble: Mutex<Option<LedgerError>>,
}

impl Shared {
    pub fn new(gate: Gate, request_time_max: Duration) -> Self {
        Self { gate, counters: Counters::default(), request_time_max, trouble: Mutex::new(None) }
    }

    /// Keeps the latest failure of the ledger for whoever watches.
    pub fn trouble(&self, error: LedgerError) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub fn take_trouble(&self) -> Option<LedgerError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Serves until told to stop, or until whoever could tell is gone.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    notes: mpsc::Sender<Note>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut tasks = JoinSet::new();
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stop => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            pause(ACCEPT_PAUSE).await;
            continue;
        };
        if !admitted(&shared, peer) {
            continue;
        }
        open.retain(|task| !task.is_finished());
        if open.len() >= CONNECTIONS_MAX
            && let Some(oldest) = open.pop_front()
        {
            shared.counters.refuse(Refused::Crowded);
            oldest.abort();
        }
        open.push_back(tasks.spawn(connection(stream, Arc::clone(&shared), notes.clone())));
    }
    drop(listener);
    let _ = timeout(LAST_ANSWERS, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

/// Whether the peer's network is allowed. If not, the connection just ends: there is nothing here for it.
fn admitted(shared: &Shared, peer: SocketAddr) -> bool {
    let admitted = shared.gate.admits(peer.ip());
    if !admitted {
        shared.counters.refuse(Refused::Network);
    }
    admitted
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, notes: mpsc::Sender<Note>) {
    // An answer is one write; without this it could wait for an acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let known = Arc::clone(&shared);
    let service = service_fn(move |request| {
        let (shared, notes) = (Arc::clone(&known), notes.clone());
        async move { Ok::<_, Infallible>(answer(&shared, &notes, request).await) }
    });
    let http = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if timeout(shared.request_time_max, http).await.is_err() {
        shared.counters.refuse(Refused::Slow);
    }
}

async fn answer(
    shared: &Shared,
    notes: &mpsc::Sender<Note>,
    request: axum::http::Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    let spoken = head.method == Method::GET || head.method == Method::POST;
    let Some(entry) = shared.gate.entry(head.uri.path()).filter(|_| spoken) else {
        shared.counters.refuse(Refused::Path);
        return empty(StatusCode::NOT_FOUND);
    };
    count(&shared.counters.received);
    let promised = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if promised > BODY_BYTES_MAX {
        shared.counters.refuse(Refused::Oversized);
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    }
    // A body that breaks off has nobody left to answer to.
    let Ok(body) = to_bytes(Body::new(body), BODY_BYTES_MAX).await else {
        shared.counters.refuse(Refused::Oversized);
        return empty(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match entry.read(content_type, head.uri.query(), &body) {
        Ok(hint) => keep(shared, notes, entry, hint).await,
        // Rightly signed, but of another program's order: it may have the same account.
        Err(CallbackRefused::NotOurs) => {
            count(&shared.counters.unknown);
            acknowledged(entry)
        }
        Err(why) => {
            shared.counters.refuse(why.into());
            empty(StatusCode::BAD_REQUEST)
        }
    }
}

async fn keep(shared: &Shared, notes: &mpsc::Sender<Note>, entry: &Entry, hint: CallbackHint) -> Response {
    let (answer, kept) = oneshot::channel();
    let note = Note { provider: entry.name().to_owned(), hint, answer };
    if notes.try_send(note).is_err() {
        shared.counters.refuse(Refused::Ledger);
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    // A hint that is late for its answer is still put down.
    match timeout(LEDGER_TIME_MAX, kept).await {
        Ok(Ok(Kept::Done)) => acknowledged(entry),
        Ok(Ok(Kept::Failed) | Err(_)) | Err(_) => empty(StatusCode::SERVICE_UNAVAILABLE),
    }
}

fn acknowledged(entry: &Entry) -> Response {
    let mut response = Response::new(Body::from(entry.acknowledgement()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

#[expect(clippy::disallowed_methods, reason = "only how long the machine gets to recover; decides nothing")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
