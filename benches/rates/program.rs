//! The built program in a folder of its own, and what its ledger tells of its submits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use bulk_topup::domain::RowNumber;
use bulk_topup::ledger::{Ledger, LedgerError};
use bulk_topup::lifecycle::Event;

use crate::lane::{Kind, Lane};
use crate::provider::wall_us;

/// A folder with configuration, input and ledger.
pub struct Place {
    folder: tempfile::TempDir,
}

/// When a process was started, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct There {
    pub from: i64,
}

/// Instants of one provider's submits, in microseconds, in order.
#[derive(Debug, Default)]
pub struct Recorded {
    /// When each was handed to the network.
    pub sent: Vec<i64>,
    /// Decided, and no more known of it: the process ended.
    pub interrupted: Vec<i64>,
}

impl Place {
    pub fn new(lanes: &[Lane], addr: &str, seconds: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = "ledger = \"ledger.db\"\ndefault_country = \"VN\"\n".to_owned();
        let mut rows = "phone,amount,product,country\n".to_owned();
        for lane in lanes {
            lane.write_config(addr, &mut config);
            for row in 0..lane.rows(seconds) {
                lane.write_row(row, &mut rows);
            }
        }
        let at = folder.path().join("bulk-topup.toml");
        fs::write(&at, config).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(folder.path().join("rows.csv"), rows).unwrap();
        Self { folder }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        command.env_clear().current_dir(self.folder.path()).env("HOME", self.folder.path());
        command.env("KEY", "7bf7d2fd6d9c5012ae7c82ab7617");
        command.args(["run", "rows.csv", "--yes", "--json", "--settle-for", "2s"]);
        command.stdin(Stdio::null());
        command
    }

    /// To its end.
    pub fn run(&self) -> There {
        let from = wall_us();
        let output = self.command().output().unwrap();
        // Orders that a kill cut short need a person; nothing else may be left.
        let code = output.status.code();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(code, Some(0..=9)), "{code:?} {}{said}", String::from_utf8_lossy(&output.stdout));
        There { from }
    }

    /// Killed after so long.
    pub fn run_for(&self, time: Duration) -> There {
        let from = wall_us();
        let mut child = self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time);
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        child.kill().unwrap();
        child.wait().unwrap();
        There { from }
    }

    /// What the ledger tells of a provider's submits.
    pub fn recorded(&self, kind: Kind) -> Recorded {
        let ledger = Ledger::open_read(&self.folder.path().join("ledger.db")).unwrap();
        let batch = ledger.batches().unwrap().remove(0).id;
        let mut mine: Vec<RowNumber> = Vec::new();
        ledger
            .for_each_row::<LedgerError>(batch, |row| {
                let order = row.order.as_ref();
                if order.is_some_and(|order| order.provider == kind.name()) {
                    mine.push(row.row);
                }
                Ok(())
            })
            .unwrap();
        let mut recorded = Recorded::default();
        for row in mine {
            let mut intended = None;
            for (_, event) in ledger.history(batch, row).unwrap() {
                if let Event::Intent(intent) = &event {
                    intended = Some(intent.at.wall.0);
                } else if let Event::Answered { sent_at, .. } | Event::NoAnswer { sent_at, .. } = &event {
                    recorded.sent.push(sent_at.0);
                    intended = None;
                } else if let Event::NotSent { .. } = &event {
                    intended = None;
                }
            }
            recorded.interrupted.extend(intended);
        }
        recorded.sent.sort_unstable();
        recorded.interrupted.sort_unstable();
        recorded
    }
}
