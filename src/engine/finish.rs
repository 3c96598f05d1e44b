//! The end of a run (`contract.md` 1): every row final, or the settle time over.

use super::lane::{Lane, Preflight};
use super::machine::{CallFor, Engine};
use super::slot::{Stage, Waited};
use super::types::{Command, Mode, Notice};
use crate::domain::{Halt, Now, Reason, RowNumber, Tick};
use crate::lifecycle::{Event, Phase};

impl Engine {
    /// Ends the run when it is over.
    pub(super) fn end_if_over(&mut self, now: Now) {
        if self.ended {
            return;
        }
        if self.draining {
            let submits = |lane: &Lane| lane.in_flight > 0 || lane.intents > 0 || !lane.armed.is_empty();
            if !self.lanes.iter().any(submits) {
                self.end(now);
            }
            return;
        }
        let left = self.lanes.iter().any(|lane| lane.unsent > 0 || lane.following > 0);
        let deadline = self.last_submit.after(self.run.settle_for);
        if left && now.tick < deadline && !self.only_later_than(deadline) {
            self.wake_at(deadline);
            return;
        }
        // Whoever is busy is woken by an answer, a commit or its own limit.
        let busy = || self.lanes.iter().any(|lane| self.is_busy(lane, now)) || self.first_look_under_way();
        if self.closing || !busy() {
            // Requests under way are waited for; they have their own time-outs.
            self.closing = true;
            if self.calls.is_empty() {
                self.end(now);
            }
        } else if now.tick < deadline {
            self.wake_at(deadline);
        }
    }

    /// Whether rows are left, but nothing can happen to any of them before then: pauses, spacings and tries
    /// that come later are not waited for, nor is a number that nothing in this run frees.
    fn only_later_than(&self, deadline: Tick) -> bool {
        let next = self.due.first().map(|(tick, _)| *tick).into_iter().chain(self.deadline).min();
        let followed = self.lanes.iter().any(|lane| lane.following > 0);
        !followed && self.calls.is_empty() && next.is_none_or(|tick| tick >= deadline)
    }

    /// Whether work goes on that waits for nothing but the ledger, the rate or the width.
    fn is_busy(&self, lane: &Lane, now: Now) -> bool {
        let reading = lane.open_rows.more || lane.open_rows.asked || lane.ready_rows.asked;
        let halted = lane.halt.is_some();
        let to_read = lane.ready_rows.more && !halted && lane.unsent == 0;
        let preflight = match lane.preflight {
            Preflight::Done => false,
            // Later tries are not waited for, or two silent providers would keep each other's run alive.
            Preflight::UnderWay(tries) => tries == 0,
            Preflight::Due(_, tries) => {
                tries == 0 && lane.unsent > 0 && !halted && self.run.mode != Mode::Follow
            }
        };
        let open = matches!(lane.preflight, Preflight::Done);
        let sendable = open && !halted && self.run.mode == Mode::Send && lane.has_sendable(now.tick);
        let checks = open && !halted && lane.checks.iter().any(|row| self.is_fresh_check(*row));
        let submitting = lane.intents > 0 || !lane.armed.is_empty();
        submitting || reading || to_read || preflight || sendable || checks
    }

    /// Whether the answer to a row's first look-up is awaited: with a good one it can be sent.
    fn first_look_under_way(&self) -> bool {
        let fresh = |call: &CallFor| match call {
            CallFor::Check(row) => self.is_fresh_check(*row),
            CallFor::Preflight | CallFor::Submit(_) | CallFor::Follow(_) => false,
        };
        self.calls
            .values()
            .any(|(lane, call)| self.lanes.get(lane.0).is_some_and(|lane| lane.halt.is_none()) && fresh(call))
    }

    /// A row that was not looked at yet, so that only the query limit holds it up.
    fn is_fresh_check(&self, row: RowNumber) -> bool {
        self.slots.get(&row).is_some_and(|slot| slot.waited.is_none())
    }

    fn end(&mut self, now: Now) {
        self.ended = true;
        if !self.draining {
            self.hold_rows(now);
        }
        self.flush();
        self.slots.clear();
        self.due.clear();
        self.ids.clear();
        self.calls.clear();
        self.deadline = None;
    }

    /// Says of every row that was held up what it waited for.
    fn hold_rows(&mut self, now: Now) {
        let mut held: Vec<(RowNumber, Reason, &'static str)> = Vec::new();
        for slot in self.slots.values().filter(|slot| slot.topup.phase == Phase::Ready) {
            let Some(lane) = self.lanes.get(slot.lane.0) else { continue };
            let operator = slot.clearance.operator.as_deref();
            let paused = lane.paused_until(operator, now.tick).is_some();
            let why = match (&slot.stage, slot.waited) {
                (Stage::NumberBusy | Stage::NumberSpaced(_), _) => {
                    Some((Reason::NumberBusy, "another order for this number is open or was just sent"))
                }
                (_, Some(Waited::NumberBusy)) => {
                    Some((Reason::NumberBusy, "the provider says an order for this number is under way"))
                }
                (_, Some(Waited::NoAnswer)) => {
                    Some((Reason::NoAnswer, "no answer to a look-up that has to come before the submit"))
                }
                (Stage::Cleared, None) if lane.connect_failures > 0 => {
                    Some((Reason::Unreachable, "no connection to the provider"))
                }
                (Stage::Cleared, None) if paused => {
                    Some((Reason::Throttled, "the provider asked to wait, longer than this run"))
                }
                _ => None,
            };
            if let Some((reason, message)) = why {
                held.push((slot.row(), reason, message));
            }
        }
        held.sort_unstable_by_key(|(row, _, _)| *row);
        for (row, reason, message) in held {
            let keeps = self.slots.get(&row).is_some_and(|slot| slot.topup.reason == Some(Reason::Throttled));
            if !keeps {
                self.record(row, Event::Held { reason, message: message.to_owned() }, now);
            }
        }
        self.say_what_held_the_rest(now);
    }

    /// Rows that were never read have no event of their own: what held their provider is told for them.
    fn say_what_held_the_rest(&mut self, now: Now) {
        let mut notices = Vec::new();
        for lane in self.lanes.iter().filter(|lane| lane.unsent > 0 && lane.halt.is_none()) {
            let name = &lane.config.name;
            let halt = if !matches!(lane.preflight, Preflight::Done) || lane.connect_failures > 0 {
                let message =
                    format!("{name} gave no answer; check the network and base_url, then run again");
                Some(Halt { operator: None, reason: Reason::Unreachable, code: String::new(), message })
            } else if lane.pause_until > now.tick {
                let message = format!("{name} asked to wait, longer than this run; run again later");
                Some(Halt { operator: None, reason: Reason::Throttled, code: String::new(), message })
            } else {
                None
            };
            notices.extend(halt.map(|halt| Notice::Halted { provider: name.clone(), halt }));
        }
        self.commands.extend(notices.into_iter().map(Command::Notice));
    }
}
