//! A private place for one test: folders, configuration, a sandbox, and the program run in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::checker::{Breach, check};
use super::evidence::{Evidence, Intent, Line, Table, read_log_file};
use super::program::{Ended, Program, until};
use super::rows::{self, Row};

/// No run of a test takes longer than this; the bound only keeps a hang from being for ever.
pub const LONG: Duration = Duration::from_secs(90);

pub const PRIVATE_KEY: &str = "demo-private-key";
pub const OPEN_ID: &str = "demo-open-id";
pub const MERCHANT_SECRET: &str = "demo-merchant-secret";
pub const TUTOM_APP_KEY: &str = "7bf7d2fd6d9c5012ae7c82ab7617";
pub const PAYNICORN_APP_KEY: &str = "T90B124766qU95d385O4";

/// Runs several worlds beside each other: they mostly wait. The first that fails fails the test.
pub fn at_once<F: FnOnce() + Send>(worlds: impl Iterator<Item = F>) {
    std::thread::scope(|scope| {
        let threads: Vec<_> = worlds.map(|world| scope.spawn(world)).collect();
        for thread in threads {
            if let Err(failure) = thread.join() {
                std::panic::resume_unwind(failure);
            }
        }
    });
}

/// Settings of the provider entries that a test may change.
#[derive(Clone, Debug)]
pub struct Settings {
    pub submit_rate: String,
    pub max_in_flight: u32,
    pub timeout: String,
    pub not_found_grace: String,
    pub give_up: String,
    pub trust_not_found: bool,
    pub username: String,
    /// More lines for every provider entry.
    pub more: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            submit_rate: "100/s".to_owned(),
            max_in_flight: 16,
            timeout: "4s".to_owned(),
            not_found_grace: "4s".to_owned(),
            give_up: "1h".to_owned(),
            trust_not_found: true,
            username: "demo".to_owned(),
            more: String::new(),
        }
    }
}

/// A running sandbox.
pub struct Sandbox {
    pub program: Program,
    pub addr: String,
}

/// One test's place.
pub struct World {
    root: tempfile::TempDir,
    pub input: PathBuf,
    pub results: PathBuf,
    pub ledger: PathBuf,
    pub log: PathBuf,
    pub settings: Settings,
    pub sandbox: Option<Sandbox>,
    starts: std::cell::Cell<u32>,
}

impl World {
    /// A place with a sandbox and an input file.
    pub fn new(faults: &str, seed: u64, input: &[Row]) -> World {
        World::with(faults, seed, input, Settings::default())
    }

