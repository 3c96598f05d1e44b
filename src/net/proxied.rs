//! A provider reached through a proxy: reqwest, which knows about tunnels and a proxy's own TLS and password.
//!
//! The libraries' order of work makes the proof: reqwest's connector resolves the name, connects, opens the
//! tunnel (`CONNECT`, for https) and does the TLS handshake (without early data) before a connection exists, and
//! hyper-util marks what fails there, and nothing else, as a connect error. It hands the request over only after
//! that.

use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::client::{AGENT, NetError, NetOptions};
use super::{fault, reply};
use crate::domain::{Delivery, HttpRequest, Method, NetFault, Secret};

/// Reaches one provider.
pub(super) struct Proxied(reqwest::Client);

impl Proxied {
    pub(super) fn new(options: &NetOptions, proxy: &Secret) -> Result<Self, NetError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(AGENT)
            .timeout(options.timeout)
            .connect_timeout(options.connect_max())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .referer(false);
        builder = if options.idle.is_zero() {
            builder.pool_max_idle_per_host(0)
        } else {
            builder.pool_idle_timeout(options.idle)
        };
        if !options.tls {
            builder = builder.tls_certs_only([]);
        }
        let built = builder.proxy(proxy_of(proxy)?).build();
        built.map(Self).map_err(|error| NetError::Tls(fault::root_cause(&error)))
    }

    pub(super) async fn send(&self, request: &HttpRequest) -> Delivery {
        let Ok(url) = reqwest::Url::parse(request.url.expose()) else {
            return Delivery::NotSent(NetFault::Connect);
        };
        let secure = url.scheme() == "https";
        let mut builder = match request.method {
            Method::Get => self.0.get(url),
            Method::Post => self.0.post(url),
        };
        if let Some((content_type, body)) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
                .body(body.expose().to_owned());
        }
        match builder.send().await {
            Ok(head) => reply::read(head.into(), request.reply_bytes_max, reqwest::Error::is_timeout).await,
            Err(error) => fault::classify(&error, secure),
        }
    }
}

/// The proxy for every request. Its `NO_PROXY` list stays empty: the environment has no say.
fn proxy_of(address: &Secret) -> Result<reqwest::Proxy, NetError> {
    let url = reqwest::Url::parse(address.expose()).map_err(|_| NetError::Proxy)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(NetError::Proxy);
    }
    reqwest::Proxy::all(url).map_err(|_| NetError::Proxy)
}
