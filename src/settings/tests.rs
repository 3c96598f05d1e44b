//! What a configuration means and where it is found.

mod plans;
mod refusals;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rust_decimal::Decimal;

use super::*;
use crate::domain::{AccountId, Currency, Method, ProviderKind};
use crate::protocol::Codec;
use crate::protocol::connect_topup::{Checksum, RecheckBy, SendGateway};
use crate::protocol::paynicorn::BenefitNo;

const SAMPLE: &str = include_str!("../../samples/bulk-topup.toml");

const VIETNAM: &str = r#"
[[providers]]
name = "vietnam"
kind = "connect-topup"
base_url = "https://topup.example/api"
countries = ["VN"]
username = "demo"
private_key = { env = "KEY" }
"#;

const CHINA: &str = r#"
[[providers]]
name = "china"
kind = "tutom"
base_url = "https://tutom.example/api/"
countries = ["CN"]
app_key = { env = "KEY" }
open_id = { env = "KEY" }
"#;

const NIGERIA: &str = r#"
[[providers]]
name = "nigeria"
kind = "paynicorn"
base_url = "https://paynicorn.example/api/"
countries = ["NG"]
app_key = { env = "KEY" }
"#;

const SECRET: &str = "hunter2";

fn env(name: &str) -> Option<String> {
    let known = ["KEY", "TUTOM_APP_KEY", "TUTOM_OPEN_ID", "PAYNICORN_APP_KEY", "PAYNICORN_SECRET"];
    if name == "PROXY" {
        return Some(format!("http://user:{SECRET}@10.0.0.1:3128"));
    }
    known.contains(&name).then(|| format!("{SECRET}-{name}"))
}

fn dirs(folder: &Path) -> UserDirs {
    UserDirs { config: Some(folder.join("config")), data: Some(folder.join("data")) }
}

/// Writes a file that only the user can read.
fn write_private(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn load(text: &str) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    write_private(&folder.path().join("c.toml"), text);
    write_private(&folder.path().join("vn.key"), SECRET);
    write_private(&folder.path().join("path.key"), SECRET);
    Settings::load(Some(Path::new("c.toml")), &env, folder.path(), &dirs(folder.path()))
}

/// The message of a configuration that must be refused, without its folder.
fn refusal(text: &str) -> String {
    let error = load(text).unwrap_err();
    let message = error.to_string();
    assert!(!format!("{message} {error:?}").contains(SECRET), "{message}");
    assert!(!format!("{message} {error:?}").contains("\u{1b}"), "{message}");
    message.split_once("c.toml").map_or(message.clone(), |(_, rest)| format!("c.toml{rest}"))
}

/// The entry with one more line at its end, which is line 9 of the text for [`VIETNAM`].
fn vietnam_with(line: &str) -> String {
    format!("{VIETNAM}{line}\n")
}

#[test]
fn the_sample_is_a_configuration_and_its_comments_tell_the_defaults() {
    let settings = load(SAMPLE).unwrap();
    let uncommented: String = with_listen()
        .lines()
        .map(|line| {
            let setting = line.strip_prefix("# ").filter(|rest| {
                rest.split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            });
            let setting = setting.filter(|rest| !rest.starts_with("proxy"));
            format!("{}\n", setting.unwrap_or(line))
        })
        .collect();
    assert!(uncommented.lines().filter(|line| line.starts_with("submit_rate")).count() == 1);
    let spelled_out = load(&uncommented).unwrap();
    assert_eq!(format!("{:?}", settings.providers), format!("{:?}", spelled_out.providers));
    assert_eq!(settings.limits, spelled_out.limits);
}

/// The sample with the section that is off unless somebody wants it.
fn with_listen() -> String {
    let keys = ["[listen]", "address = ", "path_secret = ", "allow = "];
    let on = |line: &str| {
        let wanted = line.strip_prefix("# ").filter(|rest| keys.iter().any(|key| rest.starts_with(key)));
        format!("{}\n", wanted.unwrap_or(line))
    };
    SAMPLE.lines().map(on).collect()
}

