//! Phone numbers of one provider: never two open orders for one, and a least time between two.

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::HashMap;
use crate::domain::{RowNumber, Tick};

#[derive(Debug, Default)]
struct Number {
    /// Orders open (or being sent) for it: in this run, left by an earlier one, or in another batch.
    open: u32,
    /// The next order may leave then.
    free_from: Tick,
    /// Rows that wait for it, in row order. Some of them may have left the run meanwhile.
    waiting: VecDeque<RowNumber>,
}

/// Which numbers are busy. A number without an entry is free.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    busy: HashMap<String, Number>,
}

/// Whether a number can be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Free {
    /// It can, and is taken.
    Taken,
    /// Only the spacing is in the way, until then.
    At(Tick),
    /// Another order is open for it.
    Busy,
}

impl Numbers {
    /// Marks a number as open, once more if it is open already.
    pub(super) fn hold(&mut self, digits: &str) {
        let number = self.busy.entry(digits.to_owned()).or_default();
        number.open = number.open.saturating_add(1);
    }

    /// Keeps a number closed until then.
    pub(super) fn space(&mut self, digits: &str, free_from: Tick) {
        let number = self.busy.entry(digits.to_owned()).or_default();
        number.free_from = number.free_from.max(free_from);
    }

    /// Takes a number for an order, if it is free.
    pub(super) fn take(&mut self, digits: &str, now: Tick) -> Free {
        match self.busy.get_mut(digits) {
            Some(number) if number.open > 0 => Free::Busy,
            Some(number) if number.free_from > now => Free::At(number.free_from),
            Some(number) => {
                number.open = 1;
                Free::Taken
            }
            None => {
                self.hold(digits);
                Free::Taken
            }
        }
    }

    /// Lets a row wait for a number that is busy.
    pub(super) fn wait(&mut self, digits: &str, row: RowNumber) {
        self.busy.entry(digits.to_owned()).or_default().waiting.push_back(row);
    }

    /// Nothing was sent after all: the number is as free as before.
    pub(super) fn give_back(&mut self, digits: &str) {
        self.release(digits, Tick(0), Duration::ZERO);
    }

    /// An order for a number is final. The spacing counts from `submitted`.
    pub(super) fn release(&mut self, digits: &str, submitted: Tick, spacing: Duration) {
        let Some(number) = self.busy.get_mut(digits) else { return };
        number.open = number.open.saturating_sub(1);
        if !spacing.is_zero() {
            number.free_from = number.free_from.max(submitted.after(spacing));
        }
    }

    /// The row that waited longest, if no order is open for the number. It may have left the run: then the
    /// next one is to be asked for.
    pub(super) fn next_waiting(&mut self, digits: &str) -> Option<RowNumber> {
        let number = self.busy.get_mut(digits).filter(|number| number.open == 0)?;
        let next = number.waiting.pop_front();
        if next.is_none() && number.free_from == Tick(0) {
            self.busy.remove(digits);
        }
        next
    }

    /// Forgets numbers whose spacing has passed, so that memory follows what is open, not what was sent.
    pub(super) fn sweep(&mut self, now: Tick) {
        self.busy.retain(|_, number| number.open > 0 || !number.waiting.is_empty() || number.free_from > now);
    }
}
