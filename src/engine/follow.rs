//! Open orders: looked up on their provider's schedule until final, or until only a person can ask.

use super::machine::{CallFor, Engine, end_of};
use super::slot::{Slot, Stage};
use super::types::{Clearance, LaneId, Loaded, Rules};
use crate::domain::{Delivery, LookupMeaning, Now, RowNumber, Status, Tick, TransactionId};
use crate::lifecycle::{Event, Phase};
use crate::protocol::Lookup;

/// Tries to reach the provider for a row that only a person is expected to settle.
const ONCE_TRIES: u32 = 3;

impl Engine {
    /// Takes in an open row of an earlier run.
    pub(super) fn take_open(&mut self, id: LaneId, loaded: Loaded, now: Now) {
        let row = loaded.order.row;
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.numbers.hold(loaded.order.phone.digits());
        let asking = loaded.topup.phase == Phase::Asking && !loaded.topup.person_only;
        let once = asking || loaded.topup.is_not_received();
        let submitted = loaded
            .topup
            .quiet_since
            .map_or(now.tick, |at| now.elapsed_since(at).map_or(now.tick, |ago| now.tick.before(ago)));
        lane.open += u64::from(loaded.topup.status().is_open());
        lane.unknown += u64::from(loaded.topup.status() == Status::Unknown);
        if let Some(tid) = &loaded.topup.id {
            self.ids.insert(tid.clone(), row);
        }
        let slot = Slot {
            lane: id,
            order: loaded.order,
            topup: loaded.topup,
            stage: Stage::FollowDue,
            clearance: Clearance::default(),
            checked: true,
            looks: 0,
            verify: std::collections::VecDeque::new(),
            ahead: Vec::new(),
            verified: None,
            waited: None,
            submitted,
            holds_number: true,
            once,
            asked: None,
            looked: None,
        };
        self.slots.insert(row, Box::new(slot));
        let interrupted = self.slots.get(&row).is_some_and(|slot| slot.topup.phase == Phase::Sending);
        if interrupted {
            if self.rules == Rules::NewIdOnResume {
                return self.resend_under_new_id(id, row, now);
            }
            let can_ask = self.can_ask(row);
            self.record(row, Event::Interrupted { at: now, can_ask }, now);
        }
        if !self.can_ask(row) {
            return self.park(row);
        }
        if let Some(lane) = self.lanes.get_mut(id.0) {
            lane.following += 1;
        }
        self.wait_until(row, now.tick, Stage::FollowAt(now.tick));
    }

    /// The broken variant [`Rules::NewIdOnResume`].
    fn resend_under_new_id(&mut self, id: LaneId, row: RowNumber, now: Now) {
        let decision = crate::lifecycle::ResolvedAs::Failed;
        let (note, user) = (String::new(), String::new());
        self.record(row, Event::Resolved { decision, note, user }, now);
        self.record(row, Event::Released, now);
        let Some(slot) = self.drop_row(row) else { return };
        self.give_number_back(id, slot.order.phone.digits());
        self.take_ready(id, Loaded { order: slot.order, topup: slot.topup, verify: false, ahead: 0 });
    }

    fn lookup_of(slot: &Slot) -> Option<Lookup> {
        Some(Lookup {
            id: slot.topup.id.clone()?,
            provider_ref: slot.topup.provider_ref.clone(),
            phone: slot.order.phone.clone(),
            amount: slot.order.amount,
        })
    }

    /// Whether a look-up can tell anything about the row's current id.
    pub(super) fn can_ask(&self, row: RowNumber) -> bool {
        let Some(slot) = self.slots.get(&row) else { return false };
        let lookup = Self::lookup_of(slot);
        let lane = self.lanes.get(slot.lane.0);
        lookup.zip(lane).is_some_and(|(lookup, lane)| lane.config.codec.encode_lookup(&lookup).is_some())
    }

    /// After a submit ended: a final row leaves, an open one is followed.
    pub(super) fn settle_or_follow(&mut self, row: RowNumber, now: Now) {
        let Some(slot) = self.slots.get(&row) else { return };
        let id = slot.lane;
        match slot.topup.phase {
            Phase::Succeeded | Phase::Failed | Phase::Refused | Phase::Invalid | Phase::Cancelled => {
                self.finish_row(row, now);
            }
            Phase::Ready | Phase::Sending => {}
            Phase::Pending | Phase::Unknown | Phase::Asking => {
                let person_only = slot.topup.person_only;
                let given_up = slot.topup.phase == Phase::Asking && !person_only;
                if given_up || !self.can_ask(row) {
                    return self.park(row);
                }
                if let Some(lane) = self.lanes.get_mut(id.0) {
                    lane.following += 1;
                }
                if let Some(slot) = self.slots.get_mut(&row) {
                    slot.looks = 0;
                    slot.looked = None;
                }
                self.follow_later(row, now);
            }
        }
    }

    /// A row that was to be sent turned out to be open or done.
    pub(super) fn unsent_turned_open(&mut self, row: RowNumber, now: Now) {
        let Some(slot) = self.slots.get_mut(&row) else { return };
        slot.holds_number = true;
        let (id, digits) = (slot.lane, slot.order.phone.digits().to_owned());
        if let Some(lane) = self.lanes.get_mut(id.0) {
            lane.unsent = lane.unsent.saturating_sub(1);
            lane.numbers.hold(&digits);
        }
        self.settle_or_follow(row, now);
    }

