//! What every command stands on: settings, ledger, clock, terminal, and the sandbox when it plays one.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::args::GlobalArgs;
use super::metrics::Metrics;
use super::sandbox_mode;
use super::terminal::Terminal;
use crate::job::Stop;
use crate::ledger::{BatchInfo, FoundBatch, Ledger, LedgerLock, is_ledger_file};
use crate::report::Summary;
use crate::run::Clock;
use crate::settings::{LedgerLocation, ProviderSettings, Settings, UserDirs};

/// The ground a command stands on.
#[derive(Debug)]
pub struct Context {
    /// How to talk.
    pub terminal: Terminal,
    /// The clock.
    pub clock: Clock,
    /// The ledger's file.
    pub ledger_path: PathBuf,
    /// Whether `--sandbox` was given.
    pub sandbox: bool,
    /// Summaries of a command over several batches, which are told as one object at its end.
    pub summaries: Option<RefCell<Vec<Summary>>>,
    /// Figures, where they are wanted.
    pub metrics: Option<Metrics>,
    global: GlobalArgs,
    /// Keeps the sandbox's server alive.
    _server: Option<crate::sandbox::Sandbox>,
    /// Keeps the sandbox's folder, where it is for this process alone; dropped after the server.
    _folder: Option<tempfile::TempDir>,
    settings: Option<Settings>,
}

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Only the ledger: no secret is fetched, no provider is known.
    Ledger,
    /// The whole configuration.
    Providers,
    /// The whole configuration; a sandbox begins a new ledger.
    NewBatch,
    /// The whole configuration; a sandbox is as new as a new batch would find it, and leaves nothing.
    Plan,
}

impl Context {
    /// Resolves what a command needs.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 for a wrong configuration.
    pub async fn of(global: &GlobalArgs, needs: Needs) -> Result<Self, Stop> {
        let dirs = UserDirs::of_process();
        let cwd = std::env::current_dir().map_err(|e| Stop::internal(format!("no working folder: {e}")))?;
        let named = global.ledger.as_deref().map(|text| LedgerLocation::parse(text, &cwd)).transpose();
        let named = named.map_err(|problem| Stop::refused(format!("--ledger: {problem}")))?;
        let env = |name: &str| std::env::var(name).ok();
        let config = global.config.as_deref();
        let (mut settings, mut server, mut folder) = (None, None, None);
        let location = if global.sandbox {
            let place = if needs == Needs::Plan && named.is_none() {
                let (place, passing) = sandbox_mode::passing_place()?;
                folder = Some(passing);
                place
            } else {
                sandbox_mode::place(named, &dirs, needs == Needs::NewBatch)?
            };
            if needs != Needs::Ledger {
                let (made, running) = sandbox_mode::start(&place).await?;
                (settings, server) = (Some(made), Some(running));
            }
            place.ledger
        } else if needs == Needs::Ledger {
            match named {
                Some(location) => location,
                None => Settings::load_ledger(config, &env, &cwd, &dirs)?,
            }
        } else {
            let mut loaded = Settings::load(config, &env, &cwd, &dirs)?;
            if let Some(location) = named {
                loaded.ledger = location;
            }
            let location = loaded.ledger.clone();
            settings = Some(loaded);
            location
        };
        let LedgerLocation::Sqlite(ledger_path) = location;
        let context = Self {
            terminal: Terminal::of(global),
            clock: Clock::new(),
            ledger_path,
            sandbox: global.sandbox,
            summaries: None,
            metrics: None,
            global: global.clone(),
            _server: server,
            _folder: folder,
            settings,
        };
        context.keep_off(global.log_file.as_deref())?;
        Ok(context)
    }

