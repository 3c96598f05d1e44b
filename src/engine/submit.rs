//! Submits: the intent, its commit, the one request it allows, and what the answer means for the row.

use std::time::Duration;

use super::machine::{CallFor, Engine, end_of};
use super::numbers::Free;
use super::slot::Stage;
use super::types::{Command, LaneId, Notice, Rules};
use crate::domain::{
    Answer, Delivery, Halt, NetFault, Now, Reason, RowNumber, SubmitMeaning, SubmitVerdict, ThrottleScope,
    TransactionId, Unclear, WallTime,
};
use crate::lifecycle::{Event, Intent, Phase};
use crate::protocol::Submit;

/// An intent that could not leave within this is undone: the process or its ledger was held up. After a
/// restart the rate counts on it too.
pub(super) const INTENT_MAX: Duration = Duration::from_secs(5);
/// So many intents in succession held up: the ledger cannot keep up with any submit.
const HELD_UP_MAX: u32 = 5;
/// Intents are recorded this long before the limiter lets them go, so that a commit holds up no slot.
const ARM_LEAD: Duration = Duration::from_millis(20);
/// Earlier ids are looked up again if that was longer ago.
const VERIFIED_MAX: Duration = Duration::from_secs(60);
/// Longest wait between two tries to connect.
const CONNECT_BACKOFF_MAX: Duration = Duration::from_secs(10);

impl Engine {
    pub(super) fn submit(&mut self, id: LaneId, now: Now) {
        self.send_armed(id, now);
        self.arm(id, now);
    }

    /// Sends rows whose intent is committed, as the limit allows.
    fn send_armed(&mut self, id: LaneId, now: Now) {
        let mut stood_still = false;
        loop {
            let Some(lane) = self.lanes.get_mut(id.0) else { return };
            let Some(row) = lane.armed.front().copied() else { return };
            let Some(slot) = self.slots.get(&row) else {
                lane.armed.pop_front();
                continue;
            };
            let operator = slot.clearance.operator.as_deref();
            let halted = lane.is_halted(operator);
            let paused = lane.paused_until(operator, now.tick).is_some();
            let intended = slot.topup.quiet_since;
            let fresh = intended.and_then(|at| now.elapsed_since(at)).is_some_and(|age| age <= INTENT_MAX);
            if self.draining || self.ended || halted {
                self.withdraw(row, now);
                self.leave(row);
                continue;
            }
            if paused || !fresh {
                let full = lane.full;
                lane.crowded |= full && !fresh;
                self.withdraw(row, now);
                self.requeue(row);
                // However many stood ready while the process stood still: they were held up once.
                if !fresh && !full && !std::mem::replace(&mut stood_still, true) {
                    self.held_up(id, now);
                }
                continue;
            }
            lane.full = lane.in_flight >= lane.width();
            if lane.full {
                return;
            }
            match lane.submit_limit.take(now.tick) {
                Ok(()) => {
                    lane.armed.pop_front();
                    lane.next_slot = lane.next_slot.max(now.tick).after(lane.submit_limit.spacing());
                    self.send(id, row, now);
                }
                Err(later) => {
                    lane.next_slot = later;
                    self.wake_at(later);
                    return;
                }
            }
        }
    }

