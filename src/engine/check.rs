//! Look-ups that spend nothing: a provider's first read-only call, and what has to be known about a row
//! before its submit. Also the one place that hands out look-ups under the query limit.

use std::collections::VecDeque;
use std::time::Duration;

use super::clear::{Heard, judge_told, question_about};
use super::lane::Preflight;
use super::machine::{CallFor, Engine, end_of};
use super::slot::{Slot, Stage, Waited};
use super::types::{Clearance, LaneId, Loaded, Mode};
use crate::domain::{
    Delivery, LookupMeaning, LookupVerdict, Money, Now, ProviderKind, Refusal, Reply, RowNumber, Tick, Told,
    TransactionId,
};
use crate::lifecycle::{Event, PastAttempt, Phase};

impl Engine {
    /// Takes in a row that may be sent.
    pub(super) fn take_ready(&mut self, id: LaneId, loaded: Loaded) {
        let Loaded { order, topup, verify, ahead } = loaded;
        let row = order.row;
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        if lane.halt.is_some() || self.draining {
            return;
        }
        lane.unsent += 1;
        self.recheck_rows += u64::from(self.run.mode == Mode::Recheck);
        let known = self.clearances.remove(&row);
        let checked = known.is_some();
        let mut slot = Slot {
            lane: id,
            clearance: known.unwrap_or_default(),
            checked,
            stage: Stage::Checking,
            looks: 0,
            verify: VecDeque::new(),
            ahead: Vec::new(),
            verified: None,
            waited: None,
            submitted: Tick(0),
            holds_number: false,
            once: false,
            asked: None,
            looked: None,
            order,
            topup,
        };
        let mut attempt = slot.topup.next_attempt();
        for _ in 0..ahead {
            let id = TransactionId::derive(&slot.order.account, &self.run.batch, row, attempt);
            slot.ahead.push(PastAttempt { id, provider_ref: None });
            attempt = attempt.next();
        }
        let codec = &lane.config.codec;
        // Whoever was submitted before is looked up before it is submitted again, in a plain run too: it may
        // stand here because an earlier `retry` got no answer to just that look-up.
        if verify || slot.topup.submits > 0 || ahead > 0 {
            slot.verify = slot.ids_to_ask(codec);
        }
        if !slot.checked && codec.kind() == ProviderKind::ConnectTopup {
            let amount = slot.order.amount;
            slot.clearance = Clearance {
                operator: codec.submit_operator(&slot.order),
                product_id: None,
                price: amount.zip(slot.order.currency).map(|(amount, currency)| Money { amount, currency }),
            };
            slot.checked = true;
        }
        self.slots.insert(row, Box::new(slot));
        self.check_on(row);
    }

    /// Sends a row to its next look-up, or on to the submits.
    fn check_on(&mut self, row: RowNumber) {
        if self.run.mode == Mode::Recheck {
            return self.recheck_on(row);
        }
        let Some(slot) = self.slots.get_mut(&row) else { return };
        let Some(lane) = self.lanes.get_mut(slot.lane.0) else { return };
        if !slot.verify.is_empty() || !slot.checked {
            slot.stage = Stage::Checking;
            lane.checks.push_back(row);
            return;
        }
        slot.looks = 0;
        slot.waited = None;
        if self.run.mode == Mode::Look {
            /// Clearances kept for the run that sends; the others are looked up again there.
            const CLEARANCES_MAX: usize = 100_000;
            if self.clearances.len() < CLEARANCES_MAX {
                self.clearances.insert(row, slot.clearance.clone());
            }
            self.leave(row);
            return;
        }
        let operator = slot.clearance.operator.clone();
        if lane.is_halted(operator.as_deref()) {
            return self.leave(row);
        }
        slot.stage = Stage::Cleared;
        lane.queue_cleared(operator, row, false);
    }

    /// Forgets a row that was not sent.
    pub(super) fn leave(&mut self, row: RowNumber) {
        let Some(slot) = self.drop_row(row) else { return };
        if let Some(lane) = self.lanes.get_mut(slot.lane.0) {
            lane.unsent = lane.unsent.saturating_sub(1);
        }
        let digits = slot.order.phone.digits();
        if slot.holds_number {
            self.give_number_back(slot.lane, digits);
        } else {
            self.number_freed(slot.lane, digits);
        }
    }

