//! Logs and figures: what they tell, and that nothing depends on them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;

use super::program::until;
use super::rows;
use super::world::{LONG, World, assert_exit};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn count(lines: &[Value], message: &str) -> usize {
    lines.iter().filter(|line| line["message"] == message).count()
}

#[test]
fn the_log_tells_every_submit_with_provider_row_id_meaning_and_time() {
    let world = World::new("drop_after=10", 3, &rows::mixed(30, &["0002", "0003"], 4));
    let ended = world.topup(&["--log-file", "run.log", "--settle-for", "2s"]);
    let path = world.path("work/run.log");
    let log = lines(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let (first, last) = (&log[0], &log[log.len() - 1]);
    assert_eq!((&first["message"], &first["command"]), (&"start".into(), &"run".into()));
    assert_eq!((&last["message"], last["exit"].as_i64()), (&"end".into(), ended.code.map(i64::from)));
    let sent: Vec<&Value> = log.iter().filter(|line| line["message"] == "submit").collect();
    let known: Vec<String> = world.intents().into_iter().map(|intent| intent.id).collect();
    assert_eq!(sent.len(), known.len(), "a submit is missing in the log");
    for line in sent {
        assert!(known.iter().any(|id| line["id"] == id.as_str()), "{line}");
        assert!(line["row"].is_u64() && line["ms"].is_u64(), "{line}");
        assert!(["vietnam", "china", "nigeria"].iter().any(|name| line["provider"] == *name), "{line}");
        assert!(line["meaning"].is_string() && line["meaning"] != "replied", "{line}");
    }
    assert_eq!((count(&log, "plan"), count(&log, "results written")), (1, 1));
    // Another command adds to it.
    world.run(&["status", "--log-file", "run.log"]);
    let more = lines(&std::fs::read_to_string(&path).unwrap());
    assert_eq!((more.len(), &more[..log.len()]), (log.len() + 2, log.as_slice()));
}

#[test]
fn a_log_that_cannot_be_opened_is_refused_before_anything_is_sent() {
    let world = World::new("", 1, &rows::plain(3, &rows::ALL, 1));
    for (flag, path) in
        [("--log-file", "no/such/folder/run.log"), ("--log-file", "."), ("--metrics-file", "no/such/x.prom")]
    {
        let ended = world.topup(&[flag, path]);
        assert_exit(&ended, 2);
        assert!(ended.stderr.contains(path), "{}", ended.stderr);
        assert!(!world.ledger.exists() && world.requests() == 0);
    }
}

#[test]
fn neither_log_nor_figures_are_written_into_a_ledger_or_an_input() {
    let world = World::new("", 1, &rows::plain(3, &rows::ALL, 1));
    let ended = world.topup(&["--log-file", "run.log", "--metrics-file", "run.prom"]);
    assert!(ended.stdout.contains("exit"), "{}", ended.stderr);
    for victim in [&world.input, &world.ledger, &world.results] {
        let before = std::fs::read(victim).unwrap();
        for flag in ["--log-file", "--metrics-file"] {
            let ended = world.run(&["settle", "payroll", flag, victim.to_str().unwrap()]);
            assert_exit(&ended, 2);
            assert!(ended.stderr.contains("nothing was done"), "{}", ended.stderr);
            assert_eq!(std::fs::read(victim).unwrap(), before, "{flag}");
        }
    }
    // Those of before are gone on with, and replaced.
    let log = std::fs::metadata(world.path("work/run.log")).unwrap().len();
    let ended = world.run(&["settle", "payroll", "--log-file", "run.log", "--metrics-file", "run.prom"]);
    assert_ne!(ended.code, Some(2), "{}", ended.stderr);
    assert!(std::fs::metadata(world.path("work/run.log")).unwrap().len() > log);
}

#[test]
fn a_log_on_a_full_disk_is_told_once_and_the_run_goes_on() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let world = World::new("", 1, &rows::plain(9, &rows::ALL, 1));
    let ended = world.topup(&["--log-file", "/dev/full"]);
    assert_exit(&ended, 0);
    assert_eq!(ended.stderr.matches("is incomplete from here").count(), 1, "{}", ended.stderr);
    world.assert_sound(&ended, true);
}

#[test]
fn stderr_tells_more_with_each_v_and_nothing_without() {
    let world = World::new("", 1, &rows::plain(6, &rows::ALL, 1));
    let quiet = world.topup(&[]);
    assert!(!quiet.stderr.contains("INFO"), "{}", quiet.stderr);
    let some = world.run(&["settle", "-v"]);
    assert!(some.stderr.contains("INFO") && !some.stderr.contains("DEBUG"), "{}", some.stderr);
    let again = World::new("", 1, &rows::plain(6, &rows::ALL, 1));
    let all = again.topup(&["-vv"]);
    assert!(all.stderr.matches("DEBUG submit ").count() >= 6, "{}", all.stderr);
    assert!(serde_json::from_str::<Value>(&all.stdout).is_ok(), "a log line went to stdout: {}", all.stdout);
}

