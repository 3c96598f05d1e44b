//! Promises about rates, played in virtual time over whole runs: no window above the limit, and nearly all of the
//! limit used, whatever came before.

use super::playing::{Play, Provider};
use super::bench::{nigeria, seconds, vietnam};
use crate::engine::{LaneConfig, LaneId, Rate};
use std::time::Duration;

/// Rows enough to keep a provider busy for longer than any of these tests.
const PLENTY: u64 = 100_000;

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

/// The share that has to be used: a small limit may lose more.
fn least_used(rate: Rate) -> u64 {
    if rate.count >= 100 { 98 } else { 95 }
}