    /// A final row leaves; its number is free for the next one.
    fn finish_row(&mut self, row: RowNumber, now: Now) {
        let Some(slot) = self.drop_row(row) else { return };
        let submitted = if slot.submitted == Tick(0) { now.tick } else { slot.submitted };
        let Some(lane) = self.lanes.get_mut(slot.lane.0) else { return };
        let (digits, spacing) = (slot.order.phone.digits(), lane.config.phone_spacing);
        lane.numbers.release(digits, submitted, spacing);
        self.number_freed(slot.lane, digits);
    }

    /// Only a person can settle it now: it leaves the run, its number stays busy.
    fn park(&mut self, row: RowNumber) {
        self.drop_row(row);
    }

    /// Nothing was sent for the number after all.
    pub(super) fn give_number_back(&mut self, id: LaneId, digits: &str) {
        if let Some(lane) = self.lanes.get_mut(id.0) {
            lane.numbers.give_back(digits);
        }
        self.number_freed(id, digits);
    }

    /// If no order is open for the number any more, the row that waited longest for it goes on.
    pub(super) fn number_freed(&mut self, id: LaneId, digits: &str) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        while let Some(row) = lane.numbers.next_waiting(digits) {
            let waiting = self.slots.get_mut(&row).filter(|slot| matches!(slot.stage, Stage::NumberBusy));
            if let Some(slot) = waiting {
                slot.stage = Stage::Cleared;
                lane.queue_cleared(slot.clearance.operator.clone(), row, true);
                return;
            }
        }
    }

    fn follow_later(&mut self, row: RowNumber, now: Now) {
        let salt = self.salt(row);
        let Some(slot) = self.slots.get(&row) else { return };
        let Some(lane) = self.lanes.get(slot.lane.0) else { return };
        let tick = now.tick.after(lane.config.follow.wait(slot.looks, salt));
        self.wait_until(row, tick, Stage::FollowAt(tick));
    }

    pub(super) fn follow_call(&mut self, id: LaneId, row: RowNumber, now: Now) {
        let Some(slot) = self.slots.get_mut(&row).filter(|slot| matches!(slot.stage, Stage::FollowDue))
        else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let request = Self::lookup_of(slot).and_then(|lookup| lane.config.codec.encode_lookup(&lookup));
        if let Some(request) = request {
            slot.stage = Stage::FollowUnderWay;
            slot.asked = Some(now);
            lane.looking += 1;
            self.call(id, CallFor::Follow(row), request);
        }
    }

    pub(super) fn follow_delivered(&mut self, id: LaneId, row: RowNumber, delivery: Delivery, now: Now) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        lane.looking = lane.looking.saturating_sub(1);
        let Some(slot) = self.slots.get_mut(&row) else { return };
        slot.looks = slot.looks.saturating_add(1);
        slot.looked = Some(now.tick);
        let Some(lookup) = Self::lookup_of(slot) else { return };
        match delivery {
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => self.nothing_got_through(id, now),
            Delivery::Replied(reply) => {
                lane.silent_since = None;
                let verdict = lane.config.codec.decode_lookup(&lookup, &reply);
                let countable = matches!(slot.topup.phase, Phase::Unknown | Phase::Asking);
                let not_found = countable && verdict.meaning == LookupMeaning::NotFound;
                if self.rules == Rules::NotFoundIsFailed && not_found {
                    let ruling = crate::lifecycle::NotFoundRuling::Proved;
                    self.record(row, Event::NotFound { at: now, ruling }, now);
                } else {
                    // A process that stood still reads old answers: "no such order" counts from its question.
                    let asked = slot.asked.unwrap_or(now);
                    if let Some(event) = lane.config.follow.judge_look(&slot.topup, &verdict, asked) {
                        self.record(row, event, now);
                    }
                }
                end_of(&mut self.call_ends, verdict.meaning.word(), verdict.answer.code.as_deref());
                if let LookupMeaning::Unchanged { halt: Some(halt), .. } = verdict.meaning {
                    self.halt(id, halt, now);
                }
            }
        }
        self.go_on_following(id, row, now);
    }

    fn go_on_following(&mut self, id: LaneId, row: RowNumber, now: Now) {
        let (Some(slot), Some(lane)) = (self.slots.get(&row), self.lanes.get(id.0)) else { return };
        if lane.config.follow.has_given_up(&slot.topup, now) {
            self.record(row, Event::GaveUp, now);
        }
        let Some(slot) = self.slots.get(&row) else { return };
        let closed = !slot.topup.phase.is_open();
        let asking = slot.topup.phase == Phase::Asking && !slot.topup.person_only;
        let tries_left = slot.once && slot.looks < ONCE_TRIES && slot.topup.not_found.is_none();
        if !closed && !asking || asking && tries_left {
            return self.follow_later(row, now);
        }
        if let Some(lane) = self.lanes.get_mut(id.0) {
            lane.following = lane.following.saturating_sub(1);
        }
        if closed { self.finish_row(row, now) } else { self.park(row) }
    }

    /// A callback named an id: look at once, or as soon as the schedule's first wait since the last look is over.
    pub(super) fn hinted(&mut self, id: &TransactionId, now: Now) {
        let Some(row) = self.ids.get(id).copied() else { return };
        let Some(slot) = self.slots.get_mut(&row) else { return };
        let Stage::FollowAt(tick) = slot.stage else { return };
        let Some(lane) = self.lanes.get_mut(slot.lane.0) else { return };
        let rested_at = slot.looked.map_or(now.tick, |at| at.after(lane.config.follow.first_check));
        if rested_at <= now.tick {
            slot.stage = Stage::FollowDue;
            lane.follow_due.push_back(row);
            self.due.remove(&(tick, row));
        } else if rested_at < tick {
            self.due.remove(&(tick, row));
            self.wait_until(row, rested_at, Stage::FollowAt(rested_at));
        }
    }
}