fn figure(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
}

#[test]
fn the_figures_are_those_of_the_results() {
    let world = World::new("", 3, &rows::mixed(30, &["0003"], 4));
    std::fs::write(world.path("work/run.prom"), "# HELP bulk_topup_rows of an earlier run\n").unwrap();
    let ended = world.topup(&["--metrics-file", "run.prom"]);
    let text = std::fs::read_to_string(world.path("work/run.prom")).unwrap();
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    let batch = world.batch();
    for status in ["succeeded", "failed", "invalid", "pending", "unknown", "not_sent"] {
        let rows = text.lines().filter(|line| {
            line.starts_with(&format!("bulk_topup_rows{{batch=\"{batch}\""))
                && line.contains(&format!("status=\"{status}\""))
        });
        let sum: u64 = rows.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(told["counts"][status], sum, "{status}: {text}");
    }
    let submits = text.lines().filter(|line| line.starts_with("bulk_topup_submits_total{"));
    let submits: usize = submits.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(submits, world.requests());
    assert_eq!(figure(&text, "bulk_topup_last_exit_code"), ended.code.map(|code| code.to_string()));
    for total in told["totals"].as_array().unwrap() {
        let name = format!(
            "bulk_topup_amount{{batch=\"{batch}\",currency=\"{}\",provider=\"{}\",status=\"succeeded\"}}",
            total["currency"].as_str().unwrap(),
            total["provider"].as_str().unwrap()
        );
        assert_eq!(figure(&text, &name).as_deref(), total["succeeded"].as_str(), "{text}");
    }
    let left: Vec<_> =
        std::fs::read_dir(world.path("work")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".metrics")), "{left:?}");
}

#[test]
fn a_run_that_is_interrupted_or_refused_leaves_its_figures_too() {
    let settings =
        super::world::Settings { submit_rate: "5/s".to_owned(), ..super::world::Settings::default() };
    let world = World::with("", 1, &rows::plain(200, &rows::ALL, 1), settings);
    let mut program = world.start_topup(&["--metrics-file", "run.prom"]);
    until("submits", Duration::from_secs(30), || (world.requests() >= 2).then_some(()));
    program.signal(rustix::process::Signal::INT);
    assert_exit(&program.wait(LONG), 130);
    let text = || std::fs::read_to_string(world.path("work/run.prom")).unwrap();
    assert_eq!(figure(&text(), "bulk_topup_last_exit_code").as_deref(), Some("130"));
    let refused = world.topup(&["--metrics-file", "run.prom", "--expect-total", "VND=1"]);
    assert_exit(&refused, 2);
    assert_eq!(figure(&text(), "bulk_topup_last_exit_code").as_deref(), Some("2"));
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_listener_serves_figures_at_an_address_of_their_own() {
    let world = World::new("", 1, &rows::plain(3, &rows::ALL, 1));
    let secret = world.path("keys/path.key");
    std::fs::write(&secret, "a-path-secret-of-some-length").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut configuration = std::fs::read_to_string(world.config_path()).unwrap();
    configuration
        .push_str(&format!("\n[listen]\naddress = \"127.0.0.1:0\"\npath_secret = {{ file = {secret:?} }}\n"));
    std::fs::write(world.config_path(), configuration).unwrap();
    let program = world.start(&["listen", "--metrics", "127.0.0.1:0"]);
    let (callbacks, figures) = until("the listener", Duration::from_secs(30), || {
        let told = program.stdout();
        let callbacks = told.lines().find_map(|line| line.strip_prefix("listening "))?.to_owned();
        let figures = told.lines().find_map(|line| line.strip_prefix("metrics http://"))?;
        Some((callbacks, figures.strip_suffix("/metrics")?.to_owned()))
    });
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(ask(&callbacks, &get("/metrics")).starts_with("HTTP/1.1 404"), "figures beside the callbacks");
    assert!(ask(&callbacks, &get("/wrong/china")).starts_with("HTTP/1.1 404"));
    for other in ["/", "/metricsx", "/a-path-secret-of-some-length/china"] {
        assert!(ask(&figures, &get(other)).starts_with("HTTP/1.1 404"), "{other}");
    }
    let text = ask(&figures, &get("/metrics"));
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("text/plain; version=0.0.4"), "{text}");
    assert_eq!(
        figure(&text, "bulk_topup_callbacks{result=\"refused_path\"}").as_deref(),
        Some("2"),
        "{text}"
    );
    assert!(!text.contains("a-path-secret"), "{text}");
}
