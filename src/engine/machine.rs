//! The engine itself: inputs in, commands out, the order of work in between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::lane::{Lane, Preflight};
use super::recheck::Rechecks;
use super::slot::{Slot, Stage};
use super::types::{
    CallEnd, CallId, CallKind, Clearances, Command, Input, LaneConfig, LaneId, LaneStart, LaneStats, Loaded,
    Mode, Notice, RecordId, Rules, RunConfig,
};
use crate::domain::{Delivery, HashMap, Now, RowNumber, Tick, TransactionId};
use crate::lifecycle::{Entry, Event, Receipt};

/// Ends of requests that are kept for whoever watches: far more than end at once.
const CALL_ENDS_MAX: usize = 1024;

/// What a request under way is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFor {
    Preflight,
    Check(RowNumber),
    Submit(RowNumber),
    Follow(RowNumber),
}

/// The whole batch as one machine. It never waits, reads a clock, draws randomness or touches a file: time,
/// replies and commits come in with [`Engine::handle`], commands go out with [`Engine::next_command`].
#[derive(Debug)]
pub struct Engine {
    pub(super) run: RunConfig,
    pub(super) rules: Rules,
    pub(super) lanes: Vec<Lane>,
    pub(super) slots: HashMap<RowNumber, Box<Slot>>,
    /// Rows by the time they want attention.
    pub(super) due: BTreeSet<(Tick, RowNumber)>,
    pub(super) calls: BTreeMap<CallId, (LaneId, CallFor)>,
    pub(super) commits: BTreeMap<RecordId, Vec<RowNumber>>,
    pub(super) commands: VecDeque<Command>,
    /// Entries of the input at hand, recorded together.
    pub(super) entries: Vec<Entry>,
    pub(super) clearances: Clearances,
    pub(super) ids: HashMap<TransactionId, RowNumber>,
    next_call: u64,
    next_record: u64,
    pub(super) last_submit: Tick,
    pub(super) draining: bool,
    /// The settle time is over: no new look-ups, only what is under way.
    pub(super) closing: bool,
    pub(super) ended: bool,
    pub(super) deadline: Option<Tick>,
    pub(super) rechecks: Rechecks,
    /// Rows taken up to be asked about again.
    pub(super) recheck_rows: u64,
    /// The last requests that ended, for whoever watches.
    pub(super) call_ends: VecDeque<(CallId, CallEnd)>,
}

impl Engine {
    /// A machine at its start. Lanes are numbered in the order given.
    pub fn new(
        run: RunConfig,
        lanes: Vec<(LaneConfig, LaneStart)>,
        clearances: Clearances,
        now: Now,
    ) -> Self {
        Self::with_rules(run, lanes, clearances, now, Rules::default())
    }

    /// For tests that break a rule on purpose.
    #[doc(hidden)]
    pub fn with_rules(
        run: RunConfig,
        lanes: Vec<(LaneConfig, LaneStart)>,
        clearances: Clearances,
        now: Now,
        rules: Rules,
    ) -> Self {
        let (sends, looks) = (run.mode == Mode::Send, matches!(run.mode, Mode::Look | Mode::Recheck));
        let mut engine = Self {
            lanes: lanes
                .into_iter()
                .map(|(config, start)| Lane::new(config, start, now, sends, looks))
                .collect(),
            run,
            rules,
            slots: HashMap::default(),
            due: BTreeSet::new(),
            calls: BTreeMap::new(),
            commits: BTreeMap::new(),
            commands: VecDeque::new(),
            entries: Vec::new(),
            clearances,
            ids: HashMap::default(),
            next_call: 0,
            next_record: 0,
            last_submit: now.tick,
            draining: false,
            closing: false,
            ended: false,
            deadline: None,
            rechecks: Rechecks::default(),
            recheck_rows: 0,
            call_ends: VecDeque::new(),
        };
        if engine.run.mode == Mode::Recheck {
            engine.lanes.iter_mut().for_each(|lane| lane.preflight = Preflight::Done);
        }
        engine.pump(now);
        engine
    }

