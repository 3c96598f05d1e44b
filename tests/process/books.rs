//! `reconcile`: a provider's statement against the ledger, statements made from the sandbox's own charges.

use std::fs;

use serde_json::Value;

use super::evidence::Line;
use super::retry::{priced, row, state};
use super::rows::{Country, Row};
use super::world::{World, assert_exit};

/// What a provider would list: one line for each order, as it stands now.
fn statement(world: &World, provider: &str) -> Vec<[String; 5]> {
    let log = world.charge_log();
    let of = |event: &str| -> Vec<Line> {
        log.iter().filter(|line| line.provider == provider && line.event == event).cloned().collect()
    };
    let (completed, failed) = (of("complete"), of("fail"));
    let mut lines = Vec::new();
    for charge in of("charge") {
        let is = |other: &Line| other.reference == charge.reference;
        let status = if completed.iter().any(is) {
            "Success"
        } else if failed.iter().any(is) {
            "Failed"
        } else {
            "Processing"
        };
        lines.push([charge.id, charge.reference, charge.phone, charge.amount, status.to_owned()]);
    }
    for line in failed {
        if !lines.iter().any(|known| known[1] == line.reference) {
            lines.push([line.id, line.reference, line.phone, line.amount, "Failed".to_owned()]);
        }
    }
    lines
}

fn write(world: &World, lines: &[[String; 5]]) {
    let mut text = "transaction_id;provider_ref;phone;amount;status\n".to_owned();
    lines.iter().for_each(|line| text.push_str(&(line.join(";") + "\n")));
    fs::write(world.path("work/statement.csv"), text).unwrap();
}

fn reconcile(world: &World, more: &[&str]) -> (i32, Value) {
    let mut args = vec!["reconcile", "payroll", "--statement", "statement.csv", "--json"];
    args.extend(more);
    let ended = world.run(&args);
    let told = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}\n{}", ended.stdout, ended.stderr));
    (ended.code.unwrap(), told)
}

/// The classes with their counts of rows and lines.
fn classes(told: &Value) -> Vec<(String, u64, u64)> {
    let class = |line: &Value| {
        let count = |name: &str| line[name].as_u64().unwrap();
        (line["class"].as_str().unwrap().to_owned(), count("rows"), count("lines"))
    };
    told["classes"].as_array().unwrap().iter().map(class).collect()
}

fn class(name: &str, rows: u64, lines: u64) -> (String, u64, u64) {
    (name.to_owned(), rows, lines)
}

fn vietnamese(tails: &[&str]) -> Vec<Row> {
    tails.iter().enumerate().map(|(n, tail)| priced(Country::Vietnam, n, tail, "20000")).collect()
}

#[test]
fn a_true_statement_of_every_provider_matches_row_by_row() {
    let mut rows = Vec::new();
    for n in 0..12 {
        let country = [Country::Vietnam, Country::Nigeria, Country::China][n % 3];
        rows.push(row(country, n, if n < 9 { "8000" } else { "0003" }));
    }
    let world = World::new("", 1, &rows);
    let ended = world.topup(&[]);
    assert_exit(&ended, 3);
    let refused = world.run(&["reconcile", "payroll", "--statement", "statement.csv"]);
    assert_exit(&refused, 2);
    for name in ["china", "nigeria", "vietnam"] {
        assert!(refused.stderr.contains(name), "{}", refused.stderr);
    }
    let before = fs::read(&world.ledger).unwrap();
    for (name, kind) in [("china", "tutom"), ("nigeria", "paynicorn"), ("vietnam", "connect-topup")] {
        let lines = statement(&world, kind);
        write(&world, &lines);
        let (exit, told) = reconcile(&world, &["--provider", name]);
        assert_eq!(exit, 0, "{told:#}");
        let matched = classes(&told);
        let sum: u64 = matched.iter().map(|(_, rows, _)| rows).sum();
        assert_eq!(sum, 4, "{told:#}");
        assert_eq!(told["totals"][0]["difference"], "0", "{told:#}");
        assert_eq!(told["lines"], lines.len());
        // The lines in another order, those of the delivered by the provider's ids alone.
        let anonymous = |line: &[String; 5]| {
            let mut line = line.clone();
            if line[4] == "Success" {
                line[0].clear();
            }
            line
        };
        let other: Vec<_> = lines.iter().rev().map(anonymous).collect();
        write(&world, &other);
        assert_eq!(reconcile(&world, &["--provider", name]), (0, told));
    }
    assert_eq!(fs::read(&world.ledger).unwrap(), before, "a comparison changed the ledger");
}

