//! Instructions that the pure parts take, counted by callgrind and held against the recorded numbers in
//! `benches/instructions.txt`. Counts repeat to within a fraction of a percent where times do not.
//!
//! `cargo bench --bench instructions` fails when a part takes over 5 % more than recorded;
//! `BENCH_RECORD=1 cargo bench --bench instructions` records anew. Without valgrind it says so and ends.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod pure;

use std::collections::BTreeMap;
use std::process::Command;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// Runs of a part that are counted, beside as many that are not: the difference is free of its setting up.
const RUNS: u64 = 2;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [role, place, runs] if role == "part" => {
            let (_, make) = pure::PARTS[place.parse::<usize>().unwrap()];
            let mut run = make();
            for _ in 0..runs.parse::<u64>().unwrap() {
                run();
            }
        }
        // `cargo bench` says --bench; `cargo test` does not, and then there is nothing to do.
        _ if args.iter().any(|arg| arg == "--bench") => compare(),
        _ => {}
    }
}

fn compare() {
    if !Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("valgrind is not installed: no instructions are counted");
        return;
    }
    let text = std::fs::read_to_string(RECORDED).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let recorded: BTreeMap<&str, u64> =
        lines.filter_map(|(count, name)| Some((name, count.parse().ok()?))).collect();
    let (mut fresh, mut worse) = (String::new(), Vec::new());
    println!("instructions of {} turns of each part, and the change against the recorded ones", pure::TIMES);
    for (place, (name, _)) in pure::PARTS.iter().enumerate() {
        let count = (counted(place, 2 * RUNS) - counted(place, RUNS)) / RUNS;
        // In tenths of a percent.
        let change =
            recorded.get(name).map(|old| (i128::from(count) - i128::from(*old)) * 1000 / i128::from(*old));
        let told =
            change.map_or("new".to_owned(), |change| format!("{:+}.{} %", change / 10, (change % 10).abs()));
        println!("{count:>12}  {told:>8}  {name}");
        fresh.push_str(&format!("{count}\t{name}\n"));
        if change.is_some_and(|change| change > 50) {
            worse.push(*name);
        }
    }
    if std::env::var_os("BENCH_RECORD").is_some() {
        std::fs::write(RECORDED, fresh).unwrap();
        return;
    }
    assert!(worse.is_empty(), "over 5 % more instructions than recorded: {}", worse.join("; "));
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
