//! The settings of `--sandbox`: the three providers at a local address, with schedules short enough to watch.

use super::error::{Problem, SettingsError};
use super::provider::{ProviderSettings, base_url, hours, ms, per_second};
use super::{LedgerLocation, Limits, Settings};
use crate::domain::{AccountId, Country, Method, ProviderKind, Secret};
use crate::protocol::Codec;
use crate::protocol::connect_topup::{Checksum, ConnectTopup, RecheckBy, SendGateway};
use crate::protocol::paynicorn::{BenefitNo, Paynicorn};
use crate::protocol::tutom::Tutom;

/// Addresses and accounts of a sandbox.
#[derive(Clone, Copy)]
pub struct SandboxAccess<'a> {
    /// CONNECT TOPUP: provider `vietnam`.
    pub connect_topup: ConnectTopupAccess<'a>,
    /// Tutom: provider `china`.
    pub tutom: TutomAccess<'a>,
    /// Paynicorn: provider `nigeria`.
    pub paynicorn: PaynicornAccess<'a>,
}

/// An account at the sandbox's CONNECT TOPUP.
#[derive(Clone, Copy)]
pub struct ConnectTopupAccess<'a> {
    /// `http://127.0.0.1:PORT/...`.
    pub base_url: &'a str,
    /// `username`.
    pub username: &'a str,
    /// `privatekey`.
    pub private_key: &'a str,
}

/// An account at the sandbox's Tutom.
#[derive(Clone, Copy)]
pub struct TutomAccess<'a> {
    /// `http://127.0.0.1:PORT/...`.
    pub base_url: &'a str,
    /// `appkey`.
    pub app_key: &'a str,
    /// `openId`.
    pub open_id: &'a str,
}

/// An account at the sandbox's Paynicorn.
#[derive(Clone, Copy)]
pub struct PaynicornAccess<'a> {
    /// `http://127.0.0.1:PORT/...`.
    pub base_url: &'a str,
    /// `appKey`.
    pub app_key: &'a str,
    /// Merchant secret; none: plain bodies.
    pub merchant_secret: Option<&'a str>,
}

impl Settings {
    /// Settings for a sandbox: no caps, numbers without a country are Vietnam's.
    ///
    /// # Errors
    /// [`SettingsError::Sandbox`] when an address is no http URL of this machine.
    pub fn for_sandbox(ledger: LedgerLocation, access: &SandboxAccess<'_>) -> Result<Self, SettingsError> {
        let at =
            |text| base_url(text, false).map_err(|error| SettingsError::Sandbox(Problem::BaseUrl(error)));
        let vietnam = access.connect_topup;
        let connect_topup = Codec::ConnectTopup(ConnectTopup {
            base_url: at(vietnam.base_url)?,
            username: vietnam.username.to_owned(),
            private_key: Secret::new(vietnam.private_key),
            checksum: Checksum::Sha256,
            recheck_by: RecheckBy::IdTransaction,
            send_gateway: SendGateway::Named,
        });
        let china = access.tutom;
        let tutom = Codec::Tutom(Tutom {
            base_url: at(china.base_url)?,
            app_key: Secret::new(china.app_key),
            open_id: Secret::new(china.open_id),
            method: Method::Get,
        });
        let nigeria = access.paynicorn;
        let paynicorn = Codec::Paynicorn(Paynicorn {
            base_url: at(nigeria.base_url)?,
            app_key: Secret::new(nigeria.app_key),
            merchant_secret: nigeria.merchant_secret.map(Secret::new),
            benefit_no: BenefitNo::Nsn,
        });
        let providers = vec![
            provider("vietnam", ProviderKind::ConnectTopup, vietnam.username, Country::VN, connect_topup),
            provider("china", ProviderKind::Tutom, china.app_key, Country::CN, tutom),
            provider("nigeria", ProviderKind::Paynicorn, nigeria.app_key, Country::NG, paynicorn),
        ];
        let limits = Limits::default();
        Ok(Self {
            file: None,
            ledger,
            default_country: Some(Country::VN),
            phone_plans: Vec::new(),
            limits,
            listen: None,
            providers,
        })
    }
}

fn provider(
    name: &str,
    kind: ProviderKind,
    account: &str,
    country: Country,
    codec: Codec,
) -> ProviderSettings {
    let trust_not_found = match kind {
        ProviderKind::Paynicorn => true,
        ProviderKind::Tutom | ProviderKind::ConnectTopup => false,
    };
    ProviderSettings {
        name: name.to_owned(),
        kind,
        account: AccountId::new(kind, account),
        countries: vec![country],
        codec,
        submit_rate: per_second(20),
        query_rate: per_second(40),
        max_in_flight: 32,
        timeout: ms(2_000),
        connect_timeout: ms(1_000),
        proxy: None,
        phone_spacing: ms(0),
        first_check: ms(300),
        max_check: ms(1_000),
        give_up: hours(48),
        not_found_grace: ms(3_000),
        not_found_times: 3,
        trust_not_found,
        throttle_pause: ms(2_000),
        unreachable_for: ms(120_000),
        halt_after_unclear: 20,
    }
}