#[test]
fn every_kind_of_difference_is_found_and_the_worst_is_told_first() {
    let tails = ["8000", "8001", "8002", "8003", "8004", "8005", "0003", "8007"];
    let world = World::new("", 1, &vietnamese(&tails));
    assert_exit(&world.topup(&[]), 3);
    let mut lines = statement(&world, "connect-topup");
    let at = |lines: &[[String; 5]], n: usize| {
        let id = world.table().cell(n - 1, "topup_transaction_id").to_owned();
        lines.iter().position(|line| line[0] == id).unwrap_or_else(|| panic!("row {n} is not in {lines:?}"))
    };
    let (one, two, three, four, five, six) =
        (at(&lines, 1), at(&lines, 2), at(&lines, 3), at(&lines, 4), at(&lines, 5), at(&lines, 6));
    lines[one][4] = "Refunded".to_owned();
    lines[two][3] = "200000".to_owned();
    lines[three][2] = "0912999999".to_owned();
    lines[four][4] = "Questionable".to_owned();
    let twice = lines[five].clone();
    lines.push([twice[0].clone(), "77".to_owned(), twice[2].clone(), twice[3].clone(), twice[4].clone()]);
    let failed = at(&lines, 7);
    lines[failed][4] = "Thành công".to_owned();
    lines.push([
        "STRANGER".to_owned(),
        "78".to_owned(),
        "0912000078".to_owned(),
        "50000".to_owned(),
        "1".to_owned(),
    ]);
    lines.push([String::new(), String::new(), "Total".to_owned(), "1".to_owned(), String::new()]);
    lines.remove(six);
    write(&world, &lines);
    let before = fs::read(&world.ledger).unwrap();
    let (exit, told) = reconcile(&world, &["-o", "all.csv"]);
    assert_eq!(exit, 3);
    assert_eq!(
        classes(&told),
        [
            class("charged_there", 1, 1),
            class("double_there", 1, 2),
            class("reversed_there", 1, 1),
            class("different_amount", 1, 1),
            class("different_phone", 1, 1),
            class("extra_there", 0, 1),
            class("missing_there", 1, 0),
            class("unclear", 1, 1),
            class("unreadable", 0, 1),
            class("matched", 1, 1),
        ],
        "{told:#}"
    );
    assert_eq!((told["rows"].as_u64(), told["lines"].as_u64()), (Some(8), Some(10)));
    // Seven succeeded here; there: 20000 of the failed row, 40000, none, 200000, 20000, 50000 and one that matches.
    let total = &told["totals"][0];
    assert_eq!(
        (&total["here"], &total["there"]),
        (&Value::from("140000"), &Value::from("350000")),
        "{told:#}"
    );
    assert_eq!(told["differences"][0]["row"], 7);
    assert_eq!(fs::read(&world.ledger).unwrap(), before);
    let all = fs::read_to_string(world.path("work/all.csv")).unwrap();
    assert!(all.starts_with('\u{feff}') && all.lines().count() == 11, "{all}");
    assert!(all.contains("0912999999"), "the file has whole numbers");
    let shown = world.run(&["reconcile", "payroll", "--statement", "statement.csv"]);
    assert_exit(&shown, 3);
    for whole in ["0912999999", "0912000078"] {
        assert!(!shown.stdout.contains(whole), "{}", shown.stdout);
    }
    assert!(shown.stdout.find("CHARGED there").unwrap() < shown.stdout.find("charged twice").unwrap());
    let again = world.run(&["reconcile", "payroll", "--statement", "statement.csv", "-o", "all.csv"]);
    assert_exit(&again, 2);
    assert!(again.stderr.contains("not overwritten"), "{}", again.stderr);
}

#[test]
fn the_command_for_a_proved_row_settles_it_and_nothing_else_does() {
    let world = World::new("drop_after=100", 1, &vietnamese(&["8000", "8001"]));
    assert_exit(&world.topup(&["--settle-for", "0s"]), 4);
    let mut lines = statement(&world, "connect-topup");
    assert_eq!(lines.len(), 2);
    lines.pop();
    write(&world, &lines);
    let (exit, told) = reconcile(&world, &[]);
    assert_eq!(exit, 3);
    assert_eq!(classes(&told), [class("missing_there", 1, 0), class("settled_there", 1, 1)]);
    let settled = &told["differences"][1];
    let number = settled["row"].as_u64().unwrap();
    let command = settled["command"].as_str().unwrap();
    assert!(command.starts_with("bulk-topup resolve payroll-"), "{command}");
    assert_eq!(told["differences"][0]["command"], Value::Null, "a missing line proves nothing");
    assert_eq!(state(&world, usize::try_from(number).unwrap()).0, "unknown");
    let line = command.strip_prefix("bulk-topup").unwrap();
    let mut shell = std::process::Command::new("/bin/sh");
    world.clothe(&mut shell);
    let done = shell.arg("-c").arg(format!("{}{line}", env!("CARGO_BIN_EXE_bulk-topup"))).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(state(&world, usize::try_from(number).unwrap()).0, "succeeded");
    assert_eq!(classes(&reconcile(&world, &[]).1), [class("missing_there", 1, 0), class("matched", 1, 1)]);
}

