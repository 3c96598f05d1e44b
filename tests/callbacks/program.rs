//! The built program with a configuration of its own, and a sandbox for it to send to.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use bulk_topup::sandbox::{Faults, Options, Sandbox, demo_accounts, start};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::PATH_SECRET;

/// A folder with configurations, one ledger, and the files of a batch.
pub struct Site {
    pub folder: tempfile::TempDir,
}

impl Site {
    pub fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        let demo = demo_accounts();
        site.write("path.key", PATH_SECRET);
        site.write("open.id", demo.tutom_open_id);
        site.write("tutom.key", demo.tutom_app_key);
        site.write("paynicorn.key", demo.paynicorn_app_key);
        site.write("paynicorn.secret", demo.paynicorn_secret);
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path("ledger.db")
    }

    /// Writes a file that only we can read.
    pub fn write(&self, name: &str, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(self.path(name));
        std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
    }

    /// A configuration for providers at this address.
    pub fn configure(
        &self,
        name: &str,
        providers: SocketAddr,
        listen: Option<SocketAddr>,
        first_check: &str,
    ) {
        let demo = demo_accounts();
        let listen = listen.map_or_else(String::new, |address| {
            format!("[listen]\naddress = \"{address}\"\npath_secret = {{ file = \"path.key\" }}\n")
        });
        let text = format!(
            "ledger = \"ledger.db\"\n{listen}
[[providers]]
name = \"china\"
kind = \"tutom\"
base_url = \"http://{providers}{}\"
countries = [\"CN\"]
app_key = {{ file = \"tutom.key\" }}
open_id = {{ file = \"open.id\" }}
first_check = \"{first_check}\"

[[providers]]
name = \"nigeria\"
kind = \"paynicorn\"
base_url = \"http://{providers}{}\"
countries = [\"NG\"]
app_key = {{ file = \"paynicorn.key\" }}
merchant_secret = {{ file = \"paynicorn.secret\" }}
first_check = \"{first_check}\"
",
            demo.tutom_path, demo.paynicorn_path
        );
        self.write(name, &text);
    }

    /// The program with this configuration.
    pub fn command(&self, config: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        command.current_dir(self.folder.path()).arg("--config").arg(config).args(args);
        command.env_remove("BULK_TOPUP_CONFIG").stdin(Stdio::null());
        command
    }

    pub fn run(&self, config: &str, args: &[&str]) -> Output {
        self.command(config, args).output().unwrap()
    }

    /// Starts `listen -v` and waits until it is ready.
    pub fn listen(&self, config: &str) -> Listening {
        let mut command = self.command(config, &["listen", "-v"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening ").unwrap().parse().unwrap();
        Listening { child, address, stdout, said: Some(said) }
    }
}

/// A running `listen`; it is killed if a test leaves it behind.
pub struct Listening {
    child: Child,
    pub address: SocketAddr,
    stdout: BufReader<std::process::ChildStdout>,
    said: Option<JoinHandle<String>>,
}

impl Listening {
    /// Resident memory in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ends it by a signal: exit code, the rest of stdout, stderr.
    pub fn end(&mut self, signal: Signal) -> (Option<i32>, String, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status.code(), rest, self.said.take().unwrap().join().unwrap())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sandbox on a thread of its own.
pub struct Providers {
    pub sandbox: Sandbox,
    _going: tokio::sync::oneshot::Sender<()>,
}

impl Providers {
    pub fn start(faults: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = Options {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: None,
            seed: 7,
            faults: Faults::parse(faults).unwrap(),
        };
        let sandbox = runtime.block_on(start(options)).unwrap();
        let (going, gone) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || runtime.block_on(gone));
        Self { sandbox, _going: going }
    }

    pub fn address(&self) -> SocketAddr {
        self.sandbox.addr()
    }
}
