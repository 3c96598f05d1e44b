//! A batch's rows on their way to a file: this thread reads them, another one puts them into words and writes them.
//! The same rows in the same order as if one did both.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

use super::read::Columns;
use super::{BatchId, Ledger, LedgerError};
use crate::lifecycle::StoredRow;

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
    line: i64,
    cells: usize,
    order: Option<usize>,
    notes: usize,
    state: usize,
}

impl Parcel {
    fn add(&mut self, columns: &Columns<'_>) {
        self.bytes.extend_from_slice(columns.cells);
        let mut end = |text: &str| {
            self.text.push_str(text);
            self.text.len()
        };
        let (order, notes) = (columns.order.map(&mut end), end(columns.notes));
        let state = end(columns.state);
        let (row, line, cells) = (columns.row, columns.line, self.bytes.len());
        self.rows.push(Bounds { row, line, cells, order, notes, state });
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
        write: &mut impl FnMut(&StoredRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut cells_from, mut from) = (0, 0);
        for bounds in &self.rows {
            let mut text = |end: usize| {
                let text = self.text.get(from..end).unwrap_or_default();
                from = end;
                text
            };
            let (order, notes) = (bounds.order.map(&mut text), text(bounds.notes));
            let columns = Columns {
                row: bounds.row,
                line: bounds.line,
                cells: self.bytes.get(cells_from..bounds.cells).unwrap_or_default(),
                order,
                notes,
                state: text(bounds.state),
            };
            cells_from = bounds.cells;
            write(&columns.decode(path)?)?;
        }
        Ok(())
    }
}

impl Ledger {
    /// Hands every row of a batch, in row order, as they stood at one moment, to `write`, on a thread of its own.
    ///
    /// # Errors
    /// [`LedgerError`], or the first error of `write`.
    pub(super) fn stream_rows<E: From<LedgerError> + Send>(
        &self,
        batch: BatchId,
        mut write: impl FnMut(&StoredRow) -> Result<(), E> + Send,
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
            parcel.add(columns);
            if !parcel.is_full() {
                return ControlFlow::Continue(());
            }
            let next = returned.try_recv().unwrap_or_default();
            // Nobody takes it any more: the writer failed, and says why.
            match to_write.send(std::mem::replace(&mut parcel, next)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        let _failed = to_write.send(parcel);
        Ok(())
    }
}
