//! One process submits from a ledger; others look on.

use std::os::unix::fs::symlink;
use std::time::Duration;

use super::program::until;
use super::rows::{self, Country};
use super::world::{LONG, Settings, World, assert_exit};

fn busy_world() -> World {
    let settings = Settings { submit_rate: "20/s".to_owned(), ..Settings::default() };
    World::with("latency=50ms", 1, &rows::plain(150, &rows::ALL, 1), settings)
}

#[test]
fn a_second_process_on_one_ledger_by_any_name_exits_6_and_sends_nothing() {
    let world = busy_world();
    let other = rows::plain(5, &[Country::Vietnam], 99);
    rows::write(&world.path("work/other.csv"), &other);
    let mut program = world.start_topup(&[]);
    until("submits", Duration::from_secs(30), || (world.requests() >= 5).then_some(()));
    symlink(&world.ledger, world.path("work/alias.db")).unwrap();
    symlink(world.path("store"), world.path("work/folder")).unwrap();
    for ledger in
        ["../store/ledger.db", "alias.db", "folder/ledger.db", "./../work/folder/../store/ledger.db"]
    {
        for command in
            [vec!["run", "other.csv", "--yes"], vec!["run", "payroll.csv", "--yes"], vec!["settle"]]
        {
            let ended = world.run(&[&command[..], &["--ledger", ledger]].concat());
            assert_exit(&ended, 6);
            assert!(ended.stderr.contains("ledger"), "{}", ended.stderr);
        }
    }
    let ended = world.run(&["cancel", &world.batch(), "--note", "no"]);
    assert_exit(&ended, 6);
    assert!(program.try_wait(Duration::ZERO).is_none(), "the first process was gone before the others came");
    let ended = program.wait(LONG);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    assert_eq!(world.requests(), 150, "another process submitted");
    // The lock goes with its holder, however that ends.
    assert_exit(&world.run(&["run", "other.csv", "--yes", "--ledger", "alias.db"]), 0);
    assert_eq!(world.requests(), 155);
}

#[test]
fn two_processes_started_at_once_send_a_batch_once() {
    for seed in 0..4 {
        let world = World::new("", seed, &rows::plain(30, &rows::ALL, seed + 1));
        let mut programs: Vec<_> = (0..4).map(|_| world.start_topup(&[])).collect();
        let ended: Vec<_> = programs.iter_mut().map(|program| program.wait(LONG)).collect();
        let mut codes: Vec<_> = ended.iter().map(|ended| ended.code.unwrap()).collect();
        codes.sort_unstable();
        // One sends; the others find it at work (6), or done (2).
        assert_eq!(codes[0], 0, "{ended:?}");
        assert!(codes[1..].iter().all(|code| [2, 6].contains(code)), "{ended:?}");
        let first = ended.iter().find(|ended| ended.code == Some(0)).unwrap();
        world.assert_sound(first, true);
        assert_eq!(world.requests(), 30);
    }
}

#[test]
fn status_works_beside_a_run_and_disturbs_nothing() {
    let world = busy_world();
    let mut program = world.start_topup(&[]);
    until("submits", Duration::from_secs(30), || (world.requests() >= 5).then_some(()));
    let mut last = 0;
    for turn in 1_u64..=10 {
        let batch = world.batch();
        let ended = world.run(&["status", &batch, "--json"]);
        assert_exit(&ended, 0);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let succeeded = told["counts"]["succeeded"].as_u64().unwrap();
        assert!(succeeded >= last && told["rows"] == 150, "{told}");
        last = succeeded;
        let row = turn.to_string();
        assert_exit(&world.run(&["status", &batch, "--row", &row, "--json"]), 0);
        let mine = format!("now-{turn}.csv");
        assert_exit(&world.run(&["status", &batch, "--results", &mine]), 0);
        let table = super::evidence::Table::read(&world.path("work").join(&mine));
        assert_eq!(table.rows.len(), 150);
    }
    assert!(program.try_wait(Duration::ZERO).is_none(), "the run was over before anybody looked");
    let ended = program.wait(LONG);
    assert_exit(&ended, 0);
    world.assert_sound(&ended, true);
    let verified = world.run(&["status", "--verify"]);
    assert_exit(&verified, 0);
}
