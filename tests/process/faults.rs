//! Providers that fail in every way the sandbox knows: the promises hold all the same.

use std::thread::sleep;
use std::time::Duration;

use super::checker::check_final;
use super::program::Ended;
use super::rows::{self, Country};
use super::world::{Settings, World, assert_exit, at_once};

/// Endings of numbers that are mixed in.
const TAILS: &[&str] = &["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"];

/// Rates in percent; every second of `late_by` and `not_found_for` lies within the grace of the settings.
const PROFILES: &[&str] = &[
    "drop_before=5,drop_after=5,http502_before=4,http502_after=4,truncate=5,html=4,failed=4,ambiguous=6,\
     pending=10,pending_fail=40,settle=700ms",
    "late=8,late_by=2s,http429=3,throttle=6,close_after=25,lookup_drop=12,lookup_502=12,lookup_truncate=12,\
     pending=15,pending_fail=30,settle=1s,not_found_for=1s",
    "drop_before=3,drop_after=3,http502_after=3,truncate=3,html=3,late=3,late_by=2s,close_after=10,throttle=3,\
     ambiguous=4,failed=3,pending=8,pending_fail=50,lookup_drop=5,lookup_502=5,lookup_truncate=5,latency=20ms,\
     latency_jitter=200ms,reply_latency=20ms,settle=800ms,not_found_for=500ms",
];

/// Short time-outs, and a grace above everything that a profile delays.
pub fn hasty() -> Settings {
    Settings { timeout: "1500ms".to_owned(), not_found_grace: "4s".to_owned(), ..Settings::default() }
}

/// Waits out what is still on its way, looks at everything open once more, and checks that nothing final moved.
pub fn settle_and_check(world: &World, ended: &Ended) -> Ended {
    world.assert_sound(ended, false);
    let before = world.table();
    sleep(Duration::from_millis(2500));
    let sent = world.requests();
    let settled = world.run(&["settle", &world.batch(), "--json", "--settle-for", "20s"]);
    world.assert_sound(&settled, true);
    assert_eq!(check_final(&before, &world.table()), Vec::new());
    assert_eq!(world.requests(), sent, "settle submitted something");
    settled
}

fn seeds(usual: u64) -> std::ops::Range<u64> {
    let count = std::env::var("FAULT_SEEDS").ok().and_then(|text| text.parse().ok());
    let first = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    first..first + count.unwrap_or(usual)
}

fn campaign(profile: &str, seed: u64) {
    eprintln!("seed {seed}: {profile}");
    let world = World::with(profile, seed, &rows::mixed(90, TAILS, seed), hasty());
    let ended = world.topup(&["--settle-for", "20s"]);
    assert!([3, 4].contains(&ended.code.unwrap_or(-1)), "{ended:?}");
    settle_and_check(&world, &ended);
    let sent = world.requests();
    let again = world.topup(&["--settle-for", "0s"]);
    assert!([2, 4].contains(&again.code.unwrap_or(-1)), "{again:?}");
    assert_eq!(world.requests(), sent, "a run of a batch that was sent submitted something");
}

/// `FAULT_SEEDS=50 SEED=100 cargo test --test process faults -- --nocapture` for a longer campaign.
#[test]
fn faults_of_every_kind_break_no_promise() {
    for seed in seeds(1) {
        let profiles = PROFILES.iter().map(|profile| move || campaign(profile, seed));
        at_once(profiles);
    }
}

#[test]
fn a_provider_that_charges_a_repeated_id_again_charges_each_row_once_at_most() {
    for seed in seeds(1) {
        let profiles = [PROFILES[0], PROFILES[2]].map(|profile| format!("{profile},duplicate_ok=1"));
        at_once(profiles.iter().map(|profile| move || campaign(profile, seed + 1000)));
    }
}

#[test]
fn where_not_found_is_not_trusted_an_order_without_a_trace_is_left_to_a_person() {
    let settings = Settings { trust_not_found: false, ..hasty() };
    let profile = "drop_before=30,drop_after=20";
    let world = World::with(profile, 5, &rows::plain(20, &[Country::China], 5), settings);
    let ended = world.topup(&["--settle-for", "9s"]);
    assert_exit(&ended, 4);
    world.assert_sound(&ended, true);
    let table = world.table();
    let log = world.charge_log();
    for row in 0..20 {
        let id = table.cell(row, "topup_transaction_id");
        let charged = log.iter().any(|line| line.event == "charge" && line.id == id);
        let shown = (table.cell(row, "topup_status"), table.cell(row, "topup_next"));
        assert_eq!(
            shown,
            if charged { ("succeeded", "none") } else { ("unknown", "ask") },
            "row {}",
            row + 1
        );
    }
}
