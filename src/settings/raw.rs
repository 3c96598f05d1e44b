//! The configuration file as it is spelled: keys, and where they stand. No defaults, no meaning.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::error::{Place, Problem, SettingsError};
use super::secret::{ProxySource, SecretSource};
use super::values::{Cap, Network, RateText, Span};
use crate::domain::{Country, Currency, ProviderKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) ledger: Option<Spanned<String>>,
    pub(super) default_country: Option<Country>,
    #[serde(default)]
    pub(super) phone_plans: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    pub(super) listen: Option<RawListen>,
    #[serde(default)]
    pub(super) providers: Vec<RawProvider>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) max_row: BTreeMap<Currency, Cap>,
    pub(super) max_number: BTreeMap<Currency, Cap>,
    pub(super) max_batch: BTreeMap<Currency, Cap>,
    pub(super) max_day: BTreeMap<Currency, Cap>,
    pub(super) repeat_window: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListen {
    pub(super) address: std::net::SocketAddr,
    pub(super) path_secret: Spanned<SecretSource>,
    #[serde(default)]
    pub(super) allow: Vec<Network>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<String>,
    pub(super) base_url: Spanned<String>,
    pub(super) countries: Spanned<Vec<Country>>,
    // connect-topup
    pub(super) username: Option<Spanned<String>>,
    pub(super) private_key: Option<Spanned<SecretSource>>,
    pub(super) checksum: Option<Spanned<String>>,
    pub(super) recheck_by: Option<Spanned<String>>,
    pub(super) send_gateway: Option<Spanned<String>>,
    // tutom and paynicorn
    pub(super) app_key: Option<Spanned<SecretSource>>,
    // tutom
    pub(super) open_id: Option<Spanned<SecretSource>>,
    pub(super) method: Option<Spanned<String>>,
    pub(super) trust_not_found: Option<Spanned<bool>>,
    // paynicorn
    pub(super) merchant_secret: Option<Spanned<SecretSource>>,
    pub(super) benefit_no: Option<Spanned<String>>,
    // all
    #[serde(default)]
    pub(super) allow_insecure_http: bool,
    pub(super) proxy: Option<Spanned<ProxySource>>,
    pub(super) submit_rate: Option<RateText>,
    pub(super) query_rate: Option<RateText>,
    pub(super) max_in_flight: Option<Spanned<u32>>,
    pub(super) timeout: Option<Spanned<Span>>,
    pub(super) connect_timeout: Option<Spanned<Span>>,
    pub(super) phone_spacing: Option<Span>,
    pub(super) first_check: Option<Spanned<Span>>,
    pub(super) max_check: Option<Spanned<Span>>,
    pub(super) give_up: Option<Spanned<Span>>,
    pub(super) not_found_grace: Option<Spanned<Span>>,
    pub(super) not_found_times: Option<Spanned<u32>>,
    pub(super) throttle_pause: Option<Spanned<Span>>,
    pub(super) unreachable_for: Option<Spanned<Span>>,
    pub(super) halt_after_unclear: Option<Spanned<u32>>,
}

impl RawProvider {
    /// The first key that stands here although the kind has no such key.
    pub(super) fn foreign_key(&self, kind: ProviderKind) -> Option<ForeignKey> {
        use ProviderKind::{ConnectTopup, Paynicorn, Tutom};
        fn at<T>(
            key: &'static str,
            value: Option<&Spanned<T>>,
            kinds: &'static [ProviderKind],
        ) -> Option<ForeignKey> {
            value.map(|value| ForeignKey { key, span: value.span(), kinds })
        }
        let present = [
            at("username", self.username.as_ref(), &[ConnectTopup]),
            at("private_key", self.private_key.as_ref(), &[ConnectTopup]),
            at("checksum", self.checksum.as_ref(), &[ConnectTopup]),
            at("recheck_by", self.recheck_by.as_ref(), &[ConnectTopup]),
            at("send_gateway", self.send_gateway.as_ref(), &[ConnectTopup]),
            at("app_key", self.app_key.as_ref(), &[Tutom, Paynicorn]),
            at("open_id", self.open_id.as_ref(), &[Tutom]),
            at("method", self.method.as_ref(), &[Tutom]),
            at("trust_not_found", self.trust_not_found.as_ref(), &[Tutom]),
            at("merchant_secret", self.merchant_secret.as_ref(), &[Paynicorn]),
            at("benefit_no", self.benefit_no.as_ref(), &[Paynicorn]),
        ];
        present.into_iter().flatten().find(|key| !key.kinds.contains(&kind))
    }
}

/// A key that only some kinds have.
pub(super) struct ForeignKey {
    pub(super) key: &'static str,
    pub(super) span: Range<usize>,
    pub(super) kinds: &'static [ProviderKind],
}

/// Reads the file's text.
///
/// # Errors
/// [`SettingsError::At`] with the line and the key that the reader stopped at.
pub(super) fn read(place: Place<'_>) -> Result<RawFile, SettingsError> {
    let syntax = |key: String, error: &toml::de::Error| {
        let span = error.span().unwrap_or(0..0);
        let words =
            error.message().replace("unknown field", "unknown key").replace("missing field", "missing key");
        // The mark of a spanned value is no part of the key.
        let key = key.replace(".$__serde_spanned_private_value", "");
        let key = if key.is_empty() || key == "." { "TOML".to_owned() } else { key };
        place.problem(span, key, Problem::Syntax(words))
    };
    let reader = toml::Deserializer::parse(place.text).map_err(|error| syntax(String::new(), &error))?;
    serde_path_to_error::deserialize(reader).map_err(|error| syntax(error.path().to_string(), error.inner()))
}