#[test]
fn a_statement_over_several_batches_is_told_apart() {
    let world = World::new("", 1, &vietnamese(&["8000", "8001"]));
    assert_exit(&world.topup(&[]), 0);
    super::rows::write(&world.path("work/bonus.csv"), &vietnamese(&["8100", "8101", "8102"]));
    assert_exit(&world.run(&["run", "bonus.csv", "--yes"]), 0);
    let mut lines = statement(&world, "connect-topup");
    write(&world, &lines);
    let (exit, told) = reconcile(&world, &[]);
    assert_eq!(exit, 0, "{told:#}");
    assert_eq!(classes(&told), [class("matched", 2, 2), class("other_batch", 0, 3)]);
    assert_eq!(told["totals"][0]["there"], "40000");
    // An attempt before the last one is the row's too, and so is one that nobody knows by our id.
    lines.iter_mut().for_each(|line| line[0].clear());
    write(&world, &lines);
    assert_eq!(classes(&reconcile(&world, &[]).1), [class("matched", 2, 2), class("other_batch", 0, 3)]);
}

#[test]
fn every_attempt_of_a_row_is_known_and_two_charged_ones_are_charged_twice() {
    let rows = [row(Country::Nigeria, 0, "0003")];
    let mut world = World::new("", 1, &rows);
    assert_exit(&world.topup(&[]), 3);
    world.serve("", 1);
    assert_exit(&super::retry::retry(&world, "payroll.results.csv", &[]), 3);
    let mut lines = statement(&world, "paynicorn");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_ne!(lines[0][0], lines[1][0]);
    write(&world, &lines);
    assert_eq!(classes(&reconcile(&world, &[]).1), [class("matched", 1, 2)]);
    lines[0][4] = "Success".to_owned();
    write(&world, &lines);
    let (exit, told) = reconcile(&world, &[]);
    assert_eq!(
        (exit, classes(&told)),
        (3, vec![class("charged_there", 1, 2)]),
        "the first attempt's charge was missed"
    );
}

#[test]
fn what_cannot_be_read_for_sure_is_refused_or_named() {
    let world = World::new("", 1, &vietnamese(&["8000"]));
    assert_exit(&world.topup(&[]), 0);
    let id = world.table().cell(0, "topup_transaction_id").to_owned();
    let run = |text: &str, more: &[&str]| {
        fs::write(world.path("work/statement.csv"), text).unwrap();
        let mut args = vec!["reconcile", "payroll", "--statement", "statement.csv"];
        args.extend(more);
        world.run(&args)
    };
    for (text, wanted) in [
        ("phone,amount\n0912,1\n", "transaction_id"),
        ("transaction_id,status\nX,1\n", "--map amount="),
        ("transaction_id,amount\nX,1\n", "--status-word"),
        ("topup_batch,topup_row\nX,1\n", "our own results"),
        ("", "empty"),
    ] {
        let ended = run(text, &[]);
        assert_exit(&ended, 2);
        assert!(ended.stderr.contains(wanted), "{}", ended.stderr);
    }
    let ended =
        run(&format!("Order no,Charged,State\n{id},20.000,fertig\n"), &["--map", "transaction_id=Order no"]);
    assert_exit(&ended, 2);
    let map = ["--map", "transaction_id=Order no", "--map", "amount=Charged"];
    let text = format!("Order no;Charged;State\n{id};20.000;fertig\n");
    let ended = run(&text, &map);
    assert_exit(&ended, 3);
    assert!(ended.stdout.contains("fertig=succeeded"), "{}", ended.stdout);
    let ended = run(&text, &[&map[..], &["--status-word", "Fertig=succeeded"]].concat());
    assert_exit(&ended, 3);
    assert!(ended.stdout.contains("--thousands"), "{}", ended.stdout);
    let all = [&map[..], &["--status-word", "Fertig=succeeded", "--thousands", "."]].concat();
    assert_exit(&run(&text, &all), 0);
    // A spreadsheet was there before: lost digits are named, not matched.
    let ended = run("provider_ref;amount;status\n9.00719925474099E+15;20000;1\n", &[]);
    assert_exit(&ended, 3);
    assert!(ended.stdout.contains("E notation"), "{}", ended.stdout);
}
