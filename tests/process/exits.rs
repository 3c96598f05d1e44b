//! Each exit code from a run that calls for it, and commands that spend nothing.

use std::fs;
use std::net::TcpListener;

use super::checker::check_final;
use super::rows::{self, Chance, Country};
use super::world::{Settings, World, assert_exit};

fn tailed(tail: &str, count: usize) -> Vec<rows::Row> {
    let mut chance = Chance::new(1);
    (0..count).map(|n| rows::row(Country::Nigeria, n, tail, &mut chance)).collect()
}

#[test]
fn exit_0_means_that_every_row_succeeded() {
    let world = World::new("", 1, &rows::plain(12, &rows::ALL, 1));
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(world.table().count("topup_status").get("succeeded"), Some(&12));
}

#[test]
fn exit_2_means_that_nothing_was_sent() {
    let world = World::new("", 1, &rows::plain(6, &[Country::Vietnam], 1));
    let refused = |args: &[&str], word: &str| {
        let ended = world.run(args);
        assert_exit(&ended, 2);
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        assert_eq!(world.requests(), 0, "{args:?}");
        assert!(!world.results.exists(), "{args:?}");
    };
    refused(&["run", "payroll.csv", "--yes", "--expect-total", "VND=1"], "--expect-total");
    refused(&["run", "none.csv", "--yes"], "none.csv");
    refused(&["run", "payroll.csv", "--yes", "--config", "none.toml"], "none.toml");
    fs::write(world.path("work/bad.csv"), "name,amount\nAn,20000\n").unwrap();
    refused(&["run", "bad.csv", "--yes"], "phone");
    fs::write(world.path("work/empty.csv"), "phone,amount\n").unwrap();
    refused(&["run", "empty.csv", "--yes"], "");
    fs::write(world.path("work/wrong.csv"), "phone,amount\n12,20000\n0912345678,\n").unwrap();
    refused(&["run", "wrong.csv", "--yes"], "nothing was sent");
    refused(&["run", "payroll.csv", "--nonsense"], "--nonsense");
    refused(&["settle", "nobody"], "nobody");
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    assert_exit(&world.run(&["run", "payroll.results.csv", "--yes"]), 2);
    assert_eq!(world.requests(), 6);
}

#[test]
fn exit_3_means_that_some_rows_failed_or_were_wrong_and_none_is_open() {
    for (rows, more) in [(tailed("0003", 1), ""), (tailed("1234", 1), "12,20000,,,,short\n")] {
        let world = World::new("", 1, &[rows, rows::plain(4, &rows::ALL, 1)].concat());
        let file = fs::read_to_string(&world.input).unwrap();
        fs::write(&world.input, file + more).unwrap();
        let ended = world.topup(&[]);
        assert_exit(&ended, 3);
        world.assert_sound(&ended, true);
    }
}

#[test]
fn exit_4_means_that_some_rows_are_open_and_settle_closes_them() {
    let world = World::new("settle=3s", 1, &[tailed("0001", 2), rows::plain(4, &rows::ALL, 1)].concat());
    let ended = world.topup(&["--settle-for", "500ms"]);
    assert_exit(&ended, 4);
    world.assert_sound(&ended, false);
    assert_eq!(world.table().count("topup_status").get("pending"), Some(&2));
    let (before, sent) = (world.table(), world.requests());
    let ended = world.run(&["settle", "--json", "--settle-for", "10s"]);
    assert_exit(&ended, 0);
    let ended = world.run(&["settle", &world.batch(), "--json", "--settle-for", "10s"]);
    world.assert_sound(&ended, true);
    assert_eq!(check_final(&before, &world.table()), Vec::new());
    assert_eq!(world.requests(), sent);
}

