//! Signals, closed outputs, missing terminals, and processes that are stopped for a while.

use std::io::Read;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::faults::hasty;
use super::program::{Program, until};
use super::rows;
use super::world::{LONG, Settings, World, assert_exit, at_once};

fn slow_world(faults: &str) -> World {
    let settings = Settings { submit_rate: "20/s".to_owned(), ..Settings::default() };
    World::with(faults, 1, &rows::plain(120, &rows::ALL, 1), settings)
}

fn until_sent(world: &World, count: usize) {
    until("submits", Duration::from_secs(30), || (world.requests() >= count).then_some(()));
}

/// One signal: what is under way ends, nothing new is sent, and the same command goes on.
fn drains(signal: Signal) {
    let world = slow_world("latency=300ms");
    let mut program = world.start_topup(&[]);
    until_sent(&world, 12);
    program.signal(signal);
    // What had left by then; the signal itself takes a moment.
    sleep(Duration::from_millis(120));
    let sent = world.intents().len();
    let ended = program.wait(Duration::from_secs(10));
    assert_exit(&ended, 130);
    assert_eq!(world.intents().len(), sent, "something was submitted after the signal");
    // An intent that waited for its turn when the signal came is undone.
    let undone = world.events().iter().filter(|(_, event)| event.get("not_sent").is_some()).count();
    let sent = sent - undone;
    assert_eq!(world.requests(), sent);
    world.assert_sound(&ended, true);
    let counts = world.table().count("topup_status");
    assert_eq!(counts.get("succeeded"), Some(&sent), "what was under way was left: {counts:?}");
    assert_eq!(counts.get("not_sent"), Some(&(120 - sent)), "{counts:?}");
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 120);
}

#[test]
fn one_interrupt_hangup_or_request_to_terminate_drains_and_the_same_command_goes_on() {
    at_once([Signal::INT, Signal::TERM, Signal::HUP].into_iter().map(|signal| move || drains(signal)));
}

#[test]
fn a_second_interrupt_leaves_at_once_and_what_was_under_way_is_unknown() {
    let world = slow_world("latency=3s");
    let mut program = world.start_topup(&[]);
    // The first one goes alone and was answered; the others are under way.
    until_sent(&world, 4);
    program.signal(Signal::INT);
    sleep(Duration::from_millis(200));
    assert!(
        program.try_wait(Duration::ZERO).is_none(),
        "the first signal did not wait for what is under way"
    );
    program.signal(Signal::INT);
    let since = Instant::now();
    let ended = program.wait(Duration::from_secs(10));
    assert!(since.elapsed() < Duration::from_secs(2), "left after {:?}", since.elapsed());
    assert_exit(&ended, 130);
    world.assert_sound(&ended, false);
    let counts = world.table().count("topup_status");
    assert!(counts.get("unknown").is_some_and(|count| *count >= 3), "{counts:?}");
    sleep(Duration::from_secs(3));
    let ended = world.topup(&["--settle-for", "10s"]);
    assert!([0, 4].contains(&ended.code.unwrap_or(-1)), "{ended:?}");
    world.assert_sound(&ended, true);
}

#[test]
fn a_signal_at_any_early_moment_leaves_a_batch_that_goes_on() {
    at_once(
        [500, 3000, 8000, 15_000, 25_000, 40_000, 70_000].into_iter().map(|micros| move || early(micros)),
    );
}

fn early(micros: u64) {
    let world = slow_world("");
    let mut program = world.start_topup(&[]);
    sleep(Duration::from_micros(micros));
    // Whoever starts these tests in the background may have interrupts ignored from the start.
    program.signal(Signal::TERM);
    let ended = program.wait(Duration::from_secs(10));
    // Before the program has taken over the signals, the system's own way ends it: nothing was sent then.
    let before = ended.signal == Some(15);
    assert!(before || ended.code == Some(130), "{ended:?}");
    if before {
        assert_eq!(world.requests(), 0);
    }
    let ended = world.topup(&[]);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 120);
}

#[test]
fn outputs_that_nobody_reads_change_nothing() {
    let rows = rows::plain(30, &rows::ALL, 2);
    // Pipes whose reader has gone, and descriptors that were never open.
    let world = World::new("", 1, &rows);
    let mut command = world.command();
    command.args(["run", "payroll.csv", "--yes", "-v"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::start_as_it_is(command, &world.next_stem());
    drop(program.child().stdout.take());
    drop(program.child().stderr.take());
    let ended = program.wait(LONG);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    let world = World::new("", 1, &rows);
    let mut command = std::process::Command::new("/bin/sh");
    world.clothe(&mut command);
    command.args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-", env!("CARGO_BIN_EXE_bulk-topup")]);
    command.args(["run", "payroll.csv", "--yes"]);
    let ended = Program::start(command, &world.next_stem()).wait(LONG);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
}

#[test]
fn outputs_that_are_full_change_nothing() {
    let world = World::new("", 1, &rows::plain(30, &rows::ALL, 2));
    let mut command = world.command();
    command.args(["run", "payroll.csv", "--yes", "--json"]);
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    command.stdout(full()).stderr(full());
    let ended = Program::start_as_it_is(command, &world.next_stem()).wait(LONG);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_sent_and_nothing_hangs() {
    let world = World::new("", 1, &rows::plain(6, &rows::ALL, 2));
    // Nothing to read, and something that never comes.
    for stdin in [Stdio::null(), Stdio::piped()] {
        let mut command = world.command();
        command.args(["run", "payroll.csv"]).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _open = child.stdin.take();
        let ended = until("end", Duration::from_secs(10), || child.try_wait().unwrap());
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(ended.code(), Some(2), "{told}");
        assert!(told.contains("--yes"), "{told}");
        assert_eq!(world.requests(), 0);
        assert!(!world.results.exists());
    }
}

#[test]
fn a_process_stopped_past_every_time_out_breaks_no_promise() {
    let settings = Settings { submit_rate: "30/s".to_owned(), ..hasty() };
    let faults = "latency=200ms,latency_jitter=200ms,pending=10,settle=500ms,drop_after=3,late=3,late_by=1s";
    let world = World::with(faults, 3, &rows::plain(90, &rows::ALL, 3), settings);
    let mut program = world.start_topup(&["--settle-for", "20s"]);
    for count in [8, 40] {
        until_sent(&world, count);
        program.signal(Signal::STOP);
        sleep(Duration::from_millis(2500));
        program.signal(Signal::CONT);
    }
    let ended = program.wait(LONG);
    super::faults::settle_and_check(&world, &ended);
}

#[test]
fn a_provider_stopped_past_every_time_out_breaks_no_promise() {
    let settings = Settings { submit_rate: "30/s".to_owned(), ..hasty() };
    let mut world = World::with("duplicate_ok=1", 3, &rows::plain(90, &rows::ALL, 4), settings);
    let mut program = world.start_topup(&["--settle-for", "20s"]);
    until_sent(&world, 10);
    let sandbox = &mut world.sandbox.as_mut().unwrap().program;
    sandbox.signal(Signal::STOP);
    sleep(Duration::from_millis(2300));
    sandbox.signal(Signal::CONT);
    let ended = program.wait(LONG);
    // Requests that were given up stand in the provider's queue until it goes on: beyond the client's reach.
    world.settings.max_in_flight = 90;
    super::faults::settle_and_check(&world, &ended);
}