    pub fn with(faults: &str, seed: u64, input: &[Row], settings: Settings) -> World {
        let root = tempfile::Builder::new().prefix("bt-process-").tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for folder in ["home", "work", "keys"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for (name, secret) in [("vn.key", PRIVATE_KEY), ("ng.key", MERCHANT_SECRET)] {
            fs::write(at("keys").join(name), format!("{secret}\n")).unwrap();
            fs::set_permissions(at("keys").join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut world = World {
            input: at("work/payroll.csv"),
            results: at("work/payroll.results.csv"),
            ledger: at("store/ledger.db"),
            log: at("charges.ndjson"),
            settings,
            sandbox: None,
            starts: std::cell::Cell::new(0),
            root,
        };
        rows::write(&world.input, input);
        world.serve(faults, seed);
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Starts the sandbox (again, on the same charge log) and writes the configuration that names it.
    pub fn serve(&mut self, faults: &str, seed: u64) {
        self.sandbox = None;
        let mut command = self.command();
        command.args(["sandbox", "--addr", "127.0.0.1:0", "--seed", &seed.to_string(), "--faults", faults]);
        command.arg("--log").arg(&self.log);
        let mut program = Program::start(command, &self.next_stem());
        let addr = until("sandbox", Duration::from_secs(30), || {
            let told = program.stdout();
            if let Some(ended) = program.try_wait(Duration::ZERO) {
                panic!("the sandbox ended: {ended:?}");
            }
            let line = told.lines().find_map(|line| line.strip_prefix("listening "))?;
            told.ends_with('\n').then(|| line.to_owned())
        });
        self.sandbox = Some(Sandbox { program, addr });
        self.configure();
    }

    pub fn config_path(&self) -> PathBuf {
        self.path("work/bulk-topup.toml")
    }

    /// Writes the configuration of the three providers.
    pub fn configure(&self) {
        let addr = self.sandbox.as_ref().map_or("127.0.0.1:9", |sandbox| &sandbox.addr);
        let Settings { submit_rate, max_in_flight, timeout, not_found_grace, give_up, .. } = &self.settings;
        let Settings { trust_not_found, username, more, .. } = &self.settings;
        let common = format!(
            "submit_rate = \"{submit_rate}\"\nquery_rate = \"200/s\"\nmax_in_flight = {max_in_flight}\n\
             timeout = \"{timeout}\"\nconnect_timeout = \"1s\"\nfirst_check = \"200ms\"\nmax_check = \"1s\"\n\
             give_up = \"{give_up}\"\nnot_found_grace = \"{not_found_grace}\"\nnot_found_times = 3\n\
             throttle_pause = \"1s\"\nhalt_after_unclear = 1000\n{more}\n"
        );
        let keys = self.path("keys");
        let text = format!(
            "ledger = {:?}\ndefault_country = \"VN\"\n\n\
             [[providers]]\nname = \"vietnam\"\nkind = \"connect-topup\"\ncountries = [\"VN\"]\n\
             base_url = \"http://{addr}/apipayment/\"\nusername = \"{username}\"\n\
             private_key = {{ file = {:?} }}\n{common}\n\
             [[providers]]\nname = \"china\"\nkind = \"tutom\"\ncountries = [\"CN\"]\n\
             base_url = \"http://{addr}/gateway/flowapi/\"\napp_key = {{ env = \"T_APP_KEY\" }}\n\
             open_id = {{ env = \"T_OPEN_ID\" }}\ntrust_not_found = {trust_not_found}\n{common}\n\
             [[providers]]\nname = \"nigeria\"\nkind = \"paynicorn\"\ncountries = [\"NG\"]\n\
             base_url = \"http://{addr}/trade/topup/api/\"\napp_key = {{ env = \"P_APP_KEY\" }}\n\
             merchant_secret = {{ file = {:?} }}\n{common}\n",
            self.ledger,
            keys.join("vn.key"),
            keys.join("ng.key"),
        );
        fs::write(self.config_path(), text).unwrap();
    }

    /// The program with nothing of this machine's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        self.clothe(&mut command);
        command
    }

    /// Gives a command the private environment and folder of this place.
    pub fn clothe(&self, command: &mut Command) {
        command.env_clear().current_dir(self.path("work"));
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.path("home"));
        for (name, folder) in
            [("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache")]
        {
            command.env(name, self.path("home").join(folder));
        }
        command.env("T_APP_KEY", TUTOM_APP_KEY).env("T_OPEN_ID", OPEN_ID).env("P_APP_KEY", PAYNICORN_APP_KEY);
    }

    /// A new stem for the output files of a process.
    pub fn next_stem(&self) -> PathBuf {
        self.starts.set(self.starts.get() + 1);
        self.path(&format!("process-{}", self.starts.get()))
    }

    /// Starts the program with these arguments.
    pub fn start(&self, args: &[&str]) -> Program {
        let mut command = self.command();
        command.args(args);
        Program::start(command, &self.next_stem())
    }

    /// Runs the program with these arguments to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.start(args).wait(LONG)
    }

    /// `run` of the input file, confirmed, with a JSON summary.
    pub fn topup(&self, more: &[&str]) -> Ended {
        self.start_topup(more).wait(LONG)
    }

    pub fn start_topup(&self, more: &[&str]) -> Program {
        let mut args = vec!["run", "payroll.csv", "--yes", "--json"];
        args.extend(more);
        self.start(&args)
    }

    /// The one batch of the ledger.
    pub fn batch(&self) -> String {
        self.sql("SELECT name FROM batches", |row| row.get(0)).remove(0)
    }

    /// Reads the ledger's file.
    pub fn sql<T>(&self, sql: &str, each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let conn = Connection::open_with_flags(&self.ledger, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        conn.busy_timeout(Duration::from_secs(5)).unwrap();
        let mut ask = conn.prepare(sql).unwrap();
        ask.query_map([], each).unwrap().map(Result::unwrap).collect()
    }

    /// Every event of a row, oldest first.
    pub fn events(&self) -> Vec<(usize, Value)> {
        let sql = "SELECT row, body FROM events WHERE row IS NOT NULL ORDER BY seq";
        let found = self.sql(sql, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
        found.into_iter().map(|(row, body)| (row as usize, serde_json::from_str(&body).unwrap())).collect()
    }

    /// Every intent of the ledger; none where there is no ledger.
    pub fn intents(&self) -> Vec<Intent> {
        if !self.ledger.exists() {
            return Vec::new();
        }
        let intent = |(row, body): (usize, Value)| {
            Some(Intent { row, id: body.get("intent")?.get("id")?.as_str()?.to_owned() })
        };
        self.events().into_iter().filter_map(intent).collect()
    }

    pub fn charge_log(&self) -> Vec<Line> {
        read_log_file(&self.log)
    }

    /// Submits that reached the providers.
    pub fn requests(&self) -> usize {
        self.charge_log().iter().filter(|line| line.event == "request").count()
    }

    pub fn table(&self) -> Table {
        Table::read(&self.results)
    }

    /// Everything there is to judge the batch by.
    pub fn evidence(&self, ended: &Ended, quiet: bool) -> Evidence {
        Evidence {
            input: Table::read(&self.input),
            results: self.table(),
            log: self.charge_log(),
            exit: ended.code,
            summary: serde_json::from_str(&ended.stdout).ok(),
            intents: self.intents(),
            quiet,
            in_flight_most: self.settings.max_in_flight.into(),
        }
    }

    /// Every promise, judged from the files as they are now.
    pub fn breaches(&self, ended: &Ended, quiet: bool) -> Vec<Breach> {
        check(&self.evidence(ended, quiet))
    }

    /// Fails on any broken promise.
    pub fn assert_sound(&self, ended: &Ended, quiet: bool) {
        let breaches = self.breaches(ended, quiet);
        if !breaches.is_empty() {
            let kept = self.keep();
            let shown: Vec<String> =
                breaches.iter().take(20).map(|b| format!("{:?}: {}", b.promise, b.what)).collect();
            panic!(
                "{} broken promises, files in {}\n{}\n{}",
                breaches.len(),
                kept.display(),
                shown.join("\n"),
                ended.stderr
            );
        }
    }

    /// Copies what there is to a folder that stays, for whoever looks into a failure.
    fn keep(&self) -> PathBuf {
        let kept = std::env::temp_dir().join(format!(
            "bulk-topup-failure-{}-{}",
            std::process::id(),
            self.root.path().file_name().unwrap().to_string_lossy()
        ));
        let _ = fs::create_dir_all(&kept);
        let from: [&Path; 5] = [&self.input, &self.results, &self.ledger, &self.log, &self.config_path()];
        for path in from {
            let _ = fs::copy(path, kept.join(path.file_name().unwrap()));
        }
        kept
    }
}

/// Asserts an exit code, with everything that was said when it is another.
pub fn assert_exit(ended: &Ended, code: i32) {
    assert_eq!(
        ended.code,
        Some(code),
        "signal {:?}\nstdout: {}\nstderr: {}",
        ended.signal,
        ended.stdout,
        ended.stderr
    );
}
