//! One `[[providers]]` entry: from its spelling to a codec, limits and schedules that hold together.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use url::{Host, Url};

use super::error::{Place, Problem, SettingsError, UrlProblem};
use super::raw::RawProvider;
use super::secret::{Keyring, ProxySource, SecretSource};
use super::values::{Rate, Span};
use crate::domain::{AccountId, Country, Method, ProviderKind, Secret};
use crate::net::NetOptions;
use crate::protocol::Codec;
use crate::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use crate::protocol::paynicorn::{BenefitNo, Paynicorn};
use crate::protocol::tutom::Tutom;

/// One provider account and how to deal with it (`contract.md` 7).
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// Name of the entry; unique, case aside.
    pub name: String,
    /// Its protocol.
    pub kind: ProviderKind,
    /// The account rows are bound to; unique.
    pub account: AccountId,
    /// Countries it serves.
    pub countries: Vec<Country>,
    /// Its language, with address and keys.
    pub codec: Codec,
    /// Submits in any window.
    pub submit_rate: Rate,
    /// Look-ups in any window, those before a submit included.
    pub query_rate: Rate,
    /// Submits under way at once; look-ups have the same bound, apart.
    pub max_in_flight: u32,
    /// Longest exchange.
    pub timeout: Duration,
    /// Longest time to connect, below `timeout`.
    pub connect_timeout: Duration,
    /// Proxy, perhaps with a password.
    pub proxy: Option<Secret>,
    /// Least time between two orders for one number.
    pub phone_spacing: Duration,
    /// First look after a submit.
    pub first_check: Duration,
    /// Longest time between two looks; at least `first_check`.
    pub max_check: Duration,
    /// Age of a submit at which a row is given up (`unknown`/`ask`).
    pub give_up: Duration,
    /// "No such order" counts only this long after the last submit of the id; at least `timeout`.
    pub not_found_grace: Duration,
    /// And this many times in succession.
    pub not_found_times: u32,
    /// Whether a "no such order" that counted out proves that the order does not exist. Paynicorn: always, by
    /// its document (4007). Tutom: as configured (21106). CONNECT TOPUP: never, it has no such answer.
    pub trust_not_found: bool,
    /// Pause after a throttle, before jitter.
    pub throttle_pause: Duration,
    /// Nothing gets through for this long: halt.
    pub unreachable_for: Duration,
    /// So many submits in succession ended unclear: halt.
    pub halt_after_unclear: u32,
}

impl ProviderSettings {
    /// Where its requests go.
    pub fn base_url(&self) -> &Url {
        match &self.codec {
            Codec::Tutom(codec) => &codec.base_url,
            Codec::ConnectTopup(codec) => &codec.base_url,
            Codec::Paynicorn(codec) => &codec.base_url,
        }
    }

    /// How its client reaches it.
    pub fn net_options(&self) -> NetOptions {
        let proxy_tls = self.proxy.as_ref().is_some_and(|proxy| proxy.expose().starts_with("https:"));
        NetOptions {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            proxy: self.proxy.clone(),
            idle: NetOptions::IDLE_DEFAULT,
            tls: proxy_tls || self.base_url().scheme() == "https",
        }
    }
}

/// One entry while it is resolved.
pub(super) struct Entry<'a> {
    /// The file.
    pub(super) place: Place<'a>,
    /// Where its secrets are.
    pub(super) keyring: Keyring<'a>,
    /// Its position in the file, from 0.
    pub(super) index: usize,
}