    /// Makes look-ups of a provider while its query limit and width allow: its first call, then open orders
    /// and rows before their submit in turn.
    pub(super) fn look(&mut self, id: LaneId, now: Now) {
        loop {
            let Some(lane) = self.lanes.get_mut(id.0) else { return };
            if self.ended || self.closing || lane.looking >= lane.look_width() {
                return;
            }
            let halted = lane.halt.is_some() || self.draining;
            let wants_preflight = self.run.mode != Mode::Follow && lane.unsent > 0 && !halted;
            let preflight = match lane.preflight {
                Preflight::Due(tick, tries) if wants_preflight && tick <= now.tick => Some(tries),
                Preflight::Due(tick, _) if wants_preflight => {
                    self.wake_at(tick);
                    None
                }
                Preflight::Due(..) | Preflight::UnderWay(_) | Preflight::Done => None,
            };
            let Some(lane) = self.lanes.get_mut(id.0) else { return };
            let may_check = !halted && matches!(lane.preflight, Preflight::Done) && !lane.checks.is_empty();
            let may_follow = !lane.follow_due.is_empty();
            if preflight.is_none() && !may_check && !may_follow {
                return;
            }
            if let Err(later) = lane.query_limit.take(now.tick) {
                self.wake_at(later);
                return;
            }
            if let Some(tries) = preflight {
                self.preflight_call(id, tries, now);
            } else if may_follow && (lane.follow_first || !may_check) {
                lane.follow_first = false;
                if let Some(row) = lane.follow_due.pop_front() {
                    self.follow_call(id, row, now);
                }
            } else {
                lane.follow_first = true;
                if let Some(row) = lane.checks.pop_front() {
                    self.check_call(id, row, now);
                }
            }
        }
    }

