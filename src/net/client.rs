//! One HTTP client for one provider: its time limits, its proxy, and a [`Client::send`] that puts at most one
//! request on the wire.

use std::sync::Arc;
use std::time::Duration;

use super::direct::Direct;
use super::proxied::Proxied;
use crate::domain::{Delivery, HttpRequest, Secret};

/// How we name ourselves.
pub(super) const AGENT: &str = concat!("bulk-topup/", env!("CARGO_PKG_VERSION"));

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

    /// The longest time for a connection, surely below the whole one.
    pub(super) fn connect_max(&self) -> Duration {
        self.connect_timeout.min(self.timeout.saturating_mul(9) / 10)
    }
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
    way: Arc<Way>,
}

/// How the provider is reached.
enum Way {
    Direct(Direct),
    Proxied(Proxied),
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
        // A provider of cryptography that is installed already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let way = match &options.proxy {
            None => Way::Direct(Direct::new(&options)?),
            Some(proxy) => Way::Proxied(Proxied::new(&options, proxy)?),
        };
        Ok(Self { way: Arc::new(way) })
    }

    /// Lets the system tell what came on the connections of these clients since their last replies: an end, or
    /// something that nobody asked for. Requests that follow at once need not wait for that one by one; those that
    /// follow after other work have to be listened for again.
    pub async fn listen(clients: &[Self]) {
        tokio::task::yield_now().await;
        for client in clients {
            match &*client.way {
                Way::Direct(direct) => direct.told(),
                Way::Proxied(_) => {}
            }
        }
    }

    /// Sends the request once and says what became of it. [`Delivery::NotSent`] is a proof; whatever may have
    /// left is [`Delivery::MaybeSent`]. A future that is dropped may have sent it.
    pub async fn send(&self, request: &HttpRequest) -> Delivery {
        match &*self.way {
            Way::Direct(direct) => direct.send(request).await,
            Way::Proxied(proxied) => Box::pin(proxied.send(request)).await,
        }
    }
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