    /// An intent waited too long for its commit. Again and again, and no submit would ever leave.
    fn held_up(&mut self, id: LaneId, now: Now) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.held_up = lane.held_up.saturating_add(1);
        if lane.held_up < HELD_UP_MAX {
            return;
        }
        let message = format!(
            "the ledger took over {} s to record a submit, {} times in succession; check its disk, then run again",
            INTENT_MAX.as_secs(),
            lane.held_up
        );
        let halt = Halt { operator: None, reason: Reason::Interrupted, code: String::new(), message };
        self.halt(id, halt, now);
    }

    fn send(&mut self, id: LaneId, row: RowNumber, now: Now) {
        let (Some(slot), Some(lane)) = (self.slots.get_mut(&row), self.lanes.get_mut(id.0)) else { return };
        let stage = std::mem::replace(&mut slot.stage, Stage::UnderWay(now.wall));
        let Stage::Armed(receipt) = stage else { return };
        let submit = Submit {
            id: receipt.into_id(),
            phone: slot.order.phone.clone(),
            amount: slot.order.amount,
            product_id: slot.clearance.product_id.clone(),
            operator: slot.clearance.operator.clone(),
        };
        match lane.config.codec.encode_submit(&submit) {
            Ok(request) => {
                lane.held_up = 0;
                lane.in_flight += 1;
                lane.sent += 1;
                slot.submitted = now.tick;
                self.last_submit = now.tick;
                self.call(id, CallFor::Submit(row), request);
                self.commands.push_back(Command::Notice(Notice::Sent { row }));
            }
            Err(refusal) => {
                self.record(row, Event::NotSent { fault: NetFault::Withdrawn }, now);
                self.judge_wrong(row, refusal, now);
            }
        }
    }

    /// Records intents for rows that the limit will let go soon.
    fn arm(&mut self, id: LaneId, now: Now) {
        if self.draining || self.ended || self.closing || !self.is_open(id) {
            return;
        }
        loop {
            let Some(lane) = self.lanes.get_mut(id.0) else { return };
            let ahead = lane.armed.len() + lane.intents;
            let ready = lane.halt.is_none() && lane.open_rows.is_done();
            let places = lane.width() + lane.arm_beside();
            if !ready || ahead + lane.in_flight >= places || ahead >= lane.arm_ahead() {
                break;
            }
            let spacing = lane.submit_limit.spacing();
            let slot_at =
                lane.next_slot.after(spacing.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX)));
            if slot_at > now.tick.after(ARM_LEAD) {
                if lane.has_sendable(now.tick) {
                    self.wake_at(slot_at.before(ARM_LEAD));
                }
                break;
            }
            let Some(row) = lane.next_cleared(now.tick) else { break };
            self.arm_row(id, row, now);
        }
        if let Some(end) = self.lanes.get(id.0).and_then(|lane| lane.pause_end(now.tick)) {
            self.wake_at(end);
        }
    }

    fn arm_row(&mut self, id: LaneId, row: RowNumber, now: Now) {
        let Some(slot) = self.slots.get_mut(&row).filter(|slot| matches!(slot.stage, Stage::Cleared)) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        if slot.verified.is_some_and(|at| now.tick.since(at) > VERIFIED_MAX) {
            slot.verify = slot.ids_to_ask(&lane.config.codec);
            slot.verified = None;
            slot.stage = Stage::Checking;
            lane.checks.push_back(row);
            return;
        }
        match lane.numbers.take(slot.order.phone.digits(), now.tick) {
            Free::Taken => slot.holds_number = true,
            Free::Busy => {
                lane.numbers.wait(slot.order.phone.digits(), row);
                slot.stage = Stage::NumberBusy;
                return;
            }
            Free::At(tick) => {
                self.wait_until(row, tick, Stage::NumberSpaced(tick));
                return;
            }
        }
        let attempt = slot.topup.next_attempt();
        let intent = Intent {
            attempt,
            id: TransactionId::derive(&slot.order.account, &self.run.batch, row, attempt),
            at: now,
            operator: slot.clearance.operator.clone(),
            product_id: slot.clearance.product_id.clone(),
            price: slot.clearance.price,
        };
        slot.stage = Stage::IntentRecorded;
        lane.intents += 1;
        self.ids.insert(intent.id.clone(), row);
        if slot.topup.phase == Phase::Failed {
            self.record(row, Event::Released, now);
        }
        self.record(row, Event::Intent(intent), now);
    }

    /// Puts a row whose submit was not taken back in front of its queue.
    fn requeue(&mut self, row: RowNumber) {
        let Some(slot) = self.slots.get_mut(&row) else { return };
        slot.stage = Stage::Cleared;
        slot.holds_number = false;
        let (id, digits) = (slot.lane, slot.order.phone.digits().to_owned());
        let operator = slot.clearance.operator.clone();
        self.give_number_back(id, &digits);
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        if lane.is_halted(operator.as_deref()) {
            return self.leave(row);
        }
        lane.queue_cleared(operator, row, true);
    }

    /// The end of one submit.
    pub(super) fn submit_delivered(&mut self, id: LaneId, row: RowNumber, delivery: Delivery, now: Now) {
        let (Some(slot), Some(lane)) = (self.slots.get(&row), self.lanes.get_mut(id.0)) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        lane.crowded = false;
        let sent_at = if let Stage::UnderWay(wall) = slot.stage { wall } else { now.wall };
        match delivery {
            Delivery::NotSent(fault) => self.not_sent(id, row, fault, now),
            Delivery::MaybeSent(fault) => {
                self.nothing_got_through(id, now);
                self.no_answer(id, row, fault, sent_at, now);
            }
            Delivery::Replied(reply) => {
                lane.silent_since = None;
                lane.connect_failures = 0;
                let submit = Submit {
                    id: slot.topup.id.clone().unwrap_or_else(|| {
                        TransactionId::derive(&slot.order.account, &self.run.batch, row, slot.topup.attempt)
                    }),
                    phone: slot.order.phone.clone(),
                    amount: slot.order.amount,
                    product_id: slot.clearance.product_id.clone(),
                    operator: slot.clearance.operator.clone(),
                };
                let verdict = lane.config.codec.decode_submit(&submit, &reply);
                // "No usable answer" proves nothing about the provider, nor does one that may be cut.
                let silence = |unclear: &Unclear| unclear.reason == Reason::NoAnswer;
                let usable = !matches!(&verdict.meaning, SubmitMeaning::Unclear(unclear) if silence(unclear));
                lane.proven = lane.proven || (reply.intact && usable);
                end_of(&mut self.call_ends, verdict.meaning.word(), verdict.answer.code.as_deref());
                self.answered(id, row, verdict, sent_at, now);
            }
        }
    }

    fn not_sent(&mut self, id: LaneId, row: RowNumber, fault: NetFault, now: Now) {
        self.record(row, Event::NotSent { fault }, now);
        self.requeue(row);
        self.nothing_got_through(id, now);
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let wait = Duration::from_millis(250).saturating_mul(1 << lane.connect_failures.min(10));
        lane.connect_failures = lane.connect_failures.saturating_add(1);
        lane.pause_until = lane.pause_until.max(now.tick.after(wait.min(CONNECT_BACKOFF_MAX)));
    }

    fn no_answer(&mut self, id: LaneId, row: RowNumber, fault: NetFault, sent_at: WallTime, now: Now) {
        match self.rules {
            Rules::TimeoutIsFailed => {
                let verdict = SubmitVerdict { meaning: SubmitMeaning::Failed, answer: Answer::default() };
                return self.answered(id, row, verdict, sent_at, now);
            }
            Rules::BlindResend => return self.not_sent(id, row, fault, now),
            Rules::Sound
            | Rules::NewIdOnResume
            | Rules::NotFoundIsFailed
            | Rules::DuplicateIdIsFailed
            | Rules::SkipWriteAhead => {}
        }
        let can_ask = self.can_ask(row);
        self.record(row, Event::NoAnswer { fault, sent_at, at: now, can_ask }, now);
        self.was_sent(id);
        self.count_unclear(id, now);
        self.settle_or_follow(row, now);
    }

    fn answered(
        &mut self,
        id: LaneId,
        row: RowNumber,
        mut verdict: SubmitVerdict,
        sent_at: WallTime,
        now: Now,
    ) {
        let duplicate =
            matches!(&verdict.meaning, SubmitMeaning::Unclear(Unclear { reason: Reason::Conflict, .. }));
        if self.rules == Rules::DuplicateIdIsFailed && duplicate {
            verdict.meaning = SubmitMeaning::Failed;
        }
        // The answer may name the provider's own id, which makes a look-up possible.
        let can_ask = verdict.answer.provider_ref.is_some() || self.can_ask(row);
        let meaning = verdict.meaning.clone();
        let words = verdict.answer.words.clone();
        if !self.record(row, Event::Answered { verdict, sent_at, can_ask }, now) {
            return;
        }
        self.act_on(id, row, meaning, &words, now);
    }

    /// What an answer to a submit means for provider and row, beyond the row's own state.
    fn act_on(&mut self, id: LaneId, row: RowNumber, meaning: SubmitMeaning, words: &str, now: Now) {
        let number_today = matches!(meaning, SubmitMeaning::Throttled(ThrottleScope::NumberToday));
        if let Some(lane) = self.lanes.get_mut(id.0) {
            if !number_today {
                lane.day_limited.clear();
            }
            if !matches!(meaning, SubmitMeaning::Unclear(_)) {
                lane.unclear_run = 0;
            }
        }
        match meaning {
            SubmitMeaning::Succeeded
            | SubmitMeaning::Pending
            | SubmitMeaning::Failed
            | SubmitMeaning::FailedUnlessFound
            | SubmitMeaning::Refused(_) => {
                self.was_sent(id);
                self.settle_or_follow(row, now);
            }
            SubmitMeaning::Throttled(ThrottleScope::NumberToday) => self.number_limited(id, row, words, now),
            SubmitMeaning::Throttled(ThrottleScope::Provider) => {
                self.pause(id, None, words, now);
                self.requeue(row);
            }
            SubmitMeaning::Throttled(ThrottleScope::Operator(operator)) => {
                self.pause(id, Some(operator), words, now);
                self.requeue(row);
            }
            SubmitMeaning::Halted(halt) => {
                self.halt(id, halt, now);
                // The halt is in force now, so the row leaves.
                self.requeue(row);
                self.leave(row);
            }
            SubmitMeaning::Unclear(unclear) => {
                self.was_sent(id);
                if unclear.slow_down {
                    self.pause(id, None, words, now);
                }
                self.settle_or_follow(row, now);
                if let Some(halt) = unclear.halt {
                    self.halt(id, halt, now);
                }
                self.count_unclear(id, now);
            }
        }
    }

    /// 4015: the row ends this run; three different numbers in succession halt the provider.
    fn number_limited(&mut self, id: LaneId, row: RowNumber, words: &str, now: Now) {
        const NUMBERS_MAX: usize = 3;
        let digits = self.slots.get(&row).map(|slot| slot.order.phone.digits().to_owned());
        self.leave(row);
        let (Some(lane), Some(digits)) = (self.lanes.get_mut(id.0), digits) else { return };
        if !lane.day_limited.contains(&digits) {
            lane.day_limited.push(digits);
        }
        if lane.day_limited.len() >= NUMBERS_MAX {
            let message = format!(
                "{NUMBERS_MAX} numbers in succession hit a daily limit ({words}); run again tomorrow, or ask \
                 the provider to raise the limit"
            );
            let halt = Halt { operator: None, reason: Reason::Throttled, code: "4015".to_owned(), message };
            self.halt(id, halt, now);
        }
    }

    fn was_sent(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(id.0) {
            lane.unsent = lane.unsent.saturating_sub(1);
        }
    }

    fn count_unclear(&mut self, id: LaneId, now: Now) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.unclear_run = lane.unclear_run.saturating_add(1);
        if lane.unclear_run < lane.config.halt_after_unclear.max(1) {
            return;
        }
        let message = format!(
            "{} submits in succession to {} ended without a clear answer; ask the provider before going on",
            lane.unclear_run, lane.config.name
        );
        let halt = Halt { operator: None, reason: Reason::UnclearAnswers, code: String::new(), message };
        self.halt(id, halt, now);
    }
}