#[test]
fn exit_5_means_that_rows_are_left_and_the_same_command_sends_exactly_these() {
    let mut world = World::new("vnd_balance=150000", 1, &rows::plain(40, &[Country::Vietnam], 1));
    let ended = world.topup(&[]);
    assert_exit(&ended, 5);
    world.assert_sound(&ended, true);
    let table = world.table();
    let done = table.count("topup_status").get("succeeded").copied().unwrap_or(0);
    assert!(done > 0 && done < 40, "{:?}", table.count("topup_status"));
    for row in 0..40 {
        if table.cell(row, "topup_status") == "not_sent" {
            assert_eq!(table.cell(row, "topup_next"), "retry", "row {}", row + 1);
        }
    }
    let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(told["halts"][0]["reason"], "insufficient_balance", "{told}");
    assert_eq!(told["halts"][0]["code"], "-3", "{told}");
    // Still no money: one submit tells, nothing more.
    let sent = world.requests();
    let ended = world.topup(&[]);
    assert_exit(&ended, 5);
    assert!(world.requests() <= sent + 1, "{} submits to an empty account", world.requests() - sent);
    world.assert_sound(&ended, true);
    let sent = world.requests();
    world.serve("vnd_balance=90000000", 1);
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    let left = 40 - world.table().count("topup_status").get("succeeded").copied().unwrap_or(0);
    assert_eq!(left, 0);
    assert_eq!(world.requests(), sent + 40 - done, "other rows than those left were sent");
}

#[test]
fn rows_that_a_halt_kept_back_show_its_reason() {
    let world = World::new("vnd_balance=150000", 1, &rows::plain(40, &[Country::Vietnam], 1));
    assert_exit(&world.topup(&[]), 5);
    let table = world.table();
    for row in 0..40 {
        if table.cell(row, "topup_status") == "not_sent" {
            assert_eq!(table.cell(row, "topup_reason"), "insufficient_balance", "row {}", row + 1);
        }
    }
}

#[test]
fn settle_of_several_batches_tells_one_json_object() {
    let world = World::new("settle=3s", 1, &tailed("0001", 2));
    assert_exit(&world.topup(&["--settle-for", "400ms"]), 4);
    let mut chance = Chance::new(9);
    let other = [rows::row(Country::Nigeria, 77, "0001", &mut chance)];
    rows::write(&world.path("work/other.csv"), &other);
    assert_exit(&world.run(&["run", "other.csv", "--yes", "--settle-for", "400ms"]), 4);
    let ended = world.run(&["settle", "--json", "--settle-for", "10s"]);
    assert_exit(&ended, 0);
    let told: Result<serde_json::Value, _> = serde_json::from_str(&ended.stdout);
    assert!(told.is_ok(), "more than one JSON object: {}", ended.stdout);
}

#[test]
fn a_canary_that_fails_leaves_the_rest_unsent() {
    let world = World::new("", 1, &[tailed("0003", 1), rows::plain(9, &rows::ALL, 1)].concat());
    let ended = world.topup(&["--first", "1"]);
    assert_exit(&ended, 5);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 1);
    assert_eq!(world.table().count("topup_status").get("not_sent"), Some(&9));
}

#[test]
fn check_offline_talks_to_nobody_and_spends_nothing() {
    let mut world = World::new("", 1, &rows::plain(30, &rows::ALL, 1));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    world.sandbox.as_mut().unwrap().addr = listener.local_addr().unwrap().to_string();
    world.configure();
    for args in
        [&["check", "payroll.csv"][..], &["check", "payroll.csv", "--json", "--problems", "wrong.csv"]]
    {
        let ended = world.run(args);
        assert_exit(&ended, 0);
        assert!(listener.accept().is_err(), "check connected to a provider");
    }
    let told: serde_json::Value =
        serde_json::from_str(&world.run(&["check", "payroll.csv", "--json"]).stdout).unwrap();
    assert_eq!(
        (&told["rows"], &told["ready"], &told["invalid"]),
        (&30.into(), &30.into(), &0.into()),
        "{told}"
    );
    assert!(!world.ledger.exists() || world.sql("SELECT 1 FROM batches", |_| Ok(())).is_empty());
}