    /// Refuses paths of a command that lead to the ledger, by their names: opening it to look would take the locks
    /// away by which it is kept, and what is written there would be its end.
    ///
    /// # Errors
    /// [`Stop`] with exit 2.
    pub fn keep_off<'p>(&self, paths: impl IntoIterator<Item = &'p Path>) -> Result<(), Stop> {
        match paths.into_iter().find(|path| is_ledger_file(&self.ledger_path, path)) {
            Some(path) => Err(Stop::refused(format!(
                "{} belongs to the ledger {}; name another file. Nothing was done",
                path.display(),
                self.ledger_path.display()
            ))),
            None => Ok(()),
        }
    }

    /// Keeps figures of the command, which are to be written to this file.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 when it is the ledger.
    pub fn measure(&mut self, metrics: Option<Metrics>, file: Option<&Path>) -> Result<(), Stop> {
        if let Some(metrics) = &metrics {
            metrics.are_of(&self.ledger_path);
        }
        self.metrics = metrics;
        self.keep_off(file)
    }

    /// The settings; there unless the command needs only the ledger.
    ///
    /// # Errors
    /// [`Stop`] when there are none: a fault of the program.
    pub fn settings(&self) -> Result<&Settings, Stop> {
        self.settings.as_ref().ok_or_else(|| Stop::internal("a command without its settings"))
    }

    /// A provider entry by its name, or the beginning of it if that is unambiguous.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 that lists what there is.
    pub fn provider(&self, name: &str) -> Result<&ProviderSettings, Stop> {
        let providers = &self.settings()?.providers;
        let begins: Vec<_> = providers.iter().filter(|entry| entry.name.starts_with(name)).collect();
        let exact = providers.iter().find(|entry| entry.name == name);
        match (exact, begins.as_slice()) {
            (Some(entry), _) => Ok(entry),
            (None, [entry]) => Ok(*entry),
            (None, _) => {
                let names: Vec<&str> = providers.iter().map(|entry| entry.name.as_str()).collect();
                Err(Stop::refused(format!("no provider is called {name:?}; there are: {}", names.join(", "))))
            }
        }
    }

    /// Opens the ledger for reading, beside whoever submits. None: there is no ledger yet.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn read_ledger(&self) -> Result<Option<Ledger>, Stop> {
        if !self.ledger_path.exists() {
            return Ok(None);
        }
        Ok(Some(Ledger::open_read(&self.ledger_path)?))
    }

    /// Takes the lock of the ledger for the life of the value, and opens it for writing.
    ///
    /// # Errors
    /// [`Stop`]: exit 6 when another process holds it.
    pub fn own_ledger(&self) -> Result<(LedgerLock, Ledger), Stop> {
        if let Some(folder) = self.ledger_path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private_folder(folder)?;
        }
        let lock = LedgerLock::acquire(&self.ledger_path)?;
        let ledger = Ledger::open(lock.ledger())?;
        Ok((lock, ledger))
    }

    /// The batch that a name, or the beginning of one, means.
    ///
    /// # Errors
    /// [`Stop`] with exit 2: none, several, or one of the sandbox without `--sandbox` (and the other way).
    pub fn find_batch(&self, ledger: &Ledger, name: &str) -> Result<BatchInfo, Stop> {
        let info = match ledger.find_batch(name)? {
            FoundBatch::One(info) => *info,
            FoundBatch::None => {
                let known = ledger.batches()?;
                let names: Vec<&str> = known.iter().rev().take(5).map(|batch| batch.name.as_str()).collect();
                let hint = if names.is_empty() {
                    "it holds none yet".to_owned()
                } else {
                    format!("the latest are: {}", names.join(", "))
                };
                let path = self.ledger_path.display();
                return Err(Stop::refused(format!("the ledger {path} knows no batch {name:?}; {hint}")));
            }
            FoundBatch::Ambiguous(names) => {
                let names: Vec<&str> = names.iter().map(crate::domain::BatchName::as_str).collect();
                return Err(Stop::refused(format!(
                    "{name:?} may mean several batches: {}",
                    names.join(", ")
                )));
            }
        };
        self.check_sandbox(&info)?;
        Ok(info)
    }

    /// A batch of the sandbox is handled only with `--sandbox`, any other only without.
    ///
    /// # Errors
    /// [`Stop`] with exit 2.
    pub fn check_sandbox(&self, info: &BatchInfo) -> Result<(), Stop> {
        match (info.sandbox, self.sandbox) {
            (true, false) => {
                Err(Stop::refused(format!("batch {} is of the sandbox: add --sandbox", info.name)))
            }
            (false, true) => {
                Err(Stop::refused(format!("batch {} is no sandbox batch: leave out --sandbox", info.name)))
            }
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// The flags a person has to repeat for the next command to mean the same ledger.
    pub fn repeat_flags(&self) -> String {
        let mut flags = String::new();
        if self.sandbox {
            flags.push_str(" --sandbox");
        }
        for (flag, value) in [
            ("--config", self.global.config.as_deref().map(Path::display).map(|p| p.to_string())),
            ("--ledger", self.global.ledger.clone()),
        ] {
            if let Some(value) = value {
                flags.push_str(&format!(" {flag} {}", quoted(&value)));
            }
        }
        flags
    }
}

/// A word for a shell: in quotes if it needs them.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ',' | '=' | ':');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Makes a folder that only the user can look into, if it is not there.
pub fn make_private_folder(folder: &Path) -> Result<(), Stop> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|e| Stop::internal(format!("cannot make the folder {}: {e}", folder.display())))
}