    fn preflight_call(&mut self, id: LaneId, tries: u32, now: Now) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let question = lane.config.codec.preflight(None);
        match lane.config.codec.encode_question(&question) {
            Some(request) => {
                lane.preflight = Preflight::UnderWay(tries);
                lane.looking += 1;
                self.call(id, CallFor::Preflight, request);
            }
            // Every provider of ours has such a call; without one there would be nothing to wait for.
            None => lane.preflight = Preflight::Due(now.tick.after(Duration::from_secs(3600)), tries),
        }
    }

    pub(super) fn preflight_delivered(&mut self, id: LaneId, delivery: Delivery, now: Now) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.looking = lane.looking.saturating_sub(1);
        let tries = match lane.preflight {
            Preflight::UnderWay(tries) | Preflight::Due(_, tries) => tries,
            Preflight::Done => 0,
        };
        let told = match delivery {
            Delivery::Replied(reply) => {
                let question = lane.config.codec.preflight(None);
                lane.silent_since = None;
                Some(lane.config.codec.decode_question(&question, &reply))
            }
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => None,
        };
        let wait = lane.config.follow.wait(tries, id.0.try_into().unwrap_or(0));
        if let Some(told) = &told {
            end_of(&mut self.call_ends, told.word(), told.code());
        }
        match told {
            Some(Told::Balance(_)) => lane.preflight = Preflight::Done,
            Some(Told::Catalogue(catalogue)) => {
                lane.catalogue = catalogue;
                lane.preflight = Preflight::Done;
            }
            Some(Told::Halted(halt)) => {
                lane.preflight = Preflight::Done;
                self.halt(id, halt, now);
            }
            Some(Told::Operator { .. } | Told::Busy(_) | Told::Refused(_) | Told::Nothing(_)) => {
                lane.preflight = Preflight::Due(now.tick.after(wait), tries.saturating_add(1));
            }
            None => {
                lane.preflight = Preflight::Due(now.tick.after(wait), tries.saturating_add(1));
                self.nothing_got_through(id, now);
            }
        }
    }

    fn check_call(&mut self, id: LaneId, row: RowNumber, now: Now) {
        let Some(slot) = self.slots.get_mut(&row).filter(|slot| matches!(slot.stage, Stage::Checking)) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let codec = &lane.config.codec;
        let request = match slot.verify.front() {
            Some(past) => codec.encode_lookup(&slot.lookup_of(past)),
            None => codec.encode_question(&question_about(&slot.order)),
        };
        match request {
            Some(request) => {
                slot.stage = Stage::CheckUnderWay;
                slot.asked = Some(now);
                lane.looking += 1;
                self.call(id, CallFor::Check(row), request);
            }
            None => self.leave(row),
        }
    }

    pub(super) fn check_delivered(&mut self, id: LaneId, row: RowNumber, delivery: Delivery, now: Now) {
        if let Some(lane) = self.lanes.get_mut(id.0) {
            lane.looking = lane.looking.saturating_sub(1);
        }
        let reply = match delivery {
            Delivery::Replied(reply) => reply,
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => {
                self.nothing_got_through(id, now);
                self.check_later(row, Waited::NoAnswer, now);
                return;
            }
        };
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.silent_since = None;
        let Some(slot) = self.slots.get(&row) else { return };
        if lane.halt.is_some() || self.draining {
            self.leave(row);
        } else if slot.verify.is_empty() {
            let told = lane.config.codec.decode_question(&question_about(&slot.order), &reply);
            end_of(&mut self.call_ends, told.word(), told.code());
            self.told(id, row, told, now);
        } else {
            self.verified(id, row, &reply, now);
        }
    }

    /// An earlier id was looked up (contract 5): only "failed" or "no such order" lets the row go on.
    fn verified(&mut self, id: LaneId, row: RowNumber, reply: &Reply, now: Now) {
        if self.run.mode == Mode::Recheck {
            return self.rechecked(id, row, reply, now);
        }
        let (Some(slot), Some(lane)) = (self.slots.get_mut(&row), self.lanes.get(id.0)) else { return };
        let Some(past) = slot.verify.front() else { return };
        let lookup = slot.lookup_of(past);
        let verdict = lane.config.codec.decode_lookup(&lookup, reply);
        end_of(&mut self.call_ends, verdict.meaning.word(), verdict.answer.code.as_deref());
        let current = slot.topup.id.as_ref() == Some(&lookup.id);
        let gives_way = current && slot.topup.is_not_received();
        match &verdict.meaning {
            LookupMeaning::Failed | LookupMeaning::NotFound => {
                slot.verify.pop_front();
                // As old as its question: a process that stood still may have read it late.
                slot.verified = Some(slot.asked.unwrap_or(now).tick);
                slot.looks = 0;
                slot.waited = None;
                if gives_way && verdict.meaning == LookupMeaning::Failed {
                    self.record(row, Event::LookedUp { verdict }, now);
                }
                self.check_on(row);
            }
            LookupMeaning::Succeeded | LookupMeaning::Pending if gives_way => {
                self.record(row, Event::LookedUp { verdict }, now);
                self.unsent_turned_open(row, now);
            }
            LookupMeaning::Succeeded | LookupMeaning::Pending | LookupMeaning::Conflict(_) => {
                let message = contradiction("not sent again", &verdict, lookup.id.as_str());
                self.record(row, Event::Contradicted { message }, now);
                self.leave(row);
            }
            LookupMeaning::Unchanged { halt, .. } => {
                if let Some(halt) = halt.clone() {
                    self.halt(id, halt, now);
                }
                self.check_later(row, Waited::NoAnswer, now);
            }
        }
    }

    /// An answer about operator, product or price of a row.
    fn told(&mut self, id: LaneId, row: RowNumber, told: Told, now: Now) {
        let (Some(slot), Some(lane)) = (self.slots.get(&row), self.lanes.get(id.0)) else { return };
        match judge_told(&slot.order, &lane.catalogue.airtime, told, &self.run.max_row) {
            Heard::Busy => self.check_later(row, Waited::NumberBusy, now),
            Heard::Nothing => self.check_later(row, Waited::NoAnswer, now),
            Heard::Halted(halt) => {
                self.halt(id, halt, now);
                self.check_later(row, Waited::NoAnswer, now);
            }
            Heard::Cleared(clearance) => {
                if let Some(slot) = self.slots.get_mut(&row) {
                    slot.clearance = clearance;
                    slot.checked = true;
                }
                self.check_on(row);
            }
            Heard::Wrong(refusal) => self.judge_wrong(row, refusal, now),
        }
    }

    /// A look-up told that the row is wrong.
    pub(super) fn judge_wrong(&mut self, row: RowNumber, refusal: Refusal, now: Now) {
        if self.slots.get(&row).is_some_and(|slot| slot.topup.phase == Phase::Failed) {
            self.record(row, Event::Released, now);
        }
        self.record(row, Event::Judged { reason: refusal.reason, message: refusal.message }, now);
        self.leave(row);
    }

    fn check_later(&mut self, row: RowNumber, waited: Waited, now: Now) {
        if self.run.mode == Mode::Recheck {
            return self.recheck_later(row, now);
        }
        let salt = self.salt(row);
        let Some(slot) = self.slots.get_mut(&row) else { return };
        let Some(lane) = self.lanes.get(slot.lane.0) else { return };
        if lane.halt.is_some() {
            // The same answer, or the silence instead of one, halted the provider: there is nothing to wait for.
            return self.leave(row);
        }
        let wait = lane.config.follow.wait(slot.looks, salt);
        slot.looks = slot.looks.saturating_add(1);
        slot.waited = Some(waited);
        let tick = now.tick.after(wait);
        self.wait_until(row, tick, Stage::CheckLater(tick));
    }
}

/// Evidence against where a row stands, in a sentence.
pub(super) fn contradiction(head: &str, verdict: &LookupVerdict, id: &str) -> String {
    let found = match &verdict.meaning {
        LookupMeaning::Succeeded => "now reports it succeeded",
        LookupMeaning::Pending => "is now working on it",
        LookupMeaning::Conflict(_) => "knows it for another order",
        LookupMeaning::Failed => "now reports it failed",
        LookupMeaning::NotFound | LookupMeaning::Unchanged { .. } => "says nothing clear of it",
    };
    format!("{head}: the provider {found} (our id {id}); ask the provider")
}
