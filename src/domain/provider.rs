//! Which provider, and which account at it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The three providers' protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    /// Unimobile/Tutom: mobile data in China.
    Tutom,
    /// CONNECT TOPUP: airtime in Vietnam.
    ConnectTopup,
    /// Paynicorn: airtime in Nigeria and elsewhere.
    Paynicorn,
}

impl ProviderKind {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tutom => "tutom",
            Self::ConnectTopup => "connect-topup",
            Self::Paynicorn => "paynicorn",
        }
    }

    /// Reads the word of the configuration.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Tutom, Self::ConnectTopup, Self::Paynicorn].into_iter().find(|kind| kind.as_str() == text)
    }
}

impl std::fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The account a row is bound to: protocol and `username` or `app_key` (`contract.md` 7). It holds a digest
/// of the account's name, never the name, because an app key is a secret and this value is stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId {
    /// Protocol.
    pub kind: ProviderKind,
    /// First 32 hex digits of the SHA-256 of kind and account.
    tag: String,
}

impl AccountId {
    /// The account with this `username` or `app_key`.
    pub fn new(kind: ProviderKind, account: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_str().as_bytes());
        hash.update([0]);
        hash.update(account.as_bytes());
        let mut tag = hex::encode(hash.finalize());
        tag.truncate(32);
        Self { kind, tag }
    }

    /// An account as the ledger stored it.
    pub fn from_parts(kind: ProviderKind, tag: String) -> Self {
        Self { kind, tag }
    }

    /// The digest that is stored.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}