impl Entry<'_> {
    /// Resolves the entry.
    ///
    /// # Errors
    /// [`SettingsError::At`] for whatever is missing, foreign to the kind, out of bounds or unreadable.
    pub(super) fn resolve(&self, raw: RawProvider) -> Result<ProviderSettings, SettingsError> {
        let kinds = [ProviderKind::ConnectTopup, ProviderKind::Tutom, ProviderKind::Paynicorn];
        let kind = self.choice("kind", Some(&raw.kind), &kinds.map(|kind| (kind.as_str(), kind)))?;
        if let Some(foreign) = raw.foreign_key(kind) {
            let belongs = foreign.kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            return Err(self.problem(foreign.span, foreign.key, Problem::Foreign { kind, belongs }));
        }
        let name = raw.name.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(self.problem(raw.name.span(), "name", Problem::Name(name.clone())));
        }
        if raw.countries.get_ref().is_empty() {
            return Err(self.problem(raw.countries.span(), "countries", Problem::NoCountries));
        }
        let (codec, account) = self.codec(kind, &raw)?;
        let proxy = raw.proxy.as_ref().map(|proxy| self.proxy(proxy)).transpose()?;
        let trust_not_found = match kind {
            ProviderKind::Paynicorn => true,
            ProviderKind::Tutom => raw.trust_not_found.as_ref().is_some_and(|trust| *trust.get_ref()),
            ProviderKind::ConnectTopup => false,
        };
        let times = self.times(kind, &raw)?;
        let count = |key, given: Option<&Spanned<u32>>, default| {
            let given = given.map(|value| (*value.get_ref(), value.span()));
            self.bounded(key, given, default, 1, 1000, "from 1 to 1000")
        };
        Ok(ProviderSettings {
            name: name.clone(),
            kind,
            account,
            countries: raw.countries.get_ref().clone(),
            codec,
            submit_rate: raw.submit_rate.map_or(per_second(20), |rate| rate.0),
            query_rate: raw.query_rate.map_or(per_second(40), |rate| rate.0),
            max_in_flight: count("max_in_flight", raw.max_in_flight.as_ref(), 32)?,
            timeout: times.timeout,
            connect_timeout: times.connect_timeout,
            proxy,
            phone_spacing: raw.phone_spacing.map_or(Duration::ZERO, |span| span.0),
            first_check: times.first_check,
            max_check: times.max_check,
            give_up: times.give_up,
            not_found_grace: times.not_found_grace,
            not_found_times: count("not_found_times", raw.not_found_times.as_ref(), 3)?,
            trust_not_found,
            throttle_pause: times.throttle_pause,
            unreachable_for: times.unreachable_for,
            halt_after_unclear: count("halt_after_unclear", raw.halt_after_unclear.as_ref(), 20)?,
        })
    }

    fn problem(&self, span: Range<usize>, key: &str, problem: Problem) -> SettingsError {
        self.place.problem(span, format!("providers[{}].{key}", self.index), problem)
    }

    fn codec(&self, kind: ProviderKind, raw: &RawProvider) -> Result<(Codec, AccountId), SettingsError> {
        let base_url = self.base_url(&raw.base_url, raw.allow_insecure_http)?;
        let missing = |key| self.problem(raw.kind.span(), key, Problem::Missing(kind));
        let secret = |key, source: Option<&Spanned<SecretSource>>| {
            self.secret(key, source.ok_or_else(|| missing(key))?)
        };
        Ok(match kind {
            ProviderKind::ConnectTopup => {
                let name = raw.username.as_ref().ok_or_else(|| missing("username"))?;
                let username = name.get_ref().clone();
                if username.trim().is_empty() {
                    return Err(self.problem(name.span(), "username", Problem::Empty));
                }
                let account = AccountId::new(kind, &username);
                let private_key = secret("private_key", raw.private_key.as_ref())?;
                let checksums = [("sha256", Checksum::Sha256), ("sha1", Checksum::Sha1)];
                let checksum = self.choice("checksum", raw.checksum.as_ref(), &checksums)?;
                let rechecks = [
                    ("idtransaction", RecheckBy::IdTransaction),
                    ("transidclient", RecheckBy::TransIdClient),
                ];
                let recheck_by = self.choice("recheck_by", raw.recheck_by.as_ref(), &rechecks)?;
                let gateways = [("named", SendGateway::Named), ("prefix", SendGateway::Prefix)];
                let send_gateway = self.choice("send_gateway", raw.send_gateway.as_ref(), &gateways)?;
                let codec =
                    ConnectTopup { base_url, username, private_key, checksum, recheck_by, send_gateway };
                (Codec::ConnectTopup(codec), account)
            }
            ProviderKind::Tutom => {
                let app_key = secret("app_key", raw.app_key.as_ref())?;
                let open_id = secret("open_id", raw.open_id.as_ref())?;
                let methods = [("get", Method::Get), ("post", Method::Post)];
                let method = self.choice("method", raw.method.as_ref(), &methods)?;
                let account = AccountId::new(kind, app_key.expose());
                (Codec::Tutom(Tutom { base_url, app_key, open_id, method }), account)
            }
            ProviderKind::Paynicorn => {
                let app_key = secret("app_key", raw.app_key.as_ref())?;
                let merchant_secret = raw.merchant_secret.as_ref();
                let merchant_secret =
                    merchant_secret.map(|source| self.secret("merchant_secret", source)).transpose()?;
                let forms = [("nsn", BenefitNo::Nsn), ("national", BenefitNo::National)];
                let benefit_no = self.choice("benefit_no", raw.benefit_no.as_ref(), &forms)?;
                let account = AccountId::new(kind, app_key.expose());
                (Codec::Paynicorn(Paynicorn { base_url, app_key, merchant_secret, benefit_no }), account)
            }
        })
    }

    /// The meaning of a word; of the first one when the key is absent.
    fn choice<T: Copy>(
        &self,
        key: &str,
        given: Option<&Spanned<String>>,
        choices: &[(&str, T)],
    ) -> Result<T, SettingsError> {
        let found = match given {
            Some(given) => choices.iter().find(|(word, _)| word == given.get_ref()),
            None => choices.first(),
        };
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let (value, span) =
                given.map_or((String::new(), 0..0), |given| (given.get_ref().clone(), given.span()));
            let choices = choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            self.problem(span, key, Problem::Choice { value, choices })
        })
    }

    fn secret(&self, key: &str, source: &Spanned<SecretSource>) -> Result<Secret, SettingsError> {
        let fetched = self.keyring.fetch(source.get_ref());
        fetched.map_err(|problem| self.problem(source.span(), key, Problem::Secret(problem)))
    }

    fn proxy(&self, proxy: &Spanned<ProxySource>) -> Result<Secret, SettingsError> {
        let problem = |problem| self.problem(proxy.span(), "proxy", problem);
        let address = match proxy.get_ref() {
            ProxySource::Plain(text) => Secret::new(text.as_str()),
            ProxySource::Kept(source) => {
                self.keyring.fetch(source).map_err(|error| problem(Problem::Secret(error)))?
            }
        };
        let url = Url::parse(address.expose()).map_err(|_| problem(Problem::Proxy))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(problem(Problem::Proxy));
        }
        match proxy.get_ref() {
            ProxySource::Plain(_) if url.password().is_some() => Err(problem(Problem::ProxyPassword)),
            ProxySource::Plain(_) | ProxySource::Kept(_) => Ok(address),
        }
    }

    fn base_url(&self, given: &Spanned<String>, insecure: bool) -> Result<Url, SettingsError> {
        let checked = base_url(given.get_ref(), insecure);
        checked.map_err(|problem| self.problem(given.span(), "base_url", Problem::BaseUrl(problem)))
    }

    fn times(&self, kind: ProviderKind, raw: &RawProvider) -> Result<Times, SettingsError> {
        let pick = |key, given: Option<&Spanned<Span>>, default, least, bounds| {
            let given = given.map(|value| (value.get_ref().0, value.span()));
            self.bounded(key, given, default, least, Duration::MAX, bounds)
        };
        let timeout = raw.timeout.as_ref().map(|value| (value.get_ref().0, value.span()));
        let (least, most) = (ms(100), ms(600_000));
        let timeout = self.bounded("timeout", timeout, ms(30_000), least, most, "from 100ms to 10m")?;
        let connect = raw.connect_timeout.as_ref().map(|value| (value.get_ref().0, value.span()));
        let below = timeout.saturating_sub(ms(1));
        let bounds = "at least 10ms and below timeout, or a failed connection looks like a lost answer";
        let default = ms(10_000).min(timeout / 2);
        let connect_timeout = self.bounded("connect_timeout", connect, default, ms(10), below, bounds)?;
        let tenth = "at least 100ms";
        let first_check = pick("first_check", raw.first_check.as_ref(), ms(2_000), ms(100), tenth)?;
        let default = ms(60_000).max(first_check);
        let max_check =
            pick("max_check", raw.max_check.as_ref(), default, first_check, "at least first_check")?;
        let give_up = pick("give_up", raw.give_up.as_ref(), hours(48), first_check, "at least first_check")?;
        let grace = match kind {
            ProviderKind::Tutom => ms(1_800_000),
            ProviderKind::ConnectTopup | ProviderKind::Paynicorn => ms(900_000),
        };
        let bounds = "at least timeout, because a request may arrive until then";
        let grace = pick("not_found_grace", raw.not_found_grace.as_ref(), grace, timeout, bounds)?;
        let pause = pick("throttle_pause", raw.throttle_pause.as_ref(), ms(60_000), ms(100), tenth)?;
        let second = "at least 1s";
        let away = pick("unreachable_for", raw.unreachable_for.as_ref(), ms(120_000), ms(1_000), second)?;
        Ok(Times {
            timeout,
            connect_timeout,
            first_check,
            max_check,
            give_up,
            not_found_grace: grace,
            throttle_pause: pause,
            unreachable_for: away,
        })
    }

    /// The given value if it is within its bounds, both included; the default when none is given.
    fn bounded<T: PartialOrd + Copy>(
        &self,
        key: &str,
        given: Option<(T, Range<usize>)>,
        default: T,
        least: T,
        most: T,
        bounds: &'static str,
    ) -> Result<T, SettingsError> {
        let Some((value, span)) = given else { return Ok(default) };
        if value >= least && value <= most {
            return Ok(value);
        }
        let value = self.place.text.get(span.clone()).unwrap_or_default().to_owned();
        Err(self.problem(span, key, Problem::Bounds { value, bounds }))
    }
}

/// The durations of an entry that depend on each other.
struct Times {
    timeout: Duration,
    connect_timeout: Duration,
    first_check: Duration,
    max_check: Duration,
    give_up: Duration,
    not_found_grace: Duration,
    throttle_pause: Duration,
    unreachable_for: Duration,
}

/// A provider's address: http or https with a host, nothing after the path, and a `/` at its end.
///
/// # Errors
/// [`UrlProblem`], also for plain http to a host that is not loopback unless `insecure`.
pub(super) fn base_url(text: &str, insecure: bool) -> Result<Url, UrlProblem> {
    let mut url = Url::parse(text.trim()).map_err(|_| UrlProblem::NotHttp)?;
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => return Err(UrlProblem::NotHttp),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlProblem::NotHttp);
    }
    let user = !url.username().is_empty() || url.password().is_some();
    if user || url.query().is_some() || url.fragment().is_some() {
        return Err(UrlProblem::Extra);
    }
    if url.scheme() == "http" && !loopback && !insecure {
        return Err(UrlProblem::Insecure);
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

pub(super) const fn per_second(count: u32) -> Rate {
    Rate { count, window: Duration::from_secs(1) }
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours.saturating_mul(3600))
}
