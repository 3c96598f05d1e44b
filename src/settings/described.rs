//! Settings as text, for the record that a batch keeps of how it was worked on: the contract's keys, no secret.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Caps, ProviderSettings, Rate, Settings};
use crate::domain::{Country, Method};
use crate::protocol::Codec;
use crate::protocol::connect_topup::{Checksum, RecheckBy, SendGateway};
use crate::protocol::paynicorn::BenefitNo;

/// What stands behind a provider's name in the key of its address.
pub const ADDRESS_KEY: &str = "base_url";

impl Settings {
    /// Every setting that decides how a batch is worked on, by its key in the configuration; a provider's under
    /// `providers.<name>.`. Accounts, keys, secrets and proxies (they may hold a password) are left out.
    pub fn described(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let country = self.default_country.map(|country| country.to_string());
        all.insert("default_country".to_owned(), country.unwrap_or_else(|| "none".to_owned()));
        for plan in &self.phone_plans {
            // Enough of the digest to tell one version of the file from another.
            let digest: String = plan.sha256.chars().take(16).collect();
            all.insert(format!("phone_plans.{}", plan.country), format!("{} sha256 {digest}", plan.named));
        }
        let limits = &self.limits;
        all.insert("limits.repeat_window".to_owned(), duration_text(limits.repeat_window));
        let caps: [(&str, &Caps); 4] = [
            ("max_row", &limits.max_row),
            ("max_number", &limits.max_number),
            ("max_batch", &limits.max_batch),
            ("max_day", &limits.max_day),
        ];
        for (key, caps) in caps {
            for (currency, cap) in caps {
                all.insert(format!("limits.{key}.{currency}"), cap.normalize().to_string());
            }
        }
        for provider in &self.providers {
            for (key, value) in provider.described() {
                all.insert(format!("providers.{}.{key}", provider.name), value);
            }
        }
        all
    }
}

impl ProviderSettings {
    fn described(&self) -> Vec<(&'static str, String)> {
        let countries: Vec<String> = self.countries.iter().map(Country::to_string).collect();
        let mut all = vec![
            ("kind", self.kind.as_str().to_owned()),
            (ADDRESS_KEY, self.base_url().to_string()),
            ("countries", countries.join(", ")),
            ("submit_rate", rate_text(self.submit_rate)),
            ("query_rate", rate_text(self.query_rate)),
            ("max_in_flight", self.max_in_flight.to_string()),
            ("timeout", duration_text(self.timeout)),
            ("connect_timeout", duration_text(self.connect_timeout)),
            ("phone_spacing", duration_text(self.phone_spacing)),
            ("first_check", duration_text(self.first_check)),
            ("max_check", duration_text(self.max_check)),
            ("give_up", duration_text(self.give_up)),
            ("not_found_grace", duration_text(self.not_found_grace)),
            ("not_found_times", self.not_found_times.to_string()),
            ("throttle_pause", duration_text(self.throttle_pause)),
            ("unreachable_for", duration_text(self.unreachable_for)),
            ("halt_after_unclear", self.halt_after_unclear.to_string()),
        ];
        all.extend(self.of_kind().into_iter().map(|(key, value)| (key, value.to_owned())));
        all
    }

    /// The settings that only its kind has.
    fn of_kind(&self) -> Vec<(&'static str, &'static str)> {
        match &self.codec {
            Codec::ConnectTopup(codec) => vec![
                (
                    "checksum",
                    match codec.checksum {
                        Checksum::Sha256 => "sha256",
                        Checksum::Sha1 => "sha1",
                    },
                ),
                (
                    "recheck_by",
                    match codec.recheck_by {
                        RecheckBy::IdTransaction => "idtransaction",
                        RecheckBy::TransIdClient => "transidclient",
                    },
                ),
                (
                    "send_gateway",
                    match codec.send_gateway {
                        SendGateway::Named => "named",
                        SendGateway::Prefix => "prefix",
                    },
                ),
            ],
            Codec::Tutom(codec) => vec![
                (
                    "method",
                    match codec.method {
                        Method::Get => "get",
                        Method::Post => "post",
                    },
                ),
                ("trust_not_found", if self.trust_not_found { "true" } else { "false" }),
            ],
            Codec::Paynicorn(codec) => vec![(
                "benefit_no",
                match codec.benefit_no {
                    BenefitNo::Nsn => "nsn",
                    BenefitNo::National => "national",
                },
            )],
        }
    }
}

/// A duration as the configuration writes it, in the largest unit that it is a whole number of.
pub fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.iter().find(|(_, unit)| ms > 0 && ms.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

/// A rate as the configuration writes it.
pub fn rate_text(rate: Rate) -> String {
    match rate.window.as_millis() {
        1_000 => format!("{}/s", rate.count),
        60_000 => format!("{}/m", rate.count),
        _ => format!("{} in {}", rate.count, duration_text(rate.window)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{parse_duration, parse_rate};
    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        for text in ["500ms", "0s", "90s", "30s", "10m", "48h", "3d", "36h", "1500ms"] {
            let read = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&duration_text(read)).unwrap(), read, "{text}");
        }
        assert_eq!(duration_text(parse_duration("48h").unwrap()), "2d");
        for text in ["20/s", "90/m"] {
            assert_eq!(rate_text(parse_rate(text).unwrap()), text);
        }
    }
}
