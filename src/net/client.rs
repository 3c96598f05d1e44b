//! One HTTP client for one provider: its time limits, its proxy, and a [`Client::send`] that puts at most one
//! request on the wire.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::{fault, reply};
use crate::domain::{Delivery, HttpRequest, Method, NetFault, Secret};

/// How a [`Client`] reaches its provider.
#[derive(Clone, Debug)]
pub struct NetOptions {
    /// Longest time for a whole exchange, from looking up the name to the last byte of the reply.
    pub timeout: Duration,
    /// Longest time for name, connection, proxy tunnel and TLS handshake together. Held below `timeout`, so
    /// that a connection that never came about is told apart from a request without an answer.
    pub connect_timeout: Duration,
    /// `http://` or `https://` URL of a proxy, perhaps with a user and a password. None: direct, whatever the
    /// environment says.
    pub proxy: Option<Secret>,
    /// Longest time a connection is kept idle for the next request; zero: every request has its own.
    pub idle: Duration,
    /// Whether secure connections are made. Without them no root certificates are read, and every TLS
    /// handshake fails.
    pub tls: bool,
}

impl NetOptions {
    /// Servers close idle connections without a word, some after five seconds. A request that meets such a
    /// close may have arrived, which costs a person a phone call; a new connection costs some milliseconds.
    pub const IDLE_DEFAULT: Duration = Duration::from_secs(2);
}

impl Default for NetOptions {
    /// The limits of `contract.md` 7: 30 s for an exchange, 10 s for a connection.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            idle: Self::IDLE_DEFAULT,
            tls: true,
        }
    }
}

/// Why no client can be made. The texts hold no proxy address, because it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The proxy's address cannot be used.
    #[error("the proxy's address is not a http:// or https:// URL")]
    Proxy,
    /// TLS cannot be set up: most often the machine has no root certificates.
    #[error(
        "secure connections cannot be set up: {0}; if the system's root certificates are missing, install them (package ca-certificates)"
    )]
    Tls(String),
}

/// Sends requests to one provider. Clones share the connections.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client with these limits.
    ///
    /// # Errors
    /// [`NetError`] when the proxy's address is wrong or the machine has no root certificates.
    pub fn new(options: NetOptions) -> Result<Self, NetError> {
        // A provider that is installed already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let connect_max = options.timeout.saturating_mul(9) / 10;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("bulk-topup/", env!("CARGO_PKG_VERSION")))
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout.min(connect_max))
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
        if let Some(proxy) = options.proxy {
            builder = builder.proxy(proxy_of(&proxy)?);
        }
        let inner = builder.build().map_err(|error| NetError::Tls(fault::root_cause(&error)))?;
        Ok(Self { inner })
    }

    /// Sends the request once and says what became of it. [`Delivery::NotSent`] is a proof; whatever may have
    /// left is [`Delivery::MaybeSent`]. A future that is dropped may have sent it.
    pub async fn send(&self, request: &HttpRequest) -> Delivery {
        let Ok(url) = reqwest::Url::parse(request.url.expose()) else {
            return Delivery::NotSent(NetFault::Connect);
        };
        let secure = url.scheme() == "https";
        let mut builder = match request.method {
            Method::Get => self.inner.get(url),
            Method::Post => self.inner.post(url),
        };
        if let Some((content_type, body)) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
                .body(body.expose().to_owned());
        }
        match builder.send().await {
            Ok(head) => reply::read(head, request.reply_bytes_max).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_proxy_is_refused_without_being_shown() {
        for wrong in ["socks5://user:hunter2@10.0.0.1:1080", "hunter2", "http://"] {
            let options = NetOptions { proxy: Some(Secret::new(wrong)), tls: false, ..NetOptions::default() };
            let error = Client::new(options).unwrap_err();
            assert!(matches!(error, NetError::Proxy), "{wrong}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn the_options_show_no_password_of_a_proxy() {
        let options =
            NetOptions { proxy: Some(Secret::new("http://u:hunter2@h:1")), ..NetOptions::default() };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