#[test]
fn the_sample_means_what_the_contract_says() {
    assert!(load(SAMPLE).unwrap().listen.is_none(), "callbacks are off unless asked for");
    let settings = load(&with_listen()).unwrap();
    let caps = |amount: &str| Caps::from([(Currency::VND, amount.parse::<Decimal>().unwrap())]);
    assert_eq!(settings.default_country, Some(Country::VN));
    assert_eq!(settings.limits.max_row, caps("500000"));
    assert_eq!(settings.limits.max_number, caps("1000000"));
    assert_eq!(settings.limits.max_batch, caps("200000000"));
    assert_eq!(settings.limits.max_day, caps("500000000"));
    assert_eq!(settings.limits.repeat_window, Duration::from_secs(3 * 86_400));
    let LedgerLocation::Sqlite(ledger) = &settings.ledger;
    assert_eq!(ledger, &settings.file.as_ref().unwrap().with_file_name("ledger.db"));
    let listen = settings.listen.unwrap();
    assert_eq!(listen.address.to_string(), "127.0.0.1:8400");
    assert_eq!(listen.path_secret.expose(), SECRET);
    assert_eq!(listen.allow.len(), 1);

    let [vietnam, china, nigeria] = &settings.providers[..] else { panic!() };
    let Codec::ConnectTopup(codec) = &vietnam.codec else { panic!() };
    assert_eq!(codec.base_url.as_str(), "https://topup.example/apipayment/");
    assert_eq!((codec.username.as_str(), codec.private_key.expose()), ("demo", SECRET));
    assert_eq!(codec.checksum, Checksum::Sha256);
    assert_eq!((codec.recheck_by, codec.send_gateway), (RecheckBy::IdTransaction, SendGateway::Named));
    assert_eq!(vietnam.account, AccountId::new(ProviderKind::ConnectTopup, "demo"));
    let Codec::Tutom(codec) = &china.codec else { panic!() };
    assert_eq!(codec.app_key.expose(), "hunter2-TUTOM_APP_KEY");
    assert_eq!((codec.open_id.expose(), codec.method), ("hunter2-TUTOM_OPEN_ID", Method::Get));
    assert_eq!(china.account, AccountId::new(ProviderKind::Tutom, "hunter2-TUTOM_APP_KEY"));
    let Codec::Paynicorn(codec) = &nigeria.codec else { panic!() };
    assert_eq!(codec.merchant_secret.as_ref().unwrap().expose(), "hunter2-PAYNICORN_SECRET");
    assert_eq!(codec.benefit_no, BenefitNo::Nsn);
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let settings = load(&format!("{VIETNAM}{CHINA}{NIGERIA}")).unwrap();
    assert_eq!(settings.limits, Limits::default());
    assert!(settings.listen.is_none() && settings.default_country.is_none());
    let minutes = |count: u64| Duration::from_secs(count * 60);
    for provider in &settings.providers {
        assert_eq!(provider.submit_rate, Rate { count: 20, window: Duration::from_secs(1) });
        assert_eq!(provider.query_rate, Rate { count: 40, window: Duration::from_secs(1) });
        assert_eq!((provider.max_in_flight, provider.halt_after_unclear), (32, 20));
        assert_eq!(provider.timeout, Duration::from_secs(30));
        assert_eq!(provider.connect_timeout, Duration::from_secs(10));
        assert_eq!(provider.phone_spacing, Duration::ZERO);
        assert_eq!((provider.first_check, provider.max_check), (Duration::from_secs(2), minutes(1)));
        assert_eq!((provider.give_up, provider.not_found_times), (minutes(48 * 60), 3));
        assert_eq!((provider.throttle_pause, provider.unreachable_for), (minutes(1), minutes(2)));
        assert!(provider.proxy.is_none());
    }
    let grace: Vec<_> = settings.providers.iter().map(|provider| provider.not_found_grace).collect();
    assert_eq!(grace, [minutes(15), minutes(30), minutes(15)]);
    let trust: Vec<_> = settings.providers.iter().map(|provider| provider.trust_not_found).collect();
    assert_eq!(trust, [false, false, true]);
    let Codec::Paynicorn(codec) = &settings.providers[2].codec else { panic!() };
    assert!(codec.merchant_secret.is_none());
}

