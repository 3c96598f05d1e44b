//! The sample files do what the README says of them, through the built program and its sandbox.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program that does not start is a failed test"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A sample in a folder of its own, so that nothing is written beside the original.
struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn of(sample: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(sample);
        let original = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(sample);
        std::fs::copy(original, &file).unwrap();
        Self { folder, file }
    }

    fn bulk_topup(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
        command.args(words).current_dir(self.folder.path());
        command.env("XDG_DATA_HOME", self.folder.path().join("data"));
        command.env_remove("BULK_TOPUP_CONFIG").output().unwrap()
    }

    fn results(&self) -> Vec<u8> {
        std::fs::read(self.file.with_extension("sandbox.results.csv")).unwrap()
    }
}

/// Rows by `topup_status` and `topup_reason`.
fn tally(results: &[u8], delimiter: u8) -> BTreeMap<(String, String), usize> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(results);
    let mut counts = BTreeMap::new();
    for row in reader.deserialize::<BTreeMap<String, String>>().map(Result::unwrap) {
        let cell = |title: &str| row.get(title).cloned().unwrap();
        *counts.entry((cell("topup_status"), cell("topup_reason"))).or_insert(0) += 1;
    }
    counts
}

fn counts<const N: usize>(expected: [(&str, &str, usize); N]) -> BTreeMap<(String, String), usize> {
    expected.map(|(status, reason, rows)| ((status.to_owned(), reason.to_owned()), rows)).into()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_payroll_sample_shows_every_course_of_a_row_and_settles_by_itself() {
    let place = Place::of("payroll.csv");
    let output = place.bulk_topup(&["run", "payroll.csv", "--sandbox", "--yes"]);
    assert_eq!(output.status.code(), Some(3), "{}", words(&output));
    assert!(words(&output).contains("paused nigeria"), "a throttled row: {}", words(&output));
    let results = place.results();
    let expected = counts([
        ("succeeded", "", 28),
        ("failed", "provider_failed", 6),
        ("failed", "bad_phone", 2),
        ("invalid", "bad_phone", 2),
        ("invalid", "duplicate_row", 1),
        ("invalid", "unsupported_amount", 1),
    ]);
    assert_eq!(tally(&results, b','), expected);
    let text = String::from_utf8(results).unwrap();
    assert!(["vietnam", "nigeria", "china"].iter().all(|name| text.contains(&format!(",{name},"))));
}

#[test]
fn the_promotion_sample_is_read_as_a_vietnamese_excel_writes_it_and_succeeds_whole() {
    let place = Place::of("promotion.csv");
    let input = std::fs::read(&place.file).unwrap();
    assert!(input.starts_with("\u{feff}SĐT;".as_bytes()) && input.ends_with(b"\r\n"));
    let total = ["--yes", "--expect-total", "VND=470000"];
    let output = place.bulk_topup(
        &[["run", "promotion.csv", "--sandbox", "--ledger", "new.db"].as_slice(), &total].concat(),
    );
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let results = place.results();
    assert!(results.starts_with("\u{feff}SĐT;".as_bytes()) && results.ends_with(b"\r\n"));
    assert_eq!(tally(&results, b';'), counts([("succeeded", "", 17)]));
    let charges = std::fs::read_to_string(place.folder.path().join("new.charges.ndjson")).unwrap();
    assert_eq!(charges.matches(r#""event":"request""#).count(), 17, "one submit for each row");
}

#[test]
fn a_check_of_the_samples_sends_nothing_and_says_what_is_ready() {
    for (sample, ready, invalid, exit) in [("payroll.csv", 36, 4, 3), ("promotion.csv", 17, 0, 0)] {
        let place = Place::of(sample);
        let output = place.bulk_topup(&["check", sample, "--sandbox", "--ledger", "new.db", "--json"]);
        assert_eq!(output.status.code(), Some(exit), "{}", words(&output));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&told["ready"], &told["invalid"]), (&ready.into(), &invalid.into()));
        let charges = place.folder.path().join("new.charges.ndjson");
        assert_eq!(std::fs::read_to_string(charges).unwrap(), "", "a check reached a provider's till");
    }
}

#[test]
fn the_sample_configuration_names_every_provider_kind() {
    let folder = tempfile::tempdir().unwrap();
    let sample = include_str!("../samples/bulk-topup.toml");
    std::fs::write(folder.path().join("bulk-topup.toml"), sample).unwrap();
    for key in ["vn.key", "path.key"] {
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.write(true).create_new(true).open(folder.path().join(key)).unwrap();
        std::io::Write::write_all(&mut file, b"not-a-key-but-long-enough-to-be-a-secret\n").unwrap();
    }
    let original = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/payroll.csv");
    let output = Command::new(env!("CARGO_BIN_EXE_bulk-topup"))
        .args(["check", "--json"])
        .arg(original)
        .current_dir(folder.path())
        .env("TUTOM_APP_KEY", "app")
        .env("TUTOM_OPEN_ID", "open")
        .env("PAYNICORN_APP_KEY", "app")
        .env("PAYNICORN_SECRET", "secret")
        .env_remove("BULK_TOPUP_CONFIG")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", words(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let named: std::collections::BTreeSet<_> =
        told["totals"].as_array().unwrap().iter().map(|line| line["provider"].as_str().unwrap()).collect();
    assert_eq!(named, ["china", "nigeria", "vietnam"].into());
}

/// Asserts that every line stands in the README.
fn assert_readme_has(shown: &[u8], folder: &str) {
    let readme = include_str!("../README.md");
    // How long a pause lasts is chance.
    let said = |line: &&str| !line.is_empty() && !line.starts_with("paused ");
    for line in String::from_utf8_lossy(shown).lines().filter(said) {
        let known = |line: &str| readme.lines().any(|told| told == line);
        assert!(known(line) || known(&line.replace("payroll.", folder)), "not in README.md: {line}");
    }
}

/// Corrects cells of a results file as the README says.
fn correct(results: &std::path::Path) {
    let mut reader = csv::Reader::from_path(results).unwrap();
    let titles = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut writer = csv::Writer::from_path(results).unwrap();
    writer.write_record(&titles).unwrap();
    for row in rows {
        let mut cells: Vec<&str> = row.iter().collect();
        match cells.last().copied().unwrap_or_default() {
            "13" => cells[0] = "0772341104",
            "26" => cells[0] = "09031234504",
            "37" => cells[1] = "20000",
            "38" => cells[0] = "0912341138",
            "39" => cells[0] = "0849123456",
            "40" => cells[4] = "VN-01b",
            _ => {}
        }
        writer.write_record(cells).unwrap();
    }
    writer.flush().unwrap();
}

#[test]
fn the_walk_in_the_readme_is_what_the_program_prints() {
    let place = Place::of("payroll.csv");
    let walk = |words: &[&str], exit: i32| {
        let output = place.bulk_topup(words);
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {}", self::words(&output));
        output
    };
    let words_of_run = ["run", "payroll.csv", "--sandbox", "--yes"];
    assert_readme_has(&walk(&["init"], 0).stdout, "");
    let checked = walk(&["check", "sample.csv", "--sandbox"], 0);
    assert_readme_has(&[checked.stderr, checked.stdout].concat(), "");
    assert_readme_has(&walk(&["run", "sample.csv", "--sandbox", "--yes"], 0).stdout, "");
    let ran = walk(&words_of_run, 3);
    assert_readme_has(&[ran.stderr, ran.stdout].concat(), "samples/payroll.");
    correct(&place.folder.path().join("payroll.sandbox.results.csv"));
    let retried = walk(&["retry", "payroll.sandbox.results.csv", "--sandbox", "--yes"], 3);
    assert_readme_has(&[retried.stderr, retried.stdout].concat(), "");
    let settled = walk(&["settle", "--sandbox"], 0);
    assert_readme_has(&[settled.stderr, settled.stdout].concat(), "");
    let reported = walk(&["report", "sandbox-payroll-fa778737", "--sandbox"], 0);
    assert_readme_has(&[reported.stderr, reported.stdout].concat(), "");
    assert!(place.folder.path().join("sandbox-payroll-fa778737.html").exists());
}
