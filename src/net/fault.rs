//! From an error of the HTTP libraries to what it proves. Only errors raised before a request was handed to a
//! connection prove that nothing left; every other one may have sent it.

use std::error::Error;
use std::io;

use crate::domain::{Delivery, NetFault};

/// What the failure of a proxied exchange before its reply's head proves (`providers.md` C0).
pub(super) fn classify(error: &reqwest::Error, secure: bool) -> Delivery {
    if error.is_builder() {
        return Delivery::NotSent(NetFault::Connect);
    }
    if error.is_connect() {
        let handshake = secure && !error.is_dns() && !error.is_timeout() && is_handshake(error);
        return Delivery::NotSent(if handshake { NetFault::Tls } else { NetFault::Connect });
    }
    Delivery::MaybeSent(if error.is_timeout() { NetFault::TimedOut } else { NetFault::Broken })
}

/// Whether a connect error comes from the TLS handshake: it is rustls' own, or an I/O error that the TLS
/// connector wrapped in another one, which the plain connector never does.
pub(super) fn is_handshake(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        let inner = io.and_then(|outer| outer.get_ref());
        inner.is_some_and(|inner| inner.is::<rustls::Error>() || inner.is::<io::Error>())
    })
}

/// The last words of an error's chain of causes. The chain below the first error holds no URL.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    chain(error).skip(1).last().map_or_else(|| "no cause was named".to_owned(), ToString::to_string)
}

/// An error and its causes, outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
