//! `init`, `completions`, `man` and `help`: what a new user types first.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn program(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
    command.args(words).current_dir(folder).env("XDG_DATA_HOME", folder.join("data"));
    command.env_remove("BULK_TOPUP_CONFIG").env_remove("MANPATH").stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn secret_file(path: PathBuf) {
    std::fs::write(&path, "not-a-key-but-long-enough-to-be-a-secret\n").unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn what_init_writes_loads_as_it_stands_once_the_secrets_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let made = program(folder.path(), &["init"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    for command in ["bulk-topup check sample.csv --sandbox", "bulk-topup run sample.csv --sandbox"] {
        assert!(text(&made.stdout).contains(command), "{}", text(&made.stdout));
    }
    for name in ["bulk-topup.toml", "sample.csv"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    secret_file(folder.path().join("vn.key"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-topup"));
    command.args(["check", "sample.csv", "--json"]).current_dir(folder.path());
    for name in ["TUTOM_APP_KEY", "TUTOM_OPEN_ID", "PAYNICORN_APP_KEY", "PAYNICORN_SECRET"] {
        command.env(name, "secret");
    }
    let checked = command.env_remove("BULK_TOPUP_CONFIG").output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let told: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&told["rows"], &told["ready"]), (&6.into(), &6.into()));
}

#[test]
fn the_sample_can_be_sent_as_it_stands_and_the_commands_that_init_names_work() {
    let folder = tempfile::tempdir().unwrap();
    let made = program(folder.path(), &["init", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(told["written"], serde_json::json!(["bulk-topup.toml", "sample.csv"]));
    for command in told["next"].as_array().unwrap().iter().filter_map(|next| next.as_str()) {
        let mut words: Vec<&str> = command.split(' ').skip(1).collect();
        if !words.contains(&"--sandbox") {
            continue;
        }
        if words[0] == "run" {
            words.push("--yes");
        }
        let done = program(folder.path(), &words);
        assert_eq!(done.status.code(), Some(0), "{command}: {}", text(&done.stderr));
    }
    assert!(folder.path().join("sample.sandbox.results.csv").exists());
}

#[test]
fn init_writes_nothing_where_anything_is_in_the_way() {
    for name in ["bulk-topup.toml", "sample.csv"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), "mine").unwrap();
        let refused = program(folder.path(), &["init"]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(name), "{}", text(&refused.stderr));
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "half a start was left behind");
    }
}

#[test]
fn every_key_of_the_configuration_stands_in_what_init_writes() {
    let sample = include_str!("../../samples/bulk-topup.toml");
    let folder = tempfile::tempdir().unwrap();
    // A key that nobody knows makes the program list those that it knows.
    for (place, head) in
        [("top", ""), ("limits", "[limits]\n"), ("listen", "[listen]\n"), ("providers", "[[providers]]\n")]
    {
        std::fs::write(folder.path().join("bulk-topup.toml"), format!("{head}no_such_key = 1\n")).unwrap();
        let refused = program(folder.path(), &["balance"]);
        assert_eq!(refused.status.code(), Some(2));
        let told = text(&refused.stderr);
        let known: Vec<&str> = told.split('`').skip(3).step_by(2).collect();
        assert!(known.len() >= 3, "{place}: {told}");
        for key in known {
            let named = |line: &str| {
                let line = line.trim_start_matches(['#', ' ', '[']);
                line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', ']']))
            };
            assert!(sample.lines().any(named), "{place}: {key} is missing in samples/bulk-topup.toml");
        }
    }
}

#[test]
fn completions_complete() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = program(folder.path(), &["completions", shell]);
        assert_eq!(script.status.code(), Some(0));
        for word in ["settle", "metrics-file"] {
            assert!(text(&script.stdout).contains(word), "{shell}: {word}");
        }
    }
    let script = program(folder.path(), &["completions", "bash"]).stdout;
    std::fs::write(folder.path().join("bulk-topup.bash"), script).unwrap();
    for (typed, offered) in [
        ("bulk-topup sta", "status"),
        ("bulk-topup settle --metr", "--metrics-file"),
        ("bulk-topup completions fi", "fish"),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
        let ask = format!(
            ". ./bulk-topup.bash; COMP_WORDS=({typed}); COMP_CWORD={}; _bulk__topup bulk-topup {last} {before}; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.len() - 1
        );
        let bash = Command::new("bash").args(["--norc", "-c", &ask]).current_dir(folder.path()).output();
        let Ok(bash) = bash else { return };
        assert_eq!(text(&bash.stdout).trim(), offered, "{typed}: {}", text(&bash.stderr));
    }
}

