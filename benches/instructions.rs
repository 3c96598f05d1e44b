//! Instructions that the pure parts take, counted by callgrind and held against the recorded numbers in
//! `benches/instructions.txt`. Counts repeat to within a fraction of a percent where times do not.
//!
//! `cargo bench --bench instructions` fails when a part takes over 5 % more than recorded, or when the record does
//! not name the parts there are. `BENCH_RECORD=1 cargo bench --bench instructions` records anew. `BENCH_RECORDED` names
//! another record. Without valgrind it says so and ends: nothing is counted, nothing fails.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod pure;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Tenths of a percent that a part may take more than recorded.
const MORE_MAX: i128 = 50;

/// Records anew.
const AGAIN: &str = "BENCH_RECORD=1 cargo bench --bench instructions";

/// Runs of a part that are counted, beside as many that are not: the difference is free of its setting up.
const RUNS: u64 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [role, place, runs] if role == "part" => {
            let (_, make) = pure::PARTS[place.parse::<usize>().unwrap()];
            let mut run = make();
            for _ in 0..runs.parse::<u64>().unwrap() {
                run();
            }
            ExitCode::SUCCESS
        }
        // `cargo bench` says --bench; `cargo test` does not, and then there is nothing to do.
        _ if args.iter().any(|arg| arg == "--bench") => count(),
        _ => ExitCode::SUCCESS,
    }
}

fn record_path() -> PathBuf {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
    std::env::var_os("BENCH_RECORDED").map_or_else(|| usual.into(), PathBuf::from)
}

/// Counts every part, then records the numbers or holds them against the recorded ones.
fn count() -> ExitCode {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("valgrind is not installed: no instructions are counted, nothing is compared");
        return ExitCode::SUCCESS;
    }
    let path = record_path();
    let records = std::env::var_os("BENCH_RECORD").is_some();
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let recorded: BTreeMap<&str, u64> = text.lines().filter_map(recorded).collect();
    let mut wrong = if records { Vec::new() } else { strays(&text) };
    let (mut fresh, mut stale) = (String::new(), false);
    println!("instructions of {} turns of each part, and the change against {}", pure::TIMES, path.display());
    for (place, (name, _)) in pure::PARTS.iter().enumerate() {
        let count = (counted(place, 2 * RUNS) - counted(place, RUNS)) / RUNS;
        fresh.push_str(&format!("{count}\t{name}\n"));
        let Some(old) = recorded.get(name) else {
            println!("{count:>12}  {:>9}  {name}", "new");
            wrong.push(format!("{name}: has no recorded number"));
            continue;
        };
        // In tenths of a percent.
        let change = (i128::from(count) - i128::from(*old)) * 1000 / i128::from(*old);
        let sign = if change < 0 { '-' } else { '+' };
        let told = format!("{sign}{}.{} %", change.abs() / 10, change.abs() % 10);
        println!("{count:>12}  {told:>9}  {name}");
        if change > MORE_MAX {
            wrong
                .push(format!("{name}: {told} instructions, over the {} % that are let pass", MORE_MAX / 10));
        }
        stale |= change < -MORE_MAX;
    }
    if records {
        std::fs::write(&path, fresh).unwrap();
        println!("recorded in {}", path.display());
        return ExitCode::SUCCESS;
    }
    println!();
    if stale {
        println!("The record is behind what was gained, which would hide a loss. To record anew: {AGAIN}");
    }
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    for what in wrong {
        println!("FAILED  {what}");
    }
    println!("If that is meant to be so: {AGAIN}");
    ExitCode::FAILURE
}

/// A line of the record: a number and a name.
fn recorded(line: &str) -> Option<(&str, u64)> {
    let (count, name) = line.split_once('\t')?;
    count.parse().ok().filter(|count| *count > 0).map(|count| (name, count))
}

/// Lines of the record that are of no part: whoever renamed one would compare nothing any more.
fn strays(text: &str) -> Vec<String> {
    let is_part =
        |line: &str| recorded(line).is_some_and(|(name, _)| pure::PARTS.iter().any(|part| part.0 == name));
    text.lines()
        .filter(|line| !is_part(line))
        .map(|line| format!("{line:?} in the record is of no part"))
        .collect()
}

/// Instructions of a process that runs a part so often.
fn counted(place: usize, runs: u64) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe().unwrap()).args(["part", &place.to_string(), &runs.to_string()]);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let line = told.lines().find_map(|line| line.split_once("Collected :")).unwrap();
    line.1.trim().parse().unwrap()
}
