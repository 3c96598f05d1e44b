//! What people see, kept as snapshots: a change of a screen is a change of a file that somebody reads.
//! `INSTA_UPDATE=always cargo test --test process screens` writes them anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bulk_topup::cli::args::Args;
use clap::CommandFactory;

/// The program in a folder of its own, told of no terminal, so that every line has its full width.
fn program(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
    command.args(words).current_dir(folder).env_clear().env("XDG_DATA_HOME", folder.join("data"));
    command.env("USER", "lan").env("COLUMNS", "100").stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_help_of_every_command_is_what_was_read_before() {
    let folder = tempfile::tempdir().unwrap();
    let help = |words: &[&str]| {
        let shown = program(folder.path(), words);
        assert_eq!(shown.status.code(), Some(0), "{words:?}");
        let shown = text(&shown.stdout);
        assert!(shown.starts_with("Example"), "{words:?} does not begin with examples: {shown}");
        for line in shown.lines() {
            assert!(line.chars().count() <= 110, "{words:?}: {line}");
        }
        shown
    };
    insta::assert_snapshot!("help", help(&["--help"]));
    assert_eq!(help(&["help"]), help(&["--help"]));
    for command in Args::command().get_subcommands() {
        let name = command.get_name();
        let shown = help(&[name, "--help"]);
        assert_eq!(help(&["help", name]), shown);
        insta::assert_snapshot!(format!("help-{name}"), shown);
    }
}

/// What is different every time, made the same: times, the providers' ids, and who ran it where.
fn steady(shown: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', ')', ';']);
        let tail = &word[bare.len()..];
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        let time = bare.len() >= 6 && bare.ends_with('Z') && (bare.contains(':') && digits >= 4);
        let date = bare.len() == 10 && bare.matches('-').count() == 2 && digits == 8;
        match () {
            () if time => format!("[time]{tail}"),
            () if date => format!("[date]{tail}"),
            () => word.to_owned(),
        }
    };
    let line = |line: &str| {
        if let Some(rest) = line.strip_prefix("  last       ") {
            let exit = rest.rsplit(' ').next().unwrap_or_default();
            return format!("  last       [command] by [user] on [host], ended [ago] ago with exit {exit}");
        }
        let words: Vec<String> = line.split(' ').map(word).collect();
        let mut shown = words.join(" ");
        if let Some((head, tail)) = shown.split_once("its id ") {
            let rest = tail.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            shown = format!("{head}its id [id]{rest}");
        }
        shown
    };
    shown.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn payroll() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/payroll.csv")
}

#[test]
fn the_screens_of_a_sandbox_run_are_what_was_read_before() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(payroll(), folder.path().join("payroll.csv")).unwrap();
    let ran = program(folder.path(), &["run", "payroll.csv", "--sandbox", "--yes"]);
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    let plan: Vec<String> =
        text(&ran.stderr).lines().filter(|line| !line.starts_with("paused")).map(str::to_owned).collect();
    insta::assert_snapshot!("plan", plan.join("\n"));
    insta::assert_snapshot!("summary", text(&ran.stdout));
    for (name, words) in [
        ("status-list", &["status"][..]),
        ("status-one", &["status", "sandbox-payroll"]),
        ("status-row", &["status", "sandbox-payroll", "--row", "2"]),
        ("status-rows", &["status", "--status", "failed,invalid"]),
        ("status-next-retry", &["status", "--next", "retry", "--provider", "Vietnam", "--limit", "1"]),
        ("status-phone", &["status", "--phone", "0912341101"]),
        ("status-phone-json", &["status", "--phone", "+84 912 341 101", "--json"]),
        ("status-none", &["status", "--reason", "no_answer"]),
        ("init", &["init"]),
    ] {
        let words = if name == "init" { words.to_vec() } else { [words, &["--sandbox"]].concat() };
        let shown = program(folder.path(), &words);
        assert_eq!(shown.status.code(), Some(0), "{name}: {}", text(&shown.stderr));
        let mut told = steady(&text(&shown.stdout));
        if name == "status-phone-json" {
            let mut object: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
            let row = &mut object["rows"][0];
            for key in ["submitted_at", "final_at", "provider_ref"] {
                assert!(row[key].is_string(), "{row}");
                row[key] = "[changes]".into();
            }
            told = format!("{object:#}");
        }
        let said = steady(&text(&shown.stderr));
        insta::assert_snapshot!(name, format!("{told}\n-- stderr\n{said}"));
    }
}

#[test]
fn colour_adds_nothing_to_the_words() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("a.csv"),
        "phone,amount,reference\n0912341101,20000,a\n0912340003,20000,b\n",
    )
    .unwrap();
    let shown = |more: &[&str]| {
        let words = [&["run", "a.csv", "--sandbox", "--yes"], more].concat();
        let ran = program(folder.path(), &words);
        assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
        text(&ran.stdout)
    };
    let (plain, coloured) = (shown(&["--color", "never"]), shown(&["--color", "always"]));
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
    let mut bare = String::new();
    let mut inside = false;
    for c in coloured.chars() {
        match (inside, c) {
            (false, '\u{1b}') => inside = true,
            (true, 'm') => inside = false,
            (true, _) => {}
            (false, c) => bare.push(c),
        }
    }
    assert_eq!(bare, plain);
    assert_eq!(shown(&[]), plain, "what is no terminal gets no colour");
}
