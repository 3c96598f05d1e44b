//! Settings: what the configuration file, the environment and the secrets together say (`contract.md` 7).
//! Everything is resolved and checked here, before a command begins; nothing below reads a file or a variable.

mod described;
mod error;
mod plans;
mod provider;
mod raw;
mod sandbox;
mod secret;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub use described::{ADDRESS_KEY, duration_text, rate_text};
pub use error::{Problem, SecretProblem, SettingsError, UrlProblem};
pub use plans::PlanFile;
pub use provider::ProviderSettings;
pub use sandbox::{ConnectTopupAccess, PaynicornAccess, SandboxAccess, TutomAccess};
pub use values::{Caps, Rate, ValueError, parse_duration, parse_rate};

use crate::domain::{Country, Secret};
use error::Place;
use provider::Entry;
use raw::{RawFile, RawLimits, RawListen};
use secret::Keyring;

/// Name of the configuration file.
pub const FILE_NAME: &str = "bulk-topup.toml";
/// Variable that names the configuration file.
pub const FILE_VARIABLE: &str = "BULK_TOPUP_CONFIG";
/// A configuration or phone plan has a few hundred lines; more is another file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Everything that is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file it was read from; none for the sandbox.
    pub file: Option<PathBuf>,
    /// Where the ledger is.
    pub ledger: LedgerLocation,
    /// Country of numbers that name none.
    pub default_country: Option<Country>,
    /// Phone plans of the user's own, at most one for a country.
    pub phone_plans: Vec<PlanFile>,
    /// Caps.
    pub limits: Limits,
    /// Where callbacks come in; none: they are not received.
    pub listen: Option<ListenSettings>,
    /// At least one, with different names and accounts.
    pub providers: Vec<ProviderSettings>,
}

/// Where the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerLocation {
    /// An SQLite file; absolute if the folder it was read against is.
    Sqlite(PathBuf),
}

impl LedgerLocation {
    /// Reads `ledger` or `--ledger`: a path, relative to `folder`, perhaps with `sqlite:` before it.
    ///
    /// # Errors
    /// [`Problem::Postgres`] for PostgreSQL, [`Problem::Ledger`] for another URL or nothing.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Problem> {
        if ["postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(Problem::Postgres);
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        let path = path.strip_prefix("//").filter(|_| text.starts_with("sqlite:")).unwrap_or(path);
        if path.is_empty() || path.contains("://") {
            return Err(Problem::Ledger);
        }
        Ok(Self::Sqlite(folder.join(path)))
    }

    /// The ledger of a user who names none: in the data directory.
    ///
    /// # Errors
    /// [`Problem::NoDataFolder`] when there is none.
    pub fn of_user(dirs: &UserDirs) -> Result<Self, Problem> {
        let data = dirs.data.as_ref().ok_or(Problem::NoDataFolder)?;
        Ok(Self::Sqlite(data.join("bulk-topup").join("ledger.db")))
    }
}

/// Caps by currency, in major units; a currency without one is not capped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one row.
    pub max_row: Caps,
    /// Of one number in a batch.
    pub max_number: Caps,
    /// Of a batch.
    pub max_batch: Caps,
    /// Of a provider and day.
    pub max_day: Caps,
    /// How far back an equal row of another batch counts as a repeat; zero: repeats are not looked for.
    pub repeat_window: Duration,
}

impl Default for Limits {
    /// No caps, and repeats of three days.
    fn default() -> Self {
        Self {
            max_row: Caps::new(),
            max_number: Caps::new(),
            max_batch: Caps::new(),
            max_day: Caps::new(),
            repeat_window: provider::hours(72),
        }
    }
}

/// Where callbacks come in.
#[derive(Clone, Debug)]
pub struct ListenSettings {
    /// Address and port.
    pub address: SocketAddr,
    /// First part of the path that callbacks must name.
    pub path_secret: Secret,
    /// Networks they may come from; empty: any.
    pub allow: Vec<IpNet>,
}

/// The user's directories, as the system says.
#[derive(Clone, Debug, Default)]
pub struct UserDirs {
    /// `~/.config` or the like.
    pub config: Option<PathBuf>,
    /// `~/.local/share` or the like.
    pub data: Option<PathBuf>,
}

impl UserDirs {
    /// Those of the user who runs the program.
    pub fn of_process() -> Self {
        use etcetera::BaseStrategy;
        etcetera::choose_base_strategy().map_or_else(
            |_| Self::default(),
            |dirs| Self { config: Some(dirs.config_dir()), data: Some(dirs.data_dir()) },
        )
    }
}

impl Settings {
    /// Finds and reads the configuration, and fetches its secrets. `path` is `--config`; relative paths are
    /// those of `cwd`.
    ///
    /// # Errors
    /// [`SettingsError`], with file, line and key.
    pub fn load(
        path: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        cwd: &Path,
        dirs: &UserDirs,
    ) -> Result<Self, SettingsError> {
        let file = find(path, env, cwd, dirs)?;
        let text = read_text(&file)?;
        let folder = file.parent().unwrap_or(cwd);
        let place = Place { file: &file, text: &text };
        resolve(raw::read(place)?, place, Keyring { folder, env }, dirs)
    }

