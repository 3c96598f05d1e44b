//! An HTTP exchange as values: what a codec asks to be sent, and what came back of it.

use super::Secret;

/// HTTP method of a provider's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Query string in the URL.
    Get,
    /// Body given.
    Post,
}

/// One request, ready to be sent as it stands. URL and body may hold keys and signatures, so `Debug` shows
/// neither.
#[derive(Clone)]
pub struct HttpRequest {
    /// GET or POST.
    pub method: Method,
    /// Absolute URL with its query.
    pub url: Secret,
    /// `Content-Type` and body of a POST.
    pub body: Option<(&'static str, Secret)>,
    /// Longest reply body that is read, in bytes; a longer one counts as broken.
    pub reply_bytes_max: usize,
}

impl std::fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A reply whose head arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Whether the body surely arrived whole: Content-Length read in full, or chunked and ended, not
    /// compressed and within the cap. A body ended only by closing the connection is not intact
    /// (`providers.md` C0).
    pub intact: bool,
    /// Body bytes, possibly cut.
    pub body: Vec<u8>,
}

/// Why an exchange has no usable reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetFault {
    /// The name did not resolve, or the connection was refused, unreachable or timed out.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// No answer in time.
    TimedOut,
    /// The connection broke after the request may have left.
    Broken,
    /// The request was dropped by us before it was handed to the network.
    Withdrawn,
}

impl NetFault {
    /// A few words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::Connect => "no connection to the provider",
            Self::Tls => "no secure connection to the provider",
            Self::TimedOut => "no answer in time",
            Self::Broken => "the connection broke before the whole answer came",
            Self::Withdrawn => "stopped before the request was sent",
        }
    }
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A reply came, perhaps not intact.
    Replied(Reply),
    /// Proved: no byte of the request left.
    NotSent(NetFault),
    /// The request may have arrived; nothing usable came back.
    MaybeSent(NetFault),
}
