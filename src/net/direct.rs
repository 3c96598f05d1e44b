//! A provider reached without a proxy: connections of our own, each carrying one request at a time and driven by
//! whoever waits for its answer. The connector and the HTTP are libraries'; here is which connection a request
//! takes, and what a failure proves.
//!
//! The proof is in the order of work: a request is handed to a connection only when that stands, TLS handshake
//! included (without early data), and a connection that turns out to be closed hands an unstarted request back.
//! Whatever fails after that may have been sent.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::{Parts, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tower_service::Service;

use super::client::{AGENT, NetError, NetOptions};
use super::{fault, reply};
use crate::domain::{Delivery, HttpRequest, Method, NetFault, Secret};

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
    kept: Arc<Mutex<Resting>>,
    /// How often the system was let tell what came on kept connections.
    rounds: AtomicU64,
    /// The address of the last POST: most often that of the next one too. A GET has its order in its address.
    posted: Mutex<Option<(Secret, Arc<Address>)>>,
}

/// Connections without a request.
#[derive(Default)]
struct Resting {
    /// In the order of their times.
    kept: Vec<Kept>,
    /// A task closes what is kept for too long.
    watched: bool,
}

struct Kept {
    address: Arc<Address>,
    link: Box<Link>,
    /// By [`clock`].
    since: Duration,
    /// The last of [`Direct::rounds`] before that.
    round: u64,
}

/// Where a request goes.
struct Address {
    /// As it was asked for.
    target: Uri,
    /// Path and query, as the request names them.
    page: Uri,
    origin: Origin,
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
        Ok(Self {
            connector: HttpsConnector::from((http, tls(options.tls)?)),
            timeout: options.timeout,
            connect_timeout,
            idle: options.idle,
            kept: Arc::default(),
            rounds: AtomicU64::new(0),
            posted: Mutex::default(),
        })
    }

    pub(super) async fn send(&self, request: &HttpRequest) -> Delivery {
        let outgoing =
            self.address(request).and_then(|address| Some((outgoing(request, &address)?, address)));
        let Some((message, address)) = outgoing else {
            return Delivery::NotSent(NetFault::Connect);
        };
        let mut message = Some(message);
        let exchange = self.exchange(address, &mut message, request.reply_bytes_max);
        // Connecting has a shorter limit of its own: what passes this one may have been sent.
        let in_time = tokio::time::timeout(self.timeout, exchange).await;
        in_time.unwrap_or(Delivery::MaybeSent(NetFault::TimedOut))
    }

    /// The system told what came on the connections kept until now.
    pub(super) fn told(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Where the request goes. None: its address is none.
    fn address(&self, request: &HttpRequest) -> Option<Arc<Address>> {
        let url = request.url.expose();
        if request.method == Method::Get {
            return Address::of(url).map(Arc::new);
        }
        let mut posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = posted.as_ref().filter(|(known, _)| known.expose() == url) {
            return Some(Arc::clone(known));
        }
        let address = Arc::new(Address::of(url)?);
        *posted = Some((request.url.clone(), Arc::clone(&address)));
        Some(address)
    }

    /// Takes the message: it is sent at most once, whatever becomes of this.
    async fn exchange(
        &self,
        address: Arc<Address>,
        message: &mut Option<Outgoing>,
        bytes_max: usize,
    ) -> Delivery {
        loop {
            let (mut link, kept) = match self.take(&address.origin) {
                Some(Kept { link, round, .. }) => {
                    // The system tells first what came since then: an end, or a stray reply. (It does if this is
                    // polled only when it is woken; whoever polls more often listens for all.)
                    if round == self.rounds.load(Ordering::Relaxed) {
                        tokio::task::yield_now().await;
                    }
                    (link, true)
                }
                // Seldom, and large: what waits for answers stays small.
                None => match Box::pin(self.connect(&address)).await {
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
            let Some(unsent) = message.take() else { return Delivery::MaybeSent(NetFault::Broken) };
            match link.send(unsent).await {
                Ok(head) => {
                    // Nobody but the time limit above ends this early.
                    let read = pin!(reply::read(head, bytes_max, |_| false));
                    let delivery = link.drive(read).await;
                    self.keep(address, link).await;
                    return delivery;
                }
                // It closed first, and not a byte of the request was written.
                Err(Some(unsent)) if kept => *message = Some(unsent),
                Err(Some(_)) => return Delivery::NotSent(NetFault::Connect),
                Err(None) => return Delivery::MaybeSent(NetFault::Broken),
            }
        }
    }

    async fn connect(&self, address: &Address) -> Result<Box<Link>, NetFault> {
        let mut connector = self.connector.clone();
        let connecting = async {
            poll_fn(|cx| connector.poll_ready(cx)).await?;
            connector.call(address.target.clone()).await
        };
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(stream)) => {
                let shaken = http1::handshake(stream).await.map_err(|_| NetFault::Connect)?;
                let (sender, connection) = shaken;
                Ok(Box::new(Link { sender, connection: Some(connection) }))
            }
            Ok(Err(error)) if address.origin.secure && fault::is_handshake(error.as_ref()) => {
                Err(NetFault::Tls)
            }
            Ok(Err(_)) | Err(_) => Err(NetFault::Connect),
        }
    }

    /// A kept connection, the youngest first. Whatever was kept for too long is closed.
    fn take(&self, origin: &Origin) -> Option<Kept> {
        if self.idle.is_zero() {
            return None;
        }
        let mut resting = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        resting.close_spent(self.idle);
        let place = resting.kept.iter().rposition(|one| one.address.origin == *origin)?;
        Some(resting.kept.remove(place))
    }

    /// Keeps a connection whose exchange came to its end.
    async fn keep(&self, address: Arc<Address>, mut link: Box<Link>) {
        if self.idle.is_zero() || !link.rests().await {
            return;
        }
        let mut resting = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if resting.kept.len() < KEPT_MAX {
            let round = self.rounds.load(Ordering::Relaxed);
            resting.kept.push(Kept { address, link, since: clock(), round });
        }
        if !resting.watched {
            resting.watched = true;
            tokio::spawn(close_in_time(Arc::downgrade(&self.kept), self.idle));
        }
    }
}

