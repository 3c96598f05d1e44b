//! One provider's side of a run: queues, limits, halts and pauses.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::limiter::Limiter;
use super::numbers::Numbers;
use super::submit::INTENT_MAX;
use super::types::{LaneConfig, LaneStart, LaneStats, PastSubmit};
use crate::domain::{Catalogue, Halt, Now, RowNumber, Status, Tick};

/// How far the rows of one kind are read from the ledger.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) after: Option<RowNumber>,
    pub(super) more: bool,
    pub(super) asked: bool,
}

impl Reading {
    fn start(wanted: bool) -> Self {
        Self { after: None, more: wanted, asked: false }
    }

    pub(super) fn is_done(&self) -> bool {
        !self.more && !self.asked
    }
}

/// The one read-only call before a provider's first submit of a run.
#[derive(Debug)]
pub(super) enum Preflight {
    /// Not answered yet; to be made then.
    Due(Tick, u32),
    /// Under way.
    UnderWay(u32),
    /// Answered intact.
    Done,
}

/// How long ago a submit left at the least: it left at most [`INTENT_MAX`] after its intent, and before it was put
/// down what came of it.
fn least_age(submit: &PastSubmit) -> Duration {
    submit.intended.saturating_sub(INTENT_MAX).max(submit.over.unwrap_or_default())
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) config: LaneConfig,
    pub(super) submit_limit: Limiter,
    pub(super) query_limit: Limiter,
    pub(super) catalogue: Catalogue,
    pub(super) preflight: Preflight,
    pub(super) open_rows: Reading,
    pub(super) ready_rows: Reading,
    /// Rows that wait for a look-up before their submit.
    pub(super) checks: VecDeque<RowNumber>,
    /// Rows that may be sent, by the operator they name.
    pub(super) cleared: Vec<(Option<String>, VecDeque<RowNumber>)>,
    /// Rows with a committed intent.
    pub(super) armed: VecDeque<RowNumber>,
    /// Open rows whose look-up is due.
    pub(super) follow_due: VecDeque<RowNumber>,
    /// Whose turn the next look-up is, when both kinds wait.
    pub(super) follow_first: bool,
    /// Intents not yet committed.
    pub(super) intents: usize,
    pub(super) in_flight: usize,
    pub(super) looking: usize,
    /// Rows held that were not sent yet.
    pub(super) unsent: usize,
    /// Open rows that are followed.
    pub(super) following: usize,
    pub(super) halt: Option<Halt>,
    pub(super) operator_halts: HashMap<String, Halt>,
    pub(super) pause_until: Tick,
    pub(super) operator_pauses: HashMap<String, Tick>,
    /// An intact answer to a submit came in this run.
    pub(super) proven: bool,
    /// Submits in succession that ended unclear.
    pub(super) unclear_run: u32,
    /// Different numbers in succession that hit their daily limit.
    pub(super) day_limited: Vec<String>,
    /// Since when nothing gets through.
    pub(super) silent_since: Option<Tick>,
    /// Connections in succession that failed.
    pub(super) connect_failures: u32,
    /// Intents in succession that were undone because their commit took too long.
    pub(super) held_up: u32,
    /// A committed intent waits for a place among the submits under way.
    pub(super) full: bool,
    /// One waited so for too long: none stands beside a full width until an answer comes.
    pub(super) crowded: bool,
    pub(super) numbers: Numbers,
    /// When the limiter will let the next submit go, as far as is known.
    pub(super) next_slot: Tick,
    pub(super) sent: u64,
    /// Rows that this run took in and that are final now.
    pub(super) settled: u64,
    /// Rows that this run took in and that are open now.
    pub(super) open: u64,
    /// Of them unknown.
    pub(super) unknown: u64,
}

impl Lane {
    pub(super) fn new(config: LaneConfig, start: LaneStart, now: Now, sends: bool, looks: bool) -> Self {
        let mut numbers = Numbers::default();
        for digits in &start.open_numbers {
            numbers.hold(digits);
        }
        for (digits, at) in &start.spaced_numbers {
            // What is known is when it was decided; it may have left a little later. After a restart of the
            // machine nobody knows how long ago it was: the whole spacing again.
            let left = now.elapsed_since(*at).map_or(config.phone_spacing, |ago| {
                config.phone_spacing.saturating_sub(ago.saturating_sub(INTENT_MAX))
            });
            numbers.space(digits, now.tick.after(left));
        }
        let preflight = if start.preflight.is_some() { Preflight::Done } else { Preflight::Due(now.tick, 0) };
        let recent: Vec<Duration> = start.recent_submits.iter().map(least_age).collect();
        let submit_limit = Limiter::new(config.submit_rate, now.tick, &recent);
        Self {
            next_slot: submit_limit.first_free(),
            submit_limit,
            query_limit: if start.looked_before {
                Limiter::after_others(config.query_rate, now.tick)
            } else {
                Limiter::new(config.query_rate, now.tick, &[])
            },
            catalogue: start.preflight.unwrap_or_default(),
            preflight,
            open_rows: Reading::start(!looks),
            ready_rows: Reading::start((sends || looks) && start.halt.is_none()),
            checks: VecDeque::new(),
            cleared: Vec::new(),
            armed: VecDeque::new(),
            follow_due: VecDeque::new(),
            follow_first: true,
            intents: 0,
            in_flight: 0,
            looking: 0,
            unsent: 0,
            following: 0,
            halt: start.halt,
            operator_halts: HashMap::new(),
            pause_until: Tick(0),
            operator_pauses: HashMap::new(),
            proven: false,
            unclear_run: 0,
            day_limited: Vec::new(),
            silent_since: None,
            connect_failures: 0,
            held_up: 0,
            full: false,
            crowded: false,
            numbers,
            sent: 0,
            settled: 0,
            open: 0,
            unknown: 0,
            config,
        }
    }

