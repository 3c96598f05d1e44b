//! One row while the engine holds it.

use std::collections::VecDeque;

use super::types::{Clearance, LaneId};
use crate::domain::{Now, Order, RowNumber, Tick, WallTime};
use crate::lifecycle::{PastAttempt, Receipt, TopUp};
use crate::protocol::{Codec, Lookup};

/// What a row waits for.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its turn for the next look-up before the submit.
    Checking,
    /// The answer to it.
    CheckUnderWay,
    /// Asking again then, after an answer without information.
    CheckLater(Tick),
    /// A slot of the rate limit, or the end of a halt or pause.
    Cleared,
    /// The end of another order for its number.
    NumberBusy,
    /// The spacing of its number.
    NumberSpaced(Tick),
    /// The commit of its intent.
    IntentRecorded,
    /// A slot of the rate limit, with a committed intent.
    Armed(Receipt),
    /// The answer to its submit.
    UnderWay(WallTime),
    /// The time of its next look-up.
    FollowAt(Tick),
    /// Its turn for a look-up.
    FollowDue,
    /// The answer to a look-up.
    FollowUnderWay,
}

/// A row in the engine's window.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) lane: LaneId,
    pub(super) order: Order,
    pub(super) topup: TopUp,
    pub(super) stage: Stage,
    pub(super) clearance: Clearance,
    /// Operator, product and price are settled.
    pub(super) checked: bool,
    /// Look-ups so far, of the kind the stage is about.
    pub(super) looks: u32,
    /// Earlier ids still to be looked up before a submit (`contract.md` 5).
    pub(super) verify: VecDeque<PastAttempt>,
    /// Ids of coming attempts that may have been used by a run nobody here knows of.
    pub(super) ahead: Vec<PastAttempt>,
    /// When the last earlier id was looked up.
    pub(super) verified: Option<Tick>,
    /// The row was looked at without a useful answer: what to say if the run ends here.
    pub(super) waited: Option<Waited>,
    /// Tick of the last submit, for the spacing of its number.
    pub(super) submitted: Tick,
    /// It holds its number.
    pub(super) holds_number: bool,
    /// One look-up is all it gets in this run: only a person can settle it by now.
    pub(super) once: bool,
    /// When the look-up under way was asked: what its answer says is not newer than that for sure.
    pub(super) asked: Option<Now>,
    /// When it was last looked up.
    pub(super) looked: Option<Tick>,
}

/// Why a row before its submit did not get further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// A look-up got no usable answer.
    NoAnswer,
    /// The provider says another order of the number is under way.
    NumberBusy,
}

impl Slot {
    pub(super) fn row(&self) -> RowNumber {
        self.order.row
    }

    /// The question about one id of the row.
    pub(super) fn lookup_of(&self, past: &PastAttempt) -> Lookup {
        Lookup {
            id: past.id.clone(),
            provider_ref: past.provider_ref.clone(),
            phone: self.order.phone.clone(),
            amount: self.order.amount,
        }
    }

    /// Every id it was or may have been submitted under that can be asked about; the others are not waited for (`contract.md`
    /// 5: "where it can be asked").
    pub(super) fn ids_to_ask(&self, codec: &Codec) -> VecDeque<PastAttempt> {
        let ids = self.topup.submitted_ids().into_iter().chain(self.ahead.iter().cloned());
        ids.filter(|past| codec.encode_lookup(&self.lookup_of(past)).is_some()).collect()
    }
}
