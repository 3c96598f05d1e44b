//! A file's rows read ahead: a thread of its own reads, decodes and cuts the file and reads each row by itself,
//! while the caller judges the rows beside each other. The caller sees the same rows in the same order, and the
//! same fault behind the same row, as if it read the file itself.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::admission::{ReadRow, RowReader};
use crate::intake::{Digest, FileFault, RawRow, Source};

use super::stop::Stop;

/// Rows handed over at once: enough that waking the other side costs little per row, few enough that they stay
/// in the cache between the two.
const BATCH_ROWS: usize = 512;

/// Bytes of cells handed over at once: large rows make small batches.
const BATCH_BYTES: usize = 256 << 10;

/// Batches that wait to be judged; one more is being filled and one judged. Memory is bounded by them.
const WAITING_MAX: usize = 2;

/// Buffers of a row that are kept for the next one.
const KEPT_BYTES: usize = 1 << 10;

/// A row of the file, and what it is by itself.
#[derive(Default)]
pub struct Slot {
    /// As it stands in the file.
    pub row: RawRow,
    /// As it was read.
    pub read: ReadRow,
}

/// Some rows in a row, and what came behind the last of them.
#[derive(Default)]
struct Batch {
    /// Those beyond `rows` are left from earlier batches, for their buffers.
    slots: Vec<Slot>,
    rows: usize,
    end: Option<Result<Digest, FileFault>>,
}

/// The rows of a file, one after the other.
pub struct Ahead {
    filled: Receiver<Batch>,
    spent: Sender<Batch>,
    batch: Batch,
    /// Rows of the batch that were handed out.
    taken: usize,
}

impl Ahead {
    /// Begins to read. The thread ends with the file, at its first fault, or when this value goes.
    ///
    /// # Errors
    /// [`Stop`] when the system has no thread to give.
    pub fn start(source: Source, reader: RowReader) -> Result<Self, Stop> {
        let (to_judge, filled) = sync_channel(WAITING_MAX);
        let (spent, returned) = channel();
        std::thread::Builder::new()
            .name("rows".to_owned())
            .spawn(move || Filler { source, reader, to_judge, returned }.run())
            .map_err(|e| Stop::internal(format!("no thread could be started to read the file: {e}")))?;
        Ok(Self { filled, spent, batch: Batch::default(), taken: 0 })
    }

    /// Goes on to the next row; false at the end of the file.
    ///
    /// # Errors
    /// [`Stop`]: the file is damaged beyond one row, cannot be read, or changed.
    pub fn advance(&mut self) -> Result<bool, Stop> {
        while self.taken >= self.batch.rows {
            match &self.batch.end {
                Some(Ok(_)) => return Ok(false),
                Some(Err(fault)) => return Err(fault.clone().into()),
                None => {}
            }
            let next = self
                .filled
                .recv()
                .map_err(|_| Stop::internal("reading the file ended in the middle of it"))?;
            // The thread may be gone already: then nobody needs the buffers.
            let _gone = self.spent.send(std::mem::replace(&mut self.batch, next));
            self.taken = 0;
        }
        self.taken += 1;
        Ok(true)
    }

    /// The row that was reached; none before the first.
    pub fn current(&mut self) -> Option<&mut Slot> {
        self.batch.slots.get_mut(self.taken.checked_sub(1)?)
    }

    /// As [`Ahead::current`], to look at.
    pub fn shown(&self) -> Option<&Slot> {
        self.batch.slots.get(self.taken.checked_sub(1)?)
    }

    /// The rows that came in with this one, at the first of them.
    pub fn just_come(&self) -> Option<&[Slot]> {
        if self.taken == 1 { self.batch.slots.get(..self.batch.rows) } else { None }
    }

    /// What the file was, at its end.
    pub fn digest(&self) -> Option<Digest> {
        self.batch.end.as_ref().and_then(|end| end.as_ref().ok()).copied()
    }
}

/// The other side.
struct Filler {
    source: Source,
    reader: RowReader,
    to_judge: SyncSender<Batch>,
    returned: Receiver<Batch>,
}

impl Filler {
    fn run(mut self) {
        let columns = self.source.columns().clone();
        loop {
            let mut batch = self.returned.try_recv().unwrap_or_default();
            (batch.rows, batch.end) = (0, None);
            let mut bytes = 0;
            while batch.rows < BATCH_ROWS && bytes < BATCH_BYTES && batch.end.is_none() {
                if batch.rows == batch.slots.len() {
                    batch.slots.push(Slot::default());
                }
                let Some(Slot { row, read }) = batch.slots.get_mut(batch.rows) else { return };
                row.cells.shed(KEPT_BYTES);
                match self.source.next_row(row) {
                    Ok(true) => {
                        self.reader.read(&columns, row, read);
                        bytes += row.cells.bytes();
                        batch.rows += 1;
                    }
                    Ok(false) => batch.end = Some(self.source.digest()),
                    Err(fault) => batch.end = Some(Err(fault)),
                }
            }
            if bytes >= BATCH_BYTES {
                batch.slots.truncate(batch.rows);
            }
            let ended = batch.end.is_some();
            // Nobody to take it: the caller stopped early.
            if self.to_judge.send(batch).is_err() || ended {
                return;
            }
        }
    }
}
