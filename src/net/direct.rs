//! A provider reached without a proxy: connections of our own, each carrying one request at a time and driven by
//! whoever waits for its answer. The connector and the HTTP are libraries'; here is which connection a request
//! takes, and what a failure proves.
//!
//! The proof is in the order of work: a request is handed to a connection only when that stands, TLS handshake
//! included (without early data), and a connection that turns out to be closed hands an unstarted request back.
//! Whatever fails after that may have been sent.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::{Parts, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tower_service::Service;

use super::client::{AGENT, NetError, NetOptions};
use super::{fault, reply};
use crate::domain::{Delivery, HttpRequest, Method, NetFault};

/// Connections kept for the next requests: more than any width asks for.
const KEPT_MAX: usize = 1024;

/// Asks an idle peer whether it is still there: firewalls forget connections that say nothing.
const KEEPALIVE: Duration = Duration::from_secs(15);

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type Outgoing = Request<Full<Bytes>>;

/// Reaches one provider; its kept connections.
pub(super) struct Direct {
    connector: HttpsConnector<HttpConnector>,
    timeout: Duration,
    connect_timeout: Duration,
    idle: Duration,
    kept: Mutex<Vec<Kept>>,
}

/// A connection without a request.
struct Kept {
    origin: Origin,
    link: Box<Link>,
    since: Instant,
}

/// Where connections lead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    secure: bool,
    /// Host and port, as the request names them.
    host: HeaderValue,
}

impl Direct {
    pub(super) fn new(options: &NetOptions) -> Result<Self, NetError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEPALIVE));
        let connect_timeout = options.connect_max();
        // Shared out among the addresses of a name: a dead one leaves time for the next.
        http.set_connect_timeout(Some(connect_timeout));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls(options.tls)?).https_or_http().enable_http1();
        Ok(Self {
            connector: connector.wrap_connector(http),
            timeout: options.timeout,
            connect_timeout,
            idle: options.idle,
            kept: Mutex::new(Vec::new()),
        })
    }

    pub(super) async fn send(&self, request: &HttpRequest) -> Delivery {
        let Some((target, origin, message)) = outgoing(request) else {
            return Delivery::NotSent(NetFault::Connect);
        };
        let exchange = self.exchange(target, origin, message, request.reply_bytes_max);
        // Connecting has a shorter limit of its own: what passes this one may have been sent.
        let in_time = tokio::time::timeout(self.timeout, exchange).await;
        in_time.unwrap_or(Delivery::MaybeSent(NetFault::TimedOut))
    }

    async fn exchange(
        &self,
        target: Uri,
        origin: Origin,
        mut message: Outgoing,
        bytes_max: usize,
    ) -> Delivery {
        loop {
            let (mut link, kept) = match self.take(&origin) {
                Some(link) => (link, true),
                None => match self.connect(&target, origin.secure).await {
                    Ok(link) => (link, false),
                    Err(fault) => return Delivery::NotSent(fault),
                },
            };
            if !link.is_open().await {
                if kept {
                    continue;
                }
                return Delivery::NotSent(NetFault::Connect);
            }
            match link.send(message).await {
                Ok(head) => {
                    // Nobody but the time limit above ends this early.
                    let read = pin!(reply::read(head, bytes_max, |_| false));
                    let delivery = link.drive(read).await;
                    self.keep(origin, link).await;
                    return delivery;
                }
                // It closed first, and not a byte of the request was written.
                Err(Some(unsent)) if kept => message = unsent,
                Err(Some(_)) => return Delivery::NotSent(NetFault::Connect),
                Err(None) => return Delivery::MaybeSent(NetFault::Broken),
            }
        }
    }

    async fn connect(&self, target: &Uri, secure: bool) -> Result<Box<Link>, NetFault> {
        let mut connector = self.connector.clone();
        let connecting = async {
            poll_fn(|cx| connector.poll_ready(cx)).await?;
            connector.call(target.clone()).await
        };
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(stream)) => {
                let shaken = http1::handshake(stream).await.map_err(|_| NetFault::Connect)?;
                let (sender, connection) = shaken;
                Ok(Box::new(Link { sender, connection, open: true }))
            }
            Ok(Err(error)) if secure && fault::is_handshake(error.as_ref()) => Err(NetFault::Tls),
            Ok(Err(_)) | Err(_) => Err(NetFault::Connect),
        }
    }

    /// A kept connection, the youngest first. Whatever was kept for too long is closed.
    fn take(&self, origin: &Origin) -> Option<Box<Link>> {
        if self.idle.is_zero() {
            return None;
        }
        let now = instant();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // They stand in the order of their times.
        let spent = kept.partition_point(|one| now.duration_since(one.since) >= self.idle);
        kept.drain(..spent);
        let place = kept.iter().rposition(|one| one.origin == *origin)?;
        Some(kept.remove(place).link)
    }

    /// Keeps a connection whose exchange came to its end.
    async fn keep(&self, origin: Origin, mut link: Box<Link>) {
        if self.idle.is_zero() || !link.rests().await {
            return;
        }
        let since = instant();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(Kept { origin, link, since });
        }
    }
}

