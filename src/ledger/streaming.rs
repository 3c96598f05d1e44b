//! A batch's rows on their way to a file: this thread reads them and their orders, another one reads where they
//! stand, puts them into words and writes them. The same rows in the same order as if one did both.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

use rust_decimal::Decimal;

use super::read::Columns;
use super::record::unsigned;
use super::{BatchId, Ledger, LedgerError};
use crate::domain::{Currency, PhoneNumber, RowNumber};
use crate::report::{OrderWords, RowWords, Words};

/// Rows handed over at once: enough that waking the other side costs little per row.
const ROWS: usize = 256;

/// Bytes handed over at once: large rows make small parcels.
const BYTES: usize = 256 << 10;

/// Parcels that wait to be written. Memory is bounded by them.
const WAITING_MAX: usize = 4;

/// Columns of some rows, one behind the other in one buffer.
#[derive(Default)]
struct Parcel {
    bytes: Vec<u8>,
    text: String,
    rows: Vec<Bounds>,
}

/// Where a row's columns end.
struct Bounds {
    row: i64,
    cells: usize,
    order: Option<OrderBounds>,
    notes: usize,
    state: usize,
}

/// An order, and where its texts end.
struct OrderBounds {
    provider: usize,
    phone: PhoneNumber,
    airtime: bool,
    amount: Option<Decimal>,
    currency: Option<Currency>,
    operator: Option<usize>,
    operator_hint: Option<usize>,
}

impl Parcel {
    fn add(&mut self, columns: &Columns<'_>, path: &Path) -> Result<(), LedgerError> {
        self.bytes.extend_from_slice(columns.cells);
        let order: Option<OrderWords<'_>> = columns
            .order
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| columns.damaged(path, "order"))?;
        let mut end = |text: &str| {
            self.text.push_str(text);
            self.text.len()
        };
        let order = order.map(|order| {
            let OrderWords { provider, phone, airtime, amount, currency, operator, operator_hint } = order;
            let provider = end(provider.as_str());
            let operator = operator.map(|operator| end(operator.as_str()));
            let operator_hint = operator_hint.map(|operator| end(operator.as_str()));
            OrderBounds { provider, phone, airtime, amount, currency, operator, operator_hint }
        });
        let (notes, state) = (end(columns.notes), end(columns.state));
        self.rows.push(Bounds { row: columns.row, cells: self.bytes.len(), order, notes, state });
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= ROWS || self.bytes.len() + self.text.len() >= BYTES
    }

    fn clear(&mut self) {
        if self.bytes.len() + self.text.len() > 2 * BYTES {
            *self = Self::default();
        }
        self.bytes.clear();
        self.text.clear();
        self.rows.clear();
    }

    fn each<E: From<LedgerError>>(
        &self,
        path: &Path,
        write: &mut impl FnMut(&mut dyn Iterator<Item = &str>, &RowWords<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut cells_from, mut from) = (0, 0);
        for bounds in &self.rows {
            let mut text = |end: usize| {
                let text = self.text.get(from..end).unwrap_or_default();
                from = end;
                text
            };
            let order = bounds.order.as_ref().map(|order| OrderWords {
                provider: Words::from(text(order.provider)),
                phone: order.phone.clone(),
                airtime: order.airtime,
                amount: order.amount,
                currency: order.currency,
                operator: order.operator.map(|end| Words::from(text(end))),
                operator_hint: order.operator_hint.map(|end| Words::from(text(end))),
            });
            let columns = Columns {
                row: bounds.row,
                line: 0,
                cells: self.bytes.get(cells_from..bounds.cells).unwrap_or_default(),
                order: None,
                notes: text(bounds.notes),
                state: text(bounds.state),
            };
            cells_from = bounds.cells;
            let words = RowWords {
                row: RowNumber(unsigned(columns.row)),
                order,
                notes: Cow::Owned(columns.notes(path)?),
                state: serde_json::from_str(columns.state).map_err(|_| columns.damaged(path, "state"))?,
            };
            write(&mut columns.cells(path)?, &words)?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Hands the cells of every row of a batch, and what it says, in row order, as they stood at one moment, to
    /// `write`, on a thread of its own.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `write`.
    pub(super) fn stream_rows<E: From<LedgerError> + Send>(
        &self,
        batch: BatchId,
        mut write: impl FnMut(&mut dyn Iterator<Item = &str>, &RowWords<'_>) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let (to_write, parcels) = sync_channel(WAITING_MAX);
        let (spent, returned) = channel();
        let path = self.path.as_path();
        std::thread::scope(|scope| {
            let write_all = move || {
                for parcel in parcels {
                    let mut parcel: Parcel = parcel;
                    parcel.each(path, &mut write)?;
                    parcel.clear();
                    // The reader may be through: then nobody needs the buffers.
                    let _through = spent.send(parcel);
                }
                Ok(())
            };
            let writing = std::thread::Builder::new()
                .name("results".to_owned())
                .spawn_scoped(scope, write_all)
                .map_err(|e| LedgerError::of_io(path, &e))?;
            let read = self.fill(batch, to_write, &returned);
            let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written.and(read.map_err(E::from))
        })
    }

    fn fill(
        &self,
        batch: BatchId,
        to_write: SyncSender<Parcel>,
        returned: &Receiver<Parcel>,
    ) -> Result<(), LedgerError> {
        let mut parcel = Parcel::default();
        self.for_each_raw(batch, |columns| {
            parcel.add(columns, &self.path)?;
            if !parcel.is_full() {
                return Ok(ControlFlow::Continue(()));
            }
            let next = returned.try_recv().unwrap_or_default();
            // Nobody takes it any more: the writer failed, and says why.
            match to_write.send(std::mem::replace(&mut parcel, next)) {
                Ok(()) => Ok(ControlFlow::Continue(())),
                Err(_) => Ok(ControlFlow::Break(())),
            }
        })?;
        let _failed = to_write.send(parcel);
        Ok(())
    }
}
