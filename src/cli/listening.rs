//! The callback listener of a command: started from the settings, told about on stderr, ended with the value.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::context::{Context, make_private_folder};
use super::terminal::Terminal;
use crate::callbacks::{Entry, Listener, Options, StartError, Tally, Watch};
use crate::job::Stop;
use crate::run::Clock;
use crate::settings::ListenSettings;

/// How often `-v` tells what came in.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A path secret shorter than this can be found by trying.
const SECRET_CHARS_MIN: usize = 16;

/// A listener under a person's eyes. It ends when this is dropped.
pub struct Listening {
    listener: Listener,
    teller: Teller,
    task: JoinHandle<()>,
}

impl Listening {
    /// Starts to listen as `[listen]` says, at another address if one is given.
    ///
    /// # Errors
    /// [`Stop`] with exit 2 when nothing is configured, nobody has callbacks or the address cannot be had, 1
    /// when the ledger fails.
    pub fn start(context: &Context, address: Option<SocketAddr>, verbose: bool) -> Result<Self, Stop> {
        let settings = context.settings()?;
        let listen = settings.listen.as_ref().ok_or_else(|| not_configured(context))?;
        let entries: Vec<Entry> =
            settings.providers.iter().filter_map(|entry| Entry::of(&entry.name, &entry.codec)).collect();
        let names: Vec<String> = entries.iter().map(|entry| entry.name().to_owned()).collect();
        if entries.is_empty() {
            return Err(Stop::refused("no configured provider has callbacks: connect-topup has none"));
        }
        if let Some(folder) = context.ledger_path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private_folder(folder)?;
        }
        let clock = context.clock;
        let listener = Listener::start(Options {
            address: address.unwrap_or(listen.address),
            path_secret: listen.path_secret.clone(),
            allow: listen.allow.clone(),
            entries,
            ledger: context.ledger_path.clone(),
            request_time_max: Options::REQUEST_TIME_MAX,
            now: Box::new(move || clock.now()),
        })?;
        tracing::info!(address = %listener.address(), "listening for callbacks");
        let paths: Vec<String> = names.iter().map(|name| format!("/<path_secret>/{name}")).collect();
        context.terminal.say(&format!(
            "Listening for callbacks at {}: {}",
            listener.address(),
            paths.join(", ")
        ));
        warn(context.terminal, listen, listener.address());
        let teller = Teller { terminal: context.terminal, watch: listener.watch(), verbose, told: None };
        let task = tokio::spawn(teller.clone().keep_telling(clock));
        Ok(Self { listener, teller, task })
    }

    /// For `run --listen`: beside the command, if an address was given.
    ///
    /// # Errors
    /// As [`Listening::start`].
    pub fn beside(
        context: &Context,
        address: Option<SocketAddr>,
        verbose: bool,
    ) -> Result<Option<Self>, Stop> {
        let Some(address) = address else { return Ok(None) };
        Self::start(context, Some(address), verbose).map(Some)
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// What it counts.
    pub fn watch(&self) -> Watch {
        self.listener.watch()
    }

    /// Waits until it has ended by itself, which is a fault of the program.
    pub async fn ended(&mut self) {
        self.listener.ended().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
        self.listener.stop();
        self.teller.told = None;
        self.teller.tell();
    }
}

/// Tells on stderr what came in: failures of the ledger always, the counts with `-v`.
#[derive(Clone)]
struct Teller {
    terminal: Terminal,
    watch: Watch,
    verbose: bool,
    told: Option<Tally>,
}

impl Teller {
    async fn keep_telling(mut self, clock: Clock) {
        loop {
            clock.wait(TELL_EVERY).await;
            self.tell();
        }
    }

    fn tell(&mut self) {
        if let Some(trouble) = self.watch.take_trouble() {
            tracing::warn!(%trouble, "a callback could not be kept");
            self.terminal.complain(&format!("bulk-topup: a callback could not be kept: {trouble}"));
        }
        let tally = self.watch.tally();
        if self.told != Some(tally) {
            tracing::info!(%tally, "callbacks");
            if self.verbose {
                self.terminal.say(&format!("callbacks: {tally}"));
            }
            self.told = Some(tally);
        }
    }
}

fn not_configured(context: &Context) -> Stop {
    if context.sandbox {
        return Stop::refused("the sandbox's callbacks need a configuration: leave out --sandbox");
    }
    Stop::refused(
        "the configuration does not say how callbacks come in; add to bulk-topup.toml:\n\n\
         [listen]\n\
         address = \"127.0.0.1:8400\"\n\
         path_secret = { file = \"path.key\" }   # 16 or more letters and digits; a part of the callback URL",
    )
}

/// What a careful person would want to know before the provider is told the URL.
fn warn(terminal: Terminal, listen: &ListenSettings, address: SocketAddr) {
    if listen.path_secret.expose().len() < SECRET_CHARS_MIN {
        terminal.say(&format!(
            "warning: listen.path_secret is shorter than {SECRET_CHARS_MIN} characters and can be guessed"
        ));
    }
    if !address.ip().is_loopback() && listen.allow.is_empty() {
        terminal.say(&format!(
            "warning: whoever reaches {address} may call it; name the provider's networks in listen.allow"
        ));
    }
}

impl From<StartError> for Stop {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Secret(error) => Self::refused(format!("listen.path_secret: {error}")),
            StartError::Address { .. } => Self::refused(error.to_string()),
            StartError::Ledger(error) => error.into(),
            StartError::System(_) => Self::internal(error.to_string()),
        }
    }
}
