//! The one thread that asks the ledger whether an order is ours and puts hints down. What waits together is put
//! down together, with a pause after each commit, so that a submitting process always finds its turn.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::server::Shared;
use super::tally::{Refused, count};
use crate::domain::{Now, Tick, TransactionId};
use crate::ledger::{Hint, Ledger, LedgerError};
use crate::protocol::CallbackHint;

/// Callbacks that may wait for the ledger: more than there are connections, so that it only fills while the
/// ledger is kept by somebody else.
pub(super) const WAITING_MAX: usize = 1024;

/// Hints of one commit: all that can wait.
const GROUP_MAX: usize = WAITING_MAX;

/// Between two commits: the ledger is free for the others meanwhile. A run looks for hints every half second,
/// so nobody waits for this.
const PAUSE: Duration = Duration::from_millis(50);

/// A repeat within this time says nothing new: a run looks at an order no more often than that anyway.
const REPEAT_WITHIN: Duration = Duration::from_secs(3);

/// Ids remembered for that, at most: some hundred kilobytes. A flood of more ids than this only has repeats
/// put down again.
const REMEMBERED_MAX: usize = 4096;

/// A good callback on its way to the ledger.
pub(super) struct Note {
    pub provider: String,
    pub hint: CallbackHint,
    pub answer: oneshot::Sender<Kept>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is in the ledger, was a moment ago, or is about no order of ours.
    Done,
    /// The ledger failed.
    Failed,
}

/// Works until nobody can hand in anything any more.
pub(super) fn keep(ledger: &Ledger, now: &dyn Fn() -> Now, mut queue: mpsc::Receiver<Note>, shared: &Shared) {
    let mut recent = Recent::default();
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while let Some(next) = (group.len() < GROUP_MAX).then(|| queue.try_recv().ok()).flatten() {
            group.push(next);
        }
        if put_down(ledger, now(), group, &mut recent, shared) {
            std::thread::sleep(PAUSE);
        }
    }
}

/// True: the ledger was written, or could not be.
fn put_down(ledger: &Ledger, now: Now, group: Vec<Note>, recent: &mut Recent, shared: &Shared) -> bool {
    let (mut hints, mut kept) = (Vec::new(), Vec::new());
    for note in group {
        let id = &note.hint.id;
        if recent.holds(id, now.tick) {
            count(&shared.counters.repeated);
            let _ = note.answer.send(Kept::Done);
            continue;
        }
        match ledger.row_by_txn(id) {
            Ok(None) => {
                count(&shared.counters.unknown);
                let _ = note.answer.send(Kept::Done);
            }
            Ok(Some(_)) => {
                recent.add(id.clone(), now.tick);
                hints.push(Hint {
                    provider: note.provider,
                    id: Some(note.hint.id),
                    provider_ref: note.hint.provider_ref,
                    received_at: now.wall,
                });
                kept.push(note.answer);
            }
            Err(error) => fail(vec![note.answer], error, shared),
        }
    }
    if hints.is_empty() {
        return false;
    }
    match ledger.append_hints(&hints) {
        Ok(_) => {
            for answer in kept {
                count(&shared.counters.stored);
                // Whoever asked may have hung up; the hint is kept all the same.
                let _ = answer.send(Kept::Done);
            }
        }
        Err(error) => {
            // None of them is there: each may come again.
            *recent = Recent::default();
            fail(kept, error, shared);
        }
    }
    true
}

fn fail(answers: Vec<oneshot::Sender<Kept>>, error: LedgerError, shared: &Shared) {
    shared.trouble(error);
    for answer in answers {
        shared.counters.refuse(Refused::Ledger);
        let _ = answer.send(Kept::Failed);
    }
}

/// The ids of the last seconds.
#[derive(Default)]
struct Recent {
    order: VecDeque<(Tick, TransactionId)>,
    ids: HashSet<TransactionId>,
}

impl Recent {
    fn holds(&mut self, id: &TransactionId, now: Tick) -> bool {
        while self.order.front().is_some_and(|(at, _)| now.since(*at) >= REPEAT_WITHIN) {
            self.forget_oldest();
        }
        self.ids.contains(id)
    }

    fn add(&mut self, id: TransactionId, now: Tick) {
        if self.order.len() >= REMEMBERED_MAX {
            self.forget_oldest();
        }
        if self.ids.insert(id.clone()) {
            self.order.push_back((now, id));
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.ids.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> TransactionId {
        TransactionId::parse(&format!("{number:024}")).unwrap()
    }

    #[test]
    fn an_id_is_a_repeat_for_three_seconds_and_then_news_again() {
        let mut recent = Recent::default();
        let start = Tick(5_000_000);
        recent.add(id(1), start);
        assert!(recent.holds(&id(1), start.after(Duration::from_millis(2_999))));
        assert!(!recent.holds(&id(2), start));
        assert!(!recent.holds(&id(1), start.after(REPEAT_WITHIN)));
        assert!(recent.order.is_empty() && recent.ids.is_empty());
    }

    #[test]
    fn memory_of_ids_is_bounded_and_the_oldest_goes_first() {
        let mut recent = Recent::default();
        for number in 0..3 * REMEMBERED_MAX {
            recent.add(id(number), Tick(0));
        }
        assert_eq!((recent.order.len(), recent.ids.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        assert!(!recent.holds(&id(2 * REMEMBERED_MAX - 1), Tick(0)));
        assert!(recent.holds(&id(2 * REMEMBERED_MAX), Tick(0)));
    }
}