#[test]
fn rows_of_another_account_are_neither_sent_nor_looked_up_and_are_reported() {
    // Two rows pending, the rest not sent for want of money.
    let mut chance = Chance::new(2);
    let mut rows: Vec<_> = (0..2).map(|n| rows::row(Country::Vietnam, n, "0001", &mut chance)).collect();
    rows.extend((2..12).map(|n| rows::row(Country::Vietnam, n, "1234", &mut chance)));
    for row in &mut rows {
        row.amount = "20000".to_owned();
    }
    let mut world = World::with("vnd_balance=60000,settle=6s", 1, &rows, Settings::default());
    let ended = world.topup(&["--settle-for", "500ms"]);
    assert_exit(&ended, 5);
    let before = world.table();
    let (sent, lines) = (world.requests(), world.charge_log().len());
    // Another account at an address that tells of every connection.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let right = std::mem::replace(&mut world.sandbox.as_mut().unwrap().addr, addr);
    world.settings.username = "other".to_owned();
    world.configure();
    let batch = world.batch();
    for args in [
        &["run", "payroll.csv", "--yes", "--settle-for", "1s"][..],
        &["settle", &batch, "--settle-for", "1s"],
    ] {
        let ended = world.run(args);
        assert!(listener.accept().is_err(), "{args:?}: connected to another account's provider");
        assert!([4, 5].contains(&ended.code.unwrap_or(-1)), "{ended:?}");
        assert!(
            ended.stderr.contains("account") || ended.stdout.contains("account"),
            "not reported: {ended:?}"
        );
    }
    assert_eq!((world.requests(), world.charge_log().len().max(lines)), (sent, world.charge_log().len()));
    for row in 0..12 {
        assert_eq!(
            world.table().cell(row, "topup_status"),
            before.cell(row, "topup_status"),
            "row {}",
            row + 1
        );
    }
    world.settings.username = "demo".to_owned();
    world.sandbox.as_mut().unwrap().addr = right;
    world.serve("", 1);
    let ended = world.topup(&["--settle-for", "20s"]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
}

#[test]
fn no_path_of_a_command_may_lead_to_the_ledger() {
    let world = World::new("", 1, &tailed("0000", 1));
    let ledger = world.ledger.to_str().unwrap();
    let index = format!("{ledger}-shm");
    // Before there is one, too: figures are written at the end, over whatever stands there by then.
    fs::create_dir(world.ledger.parent().unwrap()).unwrap();
    assert_exit(&world.topup(&["--metrics-file", ledger]), 2);
    assert!(!world.ledger.exists());
    assert_exit(&world.topup(&["-o", ledger]), 2);
    assert_eq!(world.requests(), 0);
    assert_exit(&world.topup(&[]), 0);
    let (batch, before) = (world.batch(), fs::read(ledger).unwrap());
    for file in [ledger, &index] {
        for args in [
            vec!["check", file],
            vec!["run", file, "--yes"],
            vec!["run", "payroll.csv", "--yes", "-o", file],
            vec!["retry", file, "--yes"],
            vec!["retry", "payroll.results.csv", "--yes", "-o", file],
            vec!["settle", &batch, "-o", file],
            vec!["settle", &batch, "--metrics-file", file],
            vec!["status", &batch, "--results", file],
            vec!["report", &batch, "-o", file],
            vec!["reconcile", &batch, "--statement", file],
        ] {
            let ended = world.run(&args);
            assert_exit(&ended, 2);
            // What is refused before it is known where the ledger is, or where nothing is left to be sent.
            let earlier = args.contains(&"--metrics-file") || args.contains(&"payroll.csv");
            assert!(earlier || ended.stderr.contains("belongs to the ledger"), "{args:?}: {}", ended.stderr);
        }
    }
    assert_eq!(fs::read(ledger).unwrap(), before);
    assert_exit(&world.run(&["status", &batch, "--verify"]), 0);
}