    /// Only the place of the ledger, for commands that ask no provider: no secret is fetched, and without any
    /// configuration it is the user's own ledger.
    ///
    /// # Errors
    /// [`SettingsError`] when a configuration is named but missing, or is wrong in itself.
    pub fn load_ledger(
        path: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        cwd: &Path,
        dirs: &UserDirs,
    ) -> Result<LedgerLocation, SettingsError> {
        let file = match find(path, env, cwd, dirs) {
            Err(SettingsError::NotFound { .. }) => {
                return LedgerLocation::of_user(dirs).map_err(SettingsError::Ledger);
            }
            found => found?,
        };
        let text = read_text(&file)?;
        let place = Place { file: &file, text: &text };
        ledger(&raw::read(place)?, place, file.parent().unwrap_or(cwd), dirs)
    }
}

/// The configuration file: the named one, else the first that exists.
fn find(
    path: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
    cwd: &Path,
    dirs: &UserDirs,
) -> Result<PathBuf, SettingsError> {
    if let Some(path) = path {
        return Ok(cwd.join(path));
    }
    if let Some(path) = env(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(cwd.join(path));
    }
    let user = dirs.config.as_ref().map(|config| config.join("bulk-topup").join(FILE_NAME));
    let looked: Vec<PathBuf> = std::iter::once(cwd.join(FILE_NAME)).chain(user).collect();
    let found = looked.iter().find(|file| file.exists()).cloned();
    found.ok_or(SettingsError::NotFound { looked })
}

fn read_text(file: &Path) -> Result<String, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { file: file.to_owned(), source };
    read_bounded(file).map_err(unreadable)
}

/// A text file that is no longer than one of ours may be.
fn read_bounded(file: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let limit = FILE_BYTES_MAX.saturating_add(1);
    let read = std::fs::File::open(file)?.take(limit).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read < limit) {
        return Ok(text);
    }
    Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is longer than 1 MiB"))
}

fn resolve(
    raw: RawFile,
    place: Place<'_>,
    keyring: Keyring<'_>,
    dirs: &UserDirs,
) -> Result<Settings, SettingsError> {
    let ledger = ledger(&raw, place, keyring.folder, dirs)?;
    let phone_plans = plans::load(&raw.phone_plans, place, keyring.folder)?;
    let listen = raw.listen.map(|raw| listen(raw, place, keyring)).transpose()?;
    let mut providers: Vec<ProviderSettings> = Vec::new();
    for (index, raw) in raw.providers.into_iter().enumerate() {
        let (name, kind) = (raw.name.span(), raw.kind.span());
        let provider = Entry { place, keyring, index }.resolve(raw)?;
        let key = |key| format!("providers[{index}].{key}");
        if let Some(other) = providers.iter().find(|other| other.name.eq_ignore_ascii_case(&provider.name)) {
            return Err(place.problem(name, key("name"), Problem::NameTaken(other.name.clone())));
        }
        if let Some(other) = providers.iter().find(|other| other.account == provider.account) {
            return Err(place.problem(kind, key("kind"), Problem::AccountTaken(other.name.clone())));
        }
        providers.push(provider);
    }
    if providers.is_empty() {
        return Err(place.problem(0..0, "providers", Problem::NoProviders));
    }
    let file = Some(place.file.to_owned());
    let default_country = raw.default_country;
    let limits = limits(raw.limits);
    Ok(Settings { file, ledger, default_country, phone_plans, limits, listen, providers })
}

fn ledger(
    raw: &RawFile,
    place: Place<'_>,
    folder: &Path,
    dirs: &UserDirs,
) -> Result<LedgerLocation, SettingsError> {
    match &raw.ledger {
        Some(ledger) => LedgerLocation::parse(ledger.get_ref(), folder)
            .map_err(|problem| place.problem(ledger.span(), "ledger", problem)),
        None => LedgerLocation::of_user(dirs).map_err(SettingsError::Ledger),
    }
}

fn limits(raw: RawLimits) -> Limits {
    let caps =
        |caps: BTreeMap<_, values::Cap>| caps.into_iter().map(|(currency, cap)| (currency, cap.0)).collect();
    Limits {
        max_row: caps(raw.max_row),
        max_number: caps(raw.max_number),
        max_batch: caps(raw.max_batch),
        max_day: caps(raw.max_day),
        repeat_window: raw.repeat_window.map_or(Limits::default().repeat_window, |span| span.0),
    }
}

fn listen(raw: RawListen, place: Place<'_>, keyring: Keyring<'_>) -> Result<ListenSettings, SettingsError> {
    let path_secret = keyring.fetch(raw.path_secret.get_ref()).map_err(|problem| {
        place.problem(raw.path_secret.span(), "listen.path_secret", Problem::Secret(problem))
    })?;
    let allow = raw.allow.into_iter().map(|network| network.0).collect();
    Ok(ListenSettings { address: raw.address, path_secret, allow })
}
