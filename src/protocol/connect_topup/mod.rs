//! CONNECT TOPUP: airtime in Vietnam (`connect-topup.txt`).

use url::Url;

use crate::domain::Secret;

/// One account at CONNECT TOPUP.
#[derive(Clone, Debug)]
pub struct ConnectTopup {
    /// Ends in `/`; the pages' names follow (`topup.jsp`).
    pub base_url: Url,
    /// `username`.
    pub username: String,
    /// `privatekey`: in every request and in the checksum.
    pub private_key: Secret,
    /// Digest of the checksum.
    pub checksum: Checksum,
    /// What `recheck.jsp` is asked by.
    pub recheck_by: RecheckBy,
    /// When a submit names a gateway.
    pub send_gateway: SendGateway,
}

/// Digest of the checksum: the document says SHA-256, the one known client uses SHA-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// As the document says.
    Sha256,
    /// As the known client does.
    Sha1,
}

/// What `recheck.jsp` is asked by (`providers.md` A2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecheckBy {
    /// Only the provider's `idtransaction`.
    IdTransaction,
    /// Also our own `transidclient` where no idtransaction came (unproven).
    TransIdClient,
}

/// When a submit names a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendGateway {
    /// Only when the row names its operator.
    Named,
    /// Else by the number's prefix.
    Prefix,
}
