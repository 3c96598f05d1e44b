//! Promises about rates, played over whole runs in virtual time: no window above the limit, and nearly all of the
//! limit used, whatever came before.

use std::time::Duration;

use super::bench::{nigeria, seconds, vietnam};
use super::playing::{Play, most_in_a_window, used_percent};
use crate::domain::Tick;
use crate::engine::{LaneConfig, Rate};

fn every_second(count: u32) -> Rate {
    Rate { count, window: seconds(1) }
}

fn every_minute(count: u32) -> Rate {
    Rate { count, window: seconds(60) }
}

/// A provider that is asked for nothing but submits.
fn submits_only(rate: Rate) -> LaneConfig {
    LaneConfig { submit_rate: rate, max_in_flight: 64, ..vietnam() }
}

/// A provider that is asked about each number before its submit.
fn looked_up(submits: Rate, looks: Rate) -> LaneConfig {
    LaneConfig { submit_rate: submits, query_rate: looks, max_in_flight: 64, ..nigeria() }
}

/// What a provider saw kept both of its limits.
fn assert_never_above(play: &Play) {
    for provider in &play.providers {
        let config = &provider.config;
        for (instants, rate) in
            [(&provider.submits, config.submit_rate), (&provider.looks, config.query_rate)]
        {
            let most = most_in_a_window(instants, rate.window);
            assert!(most <= rate.count as usize, "{most} requests in a window of {rate:?}");
        }
    }
}

/// From the first request behind `from` on, for half a minute: nearly all of the limit; of small ones a little less.
fn assert_used(instants: &[Tick], rate: Rate, from: Tick) {
    let used = used_percent(instants, rate, from, seconds(30));
    let least = if rate.count >= 100 { 98 } else { 95 };
    assert!(used >= least, "{used} % of {rate:?} used");
}

/// Nothing was waited for that a limit does not ask for.
fn assert_begins_within(instants: &[Tick], from: Tick, most: Duration) {
    let first = instants.iter().find(|at| **at >= from).unwrap();
    assert!(first.since(from) <= most, "the first request came after {:?}", first.since(from));
}

fn three() -> Vec<LaneConfig> {
    vec![
        submits_only(every_second(40)),
        looked_up(every_second(100), every_second(200)),
        submits_only(every_second(300)),
    ]
}

#[test]
fn three_providers_reach_their_own_limits_from_the_first_second() {
    let mut play = Play::start(three());
    play.pass(seconds(32));
    assert_never_above(&play);
    for provider in &play.providers {
        let rate = provider.config.submit_rate;
        assert_used(&provider.submits, rate, play.start);
        assert_begins_within(&provider.submits, play.start, Duration::from_millis(200));
        // The first goes alone until its answer is there.
        let used = used_percent(&provider.submits, rate, play.start, seconds(1));
        assert!(used >= 92, "{used} % of {rate:?} used in the first second");
    }
}

#[test]
fn no_provider_waits_for_another() {
    let mut together = Play::start(three());
    together.pass(seconds(20));
    for (place, config) in three().into_iter().enumerate() {
        let mut alone = Play::start(vec![config]);
        alone.pass(seconds(20));
        let (beside, alone) = (together.providers[place].submits.len(), alone.providers[0].submits.len());
        assert!(beside * 1000 >= alone * 995, "{beside} submits beside others, {alone} alone");
    }
}

#[test]
fn limits_by_the_minute_are_spread_over_it_and_used() {
    let mut play = Play::start(vec![
        submits_only(every_minute(60)),
        looked_up(every_minute(600), every_minute(1200)),
        submits_only(every_minute(6000)),
    ]);
    play.pass(seconds(200));
    assert_never_above(&play);
    for provider in &play.providers {
        let rate = provider.config.submit_rate;
        let used = used_percent(&provider.submits, rate, play.start, seconds(180));
        assert!(used >= 98, "{used} % of {rate:?} used");
        let second = most_in_a_window(&provider.submits, seconds(1));
        assert!(second as u32 <= rate.count / 60 + 1, "{second} of {rate:?} in one second");
    }
}

#[test]
fn a_throttle_pause_saves_nothing_up_and_loses_nothing_behind_it() {
    let mut configs = three();
    configs[1].throttle_pause = seconds(10);
    let mut play = Play::start(configs);
    play.pass(seconds(20));
    play.throttle(1, Duration::from_millis(100));
    play.pass(seconds(1));
    let paused = play.now.tick;
    play.pass(seconds(45));
    assert_never_above(&play);
    let (slow, rate) = (&play.providers[1].submits, play.providers[1].config.submit_rate);
    assert_begins_within(slow, paused, seconds(12));
    assert!(!slow.iter().any(|at| (paused..paused.after(seconds(8))).contains(at)), "the pause holds");
    assert_used(slow, rate, paused);
    for other in [0, 2] {
        let provider = &play.providers[other];
        assert_used(&provider.submits, provider.config.submit_rate, paused);
    }
}

#[test]
fn an_idle_minute_saves_nothing_up_and_loses_nothing_behind_it() {
    // A provider that asks to wait for a minute, and a machine that sleeps for one.
    let mut configs = three();
    configs[1].throttle_pause = seconds(60);
    let mut play = Play::start(configs);
    play.pass(seconds(5));
    play.throttle(1, Duration::from_millis(100));
    play.pass(seconds(1));
    play.stand_still(seconds(60));
    let awake = play.now.tick;
    play.pass(seconds(45));
    assert_never_above(&play);
    for provider in &play.providers {
        assert_used(&provider.submits, provider.config.submit_rate, awake);
        assert_begins_within(&provider.submits, awake, seconds(13));
    }
}

#[test]
fn after_a_kill_and_a_restart_the_last_window_counts_and_nothing_more_is_lost() {
    for down in [Duration::from_millis(30), seconds(2), seconds(60)] {
        let mut play = Play::start(three());
        play.pass(Duration::from_millis(10_333));
        play.kill_and_start(down);
        let back = play.now.tick;
        play.pass(seconds(35));
        assert_never_above(&play);
        for provider in &play.providers {
            assert_used(&provider.submits, provider.config.submit_rate, back);
            // Read-only call, look-up, and what was under way: it may have left until the last moment.
            assert_begins_within(&provider.submits, back, Duration::from_millis(400));
        }
    }
}

#[test]
fn kill_after_kill_adds_nothing_to_any_window() {
    let mut configs = three();
    configs.push(submits_only(every_minute(20)));
    configs.push(looked_up(every_second(10), every_second(10)));
    let mut play = Play::start(configs);
    for turn in 0..100_u64 {
        play.pass(Duration::from_millis(150 + turn * 37 % 700));
        play.kill_and_start(Duration::from_millis(1 + turn * 13 % 90));
    }
    assert_never_above(&play);
    assert!(play.providers.iter().all(|provider| provider.submits.len() > 10));
}

#[test]
fn submits_and_look_ups_are_limited_apart() {
    // Look-ups are the narrower limit of the one, submits of the other.
    let mut play = Play::start(vec![
        looked_up(every_second(300), every_second(100)),
        looked_up(every_second(100), every_second(300)),
        looked_up(every_second(40), every_second(40)),
    ]);
    play.pass(seconds(35));
    assert_never_above(&play);
    assert_used(&play.providers[0].looks, every_second(100), play.start.after(seconds(1)));
    assert_used(&play.providers[1].submits, every_second(100), play.start);
    assert_used(&play.providers[2].looks, every_second(40), play.start.after(seconds(1)));
    assert_used(&play.providers[2].submits, every_second(40), play.start.after(seconds(1)));
}