#[test]
fn every_command_has_a_manual_page_with_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let made = program(folder.path(), &["man", "--dir", "man1"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let main = std::fs::read(pages.join("bulk-topup.1")).unwrap();
    assert_eq!(program(folder.path(), &["man"]).stdout, main);
    let help = text(&program(folder.path(), &["help"]).stdout);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"run") && commands.contains(&"init"), "{commands:?}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        let page = std::fs::read_to_string(pages.join(format!("bulk-topup-{command}.1"))).unwrap();
        assert!(
            page.contains("EXAMPLES") && page.contains(&format!("bulk\\-topup {command}")),
            "{command}: {page}"
        );
    }
    // Where groff is installed it must have nothing to say.
    for page in std::fs::read_dir(pages).unwrap().flatten() {
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-wall", "-z"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut groff) = groff else { return };
        groff.stdin.take().unwrap().write_all(&std::fs::read(page.path()).unwrap()).unwrap();
        let said = groff.wait_with_output().unwrap();
        assert_eq!(text(&said.stderr), "", "{}", page.path().display());
    }
}

/// The commands that a screen names, as a person would copy them: whole lines.
fn named(shown: &Output) -> Vec<String> {
    let shown = text(&shown.stdout);
    let lines = shown.lines().map(|line| line.strip_prefix("Next").unwrap_or(line).trim());
    lines.filter(|line| line.starts_with("bulk-topup ")).map(str::to_owned).collect()
}

#[test]
fn every_command_that_a_sandbox_walk_names_works_as_it_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "phone,amount,reference\n0912341101,20000,a\n0912340003,20000,b\n09123,20000,c\n";
    std::fs::write(folder.path().join("my pay.csv"), rows).unwrap();
    let path = format!(
        "{}:{}",
        Path::new(env!("CARGO_BIN_EXE_bulk-topup")).parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let typed = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(folder.path()).env("XDG_DATA_HOME", folder.path().join("data"));
        shell.env_remove("BULK_TOPUP_CONFIG").env("PATH", &path).stdin(Stdio::null()).output().unwrap()
    };
    let mut said = named(&typed("bulk-topup check 'my pay.csv' --sandbox"));
    assert_eq!(said, ["bulk-topup run 'my pay.csv' --sandbox"]);
    for (round, command) in ["run", "retry"].iter().enumerate() {
        let line = said.iter().find(|line| line.starts_with(&format!("bulk-topup {command} "))).unwrap();
        let done = typed(&format!("{line} --yes"));
        assert_eq!(done.status.code(), Some(3), "{line}: {}", text(&done.stderr));
        said = named(&done);
        let report = said.last().unwrap();
        assert!(report.starts_with("bulk-topup report "), "round {round}: {said:?}");
        let made = typed(report);
        assert_eq!(made.status.code(), Some(0), "{report}: {}", text(&made.stderr));
        assert!(folder.path().join(text(&made.stdout).lines().next().unwrap()).exists());
    }
    for look in ["bulk-topup status --sandbox", "bulk-topup status 'sandbox-my pay' --sandbox"] {
        assert_eq!(typed(look).status.code(), Some(0), "{look}");
    }
}
