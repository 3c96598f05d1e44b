//! Killed at random and at named points, and started again with the same command until it ends by itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::Signal;

use super::faults::{hasty, settle_and_check};
use super::program::{Ended, Program};
use super::rows::{self, Chance};
use super::world::{LONG, Settings, World, at_once};

const FAULTS: &str = "drop_after=4,drop_before=3,http502_after=2,truncate=3,late=3,late_by=2s,close_after=10,\
                      throttle=3,ambiguous=3,failed=3,pending=8,pending_fail=40,lookup_drop=4,latency_jitter=120ms,\
                      settle=600ms,not_found_for=300ms";

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// What holds at any moment, also right after a kill: the ledger knows every id on the wire.
fn assert_written_ahead(world: &World) {
    let known: std::collections::BTreeSet<String> = world.intents().into_iter().map(|i| i.id).collect();
    for line in world.charge_log() {
        assert!(line.event != "request" || known.contains(&line.id), "{} is not in the ledger", line.id);
    }
}

/// Runs to the end. A batch that was finished by a run that was killed is refused by `run`; its results are
/// written by `settle`.
fn finish(world: &World) -> Ended {
    let ended = world.topup(&["--settle-for", "20s"]);
    if ended.code == Some(2) && ended.stderr.contains("is finished") {
        return world.run(&["settle", &world.batch(), "--json", "--settle-for", "20s"]);
    }
    ended
}

fn slow() -> Settings {
    Settings { submit_rate: "20/s".to_owned(), ..hasty() }
}

/// Kills a batch so often, at random, and lets it end. Gives back how many kills hit.
fn killed_batch(seed: u64, kills: u64, faults: &str) -> u64 {
    eprintln!("seed {seed}: {kills} kills");
    let mut chance = Chance::new(seed);
    let world = World::with(faults, seed, &rows::mixed(120, &["0001", "0003", "0007"], seed), slow());
    let mut hits = 0;
    for _ in 0..kills {
        let mut program = world.start_topup(&["--settle-for", "20s"]);
        let pause = Duration::from_micros(1000 + chance.below(450_000));
        if program.try_wait(pause).is_some() {
            break;
        }
        program.signal(Signal::KILL);
        program.wait(LONG);
        hits += 1;
        if world.ledger.exists() && hits % 4 == 0 {
            assert_written_ahead(&world);
        }
    }
    let ended = finish(&world);
    settle_and_check(&world, &ended);
    hits
}

/// `KILLS=2000 SEED=7 cargo test --test process killed_at_random -- --nocapture` for a longer campaign.
#[test]
fn killed_at_random_and_resumed_a_batch_breaks_no_promise() {
    let (wanted, first) = (number("KILLS", 84), number("SEED", 1));
    let (hits, seeds) = (AtomicU64::new(0), AtomicU64::new(first));
    // Three batches beside each other.
    at_once((0..3).map(|_| {
        || {
            while hits.load(Relaxed) < wanted {
                let seed = seeds.fetch_add(1, Relaxed);
                let faults = if seed % 4 == 0 { "latency_jitter=150ms,duplicate_ok=1" } else { FAULTS };
                hits.fetch_add(killed_batch(seed, 17, faults), Relaxed);
            }
        }
    }));
    eprintln!("{} kills", hits.into_inner());
}

const POINTS: [&str; 6] =
    ["before_intent", "after_intent", "mid_request", "after_reply", "before_record", "mid_results"];

fn start_to_crash(world: &World, point: &str, nth: u64) -> Program {
    let mut command = world.command();
    command.args(["run", "payroll.csv", "--yes", "--json", "--settle-for", "20s"]);
    command.env("BULK_TOPUP_CRASH", format!("{point}:{nth}"));
    Program::start(command, &world.next_stem())
}

/// One batch is killed at each of the points in turn.
fn killed_at_points(nth: u64, faults: &str) {
    let world = World::with(faults, nth, &rows::mixed(45, &["0001", "0003", "0007"], nth), hasty());
    for point in POINTS {
        // The results are passed once in a run.
        let nth = if point == "mid_results" { 1 } else { nth };
        let ended = start_to_crash(&world, point, nth).wait(LONG);
        assert_eq!(ended.signal, Some(9), "{point}:{nth} was not reached\n{ended:?}");
        assert_written_ahead(&world);
        assert!(!world.results.exists(), "{point}:{nth}: half-written results");
    }
    let ended = finish(&world);
    settle_and_check(&world, &ended);
}

#[test]
fn killed_at_every_point_a_batch_breaks_no_promise() {
    let repeated = "latency_jitter=80ms,duplicate_ok=1";
    at_once(
        [(1, ""), (3, FAULTS), (7, repeated)]
            .into_iter()
            .map(|(nth, faults)| move || killed_at_points(nth, faults)),
    );
}

#[test]
fn after_a_kill_an_unanswered_submit_is_looked_up_and_never_sent_again() {
    let rows = rows::plain(6, &[rows::Country::Nigeria, rows::Country::China], 3);
    let world = World::with("duplicate_ok=1", 3, &rows, hasty());
    let ended = start_to_crash(&world, "after_reply", 6).wait(LONG);
    assert_eq!(ended.signal, Some(9), "{ended:?}");
    let ended = finish(&world);
    world.assert_sound(&ended, true);
    let (table, log) = (world.table(), world.charge_log());
    for row in 0..6 {
        let id = table.cell(row, "topup_transaction_id");
        let sent = log.iter().filter(|line| line.event == "request" && line.id == id).count();
        let shown = (table.cell(row, "topup_status"), table.cell(row, "topup_reason"));
        match sent {
            1 => assert_eq!(shown, ("succeeded", ""), "row {}", row + 1),
            // Its intent was committed, and the kill came before it left: counted out.
            0 => assert_eq!(shown, ("failed", "not_received"), "row {}", row + 1),
            _ => panic!("row {} was submitted {sent} times", row + 1),
        }
    }
}