    /// Submits allowed under way at once: one, until the provider gave an intact answer in this run.
    pub(super) fn width(&self) -> usize {
        if self.proven { usize::try_from(self.config.max_in_flight.max(1)).unwrap_or(usize::MAX) } else { 1 }
    }

    /// Look-ups allowed under way at once.
    pub(super) fn look_width(&self) -> usize {
        usize::try_from(self.config.max_in_flight.max(1)).unwrap_or(usize::MAX)
    }

    /// How many intents may stand ahead of the limiter: what 20 ms of the limit need, so that a commit never
    /// holds up a slot, and at least one. Each of them is a row that a crash leaves unknown.
    pub(super) fn arm_ahead(&self) -> usize {
        let spacing_us = self.submit_limit.spacing().as_micros().max(1);
        usize::try_from(20_000 / spacing_us).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// How many intents may stand beside a full width, so that a place that gets free is taken at once and not
    /// after a commit: as many as the width, and no more than [`Lane::arm_ahead`].
    pub(super) fn arm_beside(&self) -> usize {
        if self.proven && !self.crowded { self.width() } else { 0 }
    }

    /// Rows to hold before their submit: enough for look-ups to run ahead of the submits.
    pub(super) fn window(&self) -> usize {
        const WINDOW_MAX: usize = 8192;
        self.look_width().saturating_mul(8).clamp(256, WINDOW_MAX)
    }

    pub(super) fn queue_cleared(&mut self, operator: Option<String>, row: RowNumber, front: bool) {
        let place = self.cleared.iter().position(|(named, _)| *named == operator);
        let queue = match place.and_then(|place| self.cleared.get_mut(place)) {
            Some((_, queue)) => queue,
            None => {
                self.cleared.push((operator, VecDeque::new()));
                match self.cleared.last_mut() {
                    Some((_, queue)) => queue,
                    None => return,
                }
            }
        };
        if front { queue.push_front(row) } else { queue.push_back(row) }
    }

    /// Whether submits that name this operator are halted.
    pub(super) fn is_halted(&self, operator: Option<&str>) -> bool {
        self.halt.is_some() || operator.is_some_and(|name| self.operator_halts.contains_key(name))
    }

    /// Until when submits that name this operator have to wait, if they do.
    pub(super) fn paused_until(&self, operator: Option<&str>, now: Tick) -> Option<Tick> {
        let own = operator.and_then(|name| self.operator_pauses.get(name).copied()).unwrap_or_default();
        Some(own.max(self.pause_until)).filter(|until| *until > now)
    }

    /// The first cleared row whose operator is not paused.
    pub(super) fn next_cleared(&mut self, now: Tick) -> Option<RowNumber> {
        let best = self
            .cleared
            .iter()
            .enumerate()
            .filter(|(_, (operator, _))| self.paused_until(operator.as_deref(), now).is_none())
            .filter_map(|(place, (_, queue))| queue.front().map(|row| (*row, place)))
            .min()?;
        self.cleared.get_mut(best.1).and_then(|(_, queue)| queue.pop_front())
    }

    /// The earliest end of a pause that holds up a cleared row.
    pub(super) fn pause_end(&self, now: Tick) -> Option<Tick> {
        let waiting = self.cleared.iter().filter(|(_, queue)| !queue.is_empty());
        waiting.filter_map(|(operator, _)| self.paused_until(operator.as_deref(), now)).min()
    }

    /// Whether a cleared row could be sent now, but for the rate and the number of requests under way.
    pub(super) fn has_sendable(&self, now: Tick) -> bool {
        self.cleared.iter().any(|(operator, queue)| {
            !queue.is_empty() && self.paused_until(operator.as_deref(), now).is_none()
        })
    }

    /// Counts a row that changed its status.
    pub(super) fn moved(&mut self, from: Status, to: Status) {
        self.settled += u64::from(to.is_finished() && !from.is_finished());
        let (was, is) = (u64::from(from.is_open()), u64::from(to.is_open()));
        self.open = (self.open + is).saturating_sub(was);
        let (was, is) = (u64::from(from == Status::Unknown), u64::from(to == Status::Unknown));
        self.unknown = (self.unknown + is).saturating_sub(was);
    }

    pub(super) fn stats(&self, now: Tick) -> LaneStats {
        let halts = self.halt.iter().chain(self.operator_halts.values()).cloned().collect();
        let until = self.operator_pauses.values().copied().max().unwrap_or_default().max(self.pause_until);
        let paused_for = Some(until.since(now)).filter(|wait| *wait > Duration::ZERO);
        // While a submit is under way its row is unknown; that is no news.
        let sending = u64::try_from(self.intents + self.armed.len() + self.in_flight).unwrap_or(u64::MAX);
        LaneStats {
            sent: self.sent,
            in_flight: self.in_flight,
            following: self.following,
            halts,
            paused_for,
            settled: self.settled,
            open: self.open.saturating_sub(sending),
            unknown: self.unknown.saturating_sub(sending),
        }
    }
}
