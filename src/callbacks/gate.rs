//! Who may say something, and to whom: networks, the secret path, provider entries.

use std::net::IpAddr;

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::Secret;
use crate::protocol::{CallbackHint, CallbackRefused, Codec, callback_fields, paynicorn, tutom};

/// Answer to a good Tutom callback; its document names none.
const TUTOM_ACKNOWLEDGEMENT: &str = "success";

/// A secret that cannot be a part of a path, so that no callback could ever name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path secret must be letters, digits and -._~!$&'()*+,;=:@/ alone, and not empty")]
pub struct SecretUnfit;

/// A provider entry that has callbacks.
#[derive(Clone, Debug)]
pub struct Entry {
    name: String,
    language: Language,
}

#[derive(Clone, Debug)]
enum Language {
    Tutom(tutom::Tutom),
    Paynicorn(paynicorn::Paynicorn),
}

impl Entry {
    /// An entry by its name in the configuration. None: its provider has no callbacks (CONNECT TOPUP).
    pub fn of(name: &str, codec: &Codec) -> Option<Self> {
        let language = match codec {
            Codec::Tutom(tutom) => Language::Tutom(tutom.clone()),
            Codec::Paynicorn(paynicorn) => Language::Paynicorn(paynicorn.clone()),
            Codec::ConnectTopup(_) => return None,
        };
        Some(Self { name: name.to_owned(), language })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a callback to it (`providers.md` C1, C3). Any bytes may come.
    ///
    /// # Errors
    /// [`CallbackRefused`].
    pub fn read(
        &self,
        content_type: Option<&str>,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<CallbackHint, CallbackRefused> {
        match &self.language {
            Language::Tutom(tutom) => {
                tutom::parse_callback(tutom, &callback_fields(content_type, query, body)?)
            }
            Language::Paynicorn(paynicorn) => paynicorn::parse_callback(paynicorn, body),
        }
    }

    /// What its provider takes for "received".
    pub fn acknowledgement(&self) -> &'static str {
        match self.language {
            Language::Tutom(_) => TUTOM_ACKNOWLEDGEMENT,
            Language::Paynicorn(_) => paynicorn::CALLBACK_ACKNOWLEDGEMENT,
        }
    }
}

/// Networks, secret and entries.
pub(super) struct Gate {
    /// Digest of the secret: digests of equal length are compared, so that time tells neither its length nor
    /// how much of it was right.
    secret: [u8; 32],
    allow: Vec<IpNet>,
    entries: Vec<Entry>,
}

impl Gate {
    pub fn new(secret: &Secret, allow: Vec<IpNet>, entries: Vec<Entry>) -> Result<Self, SecretUnfit> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/".contains(c);
        let text = secret.expose();
        if text.is_empty() || !text.chars().all(plain) {
            return Err(SecretUnfit);
        }
        Ok(Self { secret: Sha256::digest(text).into(), allow, entries })
    }

    /// Whether this peer may connect.
    pub fn admits(&self, peer: IpAddr) -> bool {
        // An IPv6 socket shows IPv4 peers as ::ffff:a.b.c.d.
        let peer = peer.to_canonical();
        self.allow.is_empty() || self.allow.iter().any(|network| network.contains(&peer))
    }

    /// The entry behind `/<secret>/<name>`; none for any other path. A secret may hold slashes, a name none.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let (secret, name) = path.strip_prefix('/')?.rsplit_once('/')?;
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let right = bool::from(digest.ct_eq(&self.secret));
        self.entries.iter().find(|entry| entry.name == name).filter(|_| right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;
    use crate::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};

    fn gate(secret: &str, allow: &[&str]) -> Result<Gate, SecretUnfit> {
        let base_url = url::Url::parse("http://127.0.0.1/").unwrap();
        let (app_key, open_id) = (Secret::new("APPKEY"), Secret::new("OPENID"));
        let china = Codec::Tutom(tutom::Tutom { base_url, app_key, open_id, method: Method::Get });
        let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
        Gate::new(&Secret::new(secret), allow, Entry::of("china", &china).into_iter().collect())
    }

    #[test]
    fn only_the_whole_secret_and_a_whole_name_lead_anywhere() {
        for secret in ["s3cret", "a/b+c=="] {
            let gate = gate(secret, &[]).unwrap();
            assert_eq!(gate.entry(&format!("/{secret}/china")).map(Entry::name), Some("china"));
            for path in [
                "",
                "/",
                "//",
                "/china",
                "//china",
                "*",
                "/s3cre/china",
                "/s3crett/china",
                "/S3cret/china",
                "/b+c==/china",
            ] {
                assert!(gate.entry(path).is_none(), "{path}");
            }
            for name in ["", "chin", "chinaa", "China", "china/", "china/x"] {
                assert!(gate.entry(&format!("/{secret}/{name}")).is_none(), "{name}");
            }
            assert!(gate.entry(&format!("{secret}/china")).is_none());
            assert!(gate.entry(&format!("//{secret}/china")).is_none());
        }
    }

    #[test]
    fn a_secret_that_no_path_can_name_is_refused() {
        for secret in ["", "two words", "a?b", "a#b", "50%", "gi\u{1ec3}", "line\n"] {
            assert!(gate(secret, &[]).is_err(), "{secret:?}");
        }
    }

    #[test]
    fn networks_hold_for_both_spellings_of_an_address() {
        let gate = gate("s3cret", &["10.0.0.0/8", "2001:db8::/32"]).unwrap();
        for (peer, admitted) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.1.2.3", false),
            ("::ffff:11.1.2.3", false),
            ("2001:db8::1", true),
            ("::1", false),
        ] {
            assert_eq!(gate.admits(peer.parse().unwrap()), admitted, "{peer}");
        }
    }

    #[test]
    fn a_provider_without_callbacks_is_no_entry() {
        let vietnam = Codec::ConnectTopup(ConnectTopup {
            base_url: url::Url::parse("http://127.0.0.1/").unwrap(),
            username: "demo".to_owned(),
            private_key: Secret::new("key"),
            checksum: Checksum::Sha256,
            recheck_by: RecheckBy::IdTransaction,
            send_gateway: SendGateway::Named,
        });
        assert!(Entry::of("vietnam", &vietnam).is_none());
    }
}
