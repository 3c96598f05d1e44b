//! Orders that succeeded, asked about once more: a late reversal is put on record and told, and changes no verdict.
//! Nothing is submitted in such a run.

use super::check::contradiction;
use super::machine::Engine;
use super::slot::{Stage, Waited};
use super::types::LaneId;
use crate::domain::{LookupMeaning, Now, Reply, RowNumber};
use crate::lifecycle::Event;

/// Tries to get an answer about one id.
const TRIES: u32 = 3;

/// What asking again came to, in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rechecks {
    /// Still succeeded.
    pub confirmed: u64,
    /// The provider now says something else.
    pub contradicted: u64,
    /// The provider says that it does not know the order: it may have forgotten it, so nothing is concluded.
    pub not_known: u64,
    /// No answer that tells anything.
    pub unanswered: u64,
    /// There is nothing to ask with.
    pub not_askable: u64,
}

impl Rechecks {
    /// All rows.
    pub fn rows(&self) -> u64 {
        let Self { confirmed, contradicted, not_known, unanswered, not_askable } = *self;
        [confirmed, contradicted, not_known, unanswered, not_askable].iter().sum()
    }
}

impl Engine {
    /// What asking again came to. Whatever row was taken up and came to nothing has no answer.
    pub fn rechecks(&self) -> Rechecks {
        let told = self.rechecks.rows();
        Rechecks { unanswered: self.recheck_rows.saturating_sub(told), ..self.rechecks }
    }

    /// Sends a row to its next question; without one left it leaves.
    pub(super) fn recheck_on(&mut self, row: RowNumber) {
        let Some(slot) = self.slots.get_mut(&row) else { return };
        let current = slot.topup.id.as_ref();
        // The current id stands last. Where it cannot be asked about, nothing would be confirmed.
        if slot.verify.back().is_none_or(|last| Some(&last.id) != current) {
            self.rechecks.not_askable += 1;
            return self.leave(row);
        }
        slot.stage = Stage::Checking;
        if let Some(lane) = self.lanes.get_mut(slot.lane.0) {
            lane.checks.push_back(row);
        }
    }

    /// The provider told about one id of the row.
    pub(super) fn rechecked(&mut self, id: LaneId, row: RowNumber, reply: &Reply, now: Now) {
        let (Some(slot), Some(lane)) = (self.slots.get_mut(&row), self.lanes.get(id.0)) else { return };
        let Some(past) = slot.verify.front() else { return };
        let lookup = slot.lookup_of(past);
        let verdict = lane.config.codec.decode_lookup(&lookup, reply);
        let current = slot.topup.id.as_ref() == Some(&lookup.id);
        let against = match &verdict.meaning {
            LookupMeaning::Unchanged { halt, .. } => {
                if let Some(halt) = halt.clone() {
                    self.halt(id, halt, now);
                }
                return self.recheck_later(row, now);
            }
            LookupMeaning::Succeeded => !current,
            LookupMeaning::Failed => current,
            LookupMeaning::Pending | LookupMeaning::Conflict(_) => true,
            LookupMeaning::NotFound => false,
        };
        slot.looks = 0;
        slot.waited = None;
        if against {
            let known = slot.topup.contradicted;
            self.rechecks.contradicted += 1;
            if !known {
                let message = contradiction("succeeded before, asked again", &verdict, lookup.id.as_str());
                self.record(row, Event::Contradicted { message }, now);
            }
            return self.leave(row);
        }
        if current {
            let not_known = verdict.meaning == LookupMeaning::NotFound;
            self.rechecks.not_known += u64::from(not_known);
            self.rechecks.confirmed += u64::from(!not_known);
            return self.leave(row);
        }
        slot.verify.pop_front();
        self.recheck_on(row);
    }

    /// No usable answer: a few tries, then it is told.
    pub(super) fn recheck_later(&mut self, row: RowNumber, now: Now) {
        let salt = self.salt(row);
        let Some(slot) = self.slots.get_mut(&row) else { return };
        let Some(lane) = self.lanes.get(slot.lane.0) else { return };
        slot.looks = slot.looks.saturating_add(1);
        if lane.halt.is_some() || slot.looks >= TRIES {
            return self.leave(row);
        }
        slot.waited = Some(Waited::NoAnswer);
        let tick = now.tick.after(lane.config.follow.wait(slot.looks, salt));
        self.wait_until(row, tick, Stage::CheckLater(tick));
    }
}
