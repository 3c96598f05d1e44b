//! From an error of the HTTP library to what it proves. Only errors raised before a request was handed to a
//! connection prove that nothing left; every other one may have sent it.
//!
//! The libraries' order of work makes the proof: reqwest's connector resolves the name, connects, opens the
//! tunnel of a proxy (`CONNECT`, for https) and does the TLS handshake (without early data) before a connection
//! exists, and hyper-util marks what fails there, and nothing else, as a connect error. It hands the request
//! over only after that.

use std::error::Error;
use std::io;

use crate::domain::{Delivery, NetFault};

/// What the failure of an exchange before its reply's head proves (`providers.md` C0).
pub(super) fn classify(error: &reqwest::Error, secure: bool) -> Delivery {
    if error.is_builder() {
        return Delivery::NotSent(NetFault::Connect);
    }
    if error.is_connect() {
        let handshake = secure && !error.is_dns() && !error.is_timeout() && is_handshake(error);
        return Delivery::NotSent(if handshake { NetFault::Tls } else { NetFault::Connect });
    }
    Delivery::MaybeSent(after_connect(error))
}

/// The name of a failure once the request may have left.
pub(super) fn after_connect(error: &reqwest::Error) -> NetFault {
    if error.is_timeout() { NetFault::TimedOut } else { NetFault::Broken }
}

/// Whether a connect error comes from the TLS handshake: it is rustls' own, or an I/O error that the TLS
/// connector wrapped in another one, which the plain connector never does.
fn is_handshake(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        let inner = io.and_then(|outer| outer.get_ref());
        inner.is_some_and(|inner| inner.is::<rustls::Error>() || inner.is::<io::Error>())
    })
}

/// The last words of an error's chain of causes. The chain below the first error holds no URL.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| "no cause was named".to_owned(), ToString::to_string)
}

/// The causes below an error, outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}