#[test]
fn given_values_replace_the_defaults() {
    let text = vietnam_with(
        "checksum = \"sha1\"\nrecheck_by = \"transidclient\"\nsend_gateway = \"prefix\"\nsubmit_rate = \"300/m\"\n\
         timeout = \"5s\"\nphone_spacing = \"90s\"\nnot_found_grace = \"1h\"\nmax_in_flight = 4\n\
         proxy = \"http://10.0.0.1:3128\"",
    );
    let provider = load(&text).unwrap().providers.remove(0);
    let Codec::ConnectTopup(codec) = &provider.codec else { panic!() };
    assert_eq!(codec.checksum, Checksum::Sha1);
    assert_eq!((codec.recheck_by, codec.send_gateway), (RecheckBy::TransIdClient, SendGateway::Prefix));
    assert_eq!(provider.submit_rate, Rate { count: 300, window: Duration::from_secs(60) });
    assert_eq!(provider.max_in_flight, 4);
    assert_eq!(provider.phone_spacing, Duration::from_secs(90));
    assert_eq!(provider.not_found_grace, Duration::from_secs(3600));
    assert!(provider.connect_timeout < provider.timeout, "a short timeout shortens the other one");
    assert_eq!(provider.proxy.as_ref().unwrap().expose(), "http://10.0.0.1:3128");
    let net = provider.net_options();
    assert!(net.tls && net.proxy.is_some() && net.timeout == Duration::from_secs(5));
    let text = format!("{CHINA}method = \"post\"\ntrust_not_found = true\n");
    let provider = load(&text).unwrap().providers.remove(0);
    let Codec::Tutom(codec) = &provider.codec else { panic!() };
    assert!(codec.method == Method::Post && provider.trust_not_found);
}

#[test]
fn nothing_printed_for_debugging_holds_a_secret() {
    let text = format!("{}{CHINA}{NIGERIA}", vietnam_with("proxy = { env = \"PROXY\" }"));
    let settings = load(&text).unwrap();
    assert_eq!(settings.providers[0].proxy.as_ref().unwrap().expose(), env("PROXY").unwrap());
    assert!(!format!("{settings:?}").contains(SECRET));
    assert!(!format!("{:?}", load(SAMPLE).unwrap()).contains(SECRET));
}

#[test]
fn a_base_url_ends_in_a_slash_and_plain_http_needs_a_word() {
    let at = |url: &str, more: &str| {
        let text = VIETNAM.replace("https://topup.example/api", url);
        load(&format!("{text}{more}\n")).map(|settings| settings.providers[0].base_url().to_string())
    };
    assert_eq!(at("https://h/api", "").unwrap(), "https://h/api/");
    assert_eq!(at("https://h", "").unwrap(), "https://h/");
    assert_eq!(at("http://210.0.0.9/api/", "allow_insecure_http = true").unwrap(), "http://210.0.0.9/api/");
    for local in ["http://127.0.0.1:8500/", "http://[::1]:8500/", "http://localhost/"] {
        assert_eq!(at(local, "").unwrap(), local);
    }
    assert!(at("http://210.0.0.9/api/", "allow_insecure_http = false").is_err());
}

#[test]
fn the_file_is_found_in_the_documented_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let dirs = dirs(root);
    let places = ["named.toml", "variable.toml", "bulk-topup.toml", "config/bulk-topup/bulk-topup.toml"];
    for (index, place) in places.iter().enumerate() {
        write_private(&root.join(place), &VIETNAM.replace("demo", &format!("user{index}")));
    }
    let with_variable = |name: &str| match name {
        FILE_VARIABLE => Some("variable.toml".to_owned()),
        _ => env(name),
    };
    let load = |path: Option<&str>, env: &dyn Fn(&str) -> Option<String>| {
        Settings::load(path.map(Path::new), env, root, &dirs)
    };
    let file = |settings: Result<Settings, SettingsError>| settings.unwrap().file.unwrap();
    assert_eq!(file(load(Some("named.toml"), &with_variable)), root.join(places[0]));
    assert_eq!(file(load(None, &with_variable)), root.join(places[1]));
    assert_eq!(file(load(None, &env)), root.join(places[2]));
    std::fs::remove_file(root.join(places[2])).unwrap();
    let user = load(None, &env).unwrap();
    assert_eq!(user.file, Some(root.join(places[3])));
    assert_eq!(user.ledger, LedgerLocation::Sqlite(root.join("data/bulk-topup/ledger.db")));
    std::fs::remove_file(root.join(places[3])).unwrap();
    let missing = load(None, &env).unwrap_err();
    let looked: Vec<PathBuf> = vec![root.join(places[2]), root.join(places[3])];
    assert!(matches!(&missing, SettingsError::NotFound { looked: found } if *found == looked), "{missing}");
    assert!(missing.to_string().contains("--config"));
    for gone in [load(Some("gone.toml"), &env), load(None, &|_| Some("gone.toml".to_owned()))] {
        assert!(
            matches!(gone, Err(SettingsError::Unreadable { .. })),
            "a named file is not replaced by another"
        );
    }
}