impl Resting {
    fn close_spent(&mut self, idle: Duration) {
        let now = clock();
        let spent = self.kept.partition_point(|one| now.saturating_sub(one.since) >= idle);
        self.kept.drain(..spent);
    }
}

/// Closes connections that nobody asks for any more, until none is left.
#[expect(clippy::disallowed_methods, reason = "a connection that rests waits for nothing else")]
async fn close_in_time(resting: Weak<Mutex<Resting>>, idle: Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let Some(resting) = resting.upgrade() else { return };
        let mut resting = resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.close_spent(idle);
        if resting.kept.is_empty() {
            resting.watched = false;
            return;
        }
    }
}

/// One connection.
struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None: it came to its end. Only then a request that it did not begin comes back.
    connection: Option<http1::Connection<Stream, Full<Bytes>>>,
}

impl Link {
    /// Reads and writes what can be read and written now.
    fn turn(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    /// Works on the connection until something that depends on it is there.
    async fn drive<F: Future>(&mut self, mut wanted: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            // The turn before may have brought it: the head of a reply most often brings its body.
            if let Poll::Ready(there) = wanted.as_mut().poll(cx) {
                return Poll::Ready(there);
            }
            self.turn(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    /// Whether the other side did not close it, as far as is known.
    async fn is_open(&mut self) -> bool {
        poll_fn(|cx| {
            self.turn(cx);
            Poll::Ready(self.connection.is_some())
        })
        .await
    }

    /// Whether it can take the next request at once: the whole request was written, the whole reply read.
    async fn rests(&mut self) -> bool {
        poll_fn(|cx| {
            self.turn(cx);
            Poll::Ready(
                self.connection.is_some() && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))),
            )
        })
        .await
    }

    /// Sends a request and waits for the head of the reply. An error gives back a request that was not begun.
    fn send(
        &mut self,
        message: Outgoing,
    ) -> impl Future<Output = Result<Response<Incoming>, Option<Outgoing>>> {
        let answer = self.sender.try_send_request(message);
        async move {
            let answered = self.drive(pin!(answer)).await;
            answered.map_err(|mut error: TrySendError<Outgoing>| error.take_message())
        }
    }
}

/// HTTP/1.1 over TLS; trusts the system's roots, or none at all.
fn tls(wanted: bool) -> Result<ClientConfig, NetError> {
    let builder = ClientConfig::builder();
    let mut config = if wanted {
        let verified = builder.with_platform_verifier();
        verified.map_err(|error| NetError::Tls(error.to_string()))?.with_no_client_auth()
    } else {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Address {
    /// Reads a URL. None: it is none that can be reached.
    fn of(url: &str) -> Option<Self> {
        let target = Uri::try_from(url).ok()?;
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
        let page = Uri::from_parts(parts).ok()?;
        Some(Self { target, page, origin: Origin { secure, host } })
    }
}

/// The request as HTTP says it.
fn outgoing(request: &HttpRequest, address: &Address) -> Option<Outgoing> {
    let (method, content) = match request.method {
        Method::Get => (hyper::Method::GET, None),
        Method::Post => (hyper::Method::POST, request.body.as_ref()),
    };
    let mut body = Bytes::new();
    let mut message = Request::builder()
        .method(method)
        .uri(address.page.clone())
        .header(HOST, address.origin.host.clone())
        .header(ACCEPT, HeaderValue::from_static("*/*"))
        .header(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some((content_type, text)) = content {
        message = message.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
        body = Bytes::copy_from_slice(text.expose().as_bytes());
    }
    message.body(Full::new(body)).ok()
}

/// A clock that goes on while the machine sleeps, where there is one: what stood open over a night is not young.
fn clock() -> Duration {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let at = rustix::time::clock_gettime(id);
    let nanos = u32::try_from(at.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(at.tv_sec).unwrap_or(0), nanos)
}
