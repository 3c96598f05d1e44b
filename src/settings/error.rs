//! What can be wrong with a configuration, said with file, line, key and what to do. No message repeats a
//! secret.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::domain::{Country, ProviderKind};
use crate::numbering::PlanProblem;

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No file at any of the places.
    #[error(
        "no configuration found: there is no {}; `bulk-topup init` writes one with every setting explained, --config PATH names another, and --sandbox needs none",
        list(looked)
    )]
    NotFound {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("{}:{line}: {key}: {problem}", file.display())]
    At {
        /// The file.
        file: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// The key, with its place (`providers[0].timeout`).
        key: String,
        /// What is wrong.
        problem: Problem,
    },
    /// The ledger named on the command line, or of the default, cannot be used.
    #[error("ledger: {0}")]
    Ledger(Problem),
    /// The settings of the sandbox do not hold together.
    #[error("sandbox: {0}")]
    Sandbox(Problem),
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The TOML reader's own words.
    #[error("{0}")]
    Syntax(String),
    /// A key of another kind of provider.
    #[error("this key does not belong to kind {kind}, only to {belongs}")]
    Foreign {
        /// The entry's kind.
        kind: ProviderKind,
        /// The kinds that have the key.
        belongs: String,
    },
    /// A key is missing.
    #[error("this key is missing; kind {0} needs it")]
    Missing(ProviderKind),
    /// No provider at all.
    #[error("there is no provider; add a [[providers]] entry")]
    NoProviders,
    /// Not one of the words.
    #[error("{value:?} is not known; write one of: {choices}")]
    Choice {
        /// What stands there.
        value: String,
        /// What may.
        choices: String,
    },
    /// The name is used already.
    #[error("another provider is named {0:?} already (case does not matter)")]
    NameTaken(String),
    /// Not a usable name.
    #[error("{0:?} is not a name; write 1 to 64 letters, digits, `-`, `_` or `.`")]
    Name(String),
    /// Two entries for one account.
    #[error(
        "this is the account of provider {0:?}: rates, caps and halts are kept for an account, so it has one entry"
    )]
    AccountTaken(String),
    /// Empty.
    #[error("this is empty")]
    Empty,
    /// No countries.
    #[error("name at least one country, such as countries = [\"VN\"]")]
    NoCountries,
    /// Not a usable address of a provider.
    #[error("{0}")]
    BaseUrl(UrlProblem),
    /// Not a usable proxy.
    #[error("a proxy is a http:// or https:// URL with a host")]
    Proxy,
    /// A password stands in the file.
    #[error(
        "the proxy's password must not stand in this file; write the whole URL as {{ file = \"...\" }} or {{ env = \"...\" }}"
    )]
    ProxyPassword,
    /// Outside its bounds.
    #[error("{value} is out of range: {bounds}")]
    Bounds {
        /// What stands there.
        value: String,
        /// What may, and why.
        bounds: &'static str,
    },
    /// A secret that cannot be had.
    #[error("{0}")]
    Secret(SecretProblem),
    /// A phone plan that cannot be read.
    #[error("the phone plan {} cannot be read: {why}", file.display())]
    PlanUnreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// Two phone plans for one country.
    #[error("{other:?} is a phone plan of {country} already; a country has one")]
    PlanTwice {
        /// The country.
        country: Country,
        /// The file named before.
        other: String,
    },
    /// Something in a phone plan.
    #[error("{0}")]
    Plan(PlanProblem),
    /// A ledger this build cannot use.
    #[error("PostgreSQL is not supported by this build; name an SQLite file instead")]
    Postgres,
    /// Not a ledger. It is not repeated, because the URL of a database may hold a password.
    #[error("this is not a ledger; name an SQLite file, such as ledger.db")]
    Ledger,
    /// The user has no data directory.
    #[error("the user's data directory is not known (HOME is not set); name a file with --ledger")]
    NoDataFolder,
}

/// What is wrong with a `base_url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// No `http://` or `https://` URL with a host.
    #[error("this is not a http:// or https:// URL with a host")]
    NotHttp,
    /// User, password, query or fragment.
    #[error("the URL must not hold a user, a password, a `?` or a `#`")]
    Extra,
    /// Keys would travel in the clear.
    #[error(
        "keys and numbers would travel unencrypted; use https://, or a private line and allow_insecure_http = true"
    )]
    Insecure,
}

/// Why a secret cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// The file cannot be read.
    #[error(
        "the secret file {} cannot be read: {why}. Put the key into it and run chmod 600 on it; take a provider that you \
         have no account with out of the configuration",
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's words.
        why: String,
    },
    /// Others can read the file.
    #[error(
        "others can read the secret file {} (mode {mode:03o}); run: chmod 600 {}",
        file.display(), file.display()
    )]
    Open {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in the file.
    #[error("the secret file {} is empty", .0.display())]
    EmptyFile(PathBuf),
    /// Not a text, or far too long for a key.
    #[error("the secret file {} holds no key: it is not UTF-8 text of at most 64 KiB", .0.display())]
    NoText(PathBuf),
    /// The variable is not there.
    #[error(
        "the environment variable {0} is not set, or empty; the secret is expected there. Set it, or take a provider that you have no account with out of the configuration"
    )]
    NoVariable(String),
}

/// A file and its text, to say where something is wrong.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Place<'_> {
    /// The problem, at the line where `span` begins.
    pub(super) fn problem(
        self,
        span: Range<usize>,
        key: impl Into<String>,
        problem: Problem,
    ) -> SettingsError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
        SettingsError::At { file: self.file.to_owned(), line, key: key.into(), problem }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    shown.join(", no ")
}
