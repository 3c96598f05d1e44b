//! Halts and pauses: when new submits to a provider, or to one operator of it, stop or wait.

use std::time::Duration;

use super::machine::Engine;
use super::slot::Stage;
use super::types::{Command, LaneId, Mode, Notice};
use crate::domain::{Halt, NetFault, Now, Reason, RowNumber};
use crate::lifecycle::{Event, scatter};

impl Engine {
    /// New submits stop at once; rows not sent are left for another run. What is under way and open rows are
    /// not touched.
    pub(super) fn halt(&mut self, id: LaneId, halt: Halt, now: Now) {
        if self.run.mode == Mode::Follow {
            return;
        }
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let known = match &halt.operator {
            None => lane.halt.is_some(),
            Some(operator) => lane.halt.is_some() || lane.operator_halts.contains_key(operator),
        };
        if known {
            return;
        }
        match halt.operator.clone() {
            None => lane.halt = Some(halt.clone()),
            Some(operator) => {
                lane.operator_halts.insert(operator, halt.clone());
            }
        }
        let provider = lane.config.name.clone();
        let touched: Vec<RowNumber> = self
            .slots
            .values()
            .filter(|slot| slot.lane == id)
            .filter(|slot| halt.operator.is_none() || slot.clearance.operator == halt.operator)
            .filter(|slot| is_waiting_to_be_sent(&slot.stage))
            .map(|slot| slot.row())
            .collect();
        self.commands.push_back(Command::Notice(Notice::Halted { provider, halt }));
        for row in touched {
            self.withdraw_and_leave(row, now);
        }
    }

    /// Takes a row that was not sent out of the run; a committed intent of it is undone.
    fn withdraw_and_leave(&mut self, row: RowNumber, now: Now) {
        let armed = self.slots.get(&row).is_some_and(|slot| matches!(slot.stage, Stage::Armed(..)));
        if armed {
            self.withdraw(row, now);
        }
        self.leave(row);
    }

    /// Undoes a committed intent that was never handed to the network.
    pub(super) fn withdraw(&mut self, row: RowNumber, now: Now) {
        let Some(slot) = self.slots.get_mut(&row) else { return };
        let lane = slot.lane;
        slot.stage = Stage::Cleared;
        if let Some(lane) = self.lanes.get_mut(lane.0) {
            lane.armed.retain(|other| *other != row);
        }
        self.record(row, Event::NotSent { fault: NetFault::Withdrawn }, now);
    }

    /// New submits wait: for the provider, or for one operator.
    pub(super) fn pause(&mut self, id: LaneId, operator: Option<String>, why: &str, now: Now) {
        let seed = self.run.seed;
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let base = lane.config.throttle_pause;
        let fifth = u64::try_from(base.as_micros() / 5).unwrap_or(0);
        let jitter = scatter(seed ^ now.tick.0, 0) % fifth.saturating_add(1);
        let wait = base.saturating_add(Duration::from_micros(jitter));
        let until = now.tick.after(wait);
        match &operator {
            None => lane.pause_until = lane.pause_until.max(until),
            Some(name) => {
                let known = lane.operator_pauses.entry(name.clone()).or_default();
                *known = (*known).max(until);
            }
        }
        let notice =
            Notice::Paused { provider: lane.config.name.clone(), operator, wait, why: why.to_owned() };
        self.commands.push_back(Command::Notice(notice));
    }

    /// A request got no reply at all. After `unreachable_for` of nothing else the provider is halted.
    pub(super) fn nothing_got_through(&mut self, id: LaneId, now: Now) {
        let Some(lane) = self.lanes.get_mut(id.0) else { return };
        let since = *lane.silent_since.get_or_insert(now.tick);
        let silent = now.tick.since(since);
        if silent < lane.config.unreachable_for {
            return;
        }
        let message = format!(
            "nothing got through to {} for {} s; check the network and base_url, then run again",
            lane.config.name,
            silent.as_secs()
        );
        let halt = Halt { operator: None, reason: Reason::Unreachable, code: String::new(), message };
        self.halt(id, halt, now);
    }
}

/// Stages in which nothing of the row's next submit has left, and no answer is awaited that will find the
/// halt by itself.
fn is_waiting_to_be_sent(stage: &Stage) -> bool {
    match stage {
        Stage::Checking
        | Stage::CheckLater(_)
        | Stage::Cleared
        | Stage::NumberBusy
        | Stage::NumberSpaced(_)
        | Stage::Armed(..) => true,
        // These find the halt when their commit or answer arrives.
        Stage::IntentRecorded | Stage::CheckUnderWay => false,
        Stage::UnderWay(_) | Stage::FollowAt(_) | Stage::FollowDue | Stage::FollowUnderWay => false,
    }
}
