//! A batch that goes on or is retried is asked about, counted and compared like a new one: no flag, cap or
//! question of the first run is lost on the second.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A folder with a configuration, a sandbox beside it, and a configuration that reaches nobody.
struct Place {
    folder: tempfile::TempDir,
    sandbox: Child,
}

impl Place {
    fn new(limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut sandbox = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        sandbox.args(["sandbox", "--addr", "127.0.0.1:0", "--log"]).arg(folder.path().join("charges"));
        let mut sandbox = sandbox.env_clear().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(sandbox.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening ").unwrap();
        let key = folder.path().join("vn.key");
        fs::write(&key, "demo-private-key").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        for (name, addr, user) in
            [("good", addr, "demo"), ("dead", "127.0.0.1:9", "demo"), ("wrong", addr, "nobody")]
        {
            let text = format!(
                "ledger = \"ledger.db\"\ndefault_country = \"VN\"\n[limits]\n{limits}\n[[providers]]\n\
                 name = \"vietnam\"\nkind = \"connect-topup\"\ncountries = [\"VN\"]\n\
                 base_url = \"http://{addr}/apipayment/\"\nusername = \"{user}\"\n\
                 private_key = {{ file = \"vn.key\" }}\nfirst_check = \"100ms\"\nmax_check = \"200ms\"\n\
                 unreachable_for = \"1s\"\n"
            );
            fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
        }
        Self { folder, sandbox }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of these numbers, 20000 each.
    fn file(&self, name: &str, numbers: &[&str]) {
        let rows: Vec<String> = numbers.iter().map(|number| format!("{number},20000\n")).collect();
        fs::write(self.path(name), format!("phone,amount\n{}", rows.concat())).unwrap();
    }

    /// Runs the program without a terminal; `config` names one of the configurations.
    fn run(&self, config: &str, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        command.env_clear().env("HOME", self.path("home")).current_dir(self.folder.path());
        command.args(args).args(["--config", &format!("{config}.toml")]).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Admits a file and sends nothing of it: nobody can be reached.
    fn leave_unsent(&self, file: &str) {
        assert_exit(&self.run("dead", &["run", file, "--yes", "--settle-for", "0s"]), 5);
    }

    fn submits(&self) -> usize {
        let log = fs::read_to_string(self.path("charges")).unwrap_or_default();
        log.lines().filter(|line| line.contains("\"request\"")).count()
    }

    /// A column of a results file.
    fn column(&self, results: &str, title: &str) -> Vec<String> {
        let mut reader = csv::Reader::from_path(self.path(results)).unwrap();
        let place = reader.headers().unwrap().iter().position(|cell| cell == title).unwrap();
        reader.records().map(|row| row.unwrap().get(place).unwrap().to_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}

fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
}

const NUMBERS: [&str; 2] = ["0912345500", "0912345501"];

#[test]
fn what_is_left_of_a_batch_is_not_sent_unasked() {
    let place = Place::new("");
    place.file("pay.csv", &NUMBERS);
    place.leave_unsent("pay.csv");
    assert_exit(&place.run("good", &["run", "pay.csv"]), 2);
    assert_exit(&place.run("good", &["run", "pay.csv", "--yes", "--expect-total", "VND=1"]), 2);
    assert_eq!(place.submits(), 0);
    assert_exit(&place.run("good", &["run", "pay.csv", "--yes", "--expect-total", "VND=40000"]), 0);
    assert_eq!(place.submits(), 2);
}

#[test]
fn all_or_nothing_holds_for_a_batch_that_goes_on() {
    let place = Place::new("");
    place.file("pay.csv", &["0912345500", "1"]);
    place.leave_unsent("pay.csv");
    assert_exit(&place.run("good", &["run", "pay.csv", "--yes", "--all-or-nothing"]), 2);
    assert_eq!(place.submits(), 0);
}

#[test]
fn an_order_paid_from_another_batch_meanwhile_is_not_paid_when_its_own_goes_on() {
    let place = Place::new("");
    place.file("first.csv", &NUMBERS);
    place.leave_unsent("first.csv");
    place.file("second.csv", &NUMBERS[..1]);
    assert_exit(&place.run("good", &["run", "second.csv", "--yes", "--allow-repeats"]), 0);
    assert_eq!(place.submits(), 1);
    assert_exit(&place.run("good", &["run", "first.csv", "--yes"]), 3);
    assert_eq!(place.submits(), 2);
    assert_eq!(place.column("first.results.csv", "topup_reason"), ["recent_repeat", ""]);
    assert_eq!(place.column("first.results.csv", "topup_status"), ["invalid", "succeeded"]);
}

#[test]
fn a_failed_order_paid_from_another_batch_meanwhile_is_not_paid_by_retry() {
    let place = Place::new("");
    // Numbers that end in 0003 fail at the sandbox.
    place.file("first.csv", &["0912340003"]);
    assert_exit(&place.run("good", &["run", "first.csv", "--yes"]), 3);
    place.file("second.csv", &["0912340003", "0912345501"]);
    place.leave_unsent("second.csv");
    assert_exit(&place.run("good", &["retry", "first.results.csv", "--yes"]), 2);
    assert_eq!(place.submits(), 1);
    assert_exit(&place.run("good", &["retry", "first.results.csv", "--yes", "--allow-repeats"]), 3);
    assert_eq!(place.submits(), 2);
}

#[test]
fn the_cap_of_the_day_holds_for_what_is_left_and_for_retries() {
    let place = Place::new("max_day = { VND = \"50000\" }");
    place.file("failed.csv", &["0912340003"]);
    assert_exit(&place.run("good", &["run", "failed.csv", "--yes"]), 3);
    place.file("left.csv", &NUMBERS);
    place.leave_unsent("left.csv");
    place.file("paid.csv", &["0912345502"]);
    assert_exit(&place.run("good", &["run", "paid.csv", "--yes"]), 0);
    assert_eq!(place.submits(), 2);
    assert_exit(&place.run("good", &["run", "left.csv", "--yes"]), 2);
    assert_eq!(place.submits(), 2);
    place.file("more.csv", &["0912345503"]);
    assert_exit(&place.run("good", &["run", "more.csv", "--yes"]), 0);
    assert_exit(&place.run("good", &["retry", "failed.results.csv", "--yes"]), 2);
    assert_eq!(place.submits(), 3);
}

#[test]
fn results_of_this_file_from_a_lost_ledger_stop_a_run_wherever_its_own_are_to_go() {
    let place = Place::new("");
    place.file("pay.csv", &NUMBERS);
    assert_exit(&place.run("good", &["run", "pay.csv", "--yes"]), 0);
    let elsewhere = ["run", "pay.csv", "--yes", "--ledger", "other.db", "-o", "new.csv"];
    assert_exit(&place.run("good", &elsewhere), 2);
    fs::rename(place.path("pay.results.csv"), place.path("pay.results-2.csv")).unwrap();
    assert_exit(&place.run("good", &elsewhere), 2);
    assert_eq!(place.submits(), 2);
}

#[test]
fn a_refused_row_that_only_a_file_tells_of_is_not_sent_without_trust() {
    let place = Place::new("");
    // Numbers that end in 0004 are refused by the sandbox.
    place.file("pay.csv", &["0912340004", "0912345501"]);
    assert_exit(&place.run("good", &["run", "pay.csv", "--yes"]), 3);
    let results = fs::read_to_string(place.path("pay.results.csv")).unwrap();
    fs::write(place.path("pay.results.csv"), results.replace("\n0912340004", "\n0912345502")).unwrap();
    let retry = ["retry", "pay.results.csv", "--yes", "--ledger", "other.db"];
    assert_exit(&place.run("good", &retry), 2);
    assert_eq!(place.submits(), 2);
    assert_exit(&place.run("good", &[&retry[..], &["--trust-results"]].concat()), 0);
    assert_eq!(place.submits(), 3);
}

#[test]
fn a_provider_that_refuses_its_first_call_is_the_reason_why_rows_were_not_sent() {
    let place = Place::new("");
    place.file("pay.csv", &NUMBERS);
    let output = place.run("wrong", &["run", "pay.csv", "--yes", "--json"]);
    assert_exit(&output, 5);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["halts"].as_array().unwrap().len(), 1, "{summary}");
    assert_eq!(place.column("pay.results.csv", "topup_reason"), ["partner_refused", "partner_refused"]);
    assert_eq!(place.submits(), 0);
}
