//! A ledger in memory, for tests: it keeps exactly what a crash would keep, and replays every entry it is
//! given, so that a state which does not follow from its event is noticed.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::{Now, Order, RowNumber, TransactionId, WallTime};
use crate::engine::{Loaded, RecordId};
use crate::lifecycle::{Entry, Event, Phase, Receipt, TopUp};

/// Why an entry cannot stand in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// No such row was admitted.
    #[error("row {0} was never admitted")]
    UnknownRow(RowNumber),
    /// The event cannot happen where the row stands.
    #[error("row {0}: {1}")]
    Illegal(RowNumber, crate::lifecycle::Illegal),
    /// The state recorded is not the one the event leads to.
    #[error("row {row}: the state recorded after {event} is not what it leads to")]
    Diverged {
        /// The row.
        row: RowNumber,
        /// The event's name.
        event: &'static str,
    },
}

/// One durable change of a row's phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// Phase before, by its debug name.
    pub from: &'static str,
    /// The event's name.
    pub event: &'static str,
    /// Phase after, by its debug name.
    pub to: &'static str,
}

/// An intent that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DurableIntent {
    /// The row.
    pub row: RowNumber,
    /// The id it allows to send once.
    pub id: TransactionId,
    /// When it was decided.
    pub at: Now,
}

/// Rows and entries of one batch.
#[derive(Clone, Debug, Default)]
pub struct MemoryLedger {
    rows: BTreeMap<RowNumber, (Order, TopUp)>,
    queued: VecDeque<(RecordId, Vec<Entry>)>,
    intents: Vec<DurableIntent>,
    steps: Vec<Step>,
    hasty: bool,
}

impl MemoryLedger {
    /// An empty ledger. A `hasty` one is broken on purpose: it hands out receipts before the commit.
    pub fn new(hasty: bool) -> Self {
        Self { hasty, ..Self::default() }
    }

    /// Takes in a row of the file, durable at once.
    pub fn admit(&mut self, order: Order, topup: TopUp) {
        self.rows.insert(order.row, (order, topup));
    }

    /// Queues a record for the next commits. Only a hasty ledger has receipts already.
    pub fn write(&mut self, record: RecordId, entries: Vec<Entry>) -> Option<Vec<Receipt>> {
        let receipts = self.hasty.then(|| receipts_of(&entries));
        self.queued.push_back((record, entries));
        receipts
    }

    /// Records written but not durable yet.
    pub fn queued(&self) -> usize {
        self.queued.len()
    }

    /// Makes the oldest queued record durable.
    ///
    /// # Errors
    /// [`LedgerFault`] when an entry does not follow from what is there.
    pub fn commit(&mut self) -> Result<Option<(RecordId, Vec<Receipt>)>, LedgerFault> {
        let Some((record, entries)) = self.queued.pop_front() else { return Ok(None) };
        for entry in &entries {
            self.apply(entry)?;
        }
        let receipts = if self.hasty { Vec::new() } else { receipts_of(&entries) };
        Ok(Some((record, receipts)))
    }

    /// The process dies: the oldest `keep` queued records were durable though nobody was told, the others
    /// are gone.
    ///
    /// # Errors
    /// As [`MemoryLedger::commit`].
    pub fn crash(&mut self, keep: usize) -> Result<(), LedgerFault> {
        for _ in 0..keep {
            self.commit()?;
        }
        self.queued.clear();
        Ok(())
    }

    /// A command's own entry (`cancel`, `resolve`, `retry`), durable at once.
    ///
    /// # Errors
    /// As [`MemoryLedger::commit`].
    pub fn decide(&mut self, row: RowNumber, event: Event, at: WallTime) -> Result<(), LedgerFault> {
        let mut state = self.topup(row).ok_or(LedgerFault::UnknownRow(row))?.clone();
        state.apply(&event, at).map_err(|illegal| LedgerFault::Illegal(row, illegal))?;
        self.apply(&Entry { row, event, at, state })
    }

    /// Every row, in order, where it durably stands.
    pub fn rows(&self) -> impl Iterator<Item = (&Order, &TopUp)> {
        self.rows.values().map(|(order, topup)| (order, topup))
    }

    /// One row, where it durably stands.
    pub fn topup(&self, row: RowNumber) -> Option<&TopUp> {
        self.rows.get(&row).map(|(_, topup)| topup)
    }

    /// One row's order.
    pub fn order(&self, row: RowNumber) -> Option<&Order> {
        self.rows.get(&row).map(|(order, _)| order)
    }

    /// One row, where the queued records would leave it.
    pub fn latest(&self, row: RowNumber) -> Option<&TopUp> {
        let queued = self.queued.iter().rev().flat_map(|(_, entries)| entries.iter().rev());
        queued
            .into_iter()
            .find(|entry| entry.row == row)
            .map(|entry| &entry.state)
            .or_else(|| self.topup(row))
    }

    /// At most `limit` rows behind `after` that are wanted, and whether there are more.
    pub fn page(
        &self,
        after: Option<RowNumber>,
        limit: usize,
        mut wanted: impl FnMut(&Order, &TopUp) -> bool,
        verify: bool,
    ) -> (Vec<Loaded>, bool) {
        let behind = self.rows.values().filter(|(order, _)| after.is_none_or(|after| order.row > after));
        let mut found = behind.filter(|(order, topup)| wanted(order, topup));
        let rows: Vec<Loaded> = found
            .by_ref()
            .take(limit)
            .map(|(order, topup)| Loaded { order: order.clone(), topup: topup.clone(), verify, ahead: 0 })
            .collect();
        let more = found.next().is_some();
        (rows, more)
    }

    /// Every durable intent, oldest first.
    pub fn intents(&self) -> &[DurableIntent] {
        &self.intents
    }

    /// Every durable change of a phase, oldest first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn apply(&mut self, entry: &Entry) -> Result<(), LedgerFault> {
        let (order, topup) = self.rows.get_mut(&entry.row).ok_or(LedgerFault::UnknownRow(entry.row))?;
        let from = phase_name(topup.phase);
        topup.apply(&entry.event, entry.at).map_err(|illegal| LedgerFault::Illegal(entry.row, illegal))?;
        let event = entry.event.name();
        if *topup != entry.state {
            return Err(LedgerFault::Diverged { row: entry.row, event });
        }
        self.steps.push(Step { from, event, to: phase_name(topup.phase) });
        if let Event::Readmitted { order: corrected } = &entry.event {
            order.clone_from(corrected);
        }
        if let Event::Intent(intent) = &entry.event {
            let (id, at) = (intent.id.clone(), intent.at);
            self.intents.push(DurableIntent { row: entry.row, id, at });
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is a ledger")]
fn receipts_of(entries: &[Entry]) -> Vec<Receipt> {
    let intents = entries.iter().filter_map(|entry| {
        let Event::Intent(intent) = &entry.event else { return None };
        Some(Receipt::committed(entry.row, intent.id.clone()))
    });
    intents.collect()
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Ready => "Ready",
        Phase::Sending => "Sending",
        Phase::Pending => "Pending",
        Phase::Unknown => "Unknown",
        Phase::Asking => "Asking",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
        Phase::Refused => "Refused",
        Phase::Invalid => "Invalid",
        Phase::Cancelled => "Cancelled",
    }
}
