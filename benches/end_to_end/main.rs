//! How fast whole batches go, beside a bare HTTP loop and an aiohttp script against the same provider.
//! Every contestant runs in a process of its own, in pairs one after the other; the table holds medians of the
//! pairs' ratios, because one machine's figures differ from hour to hour and ratios do so less.
//!
//! `cargo bench --bench end_to_end --bench batch`. Variables: `BENCH_ROWS` (rows of a batch, 20000), `BENCH_ROUNDS` (5),
//! `BENCH_SHAPES` and `BENCH_LATENCIES` (names and milliseconds, comma separated), `BENCH_PYTHON` (an
//! interpreter that has aiohttp).
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::as_conversions, clippy::float_arithmetic, reason = "figures for people, no money")]

mod bare;
mod program;
mod provider;
mod script;
mod shape;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shape::{Race, Shape};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["provider", latency] => provider::serve(latency.parse().unwrap()),
        ["bare", race @ ..] => println!("{}", bare::run(&Race::parse(race))),
        // `cargo bench` says --bench; `cargo test` does not, and then there is nothing to do.
        _ if words.contains(&"--bench") => compare(),
        _ => {}
    }
}

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// The provider in a process of its own.
struct Provider {
    child: Child,
    addr: String,
}

impl Provider {
    fn start(latency: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child =
            command.args(["provider", latency]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut addr = String::new();
        let told = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut addr).unwrap();
        Self { child, addr: addr.trim().to_owned() }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the contestant in this program's `bare`, or in a program beside it; it prints its seconds.
fn rerun(program: &Path, role: &str, race: &Race) -> f64 {
    let mut command = Command::new(program);
    let output = command.arg(role).args(race.words()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{role} failed");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// The other benchmark of this name that cargo built last.
fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let built = std::fs::read_dir(own.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) && path.extension().is_none()
    };
    let newest = built.filter(named).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    newest.unwrap_or_else(|| panic!("{name} is not built: cargo bench --bench end_to_end --bench {name}"))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What a contestant took: from its start to its end, and from the first request to the last answer.
#[derive(Clone, Copy)]
struct Took {
    whole: f64,
    sending: f64,
}

/// Runs a contestant and asks the provider how long it was busy with it.
fn timed(race: &Race, contestant: impl FnOnce() -> f64) -> Took {
    let whole = contestant();
    Took { whole, sending: span(&race.addr) }
}

fn span(addr: &str) -> f64 {
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    stream.write_all(b"GET /span HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    told.rsplit("\r\n\r\n").next().unwrap().parse().unwrap()
}

/// One line of the table, round by round.
#[derive(Default)]
struct Line {
    ours: Vec<Took>,
    bare: Vec<Took>,
    script: Vec<Took>,
}

impl Line {
    fn race(race: &Race, rounds: u32, python: Option<&str>) -> Self {
        let own = std::env::current_exe().unwrap();
        let ours = || match race.shape {
            Shape::Submits => rerun(&beside("batch"), "race", race),
            Shape::Paynicorn | Shape::ConnectTopup | Shape::Tutom => program::run(race),
        };
        let mut line = Self::default();
        for round in 0..rounds {
            // Whoever comes second meets another machine: they take turns.
            if round % 2 == 0 {
                line.ours.push(timed(race, ours));
                line.bare.push(timed(race, || rerun(&own, "bare", race)));
            } else {
                line.bare.push(timed(race, || rerun(&own, "bare", race)));
                line.ours.push(timed(race, ours));
            }
            if let Some(python) = python {
                line.script.push(timed(race, || script::run(python, race)));
            }
        }
        line
    }

    fn ratio(&self, others: &[Took], of: fn(&Took) -> f64) -> String {
        let ratios: Vec<f64> = self.ours.iter().zip(others).map(|(own, other)| of(other) / of(own)).collect();
        if ratios.is_empty() {
            return "no aiohttp".to_owned();
        }
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        format!("{:.2} ({least:.2}-{most:.2})", median(ratios))
    }
}

fn compare() {
    let rows: u64 = setting("BENCH_ROWS", "20000").parse().unwrap();
    let rounds: u32 = setting("BENCH_ROUNDS", "5").parse().unwrap();
    let python = script::python(&setting("BENCH_PYTHON", "python3"));
    println!(
        "{rows} rows, 256 requests in flight, {rounds} rounds; ratios of rows per second: median (least-most)"
    );
    println!("sending: first request to last answer, seen by the provider; whole: the file read, judged and");
    println!("recorded, sent, results written, the program's start and end included");
    println!();
    println!(
        "| requests of a row | latency | bare loop, rows/s | sending / bare loop | whole / bare loop | sending / aiohttp | whole / aiohttp |"
    );
    println!("|---|---|---|---|---|---|---|");
    for shape in setting("BENCH_SHAPES", "submits,paynicorn,connect-topup,tutom").split(',').map(Shape::parse)
    {
        for latency in setting("BENCH_LATENCIES", "0,20").split(',') {
            let provider = Provider::start(latency);
            let race = Race { shape, addr: provider.addr.clone(), rows, width: 256 };
            let line = Line::race(&race, rounds, python.as_deref());
            println!(
                "| {} | {latency} ms | {:.0} | {} | {} | {} | {} |",
                shape.words(),
                rows as f64 / median(line.bare.iter().map(|took| took.sending).collect()),
                line.ratio(&line.bare, |took| took.sending),
                line.ratio(&line.bare, |took| took.whole),
                line.ratio(&line.script, |took| took.sending),
                line.ratio(&line.script, |took| took.whole),
            );
        }
    }
}
