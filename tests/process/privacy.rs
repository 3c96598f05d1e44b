//! What must not be seen: secrets anywhere, numbers on screens, files by others.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::program::{Program, until};
use super::rows;
use super::world::{
    LONG, MERCHANT_SECRET, OPEN_ID, PAYNICORN_APP_KEY, PRIVATE_KEY, Settings, TUTOM_APP_KEY, World,
};

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_under(&path));
        }
        found.push(path);
    }
    found
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Words that must stand nowhere: keys, and every signature that CONNECT TOPUP's rows need.
fn secrets(world: &World) -> Vec<String> {
    let mut words: Vec<String> = [
        PRIVATE_KEY,
        OPEN_ID,
        MERCHANT_SECRET,
        TUTOM_APP_KEY,
        PAYNICORN_APP_KEY,
        "privatekey=",
        "checksum=",
        "sign=",
    ]
    .map(str::to_owned)
    .into();
    for line in world.charge_log().iter().filter(|l| l.event == "request" && l.provider == "connect-topup") {
        let text = format!("demo{}{}{PRIVATE_KEY}", line.phone, line.amount);
        words.push(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect());
    }
    words
}

#[test]
fn no_secret_shows_in_arguments_outputs_ledger_or_results_and_no_number_on_screens() {
    let faults = "drop_before=5,drop_after=5,http502_after=5,html=5,truncate=5,ambiguous=5,lookup_502=10,\
                  lookup_drop=10,late=3,late_by=1s";
    let settings =
        Settings { submit_rate: "40/s".to_owned(), timeout: "1500ms".to_owned(), ..Settings::default() };
    let mut world =
        World::with(faults, 4, &rows::mixed(90, &["0002", "0003", "0004", "0006", "0007"], 4), settings);
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    let mut program = world.start(&[
        "run",
        "payroll.csv",
        "--yes",
        "-vv",
        "--settle-for",
        "6s",
        "--log-file",
        "run.log",
        "--metrics-file",
        "run.prom",
    ]);
    until("submits", Duration::from_secs(30), || {
        if let Some(ended) = program.try_wait(Duration::ZERO) {
            panic!("{ended:?}");
        }
        (world.requests() >= 5).then_some(())
    });
    let arguments = std::fs::read(format!("/proc/{}/cmdline", program.pid())).unwrap();
    assert!(holds(&arguments, "payroll.csv"));
    texts.push(("arguments".to_owned(), arguments));
    let mut spoken = vec![program.wait(LONG)];
    let batch = world.batch();
    for args in [
        &["status", &batch][..],
        &["status", &batch, "--row", "1"],
        &["status", "--status", "unknown,failed"],
        &["status", "--status", "unknown", "--json"],
        &["settle", "-vv", "--settle-for", "1s", "--log-file", "run.log"],
        &["balance"],
        &["products", "china"],
        &["check", "payroll.csv", "--online"],
    ] {
        spoken.push(world.run(args));
    }
    // Wrong keys, no provider at all, and a provider that moved.
    std::fs::write(world.path("keys/vn.key"), "another-private-key").unwrap();
    spoken.push(world.run(&["balance", "-vv"]));
    std::fs::write(world.path("keys/vn.key"), PRIVATE_KEY).unwrap();
    world.sandbox.as_mut().unwrap().addr = "127.0.0.1:9".to_owned();
    world.configure();
    spoken.push(world.run(&["balance", "-vv"]));
    spoken.push(world.run(&["settle", "-vv", "--settle-for", "1s"]));
    let words = secrets(&world);
    assert!(words.len() > 20, "no signature to look for");
    for (turn, ended) in spoken.iter().enumerate() {
        texts.push((format!("output {turn}"), format!("{}{}", ended.stdout, ended.stderr).into_bytes()));
        for number in 0..90 {
            let digits = world.table().cell(number, "topup_phone").to_owned();
            let bare = digits.get(4..).unwrap_or("no number");
            let screen = format!("{}{}", ended.stdout, ended.stderr);
            assert!(!screen.contains(bare), "output {turn} shows the number of row {}: {screen}", number + 1);
        }
    }
    // The log and the figures are read as a screen is: no number, and no secret.
    let files =
        ["run.log", "run.prom"].map(|name| (name, std::fs::read_to_string(world.path("work").join(name))));
    for (name, text) in files {
        let text = text.unwrap();
        assert!(text.len() > 1000, "{name} holds next to nothing: {text}");
        for number in 0..90 {
            let digits = world.table().cell(number, "topup_phone").to_owned();
            let bare = digits.get(4..).unwrap_or("no number");
            assert!(!text.contains(bare), "{name} shows the number of row {}", number + 1);
        }
        texts.push((name.to_owned(), text.into_bytes()));
    }
    let kept =
        [files_under(&world.path("store")), files_under(&world.path("home")), vec![world.results.clone()]];
    for path in kept.concat().into_iter().filter(|path| path.is_file()) {
        texts.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    assert!(texts.iter().any(|(name, _)| name.ends_with("ledger.db")));
    for (name, bytes) in &texts {
        for word in words.iter().chain([&"another-private-key".to_owned()]) {
            assert!(!holds(bytes, word), "{name} holds {word}");
        }
    }
}

#[test]
fn files_are_for_their_owner_alone_whatever_the_umask() {
    for sandbox in [false, true] {
        let world = World::new("", 1, &rows::plain(9, &rows::ALL, 1));
        let mut command = Command::new("/bin/sh");
        world.clothe(&mut command);
        command.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bulk-topup")]);
        command.args(["run", "payroll.csv", "--yes"]);
        if sandbox {
            command.arg("--sandbox");
        }
        let ended = Program::start(command, &world.next_stem()).wait(LONG);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let place = if sandbox { world.path("home") } else { world.path("store") };
        let made = files_under(&place);
        assert!(made.iter().any(|path| path.ends_with("ledger.db")), "{made:?}");
        let results =
            if sandbox { world.path("work/payroll.sandbox.results.csv") } else { world.results.clone() };
        for path in made.into_iter().chain([results]) {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}: {mode:o}", path.display());
        }
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let world = World::new("", 1, &rows::plain(3, &rows::ALL, 1));
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(world.path("keys/vn.key"), open).unwrap();
    let ended = world.topup(&[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("vn.key"), "{}", ended.stderr);
    assert_eq!(world.requests(), 0);
}