/// One connection.
struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<Stream, Full<Bytes>>,
    open: bool,
}

impl Link {
    /// Reads and writes what can be read and written now.
    fn turn(&mut self, cx: &mut Context<'_>) {
        if self.open && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.open = false;
        }
    }

    /// Works on the connection until something that depends on it is there.
    async fn drive<F: Future>(&mut self, mut wanted: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            self.turn(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    /// Whether the other side did not close it, as far as is known.
    async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            self.turn(cx);
            Poll::Ready(self.open)
        })
        .await
    }

    /// Whether it can take the next request at once: the whole request was written, the whole reply read.
    async fn rests(&mut self) -> bool {
        poll_fn(|cx| {
            self.turn(cx);
            Poll::Ready(self.open && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Sends a request and waits for the head of the reply. An error gives back a request that was not begun.
    async fn send(&mut self, message: Outgoing) -> Result<Response<Incoming>, Option<Outgoing>> {
        let answer = pin!(self.sender.try_send_request(message));
        let answered = self.drive(answer);
        answered.await.map_err(|mut error: TrySendError<Outgoing>| error.take_message())
    }
}

/// Roots of trust: the system's, or none at all.
fn tls(wanted: bool) -> Result<ClientConfig, NetError> {
    if !wanted {
        let none = RootCertStore::empty();
        return Ok(ClientConfig::builder().with_root_certificates(none).with_no_client_auth());
    }
    let verified = ClientConfig::builder().with_platform_verifier();
    Ok(verified.map_err(|error| NetError::Tls(error.to_string()))?.with_no_client_auth())
}

/// The request as HTTP says it, and where it goes. None: its address is none.
fn outgoing(request: &HttpRequest) -> Option<(Uri, Origin, Outgoing)> {
    let target = Uri::try_from(request.url.expose()).ok()?;
    let secure = match target.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return None,
    };
    let authority = target.authority()?.as_str();
    if authority.contains('@') {
        return None;
    }
    let host = HeaderValue::try_from(authority).ok()?;
    let mut parts = Parts::default();
    parts.path_and_query =
        Some(target.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    let (method, content) = match request.method {
        Method::Get => (hyper::Method::GET, None),
        Method::Post => (hyper::Method::POST, request.body.as_ref()),
    };
    let mut body = Bytes::new();
    let mut message = Request::builder()
        .method(method)
        .uri(Uri::from_parts(parts).ok()?)
        .header(HOST, host.clone())
        .header(ACCEPT, HeaderValue::from_static("*/*"))
        .header(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some((content_type, text)) = content {
        message = message.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
        body = Bytes::copy_from_slice(text.expose().as_bytes());
    }
    let message = message.body(Full::new(body)).ok()?;
    Some((target, Origin { secure, host }, message))
}

#[expect(clippy::disallowed_methods, reason = "how long a connection stood idle")]
fn instant() -> Instant {
    Instant::now()
}
