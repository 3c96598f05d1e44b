//! `listen --metrics ADDR`: figures for Prometheus at an address of their own, so that whoever reaches the
//! callbacks does not reach the figures. One connection after another, each bounded in size and time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::context::Context;
use super::metrics::Metrics;
use crate::callbacks::Watch;
use crate::job::Stop;

/// A scrape asks for one short text; whoever dawdles longer is left.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(2);

/// Request line and headers of a scrape come nowhere near this.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// After a connection that could not be accepted others are tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A place where figures are served.
pub struct Scraping<'a> {
    socket: TcpListener,
    context: &'a Context,
    metrics: Metrics,
    callbacks: Watch,
}

impl<'a> Scraping<'a> {
    /// Takes the address.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 when it cannot be had.
    pub async fn at(address: SocketAddr, context: &'a Context, callbacks: Watch) -> Result<Self, Stop> {
        let socket = TcpListener::bind(address)
            .await
            .map_err(|e| Stop::refused(format!("--metrics {address}: {e}; name another address")))?;
        if !address.ip().is_loopback() {
            context.terminal.say(&format!(
                "warning: whoever reaches {address} can read the figures; 127.0.0.1 keeps them to this machine"
            ));
        }
        Ok(Self { socket, context, metrics: Metrics::new()?, callbacks })
    }

    /// Where.
    ///
    /// # Errors
    /// [`Stop`] when the system does not say.
    pub fn address(&self) -> Result<SocketAddr, Stop> {
        self.socket.local_addr().map_err(|e| Stop::internal(format!("--metrics: {e}")))
    }

    /// Serves for ever.
    pub async fn serve(&self) {
        loop {
            let Ok((stream, _)) = self.socket.accept().await else {
                self.context.clock.wait(ACCEPT_PAUSE).await;
                continue;
            };
            let service = service_fn(async |request| Ok::<_, Infallible>(self.answer(&request)));
            let http = http1::Builder::new()
                .keep_alive(false)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            // A scrape that breaks off has nobody left to tell.
            let _ = timeout(REQUEST_TIME_MAX, http).await;
        }
    }

    fn answer(&self, request: &axum::http::Request<Incoming>) -> Response {
        if request.method() != Method::GET || request.uri().path() != "/metrics" {
            return status(StatusCode::NOT_FOUND);
        }
        self.metrics.callbacks(&self.callbacks.tally());
        let counted = self.context.read_ledger().and_then(|ledger| match ledger {
            Some(ledger) => self.metrics.open(&ledger),
            None => Ok(()),
        });
        if let Err(stop) = counted {
            tracing::warn!(why = stop.message, "figures of the ledger cannot be read");
            return status(StatusCode::SERVICE_UNAVAILABLE);
        }
        let mut response = Response::new(Body::from(self.metrics.text()));
        let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    }
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