    /// Takes in what happened and works on until nothing more can be done at `now`.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.handle_all([input], now);
    }

    /// Takes in everything that happened up to `now`, in its order, and only then works on: what it leads to
    /// is one record, and one look at every queue.
    pub fn handle_all(&mut self, inputs: impl IntoIterator<Item = Input>, now: Now) {
        for input in inputs {
            self.take(input, now);
        }
        if !self.ended {
            self.pump(now);
        }
    }

    fn take(&mut self, input: Input, now: Now) {
        if self.ended {
            // Only commits are still waited for; what else comes late belongs to the next run.
            if let Input::Committed { record, .. } = input {
                self.commits.remove(&record);
            }
            return;
        }
        match input {
            Input::Rows { lane, open, rows, more } => self.take_rows(lane, open, rows, more, now),
            Input::Committed { record, receipts } => self.committed(record, receipts),
            Input::Delivered { call, delivery } => match self.call_ended(call, &delivery) {
                Some((lane, CallFor::Submit(row))) => self.submit_delivered(lane, row, delivery, now),
                Some((lane, CallFor::Follow(row))) => self.follow_delivered(lane, row, delivery, now),
                Some((lane, CallFor::Check(row))) => self.check_delivered(lane, row, delivery, now),
                Some((lane, CallFor::Preflight)) => self.preflight_delivered(lane, delivery, now),
                None => {}
            },
            Input::Hint(id) => self.hinted(&id, now),
            Input::Tick => {}
            Input::Drain => self.draining = true,
        }
    }

    /// The next thing to do, if any.
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`Input::Tick`] is wanted at the latest.
    pub fn next_deadline(&self) -> Option<Tick> {
        self.deadline
    }

    /// Whether the run is over: everything recorded is durable, nothing is under way.
    pub fn is_over(&self) -> bool {
        self.ended && self.commits.is_empty() && self.commands.is_empty()
    }

    /// What the look-ups of a [`Mode::Look`] run settled.
    pub fn into_clearances(self) -> Clearances {
        self.clearances
    }

    /// Whether a request under way is a submit; else it is a look-up, which may be asked again at no cost.
    pub fn is_submit(&self, call: CallId) -> bool {
        matches!(self.calls.get(&call), Some((_, CallFor::Submit(_))))
    }

    /// The next request that ended, in their order, each once. A thousand of them are kept.
    pub fn take_call_end(&mut self) -> Option<(CallId, CallEnd)> {
        self.call_ends.pop_front()
    }

    fn call_ended(&mut self, call: CallId, delivery: &Delivery) -> Option<(LaneId, CallFor)> {
        let (lane, what) = self.calls.remove(&call)?;
        let (kind, row) = match what {
            CallFor::Preflight => (CallKind::Preflight, None),
            CallFor::Check(row) => (CallKind::Check, Some(row)),
            CallFor::Submit(row) => (CallKind::Submit, Some(row)),
            CallFor::Follow(row) => (CallKind::LookUp, Some(row)),
        };
        let id = row.and_then(|row| self.slots.get(&row)).and_then(|slot| slot.topup.id.clone());
        let meaning = match delivery {
            Delivery::NotSent(_) => "not_sent",
            Delivery::MaybeSent(_) => "no_answer",
            Delivery::Replied(_) => "replied",
        };
        if self.call_ends.len() >= CALL_ENDS_MAX {
            // Nobody watches.
            self.call_ends.pop_front();
        }
        self.call_ends.push_back((call, CallEnd { lane, kind, row, id, meaning, code: None }));
        Some((lane, what))
    }

    /// Counts of one provider.
    pub fn stats(&self, lane: LaneId, now: Tick) -> LaneStats {
        self.lanes.get(lane.0).map(|lane| lane.stats(now)).unwrap_or_default()
    }

    /// Everything that can be done now, in the order of its worth: what is under way first, then new work.
    fn pump(&mut self, now: Now) {
        self.deadline = None;
        self.wake_due(now);
        for index in 0..self.lanes.len() {
            let lane = LaneId(index);
            // Each may leave work to the next: a submit can ask for a fresh look-up, and both make room.
            if self.run.mode == Mode::Send {
                self.submit(lane, now);
            }
            self.look(lane, now);
            self.read_on(lane, now);
        }
        self.flush();
        self.end_if_over(now);
        if let Some((tick, _)) = self.due.first().copied() {
            self.wake_at(tick);
        }
    }

    /// Asks the ledger for more rows: open ones first and all of them, then ready ones as the window allows.
    fn read_on(&mut self, id: LaneId, now: Now) {
        // A short page first: the first look-up does not wait until a thousand rows are read.
        const OPEN_FIRST: usize = 64;
        const OPEN_PAGE: usize = 1024;
        if self.ended {
            return;
        }
        let closed = self.draining || self.closing;
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        if lane.open_rows.more && !lane.open_rows.asked {
            lane.open_rows.asked = true;
            let after = lane.open_rows.after;
            let limit = if after.is_none() { OPEN_FIRST } else { OPEN_PAGE };
            self.commands.push_back(Command::NeedRows { lane: id, open: true, after, limit });
        }
        let room = lane.window().saturating_sub(lane.unsent);
        let wanted = lane.open_rows.is_done() && lane.ready_rows.more && !lane.ready_rows.asked;
        // Half a window at a time, so that reading is one query for many rows.
        if wanted && lane.halt.is_none() && !closed && room >= lane.window() / 2 {
            lane.ready_rows.asked = true;
            lane.numbers.sweep(now.tick);
            let after = lane.ready_rows.after;
            self.commands.push_back(Command::NeedRows { lane: id, open: false, after, limit: room });
        }
    }

    fn take_rows(&mut self, id: LaneId, open: bool, rows: Vec<Loaded>, more: bool, now: Now) {
        if let Some(lane) = self.lanes.get_mut(id.0) {
            let reading = if open { &mut lane.open_rows } else { &mut lane.ready_rows };
            reading.asked = false;
            reading.more = more;
            reading.after = rows.last().map(|loaded| loaded.order.row).or(reading.after);
        }
        for loaded in rows {
            if self.slots.contains_key(&loaded.order.row) {
                continue;
            }
            if open { self.take_open(id, loaded, now) } else { self.take_ready(id, loaded) }
        }
    }

    fn committed(&mut self, record: RecordId, receipts: Vec<Receipt>) {
        let waiting = self.commits.remove(&record).unwrap_or_default();
        // They come in the order of their intents; rows that left the run meanwhile have one too.
        let mut receipts = receipts.into_iter();
        for row in waiting {
            let Some(slot) = self.slots.get_mut(&row) else { continue };
            if !matches!(slot.stage, Stage::IntentRecorded) {
                continue;
            }
            let Some(receipt) = receipts.find(|receipt| receipt.row() == row) else {
                let fault = format!("row {row}: the ledger committed its intent without a receipt");
                self.commands.push_back(Command::Notice(Notice::Fault(fault)));
                continue;
            };
            slot.stage = Stage::Armed(receipt);
            if let Some(lane) = self.lanes.get_mut(slot.lane.0) {
                lane.intents = lane.intents.saturating_sub(1);
                lane.armed.push_back(row);
            }
        }
    }

    /// Moves rows whose time has come into the queue they wait for.
    fn wake_due(&mut self, now: Now) {
        while let Some((tick, row)) = self.due.first().copied() {
            if tick > now.tick {
                break;
            }
            self.due.pop_first();
            let Some(slot) = self.slots.get_mut(&row) else { continue };
            let Some(lane) = self.lanes.get_mut(slot.lane.0) else { continue };
            match slot.stage {
                Stage::CheckLater(_) => {
                    slot.stage = Stage::Checking;
                    lane.checks.push_back(row);
                }
                Stage::NumberSpaced(_) => {
                    slot.stage = Stage::Cleared;
                    lane.queue_cleared(slot.clearance.operator.clone(), row, true);
                }
                Stage::FollowAt(_) => {
                    slot.stage = Stage::FollowDue;
                    lane.follow_due.push_back(row);
                }
                Stage::Checking
                | Stage::CheckUnderWay
                | Stage::Cleared
                | Stage::NumberBusy
                | Stage::IntentRecorded
                | Stage::Armed(..)
                | Stage::UnderWay(_)
                | Stage::FollowDue
                | Stage::FollowUnderWay => {}
            }
        }
    }

    /// Sets a row's stage and remembers the time it waits for.
    pub(super) fn wait_until(&mut self, row: RowNumber, tick: Tick, stage: Stage) {
        if let Some(slot) = self.slots.get_mut(&row) {
            slot.stage = stage;
            self.due.insert((tick, row));
        }
    }

    pub(super) fn wake_at(&mut self, tick: Tick) {
        self.deadline = Some(self.deadline.map_or(tick, |known| known.min(tick)));
    }

    pub(super) fn call(&mut self, lane: LaneId, what: CallFor, request: crate::domain::HttpRequest) {
        let call = CallId(self.next_call);
        self.next_call += 1;
        self.calls.insert(call, (lane, what));
        self.commands.push_back(Command::Call { call, lane, request });
    }

    /// Applies an event to a row and puts it down to be recorded. The state in memory goes ahead of the
    /// commit; only an intent has to wait for it, and the ledger keeps the order.
    pub(super) fn record(&mut self, row: RowNumber, event: Event, now: Now) -> bool {
        let Some(slot) = self.slots.get_mut(&row) else { return false };
        let from = slot.topup.status();
        if let Err(illegal) = slot.topup.apply(&event, now.wall) {
            let fault = format!("row {row}: {illegal}");
            self.commands.push_back(Command::Notice(Notice::Fault(fault)));
            return false;
        }
        let state = slot.topup.clone();
        let to = state.status();
        self.entries.push(Entry { row, event, at: now.wall, state });
        if from != to {
            if let Some(lane) = self.lanes.get_mut(slot.lane.0) {
                lane.moved(from, to);
            }
            self.commands.push_back(Command::Notice(Notice::Changed { row, from, to }));
        }
        true
    }

    /// Puts the entries of this input into one record. Look-ups that this input led to may leave before it is
    /// durable: none of them needs it. A submit waits for its own receipt.
    pub(super) fn flush(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let record = RecordId(self.next_record);
        self.next_record += 1;
        let entries = std::mem::take(&mut self.entries);
        let intents = entries.iter().filter(|entry| matches!(entry.event, Event::Intent(_)));
        self.commits.insert(record, intents.map(|entry| entry.row).collect());
        self.commands.push_back(Command::Record { record, entries });
    }

    /// Forgets a row. Its number stays busy unless it was given back before.
    pub(super) fn drop_row(&mut self, row: RowNumber) -> Option<Box<Slot>> {
        let slot = self.slots.remove(&row)?;
        if let Some(id) = &slot.topup.id {
            self.ids.remove(id);
        }
        match slot.stage {
            Stage::CheckLater(tick) | Stage::NumberSpaced(tick) | Stage::FollowAt(tick) => {
                self.due.remove(&(tick, row));
            }
            Stage::Checking
            | Stage::CheckUnderWay
            | Stage::Cleared
            | Stage::NumberBusy
            | Stage::IntentRecorded
            | Stage::Armed(..)
            | Stage::UnderWay(_)
            | Stage::FollowDue
            | Stage::FollowUnderWay => {}
        }
        Some(slot)
    }

    /// Whether the preflight of a provider is answered.
    pub(super) fn is_open(&self, id: LaneId) -> bool {
        self.lanes.get(id.0).is_some_and(|lane| matches!(lane.preflight, Preflight::Done))
    }

    /// A number of its own for a row, to spread waiting times.
    pub(super) fn salt(&self, row: RowNumber) -> u64 {
        self.run.seed ^ row.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

/// Puts down what the answer of the delivery at hand means.
pub(super) fn end_of(ends: &mut VecDeque<(CallId, CallEnd)>, meaning: &'static str, code: Option<&str>) {
    if let Some((_, end)) = ends.back_mut() {
        end.meaning = meaning;
        end.code = code.map(str::to_owned);
    }
}