#[test]
fn paths_are_relative_to_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = VIETNAM.replace("{ env = \"KEY\" }", "{ file = \"keys/vn.key\" }");
    write_private(&folder.path().join("sub/c.toml"), &format!("ledger = \"l/x.db\"\n{text}"));
    write_private(&folder.path().join("sub/keys/vn.key"), SECRET);
    let settings =
        Settings::load(Some(Path::new("sub/c.toml")), &env, folder.path(), &UserDirs::default()).unwrap();
    assert_eq!(settings.ledger, LedgerLocation::Sqlite(folder.path().join("sub/l/x.db")));
}

#[test]
fn the_ledger_is_found_without_secrets_and_without_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let at = |path: Option<&str>| Settings::load_ledger(path.map(Path::new), &|_| None, root, &dirs(root));
    assert_eq!(at(None).unwrap(), LedgerLocation::Sqlite(root.join("data/bulk-topup/ledger.db")));
    assert!(at(Some("gone.toml")).is_err());
    write_private(&root.join(FILE_NAME), &format!("ledger = \"x.db\"\n{VIETNAM}"));
    assert_eq!(at(None).unwrap(), LedgerLocation::Sqlite(root.join("x.db")));
    write_private(&root.join(FILE_NAME), "ledgers = \"x.db\"\n");
    assert!(at(None).is_err());
}

#[test]
fn a_ledger_is_an_sqlite_file() {
    let folder = Path::new("/f");
    for (text, path) in [
        ("l.db", "/f/l.db"),
        ("/l.db", "/l.db"),
        ("sqlite:l.db", "/f/l.db"),
        ("sqlite:///l.db", "/l.db"),
        ("sqlite://l.db", "/f/l.db"),
    ] {
        assert_eq!(LedgerLocation::parse(text, folder), Ok(LedgerLocation::Sqlite(path.into())), "{text}");
    }
    for text in ["postgres://u:hunter2@h/db", "postgresql://h/db"] {
        assert_eq!(LedgerLocation::parse(text, folder), Err(Problem::Postgres));
        let message = refusal(&format!("ledger = \"{text}\"\n{VIETNAM}"));
        assert!(
            message.starts_with("c.toml:1: ledger: PostgreSQL is not supported by this build"),
            "{message}"
        );
    }
    for text in ["", "sqlite:", "mysql://u:hunter2@h/db"] {
        assert_eq!(LedgerLocation::parse(text, folder), Err(Problem::Ledger), "{text}");
    }
    assert!(LedgerLocation::of_user(&UserDirs::default()).is_err());
}

#[test]
fn the_sandbox_has_the_three_providers_with_quick_schedules() {
    let access = SandboxAccess {
        connect_topup: ConnectTopupAccess {
            base_url: "http://127.0.0.1:8500/vn",
            username: "demo",
            private_key: SECRET,
        },
        tutom: TutomAccess { base_url: "http://127.0.0.1:8500/cn/", app_key: SECRET, open_id: SECRET },
        paynicorn: PaynicornAccess {
            base_url: "http://127.0.0.1:8500/ng/",
            app_key: SECRET,
            merchant_secret: Some(SECRET),
        },
    };
    let ledger = LedgerLocation::Sqlite("/l.db".into());
    let settings = Settings::for_sandbox(ledger.clone(), &access).unwrap();
    let names: Vec<_> = settings.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["vietnam", "china", "nigeria"]);
    assert_eq!(settings.providers[0].base_url().as_str(), "http://127.0.0.1:8500/vn/");
    for provider in &settings.providers {
        assert!(provider.connect_timeout < provider.timeout && provider.timeout <= provider.not_found_grace);
        assert!(!provider.net_options().tls);
    }
    assert!(!format!("{settings:?}").contains(SECRET));
    let elsewhere = TutomAccess { base_url: "http://provider.example/", ..access.tutom };
    let refused = Settings::for_sandbox(ledger, &SandboxAccess { tutom: elsewhere, ..access });
    assert!(matches!(refused, Err(SettingsError::Sandbox(_))), "a sandbox is on this machine");
}
